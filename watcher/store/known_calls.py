"""Until when calls are known of which alerts tell: metrics rest for hours, and an alert is not stored anew at each."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.summary import CALLED
from watcher.resources.changes import ResourceKind
from watcher.store import schema
from watcher.store.upsert import chunks


def known_to(tx: Connection, alerts: Iterable[Alert]) -> dict[str, datetime]:
    """When the metrics end that were read of a deployment, by id of the alerts that fire since nobody calls it."""
    places = {one.id: _place(one) for one in alerts if _tells_of_calls(one)}
    ends = _ends(tx, {account for account, _ in places.values()}, {name for _, name in places.values()})
    return {id_: ends[place] for id_, place in places.items() if place in ends}


def _tells_of_calls(alert: Alert) -> bool:
    finding = alert.finding
    is_firing = alert.status is AlertStatus.FIRING and not alert.is_event
    return is_firing and finding.subject.kind is ResourceKind.DEPLOYMENT and CALLED in finding.values


def _place(alert: Alert) -> tuple[str, str]:
    account, _, name = alert.finding.subject.id.lower().partition("/deployments/")
    return account, name


def _ends(tx: Connection, accounts: Collection[str], names: Collection[str]) -> dict[tuple[str, str], datetime]:
    found = {}
    for some in chunks(sorted(accounts)):
        for row in tx.execute(_USAGE, {"accounts": some}):
            if row.deployment in names:
                found[row.account, row.deployment] = row.noun.read_to
    return found


_USAGE = select(schema.usage).where(schema.usage.c.account.in_(bindparam("accounts", expanding=True)))
