"""How long a deployment may live, by its SKU: Azure's pages name few SKUs, so the operator may know better."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase

from watcher.resources.deployment import Deployment, SkuKind, sku_spellings

#: Without a call.
#: Source: Azure's page on fine-tuning, "Deploy a fine-tuned model".
IDLE_LIFETIME = timedelta(days=15)
#: Developer deployments are subject to removal this long after their creation, called or not.
#: Source: Azure's page on testing fine-tuned models, "Developer deployments".
DEVELOPER_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long deployments live before Azure deletes them, from two clocks: idleness, and mere age."""

    idle: timedelta = IDLE_LIFETIME
    #: Globs on the SKU in any of its spellings without case, the first that fits counts; `None`: never. A SKU that
    #: none fits has `idle`.
    idle_by_sku: Mapping[str, timedelta | None] = field(default_factory=dict)
    expiry: timedelta = DEVELOPER_LIFETIME
    #: The same for mere age. A SKU that none fits has `expiry` if it is a Developer one, and else never expires.
    expiry_by_sku: Mapping[str, timedelta | None] = field(default_factory=dict)

    def idle_of(self, deployment: Deployment) -> timedelta | None:
        """Without a call; `None`: never deleted for idleness. A Developer deployment expires long before."""
        is_named, lifetime = _first_fit(deployment.sku, self.idle_by_sku)
        if is_named:
            return lifetime
        return None if deployment.sku_kind is SkuKind.DEVELOPER else self.idle

    def is_assumed(self, deployment: Deployment) -> bool:
        """Whether neither Azure nor the operator says that the like of it is deleted for idleness."""
        return deployment.sku_kind is not SkuKind.STANDARD and not _first_fit(deployment.sku, self.idle_by_sku)[0]

    def expiry_of(self, deployment: Deployment) -> timedelta | None:
        """From its creation, called or not; `None`: it does not expire."""
        is_named, lifetime = _first_fit(deployment.sku, self.expiry_by_sku)
        if is_named:
            return lifetime
        return self.expiry if deployment.sku_kind is SkuKind.DEVELOPER else None


def _first_fit(sku: str, table: Mapping[str, timedelta | None]) -> tuple[bool, timedelta | None]:
    if not table:  # as nearly always
        return False, None
    spellings = sku_spellings(sku)
    for pattern, lifetime in table.items():
        if any(fnmatchcase(spelling, pattern.lower()) for spelling in spellings):
            return True, lifetime
    return False, None
