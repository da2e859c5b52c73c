"""Deployments in each of their lives, what the activity log said of those that are gone, and calls by name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from watcher.resources.changes import Change, ResourceKind, Transition
from watcher.resources.departure import Departure, latest_word
from watcher.resources.deployment import Deployment, Usage
from watcher.resources.snapshot import Reading, Section, Snapshot
from watcher.store import calls, history, schema
from watcher.store.upsert import upsert, upsert_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """Deployments that are gone, by key, and what the activity log said of them."""

    nouns: Mapping[str, Deployment] = field(default_factory=dict)
    departures: Mapping[str, Departure] = field(default_factory=dict)


def living(tx: Connection, account: str) -> tuple[Deployment, ...]:
    """The deployments that live, each in its present life, in the order of their ids."""
    return tuple(tx.execute(_LIVING, {"of": account}).scalars())


_LIVING = (
    select(schema.deployments.c.noun)
    .where(schema.deployments.c.account == bindparam("of"), schema.deployments.c.ended_at.is_(None))
    .order_by(schema.deployments.c.key)
)


def departed(tx: Connection, transitions: Iterable[Transition]) -> Departed:
    """The deployments that transitions ended, where they have not come back since."""
    ended = {(t.resource.lower(), t.incarnation) for t in transitions if is_end(t)}
    if not ended:
        return Departed()
    c = schema.deployments.c
    query = select(c.key, c.incarnation, c.noun, c.departure).where(
        c.key.in_(sorted(key for key, _ in ended)), c.ended_at.is_not(None)
    )
    rows = [row for row in tx.execute(query) if (row.key, row.incarnation) in ended]
    return Departed(
        nouns={row.key: row.noun for row in rows},
        departures={row.key: row.departure for row in rows if row.departure is not None},
    )


def is_end(transition: Transition) -> bool:
    """Whether it tells of a deployment that is gone, and was not replaced."""
    return transition.kind is ResourceKind.DEPLOYMENT and transition.change is Change.GONE


def usage(tx: Connection, account: str) -> dict[str, Usage]:
    """What is known of calls, by deployment's name in lower case."""
    return {name: noun for name, noun in tx.execute(_USAGE, {"of": account})}


_USAGE = select(schema.usage.c.deployment, schema.usage.c.noun).where(schema.usage.c.account == bindparam("of"))


def state_since(tx: Connection, account: str, deployments: Iterable[Deployment]) -> dict[str, datetime]:
    """By key: when a paused deployment was first seen so, and one that was paused before when it was seen to run again.

    Others are left out.
    """
    lives = {(one.key, one.incarnation): one for one in deployments}
    names = {one.name for one in lives.values()}
    since: dict[str, datetime] = {}
    paused_before: set[str] = set()
    for t in history.of_attribute(tx, account, ResourceKind.DEPLOYMENT, "deployment_state", names):
        key = t.resource.lower()
        if (key, t.incarnation) in lives:
            since[key] = t.observed_at
            if "paused" in ((t.before or "").lower(), (t.after or "").lower()):
                paused_before.add(key)
    unseen = {one.key for one in lives.values() if one.is_paused and one.key not in since}
    c = schema.deployments.c
    if unseen:
        query = select(c.key, c.first_seen_at).where(c.key.in_(sorted(unseen)), c.ended_at.is_(None))
        since.update((key, first_seen_at) for key, first_seen_at in tx.execute(query))
    kept = unseen | paused_before
    return {key: at for key, at in since.items() if key in kept}


def save(
    tx: Connection, previous: Reading, current: Reading, snapshot: Snapshot, transitions: Sequence[Transition]
) -> int:
    """Save the deployments that are new, changed or ended, and what the log says of the ended; returns how many."""
    c = schema.deployments.c
    ended = {
        t.resource.lower(): t
        for t in transitions
        if t.kind is ResourceKind.DEPLOYMENT and t.change in (Change.GONE, Change.REPLACED)
    }
    before = {deployment.key: deployment for deployment in previous.deployments or ()}
    for key, transition in ended.items():
        where = (c.key == key) & (c.incarnation == before[key].incarnation)
        values: dict[str, object] = {"ended_at": transition.observed_at, "outcome": transition.change.value}
        if transition.change is Change.REPLACED and (stood_at := _stood_at(previous, before[key])) is not None:
            values["departure"] = Departure(is_read=False, stood_at=stood_at)  # nobody asks the log about it
        tx.execute(update(schema.deployments).where(where).values(values))
    changed = [d for d in current.deployments or () if before.get(d.key) != d]
    for deployment in changed:
        upsert(
            tx,
            schema.deployments,
            {"key": deployment.key, "incarnation": deployment.incarnation},
            {
                "account": deployment.account,
                "name": deployment.name,
                "model": deployment.model,
                "noun": deployment,
                "ended_at": None,  # Azure may bring back what it had declared gone
                "outcome": "",
                "departure": None,
            },
            only_new={"first_seen_at": snapshot.at},
        )
    return len(changed) + len(ended) + _save_departures(tx, snapshot)


def _stood_at(previous: Reading, deployment: Deployment) -> datetime | None:
    """When it was last listed; `None`: it was doubted since."""
    doubted = (gap.subject.lower() for gap in previous.gaps if gap.section is Section.DEPLOYMENTS)
    return None if deployment.key in doubted else previous.deployments_at


def _save_departures(tx: Connection, snapshot: Snapshot) -> int:
    """To the newest life of each that has ended: the log is asked right after the end, and once more."""
    c = schema.deployments.c
    for key, departure in snapshot.departures.items():
        ended = (c.key == key) & c.ended_at.is_not(None)
        newest = tx.execute(
            select(c.incarnation, c.departure).where(ended).order_by(c.ended_at.desc()).limit(1)
        ).first()
        if newest is not None:
            life = (c.key == key) & (c.incarnation == newest.incarnation)
            word = latest_word(newest.departure, departure)
            tx.execute(update(schema.deployments).where(life).values(departure=word))
    return len(snapshot.departures)


def save_usage(tx: Connection, previous: Reading, current: Reading) -> None:
    """Save the calls that became known. They are figures: nobody need look at the account again for them."""
    if current.usage is previous.usage:
        return
    known = previous.usage or {}
    rows = [
        {"account": current.account.key, "deployment": name, "noun": noun}
        for name, noun in (current.usage or {}).items()
        if known.get(name) != noun
    ]
    upsert_all(tx, schema.usage, ("account", "deployment"), rows)
    calls.save_torn(tx, current.account.key, known, current.usage or {})
