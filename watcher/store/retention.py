"""Retention: lets go of what has ended long ago, and of nothing that somebody may still have to be told of."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, or_, select

from watcher.rules.finding import FindingKind
from watcher.store import actuals, calls, schema
from watcher.store.engine import Store
from watcher.store.upsert import chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows went."""

    transitions: int = 0
    alerts: int = 0
    notifications: int = 0
    attempts: int = 0
    silences: int = 0
    keeps: int = 0
    training: int = 0
    durations: int = 0
    files: int = 0
    models: int = 0
    retirements: int = 0
    jobs: int = 0
    deployments: int = 0
    calls: int = 0  #: days
    actuals: int = 0  #: lines of bills
    gaps: int = 0  #: that have closed
    reports: int = 0  #: issues that were delivered, or given up
    accounts: int = 0


#: Rows of a kind that go in one transaction: others wait for the writer meanwhile.
STEP = 10_000


def prune_stepwise(store: Store, *, before: datetime, at_most: int = STEP) -> Pruned:
    """`prune` in several transactions, so that it keeps nobody from writing for long; from a thread that may wait."""
    return _in_steps(lambda: store.write_now(_step, before, at_most))


def prune(tx: Connection, *, before: datetime) -> Pruned:
    """Delete what ended before a time; returns how much. Safe to repeat.

    An alert goes with what was told of it once it is over, everyone was told, and no delivery of it is under way; a
    notification once it is over and every alert it told of has gone. A transition that some rule has yet to judge
    stays, with what it is about, and so does the audit. Of what no list names any more the job or model that made what
    is deployed stays too. An account that left the scope so long ago goes with all that was in it.
    """
    return _in_steps(lambda: _step(tx, before, STEP))


def _in_steps(step: Callable[[], tuple[Pruned, bool]]) -> Pruned:
    total, is_whole = Pruned(), False
    while not is_whole:
        pruned, is_whole = step()
        total = Pruned(**{one.name: getattr(total, one.name) + getattr(pruned, one.name) for one in fields(Pruned)})
    return total


def _step(tx: Connection, before: datetime, at_most: int) -> tuple[Pruned, bool]:
    """Delete some of it; returns how much, and whether that was all."""
    accounts = _forget_accounts(tx, before)
    deployments = _forget_deployments(tx, before)
    jobs = _forget_jobs(tx, before)
    alerts = list(tx.execute(_ended_alerts(before).limit(at_most)).scalars())
    for some in chunks(alerts):
        tx.execute(delete(schema.told).where(schema.told.c.alert_id.in_(some)))
        tx.execute(delete(schema.alerts).where(schema.alerts.c.id.in_(some)))
    notifications = list(tx.execute(_ended_notifications(before).limit(at_most)).scalars())
    issues = list(tx.execute(select(schema.reports.c.id).where(schema.reports.c.ended_at < before)).scalars())
    attempts = 0
    for table, ids in ((schema.notifications, notifications), (schema.reports, issues)):
        for some in chunks(ids):
            attempts += tx.execute(delete(schema.attempts).where(schema.attempts.c.notification_id.in_(some))).rowcount
            tx.execute(delete(table).where(table.c.id.in_(some)))
    t, s, k = schema.transitions.c, schema.silences.c, schema.keeps.c
    judged = select(t.id).where(t.observed_at < before, t.is_undecided.is_(False)).limit(at_most)
    pruned = Pruned(
        attempts=attempts,
        notifications=len(notifications),
        alerts=len(alerts),
        transitions=tx.execute(delete(schema.transitions).where(t.id.in_(judged))).rowcount,
        training=tx.execute(delete(schema.training).where(schema.training.c.read_at < before)).rowcount,
        durations=tx.execute(delete(schema.durations).where(schema.durations.c.at < before)).rowcount,
        files=tx.execute(delete(schema.files).where(schema.files.c.left_at < before)).rowcount,
        models=tx.execute(
            delete(schema.models).where(schema.models.c.left_at < before, ~_is_deployed(schema.models.c.id))
        ).rowcount,
        retirements=tx.execute(delete(schema.retirements).where(schema.retirements.c.at < before)).rowcount,
        silences=tx.execute(delete(schema.silences).where(s.ends_at < before)).rowcount,
        keeps=tx.execute(delete(schema.keeps).where(k.until < before)).rowcount,
        jobs=jobs,
        deployments=deployments,
        calls=calls.prune(tx, before=before),
        actuals=actuals.prune(tx, before=before),
        gaps=tx.execute(delete(schema.past_gaps).where(schema.past_gaps.c.ends_at < before)).rowcount,
        reports=len(issues),
        accounts=accounts,
    )
    return pruned, max(pruned.alerts, pruned.notifications, pruned.transitions) < at_most


#: What is held of an account by its key.
_CONTENTS = (
    schema.gaps,
    schema.past_gaps,
    schema.calls,
    schema.readings,
    schema.job_events,
    schema.training,
    schema.durations,
    schema.jobs,
    schema.usage,
    schema.deployments,
    schema.files,
    schema.models,
    schema.transitions,
)


def _forget_accounts(tx: Connection, before: datetime) -> int:
    c = schema.accounts.c
    left = select(c.key).where(c.removed_at < before, ~_awaits_judgement(c.key)).with_for_update()
    keys = list(tx.execute(left).scalars())
    for some in chunks(keys):
        for table in _CONTENTS:
            tx.execute(delete(table).where(table.c.account.in_(some)))
        tx.execute(delete(schema.accounts).where(c.key.in_(some)))
    return len(keys)


def _forget_deployments(tx: Connection, before: datetime) -> int:
    """Lives that ended, and the calls of names that no life bears any more."""
    d, u = schema.deployments.c, schema.usage.c
    ended = delete(schema.deployments).where(d.ended_at < before, ~_awaits_judgement(d.account))
    count = tx.execute(ended).rowcount
    nameless = ~exists(select(1).where(d.key == u.account + "/deployments/" + u.deployment).correlate(schema.usage))
    for account, name, noun in tx.execute(select(u.account, u.deployment, u.noun).where(nameless)).all():
        if noun.read_to < before:
            calls.keep(tx, account, [(noun.read_from, noun.read_to)])
            tx.execute(delete(schema.usage).where(u.account == account, u.deployment == name))
    return count


def _forget_jobs(tx: Connection, before: datetime) -> int:
    """Jobs that no list names any more, with their lines."""
    j, e = schema.jobs.c, schema.job_events.c
    gone = delete(schema.jobs).where(
        j.left_at < before,
        ~_awaits_judgement(j.account),
        ~and_(j.fine_tuned_model != "", _is_deployed(j.fine_tuned_model)),
    )
    count = tx.execute(gone).rowcount
    orphaned = ~exists(select(1).where(j.account == e.account, j.id == e.job).correlate(schema.job_events))
    tx.execute(delete(schema.job_events).where(e.created_at < before, orphaned))
    return count


def _awaits_judgement(account: ColumnElement[str]) -> ColumnElement[bool]:
    t = schema.transitions.c
    return exists(select(1).where(t.account == account, schema.IS_UNDECIDED).correlate_except(schema.transitions))


def _is_deployed(model: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a model, or a checkpoint of it, is still deployed: who made it is then still of use."""
    d = schema.deployments.c
    served = or_(d.model == model, d.model.startswith(model + ":"))
    return exists(select(1).where(d.ended_at.is_(None), served).correlate_except(schema.deployments))


def _ended_alerts(before: datetime) -> Select[tuple[str]]:
    a, t, n = schema.alerts.c, schema.told.c, schema.notifications.c
    is_over = or_(
        and_(a.kind == FindingKind.CONDITION.value, a.ends_at.is_not(None), a.ends_at < before),
        and_(a.kind == FindingKind.EVENT.value, a.starts_at < before),
    )
    is_on_its_way = exists(
        select(1)
        .select_from(schema.told)
        .join(schema.notifications, n.id == t.notification_id)
        .where(t.alert_id == a.id, n.state == "pending")
        .correlate(schema.alerts)
    )
    return select(a.id).where(is_over, a.is_settled, ~is_on_its_way)


def _ended_notifications(before: datetime) -> Select[tuple[str]]:
    """Of which nothing that was told is kept any more."""
    t, n = schema.told.c, schema.notifications.c
    is_kept = exists(select(1).where(t.notification_id == n.id).correlate(schema.notifications))
    return select(n.id).where(n.state != "pending", n.ended_at < before, ~is_kept)
