"""Counts for the metrics, in a handful of queries however much there is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, exists, func, select

from watcher.store import alerts, outbox, schema, state


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the store holds at one time, by labels of little variety."""

    accounts: Mapping[str, int]  #: by state: `ok`, `gaps` (something could not be read), `unread` (not tried yet)
    jobs: Mapping[str, int]  #: by status
    deployments: Mapping[tuple[str, str], int]  #: those that live, by SKU and provisioning state
    until_deletion: Mapping[tuple[str, str], float]  #: seconds, by account's label and deployment, where it is dated
    alerts: Mapping[tuple[str, str, str], int]  #: open conditions, by rule, severity and state
    outbox: Mapping[str, int]  #: notifications by state
    last_complete_cycle: datetime | None
    skew: timedelta | None = None  #: how far the host's clock is ahead of the service's


def counts(tx: Connection, now: datetime, host: str = "") -> Counts:
    """Count everything.

    Args:
        host: The machine whose clock is asked for.
    """
    clock = state.clock(tx, host)
    return Counts(
        accounts=_accounts(tx),
        jobs=_jobs(tx),
        deployments=_deployments(tx),
        until_deletion=_until_deletion(tx, now),
        alerts={(rule, severity, "firing"): count for (rule, severity), count in alerts.counts(tx).items()},
        outbox=outbox.undelivered(tx),
        last_complete_cycle=state.at(tx, state.CYCLE_COMPLETED),
        skew=None if clock is None else clock.skew,
    )


def _accounts(tx: Connection) -> dict[str, int]:
    c = schema.accounts.c
    has_gap = exists(select(1).where(schema.gaps.c.account == c.key))
    kind = case((c.polled_at.is_(None), "unread"), (has_gap, "gaps"), else_="ok")
    rows = tx.execute(select(kind, func.count()).where(c.removed_at.is_(None)).group_by(kind))
    return {"ok": 0, "gaps": 0, "unread": 0} | {state_: count for state_, count in rows}


def _jobs(tx: Connection) -> dict[str, int]:
    c = schema.jobs.c
    return {status: count for status, count in tx.execute(select(c.status, func.count()).group_by(c.status))}


def _deployments(tx: Connection) -> dict[tuple[str, str], int]:
    c = schema.deployments.c
    found: dict[tuple[str, str], int] = {}
    for noun in tx.execute(select(c.noun).where(c.ended_at.is_(None))).scalars():
        key = (noun.sku, noun.raw_provisioning_state)
        found[key] = found.get(key, 0) + 1
    return found


def _until_deletion(tx: Connection, now: datetime) -> dict[tuple[str, str], float]:
    c = schema.alerts.c
    query = select(c.finding).where(schema.IS_FIRING)
    found = {}
    for finding in tx.execute(query.where(c.rule.in_(("deployment_idle", "deployment_expiring")))).scalars():
        at = finding.values.get("deletion_earliest")
        if isinstance(at, str):
            key = (finding.labels.get("account", ""), finding.labels.get("deployment", ""))
            found[key] = (datetime.fromisoformat(at) - now).total_seconds()
    return found
