"""Poll: observe one account once, and commit snapshot, transitions and alerts together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.keep import Keep
from watcher.clock import Clock
from watcher.cycles.durations import durations
from watcher.cycles.judgement import Judgement, advance_stored, advanced
from watcher.cycles.memory import Memory, Remembered
from watcher.cycles.viewing import next_due, remembered_view, view_of
from watcher.logs import clean
from watcher.resources.account import Account
from watcher.resources.changes import ResourceKind, Transition, diff
from watcher.resources.deployment import KEEP_TAG, keep_until
from watcher.resources.fine_tuning import ENDED
from watcher.resources.merging import absorb
from watcher.resources.snapshot import Gap, Known, Reading, Section, Snapshot
from watcher.resources.training import joined
from watcher.rules.finding import Subject
from watcher.rules.rule import View, evaluate, job_subject
from watcher.store import history, observations, operators, scope, trainings
from watcher.store.deployments import is_end
from watcher.store.engine import Store

EVERYTHING = frozenset(scope.NEXT_COLUMNS)


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
    remembered = memory.recall(due)
    if remembered is not None:
        known = remembered.known_at(due.read_at)
    else:
        known = await store.read(observations.known, account.key, now=clock())
    snapshot = await collect(due.account, known, sections=wanted, at=clock())  # network, and no transaction open
    if snapshot.gaps:
        snapshot = replace(snapshot, gaps=without_secrets(snapshot.gaps))
    if remembered is not None and (view := unchanged(remembered, due, snapshot, judgement)) is not None:
        times = next_due(view, snapshot, judgement.cadence)
        touch = scope.Touch(
            account=account.key,
            revision=remembered.revision,
            at=snapshot.at,
            asked=snapshot.asked,
            due=tuple(times.items()),
        )
        if await memory.touch(touch):
            return Recorded(account=due.account, next_at=due.at_after(times))
    recorded = await store.write(record, snapshot, judgement)  # one transaction, and no network
    if recorded.remembered is not None:
        memory.keep(recorded.remembered)
    return replace(recorded, remembered=None)  # a round over all accounts holds what each came to until its end


def unchanged(remembered: Remembered, due: scope.DueAccount, snapshot: Snapshot, judgement: Judgement) -> View | None:
    """The view after a snapshot that says nothing new, or `None` where there is something to record. Pure.

    Time alone may change what the rules say, so they are asked all the same.
    """
    says_nothing = (
        remembered.is_settled
        and not (snapshot.gaps or snapshot.absent or snapshot.events or snapshot.usage is not None)
        and not (snapshot.training or snapshot.departures)
        and all(
            part is None or part.items is None
            for part in (snapshot.jobs, snapshot.deployments, snapshot.files, snapshot.models)
        )
        and (snapshot.dialect in ("", remembered.known.dialect))
        and snapshot.account == due.account
    )
    if not says_nothing:
        return None
    read_at = {**due.read_at, **dict.fromkeys(snapshot.asked, snapshot.at)}
    view = replace(
        remembered.view,
        now=snapshot.at,
        reading=remembered.reading_at(read_at, due.account),
        previous_at=due.read_at,
        retail=judgement.tariff.latest,
        is_calm=not remembered.firing,
    )
    evaluation = evaluate(judgement.rules, view)
    if not (remembered.firing or evaluation.findings):
        return view  # nothing to end and nothing to open, as nearly always
    changed = advanced(evaluation, judgement, remembered.firing, account=view.account.key, now=view.now)
    return None if changed else view


def record(tx: Connection, snapshot: Snapshot, judgement: Judgement, *, also: Sequence[Transition] = ()) -> Recorded:
    """Commit snapshot, transitions and alerts together. An older snapshot than the newest recorded changes nothing.

    Args:
        also: Transitions of the account that the snapshot itself does not tell of.
    """
    key = snapshot.account.key
    stored = observations.stored(tx, key, of=snapshot)
    if stored is None or scope.is_overtaken(stored.snapshot_at, snapshot.at):
        return Recorded(account=snapshot.account, is_stale=True)
    previous = stored.reading
    read = {job: joined(stored.training.get(job), training) for job, training in snapshot.training.items()}
    snapshot = replace(snapshot, training=read)
    transitions = (*diff(previous, snapshot), *also)
    current = absorb(previous, snapshot)
    was_changed = observations.save(tx, previous, current, snapshot, transitions)
    _save_durations(tx, current, snapshot, transitions)
    firing = stored.firing
    view = view_of(tx, stored, current, snapshot, transitions, judgement, firing)
    due = next_due(view, snapshot, judgement.cadence, metrics_due=stored.next_metrics_at)
    observations.save_account(tx, current, snapshot, was_changed=was_changed, due=due)
    _keep_by_tag(tx, previous, current, now=snapshot.at)
    changed, undecided = _judge(
        tx, view, previous, judgement, firing, undecided=stored.undecided, is_first=stored.snapshot_at is None
    )
    if changed:
        scope.bump(tx, key)
    now_due = scope.due_account(tx, key)
    held = observations.AtHand(
        deployments=current.deployments or (),
        usage=current.usage or {},
        undecided=undecided,
        custom_models=view.custom_models,
        gaps=current.gaps,
    )
    known = observations.known(tx, key, now=snapshot.at, at_hand=held)
    return Recorded(
        account=snapshot.account,
        transitions=transitions,
        alerts=changed,
        gaps=current.gaps,
        next_at=now_due.at if now_due else None,
        remembered=Remembered(
            revision=now_due.revision,
            known=known,
            view=remembered_view(view, judgement.cadence),
            firing=_still_firing(firing, changed),
            is_settled=not (current.gaps or known.unexplained or known.departed),
        )
        if now_due
        else None,
    )


def _save_durations(tx: Connection, current: Reading, snapshot: Snapshot, transitions: Sequence[Transition]) -> None:
    """Record how long jobs have waited and run, of those that began or succeeded."""
    moved = {t.name for t in transitions if t.is_job_status and not t.is_history}
    jobs = [job for job in current.jobs or () if job.id in moved]
    known = trainings.durations(tx, snapshot.account.key, moved)
    trainings.save_durations(
        tx, snapshot.account.key, durations(snapshot.account, jobs, transitions, snapshot.events, known)
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
            operators.save_keep(tx, by_tag, now=now)
        elif operators.drop_keep(tx, current.account.key, deployment.name, by=f"tag {KEEP_TAG}"):
            # What somebody has said by command since stays.
            subject, comment = f"{current.account.key}/{deployment.name}", "the tag is gone"
            operators.record(
                tx, author=f"tag {KEEP_TAG}", action="keep.drop", subject=subject, comment=comment, now=now
            )


def without_secrets(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """The gaps as they may be stored and told: a service may quote the very token or key that it refuses."""
    return tuple(replace(gap, message=clean(gap.message)) for gap in gaps)


def _still_firing(before: Sequence[Alert], changed: Sequence[Alert]) -> tuple[Alert, ...]:
    """The open conditions, oldest first, as the store would give them."""
    latest = {alert.id: alert for alert in (*before, *changed)}
    is_open = (alert for alert in latest.values() if alert.ends_at is None and not alert.is_event)
    return tuple(sorted(is_open, key=lambda alert: (alert.starts_at, alert.id)))


def _judge(
    tx: Connection,
    view: View,
    previous: Reading,
    judgement: Judgement,
    firing: Sequence[Alert],
    *,
    undecided: Sequence[Transition],
    is_first: bool,
) -> tuple[tuple[Alert, ...], tuple[Transition, ...]]:
    """Ask the rules, advance the alerts, and keep what no rule could decide for the next time: both are returned."""
    account = view.account.key
    evaluation = evaluate(judgement.rules, view)
    first_sight = set()
    if is_first:
        first_sight.add(ResourceKind.ACCOUNT)
    if previous.jobs is None:
        first_sight.add(ResourceKind.JOB)
    # Where the metrics stay unread, what is said of deployments does not rest on them, and is no first sight for ever.
    if previous.deployments is None or (previous.usage is None and view.reading.usage is not None):
        first_sight.add(ResourceKind.DEPLOYMENT)
    changed = advance_stored(
        tx, evaluation, judgement, account=account, now=view.now, first_sight=first_sight, firing=firing
    )
    asked_again = {answer.subject for answer in evaluation.undecided if answer.subject is not None}
    ends = {t.key: _ended_subject(view, t) for t in view.transitions}
    kept = {key for key, subject in ends.items() if subject in asked_again}
    history.mark_undecided(tx, account, kept, {t.key for t in undecided})
    return changed, tuple(t for t in view.transitions if t.key in kept)


def _ended_subject(view: View, transition: Transition) -> Subject | None:
    """What has ended by a transition, and is judged once more is known of it; `None` for any other transition.

    The end of a job is judged once its events were read, that of a deployment once the activity log was.
    """
    if transition.is_job_status and transition.after in ENDED:
        return job_subject(view.account, transition.resource)
    if is_end(transition):
        return Subject(id=transition.resource.lower(), kind=transition.kind, incarnation=transition.incarnation)
    return None
