"""What is said where nothing bears a name that is asked for: what may be asked, and of an account where to look."""

import shlex

from sqlalchemy import Connection

from watcher.errors import Refused
from watcher.resources.changes import ResourceKind
from watcher.rules.text import few
from watcher.store import alerts, listings

#: So many alerts of an account are named.
_NAMED = 3


def nothing_found(tx: Connection, wanted: str) -> Refused:
    """Why there is nothing to tell."""
    places = listings.places(tx, with_removed=True, keys=listings.named(tx, wanted))
    if not places:
        return Refused(
            f"nothing is known of {wanted}: what can be explained is an alert, a job or a deployment; see "
            "`watcher alerts`, `watcher jobs` and `watcher deployments`"
        )
    if not any(place.is_watched for place in places.values()):
        return Refused(
            f"{wanted} is an account that is watched no longer, and what can be explained is an alert, a job or a "
            "deployment: of what was in it, name one as ACCOUNT/NAME; see `watcher alerts`"
        )
    labels = sorted({place.account.label for place in places.values()})
    filters = " ".join(f"--account {shlex.quote(label)}" for label in labels)
    lists = (f"`watcher {name} {filters}`" for name in ("alerts", "deployments", "jobs"))
    firing = [
        f"{alert.finding.rule} ({alert.id})"
        for key in sorted(places)
        for alert in alerts.firing(tx, key)
        if alert.finding.subject.kind is ResourceKind.ACCOUNT
    ]
    about = f"; firing about the account itself: {few(firing, _NAMED)}" if firing else ""
    return Refused(
        f"{wanted} is an account, and what can be explained is an alert, a job or a deployment: see "
        f"{', '.join(lists)}{about}"
    )
