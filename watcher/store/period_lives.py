"""The lives of custom deployments that a period's statement needs, as they were known at one time."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Text, or_, select, type_coerce

from watcher.alerts.keep import COUNTDOWN_RULES
from watcher.report.recorded import RecordedLife
from watcher.resources.changes import Change, ResourceKind, Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, is_fine_tuned
from watcher.resources.snapshot import Gap, Section
from watcher.store import schema
from watcher.store import then as history_of

_BATCH = 2000


@dataclass(slots=True, kw_only=True)
class Changes:
    """What happened to the deployments of all accounts, and when they were surely looked at."""

    of: dict[str, list[Transition]] = field(default_factory=dict)  #: by deployment's key, oldest first
    sights: dict[str, list[datetime]] = field(default_factory=dict)  #: by account, in order
    first: dict[str, datetime] = field(default_factory=dict)  #: by account: its first sight, where it is marked


def changes(tx: Connection, begin: datetime, past: Collection[str]) -> Changes:
    """What is recorded of deployments: of accounts that are not `past` their pauses, and sights where any has ended."""
    c, d = schema.transitions.c, schema.deployments.c
    query = select(
        c.account,
        c.resource,
        c.name,
        c.incarnation,
        c.change,
        c.attribute,
        c.before,
        c.after,
        c.observed_at,
        c.is_history,
    )
    if not past:
        has_ended = c.account.in_(select(d.account).where(d.ended_at >= begin))
        query = query.where(or_(c.attribute == "deployment_state", has_ended))
    found = Changes()
    for row in tx.execute(query.where(c.kind == ResourceKind.DEPLOYMENT.value).order_by(c.id)):
        at = row.observed_at
        if row.attribute == "deployment_state" or row.account in past:
            found.of.setdefault(row.resource.lower(), []).append(_transition(row))
        sights = found.sights.setdefault(row.account, [])
        if not sights or sights[-1] < at:
            sights.append(at)
        if row.is_history:
            found.first.setdefault(row.account, at)
    return found


def _transition(row: Any) -> Transition:
    """One of few columns: of a large fleet's past all are read."""
    return Transition(
        account=row.account,
        kind=ResourceKind.DEPLOYMENT,
        resource=row.resource,
        name=row.name,
        incarnation=row.incarnation,
        change=Change(row.change),
        attribute=row.attribute,
        before=row.before,
        after=row.after,
        observed_at=row.observed_at,
        is_history=row.is_history,
    )


def load(
    tx: Connection,
    begin: datetime,
    as_of: datetime,
    *,
    accounts: Collection[str],
    past: Collection[str],
    models: Collection[str],
    changes: Changes,
    gaps: Mapping[str, Sequence[tuple[Gap, datetime | None]]],
) -> dict[str, list[RecordedLife]]:
    """By account's key, the lives that had not ended by `begin`; without their calls, and who was told of them.

    Args:
        past: Those of `accounts` of which something was read after `as_of`.
        models: Names of the custom models that were known.
        gaps: By account's key, each with when it closed.
    """
    c = schema.deployments.c
    query = select(
        c.account,
        c.key,
        c.incarnation,
        c.model,
        c.first_seen_at,
        c.ended_at,
        c.outcome,
        type_coerce(c.noun, Text).label("noun"),
        c.departure,
    )
    query = query.where(c.first_seen_at <= as_of, or_(c.ended_at.is_(None), c.ended_at >= begin))
    decode = msgspec.json.Decoder(Deployment).decode
    found: dict[str, list[RecordedLife]] = {}
    before: Row[Any] | None = None  # of the same name, the life that came later
    rows = tx.execute(query.order_by(c.account, c.key, c.first_seen_at.desc()).execution_options(yield_per=_BATCH))
    for row in rows:
        successor = before if before is not None and before.key == row.key else None
        before = row
        if row.account not in accounts or not is_fine_tuned(row.model, models):
            continue
        said = changes.of.get(row.key, ())
        noun = decode(row.noun)
        stands = row.ended_at is None
        if row.account in past:
            own = [one for one in said if one.incarnation == row.incarnation]
            if any(one.observed_at > as_of for one in own) or (noun.modified_at or as_of) > as_of:
                noun = replace(history_of.deployment_at(noun, own, as_of), incarnation=row.incarnation)
            life = history_of.Life(
                noun=noun, first_seen_at=row.first_seen_at, ended_at=row.ended_at, departure=row.departure
            )
            stands = history_of.lives_at(life, said, as_of)
        end, outcome, departure = None, "", None
        if not stands:
            ended_at, outcome = _ended_at(row, said, as_of)
            departure = row.departure if row.ended_at == ended_at else None
            created = decode(successor.noun).created_at if successor is not None else None
            sights = _sights(changes.sights.get(row.account, ()), noun, gaps.get(row.account, ()))
            end = _end(noun, row.first_seen_at, ended_at, departure, created, sights)
        paused, running_since = _pauses(noun, row.first_seen_at, said, as_of)
        found.setdefault(row.account, []).append(
            RecordedLife(
                deployment=noun,
                first_seen_at=row.first_seen_at,
                end=end,
                outcome=outcome,
                departure=departure,
                paused=paused,
                running_since=running_since,
            )
        )
    return found


def _ended_at(row: Row[Any], said: Sequence[Transition], as_of: datetime) -> tuple[datetime, str]:
    """When this life was seen to have ended, and how, as was known by then: it may have come back since."""
    if row.ended_at is not None and row.ended_at <= as_of:
        return row.ended_at, row.outcome
    for one in reversed(said):
        if one.observed_at > as_of:
            continue
        if (one.change is Change.GONE and one.incarnation == row.incarnation) or (
            one.change is Change.REPLACED and one.before == row.incarnation
        ):
            return one.observed_at, one.change.value
    return as_of, Change.GONE.value


def _sights(
    sights: Sequence[datetime], noun: Deployment, gaps: Sequence[tuple[Gap, datetime | None]]
) -> Sequence[datetime]:
    """The sights of an account's deployments, but those at which this very one could not be read."""
    unread = [(gap.at, ends_at) for gap, ends_at in gaps if gap.section is Section.DEPLOYMENTS and gap.is_about(noun)]
    if not unread:  # as nearly always
        return sights
    return [at for at in sights if not any(begin <= at and (end is None or at < end) for begin, end in unread)]


def _end(
    noun: Deployment,
    first_seen_at: datetime,
    ended_at: datetime,
    departure: Departure | None,
    replaced_at: datetime | None,
    sights: Sequence[datetime],
) -> tuple[datetime, datetime]:
    """When it was last known to stand and first known not to; twice the same where the activity log has that."""
    begin = first_seen_at if noun.created_at is None else noun.created_at
    deleted_at = departure.deleted_at if departure else None
    if deleted_at is not None and begin <= deleted_at <= ended_at:
        return deleted_at, deleted_at
    latest = ended_at if replaced_at is None else max(min(ended_at, replaced_at), begin)
    # Whatever else was seen of the account's deployments: its listing had this one still.
    seen = bisect_left(sights, ended_at)
    known = [first_seen_at, *sights[max(seen - 1, 0) : seen]]
    if departure is not None and departure.stood_at is not None:
        known.append(departure.stood_at)
    return min(max(known), latest), latest


def _pauses(
    noun: Deployment, first_seen_at: datetime, said: Iterable[Transition], as_of: datetime
) -> tuple[tuple[tuple[datetime, datetime | None], ...], datetime | None]:
    """The spans in which it was seen paused, and since when it runs again, where it does."""
    spans: list[tuple[datetime, datetime | None]] = []
    since = changed_at = None
    was_paused = False
    for one in said:
        if one.attribute != "deployment_state" or one.incarnation != noun.incarnation or one.observed_at > as_of:
            continue
        is_paused = (one.after or "").lower() == "paused"
        if (one.before or "").lower() == "paused" and not is_paused:
            spans.append((since or first_seen_at, one.observed_at))
            since = None
        elif is_paused:
            since = since or one.observed_at
        was_paused = was_paused or is_paused or (one.before or "").lower() == "paused"
        changed_at = one.observed_at
    if noun.is_paused:
        spans.append((since or first_seen_at, None))
    return tuple(spans), changed_at if was_paused and not noun.is_paused else None


def told(
    tx: Connection, begin: datetime, as_of: datetime, *, lives: Iterable[RecordedLife]
) -> Mapping[tuple[str, str], datetime]:
    """By key and incarnation, of lives that are gone: when somebody was first told that they are idle, or a waste."""
    wanted = {(one.deployment.key, one.deployment.incarnation) for one in lives if one.outcome == Change.GONE.value}
    if not wanted:
        return {}
    a, t, n = schema.alerts.c, schema.told.c, schema.notifications.c
    query = (
        select(a.finding, n.ended_at)
        .join(schema.told, t.alert_id == a.id)
        .join(schema.notifications, n.id == t.notification_id)
        # An alert about what has gone ends with it.
        .where(a.rule.in_(sorted(SAVING_RULES)), or_(a.ends_at.is_(None), a.ends_at >= begin))
        .where(t.status == "firing", n.state == "delivered", n.ended_at <= as_of)
    )
    found: dict[tuple[str, str], datetime] = {}
    for finding, at in tx.execute(query):
        life = finding.subject.id.lower(), finding.subject.incarnation
        if life in wanted:
            found[life] = min(at, found.get(life, at))
    return found


class _Subject(msgspec.Struct, frozen=True):
    id: str
    incarnation: str = ""


class _Counting(msgspec.Struct, frozen=True):
    """Of a finding what it is about: of a large fleet there are many."""

    subject: _Subject


def counted_down(tx: Connection, as_of: datetime, *, is_past: bool) -> Collection[tuple[str, str]]:
    """By key and incarnation, the lives to whose deletion an alert counted down at a time.

    Args:
        is_past: Something was read after that time, so that alerts may have ended since.
    """
    a = schema.alerts.c
    query = select(type_coerce(a.finding, Text)).where(a.rule.in_(sorted(COUNTDOWN_RULES)), a.starts_at <= as_of)
    some = [query.where(schema.IS_FIRING)]
    if is_past:
        some.append(query.where(a.ends_at > as_of))
    decode = msgspec.json.Decoder(_Counting).decode
    subjects = [decode(finding).subject for each in some for (finding,) in tx.execute(each)]
    return {(one.id.lower(), one.incarnation) for one in subjects}


#: What an alert must be about for a deletion after it to count as saved by it.
SAVING_RULES = frozenset({"deployment_idle", "deployment_wasting"})
