"""How often deployments were called, hour by hour, and which spans of the metrics were read at all.

A row holds one deployment's day; a day without a row had no call where `coverage` holds it, and is unknown elsewhere.
The span that is being read on stands in the rows of `usage`, which a poll writes anyway: `readings` gets only what
those are about to forget, so that an account without calls costs no row more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection, delete, insert, select

from watcher.resources.calls import HOUR, Calls, Coverage, HourOfCalls
from watcher.resources.deployment import Usage
from watcher.resources.snapshot import Snapshot
from watcher.store import schema, state
from watcher.store.upsert import chunks, upsert_all

#: One hour as it is stored: its number, then as in `HourOfCalls`, the time in Unix seconds.
Packed = tuple[int, float, float, float, int | None]


def save(tx: Connection, snapshot: Snapshot) -> None:
    """Join what a snapshot read of calls with what is kept; writes only days that changed."""
    account = snapshot.account.key
    read: dict[tuple[str, str], dict[datetime, HourOfCalls]] = {}
    for calls in snapshot.calls.values():
        for hour, one in calls.hours.items():
            read.setdefault((calls.deployment, _day(hour)), {})[hour] = replace(one, seen_at=snapshot.at)
    if not read:
        return
    c = schema.calls.c
    first = min(day for _, day in read)
    kept: dict[tuple[str, str], list[Packed]] = {}
    for some in chunks(sorted({name for name, _ in read})):
        query = select(c.deployment, c.day, c.hours).where(c.account == account, c.deployment.in_(some), c.day >= first)
        kept.update(((row.deployment, row.day), row.hours) for row in tx.execute(query))
    rows = []
    for (name, day), hours in sorted(read.items()):
        before = kept.get((name, day))
        known = Calls(deployment=name, hours=_unpacked(day, before or ()))
        after = _packed(known.joined(Calls(deployment=name, hours=hours)).hours)
        if after != before:
            rows.append({"account": account, "deployment": name, "day": day, "hours": after})
    upsert_all(tx, schema.calls, ("account", "deployment", "day"), rows)


def save_torn(tx: Connection, account: str, before: Mapping[str, Usage], after: Mapping[str, Usage]) -> None:
    """Keep the spans that usage no longer tells of, since what was read now does not adjoin them: seldom any."""
    torn = [
        (one.read_from, one.read_to)
        for name, one in before.items()
        if (now := after.get(name)) is None or not now.read_from <= one.read_from or not one.read_to <= now.read_to
    ]
    if torn:
        keep(tx, account, torn)


def keep(tx: Connection, account: str, spans: Iterable[tuple[datetime, datetime]]) -> None:
    """Note spans of an account's metrics as read whole."""
    c = schema.readings.c
    known = tx.execute(select(c.begins, c.ends).where(c.account == account)).all()
    before = Coverage(spans=tuple(sorted((begins, ends) for begins, ends in known)))
    after = before
    for begin, end in spans:
        after = after.with_span(begin, end)
    if after == before:
        return
    tx.execute(delete(schema.readings).where(c.account == account))
    tx.execute(
        insert(schema.readings), [{"account": account, "begins": begin, "ends": end} for begin, end in after.spans]
    )


def coverage(tx: Connection, account: str) -> Coverage:
    """The spans of an account's metrics that were read whole, and whose calls are still kept."""
    return coverages(tx, account).get(account, Coverage())


def coverages(tx: Connection, account: str | None = None) -> dict[str, Coverage]:
    """The same of all accounts at once, by key."""
    r, u = schema.readings.c, schema.usage.c
    kept, held = select(r.account, r.begins, r.ends), select(u.account, u.noun)
    if account is not None:
        kept, held = kept.where(r.account == account), held.where(u.account == account)
    spans = [(row.account, row.begins, row.ends) for row in tx.execute(kept)]
    # Of longer buckets it cannot be told in which of their hours the calls were.
    spans += [
        (key, noun.read_from, noun.read_to) for key, noun in tx.execute(held) if noun.bucket_seconds <= HOUR.seconds
    ]
    kept_since = state.at(tx, state.CALLS_KEPT_SINCE)
    found: dict[str, Coverage] = {}
    for key, begin, end in sorted(set(spans)):
        begin = begin if kept_since is None else max(begin, kept_since)
        found[key] = found.get(key, Coverage()).with_span(begin, end)
    return found


def load(tx: Connection, account: str, begin: datetime, end: datetime) -> dict[str, Calls]:
    """The calls in the hours that begin in [begin, end), of the deployments that had any, by name in lower case."""
    return {name: calls for (_, name), calls in load_all(tx, begin, end, account=account).items()}


def load_all(
    tx: Connection, begin: datetime, end: datetime, *, account: str | None = None
) -> dict[tuple[str, str], Calls]:
    """The same of all accounts, by account's key and deployment's name."""
    c = schema.calls.c
    query = (
        select(schema.calls).where(c.day >= _day(begin), c.day <= _day(end)).order_by(c.account, c.deployment, c.day)
    )
    if account is not None:
        query = query.where(c.account == account)
    hours: dict[tuple[str, str], dict[datetime, HourOfCalls]] = {}
    for row in tx.execute(query):
        hours.setdefault((row.account, row.deployment), {}).update(_unpacked(row.day, row.hours))
    found = {place: Calls(deployment=place[1], hours=its).within(begin, end) for place, its in hours.items()}
    return {place: calls for place, calls in found.items() if calls.hours}


def prune(tx: Connection, *, before: datetime) -> int:
    """Let go of the days that ended before a time, and claim no more to know of them; returns how many went."""
    since = datetime.combine(before.astimezone(UTC).date(), time(), UTC)
    known_since = state.at(tx, state.CALLS_KEPT_SINCE)
    count = tx.execute(delete(schema.calls).where(schema.calls.c.day < _day(since))).rowcount
    tx.execute(delete(schema.readings).where(schema.readings.c.ends <= since))
    if count and (known_since is None or known_since < since):
        state.put(tx, state.CALLS_KEPT_SINCE, at=since)
    return count


def carry_over(tx: Connection, old: str, new: str) -> None:
    """The calls of an account that was moved go on under its new key."""
    c, r = schema.calls.c, schema.readings.c
    moved = tx.execute(select(c.deployment, c.day, c.hours).where(c.account == old))
    rows = [{"account": new, "deployment": row.deployment, "day": row.day, "hours": row.hours} for row in moved]
    upsert_all(tx, schema.calls, ("account", "deployment", "day"), rows)
    spans = tx.execute(select(r.begins, r.ends).where(r.account == old)).all()
    keep(tx, new, [(begins, ends) for begins, ends in spans])


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def _packed(hours: Mapping[datetime, HourOfCalls]) -> list[Packed]:
    return [
        (hour.hour, one.ok, one.other, one.unclear, None if one.seen_at is None else int(one.seen_at.timestamp()))
        for hour, one in sorted(hours.items())
    ]


def _unpacked(day: str, hours: Iterable[Packed]) -> dict[datetime, HourOfCalls]:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return {
        midnight + timedelta(hours=number): HourOfCalls(
            ok=ok,
            other=other,
            unclear=unclear,
            seen_at=None if seen is None else datetime.fromtimestamp(seen, UTC),
        )
        for number, ok, other, unclear, seen in hours
    }
