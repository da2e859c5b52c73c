"""Whether a Developer deployment could serve in another one's place, as far as what is known of it goes.

It lasts a day and is meant for tests. Nobody makes one of what says that it is production; and what is provisioned
counts its capacity in a unit of its own, so that no Developer deployment is like it.
"""

from collections.abc import Collection

from watcher.resources.account import Account
from watcher.resources.deployment import Deployment, SkuKind

#: The label, or the tag, that tells where something serves.
_ENVIRONMENT = "environment"
#: What that is called where it is production, whatever the operator holds to be critical.
_PRODUCTION = frozenset({"prod", "production", "prd", "live"})


def may_be_trial(account: Account, deployment: Deployment, critical_environments: Collection[str]) -> bool:
    """Whether nothing speaks against it; whether it serves tests only, nobody but its owner knows.

    Args:
        critical_environments: As the operator has them: these are production too.
    """
    if deployment.sku_kind is not SkuKind.STANDARD:
        return False
    said = {
        value.strip()
        for words in (deployment.tags, account.labels, account.tags)
        for name, value in words.items()
        if name.lower() == _ENVIRONMENT
    }
    return not any(one in critical_environments or one.lower() in _PRODUCTION for one in said)
