"""Poll: observe one account once, and commit snapshot, transitions and alerts together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.keep import Keep
from watcher.clock import Clock
from watcher.cycles.judgement import Cadence, Judgement, advance_stored, advanced
from watcher.cycles.memory import Memory, Remembered
from watcher.logs import clean
from watcher.resources.account import Account
from watcher.resources.changes import Change, ResourceKind, Transition, absorb, closed_gaps, diff
from watcher.resources.deployment import KEEP_TAG, is_fine_tuned, keep_until
from watcher.resources.fine_tuning import ENDED
from watcher.resources.snapshot import Gap, Known, Reading, Section, Snapshot
from watcher.rules.rule import (
    View,
    deployment_subject,
    evaluate,
)
from watcher.store import alerts, observations, scope
from watcher.store.engine import Store

EVERYTHING = frozenset({Section.JOBS, Section.DEPLOYMENTS, Section.METRICS})


class Collect(Protocol):
    """Reads an account; never raises for Azure's faults."""

    async def __call__(
        self, account: Account, known: Known, *, sections: frozenset[Section], at: datetime
    ) -> Snapshot: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a snapshot came to."""

    account: Account
    transitions: tuple[Transition, ...] = ()
    alerts: tuple[Alert, ...] = ()  #: new or changed
    gaps: tuple[Gap, ...] = ()  #: open now
    is_stale: bool = False  #: a newer snapshot was recorded meanwhile; nothing was done
    next_at: datetime | None = None  #: when the account is due again
    remembered: Remembered | None = None  #: for the next poll by this process

    @property
    def has_news(self) -> bool:
        """Whether dispatch has something to look at."""
        return bool(self.alerts)


async def poll(
    account: Account,
    *,
    collect: Collect,
    judgement: Judgement,
    store: Store,
    memory: Memory,
    clock: Clock,
    sections: frozenset[Section] | None = None,
) -> Recorded | None:
    """Observe one account once, and record what changed; `None` if nothing of it was due any more.

    Args:
        sections: What to read; `None`: what the stored due times say, which another process may have moved on.
    """
    due = await memory.due(account.key)
    wanted = sections if sections is not None or due is None else due.sections(clock())
    if not wanted or due is None:
        return None
    remembered = memory.accounts.get(account.key)
    if remembered is not None and remembered.revision != due.revision:
        remembered = None
    known = remembered.known if remembered else await store.read(observations.known, account.key)
    snapshot = await collect(due.account, known, sections=wanted, at=clock())  # network, and no transaction open
    if snapshot.gaps:
        snapshot = replace(snapshot, gaps=without_secrets(snapshot.gaps))
    if remembered is not None and (view := unchanged(remembered, snapshot, judgement)) is not None:
        times = _next_due(view.reading, snapshot, judgement.cadence)
        touch = scope.Touch(
            account=account.key,
            revision=remembered.revision,
            at=snapshot.at,
            asked=snapshot.asked,
            due=tuple(times.items()),
        )
        if await memory.touch(touch):
            memory.accounts[account.key] = replace(remembered, view=view)
            return Recorded(account=due.account, next_at=due.after(times).at)
    recorded = await store.write(record, snapshot, judgement)  # one transaction, and no network
    if recorded.remembered is not None:
        memory.accounts[account.key] = recorded.remembered
    return recorded


def unchanged(remembered: Remembered, snapshot: Snapshot, judgement: Judgement) -> View | None:
    """The view after a snapshot that says nothing new, or `None` where there is something to record. Pure.

    Time alone may change what the rules say, so they are asked all the same.
    """
    says_nothing = (
        remembered.is_settled
        and not (snapshot.gaps or snapshot.absent or snapshot.events or snapshot.usage is not None)
        and all(part is None or part.items is None for part in (snapshot.jobs, snapshot.deployments))
        and (snapshot.dialect in ("", remembered.known.dialect))
        and snapshot.account == remembered.view.account
    )
    if not says_nothing:
        return None
    view = replace(remembered.view, now=snapshot.at, reading=absorb(remembered.view.reading, snapshot))
    evaluation = evaluate(judgement.rules, view)
    changed = advanced(evaluation, judgement, remembered.firing, account=view.account.key, now=view.now)
    return None if changed else view


def record(tx: Connection, snapshot: Snapshot, judgement: Judgement) -> Recorded:
    """Commit snapshot, transitions and alerts together. An older snapshot than the newest recorded changes nothing."""
    key = snapshot.account.key
    has_new_jobs = snapshot.jobs is not None and snapshot.jobs.items is not None
    stored = observations.stored(tx, key, all_jobs=has_new_jobs)
    if stored is None or scope.is_overtaken(stored.snapshot_at, snapshot.at):
        return Recorded(account=snapshot.account, is_stale=True)
    previous = stored.reading
    transitions = diff(previous, snapshot)
    current = absorb(previous, snapshot)
    due = _next_due(current, snapshot, judgement.cadence)
    observations.save(tx, previous, current, snapshot, transitions, due=due)
    _keep_by_tag(tx, previous, current, now=snapshot.at)
    view = _view(tx, stored, current, snapshot, transitions, judgement)
    changed = _judge(tx, view, previous, judgement, undecided=stored.undecided, is_first=stored.snapshot_at is None)
    if changed:
        scope.bump(tx, key)
    now_due = scope.due_account(tx, key)
    known = observations.known(tx, key)
    return Recorded(
        account=snapshot.account,
        transitions=transitions,
        alerts=changed,
        gaps=current.gaps,
        next_at=now_due.at if now_due else None,
        remembered=Remembered(
            revision=now_due.revision,
            known=known,
            view=_without_news(view),
            firing=alerts.firing(tx, key),
            is_settled=not current.gaps and not known.unexplained,
        )
        if now_due
        else None,
    )


def _keep_by_tag(tx: Connection, previous: Reading, current: Reading, *, now: datetime) -> None:
    """Take over a tag that wants a deployment to be kept, where it is new, changed or gone: as the command `keep`."""
    before = {deployment.key: keep_until(deployment) for deployment in previous.deployments or ()}
    for deployment in current.deployments or ():
        until = keep_until(deployment)
        if until == before.get(deployment.key):
            continue
        if until is not None:
            by_tag = Keep(
                account=current.account.key,
                deployment=deployment.name,
                until=until,
                author=f"tag {KEEP_TAG}",
                reason="the deployment's own tag",
            )
            alerts.save_keep(tx, by_tag, now=now)
        else:
            alerts.drop_keep(tx, current.account.key, deployment.name)


def _without_news(view: View) -> View:
    """The view for the polls to come, as long as nothing changes: without what was new, and jobs that have ended."""
    jobs = view.reading.jobs and tuple(job for job in view.reading.jobs if not job.status.has_ended)
    return replace(
        view,
        reading=replace(view.reading, jobs=jobs),
        transitions=(),
        events={},
        status_since={job.id: view.status_since[job.id] for job in jobs or () if job.id in view.status_since},
        ended_deployments={},
        told={},
        closed_gaps=(),
    )


def without_secrets(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """The gaps as they may be stored and told: a service may quote the very token or key that it refuses."""
    return tuple(replace(gap, message=clean(gap.message)) for gap in gaps)


def _next_due(current: Reading, snapshot: Snapshot, cadence: Cadence) -> dict[Section, datetime]:
    is_active = any(not job.status.has_ended for job in current.jobs or ())
    wait = {
        Section.JOBS: cadence.active if is_active else cadence.quiet,
        Section.DEPLOYMENTS: cadence.deployments,
        Section.METRICS: cadence.metrics,
    }
    return {section: snapshot.at + wait[section] for section in snapshot.asked if section in wait}


def _view(
    tx: Connection,
    stored: observations.Stored,
    current: Reading,
    snapshot: Snapshot,
    transitions: Sequence[Transition],
    judgement: Judgement,
) -> View:
    ended_keys = {t.resource.lower() for t in transitions if t.change in (Change.GONE, Change.REPLACED)}
    ended = {d.key: d for d in stored.reading.deployments or () if d.key in ended_keys}
    subjects = {deployment_subject(deployment) for deployment in ended.values()}
    told = alerts.told_of_subjects(tx, snapshot.account.key, subjects) if subjects else {}
    base = {d.model for d in (*(current.deployments or ()), *ended.values()) if not is_fine_tuned(d.model)}
    began = {t.name: t.occurred_at or t.observed_at for t in transitions if t.kind is ResourceKind.JOB}
    return View(
        now=snapshot.at,
        reading=current,
        transitions=(*stored.undecided, *transitions),
        events=snapshot.events,
        status_since={**stored.status_since, **began},
        ended_deployments=ended,
        custom_models=observations.custom_models(tx, base),
        closed_gaps=closed_gaps(stored.reading, current),
        told={
            subject: tuple(
                f"{row.receiver} at {row.at:%Y-%m-%d %H:%M} UTC ({row.step or row.severity})" for row in rows
            )
            for subject, rows in told.items()
        },
        owner_tag=judgement.owner_tag,
    )


def _judge(
    tx: Connection,
    view: View,
    previous: Reading,
    judgement: Judgement,
    *,
    undecided: Sequence[Transition],
    is_first: bool,
) -> tuple[Alert, ...]:
    """Ask the rules, advance the alerts, and keep what no rule could decide for the next time."""
    account = view.account.key
    evaluation = evaluate(judgement.rules, view)
    first_sight = set()
    if is_first:
        first_sight.add(ResourceKind.ACCOUNT)
    if previous.jobs is None:
        first_sight.add(ResourceKind.JOB)
    if previous.deployments is None or previous.usage is None:
        first_sight.add(ResourceKind.DEPLOYMENT)
    changed = advance_stored(tx, evaluation, judgement, account=account, now=view.now, first_sight=first_sight)
    asked_again = {answer.subject.incarnation for answer in evaluation.undecided if answer.subject is not None}
    observations.mark_undecided(
        tx,
        account,
        {t.key for t in view.transitions if t.incarnation in asked_again and _is_ending(t)},
        {t.key for t in undecided},
    )
    return changed


def _is_ending(transition: Transition) -> bool:
    """Whether it tells of a job that has ended: what the rules for events judge, once they have the job's events."""
    return transition.kind is ResourceKind.JOB and transition.attribute == "status" and transition.after in ENDED
