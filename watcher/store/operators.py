"""What operators said: silences, keeps, acknowledgements; all of it audited, and the audit tells what held once."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, insert, select, update

from watcher.alerts.alert import Alert
from watcher.alerts.keep import Keep
from watcher.alerts.matcher import stored_matchers
from watcher.alerts.silence import Silence
from watcher.rules.text import moment
from watcher.store import schema
from watcher.store.stamps import new_stamp
from watcher.store.upsert import upsert

#: As `save_keep` writes it.
_UNTIL = re.compile(r"until (\d{4}-\d\d-\d\d \d\d:\d\d) UTC: (.*)", re.DOTALL)


def acknowledge(tx: Connection, alert: Alert, *, author: str, comment: str, now: datetime) -> None:
    """Note that somebody looks after an alert: its reminders stop."""
    where = schema.alerts.c.id == alert.id
    tx.execute(update(schema.alerts).where(where).values(acked_at=now, acked_by=author, stamp=new_stamp()))
    record(tx, author=author, action="ack", subject=alert.id, comment=comment, now=now)


def add_silence(
    tx: Connection,
    matchers: Sequence[str],
    *,
    ends_at: datetime,
    author: str,
    comment: str,
    is_forced: bool = False,
    now: datetime,
) -> Silence:
    """Mute what all of `matchers` match, until `ends_at`; with `is_forced` the last day before a deletion too."""
    text = "\x1f".join((*matchers, author, comment, now.isoformat(), ends_at.isoformat()))
    id_ = "sil_" + hashlib.sha256(text.encode()).hexdigest()[:12]
    tx.execute(
        insert(schema.silences).values(
            id=id_,
            matchers=list(matchers),
            starts_at=now,
            ends_at=ends_at,
            author=author,
            comment=comment,
            is_forced=is_forced,
        )
    )
    said = f"{' '.join(matchers)}{' (forced)' if is_forced else ''}: {comment}"
    record(tx, author=author, action="silence.add", subject=id_, comment=said, now=now)
    return silence_of(tx.execute(select(schema.silences).where(schema.silences.c.id == id_)).one())


def expire_silence(tx: Connection, id_: str, *, author: str, comment: str = "", now: datetime) -> Silence | None:
    """End a silence now; `None` if there is none of this id, or it has ended."""
    c = schema.silences.c
    row = tx.execute(
        update(schema.silences).where(c.id == id_, c.ends_at > now).values(ends_at=now).returning(schema.silences)
    ).one_or_none()
    if row is None:
        return None
    record(tx, author=author, action="silence.expire", subject=id_, comment=comment, now=now)
    return silence_of(row)


def silences(tx: Connection, *, since: datetime) -> tuple[Silence, ...]:
    """The silences that end after `since`, the next to end first."""
    return tuple(silence_of(row) for row in tx.execute(_SILENCES, {"since": since}))


_SILENCES = (
    select(schema.silences).where(schema.silences.c.ends_at > bindparam("since")).order_by(schema.silences.c.ends_at)
)


def silence_of(row: Row[Any]) -> Silence:
    """One silence. What cannot be read of it hides nothing, and takes no other silence with it."""
    return Silence(
        id=row.id,
        matchers=stored_matchers(row.matchers),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        author=row.author,
        comment=row.comment,
        is_forced=row.is_forced,
    )


def save_keep(tx: Connection, keep: Keep, *, now: datetime) -> None:
    """Keep a deployment until a time; a later word replaces an earlier one."""
    upsert(
        tx,
        schema.keeps,
        {"account": keep.account, "deployment": keep.deployment.lower()},
        {"until": keep.until, "author": keep.author, "reason": keep.reason, "at": now},
    )
    subject = f"{keep.account}/{keep.deployment}"
    comment = f"until {moment(keep.until)}: {keep.reason}"
    record(tx, author=keep.author, action="keep", subject=subject, comment=comment, now=now)


def keeps(tx: Connection, *, since: datetime) -> tuple[Keep, ...]:
    """The exceptions that end after `since`."""
    rows = tx.execute(select(schema.keeps).where(schema.keeps.c.until > since).order_by(schema.keeps.c.until))
    return tuple(
        Keep(account=row.account, deployment=row.deployment, until=row.until, author=row.author, reason=row.reason)
        for row in rows
    )


def drop_keep(tx: Connection, account: str, deployment: str, *, by: str | None = None) -> bool:
    """End an exception; with `by` only that author's. Returns whether there was one."""
    c = schema.keeps.c
    where = and_(c.account == account, c.deployment == deployment.lower(), *([] if by is None else [c.author == by]))
    return tx.execute(delete(schema.keeps).where(where)).rowcount > 0


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
            said[place] = audited_keep(entry) if entry.action == "keep" else None
    said = {place: keep for place, keep in said.items() if place in is_replaced}
    for row in tx.execute(select(schema.keeps).where(k.at <= at)):
        said[row.account.lower(), row.deployment] = Keep(
            account=row.account, deployment=row.deployment, until=row.until, author=row.author, reason=row.reason
        )
    held = (keep for keep in said.values() if keep is not None and keep.until > since)
    return tuple(sorted(held, key=lambda keep: (keep.until, keep.account, keep.deployment)))


def audited_keep(entry: "AuditEntry | Row[Any]") -> Keep | None:
    """The keep that an entry of the audit says was saved; `None`: it says no such thing."""
    found = _UNTIL.fullmatch(entry.comment)
    if found is None:
        return None
    account, _, deployment = entry.subject.rpartition("/")
    until = datetime.strptime(found[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return Keep(account=account, deployment=deployment.lower(), until=until, author=entry.author, reason=found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, when and why."""

    at: datetime
    author: str
    action: str
    subject: str
    comment: str


def record(tx: Connection, *, author: str, action: str, subject: str, comment: str, now: datetime) -> None:
    """Append to the audit."""
    tx.execute(insert(schema.audit).values(at=now, author=author, action=action, subject=subject, comment=comment))


def audit(tx: Connection, *, subject: str | None = None, since: datetime | None = None) -> tuple[AuditEntry, ...]:
    """What operators did, newest first."""
    query = select(schema.audit).order_by(schema.audit.c.id.desc())
    if subject is not None:
        query = query.where(schema.audit.c.subject == subject)
    if since is not None:
        query = query.where(schema.audit.c.at >= since)
    return tuple(
        AuditEntry(at=row.at, author=row.author, action=row.action, subject=row.subject, comment=row.comment)
        for row in tx.execute(query)
    )
