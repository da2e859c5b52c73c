"""What operators wanted at one time in the past: a keep is replaced or dropped, and the audit tells what it was."""

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from watcher.alerts.keep import Keep
from watcher.store import schema

#: As `alerts.save_keep` writes it.
_UNTIL = re.compile(r"until (\d{4}-\d\d-\d\d \d\d:\d\d) UTC: (.*)", re.DOTALL)


def keeps_as_of(tx: Connection, at: datetime, *, since: datetime) -> tuple[Keep, ...]:
    """The keeps that held at `at`, or ran out since `since`; the first to end first.

    One that was replaced or dropped later comes from the audit, which tells its end to the minute, and is believed only
    where it goes on.
    """
    k, a = schema.keeps.c, schema.audit.c
    said: dict[tuple[str, str], Keep | None] = {}
    is_replaced: set[tuple[str, str]] = set()
    for entry in tx.execute(select(schema.audit).where(a.action.in_(("keep", "keep.drop"))).order_by(a.id)):
        account, _, deployment = entry.subject.rpartition("/")
        place = account.lower(), deployment.lower()
        if entry.at > at:
            is_replaced.add(place)
        else:
            said[place] = _audited(account, deployment.lower(), entry) if entry.action == "keep" else None
    said = {place: keep for place, keep in said.items() if place in is_replaced}
    for row in tx.execute(select(schema.keeps).where(k.at <= at)):
        said[row.account.lower(), row.deployment] = Keep(
            account=row.account, deployment=row.deployment, until=row.until, author=row.author, reason=row.reason
        )
    held = (keep for keep in said.values() if keep is not None and keep.until > since)
    return tuple(sorted(held, key=lambda keep: (keep.until, keep.account, keep.deployment)))


def _audited(account: str, deployment: str, entry: Row[Any]) -> Keep | None:
    found = _UNTIL.fullmatch(entry.comment)
    if found is None:
        return None
    until = datetime.strptime(found[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return Keep(account=account, deployment=deployment, until=until, author=entry.author, reason=found[2])
