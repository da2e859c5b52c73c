"""The verbs that drive everything: discover, poll, review, dispatch, deliver.

Each is "load, decide with pure functions, save", may be killed at any point, and is safe to repeat. They meet in the
database alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy import Connection

from watcher.alerts.alert import Alert, AlertStatus, end, fingerprint
from watcher.alerts.dispatch import Plan, Routing, plan, told_rows
from watcher.alerts.lifecycle import advance, cap
from watcher.alerts.notification import Notification
from watcher.clock import Clock
from watcher.errors import DeliveryError
from watcher.logs import clean
from watcher.memory import Memory, Remembered
from watcher.notify.notifier import Notifier, RetryPolicy, TryAgain
from watcher.resources.account import Account
from watcher.resources.changes import Change, ResourceKind, Transition, absorb, closed_gaps, diff
from watcher.resources.deployment import is_fine_tuned
from watcher.resources.fine_tuning import ENDED
from watcher.resources.snapshot import Gap, Known, Reading, Section, Snapshot
from watcher.rules.finding import Finding, FindingKind
from watcher.rules.itself import CONFIGURATION_REJECTED
from watcher.rules.rule import (
    Evaluation,
    Fleet,
    FleetRule,
    Rule,
    View,
    deployment_subject,
    evaluate,
    evaluate_fleet,
)
from watcher.store import alerts, observations, outbox, state
from watcher.store.engine import Store

log = structlog.get_logger()

#: Rules that no evaluation answers for: whoever meets the trouble notes it, see `note_itself`.
ABOUT_ITSELF = frozenset({CONFIGURATION_REJECTED})

EVERYTHING = frozenset({Section.JOBS, Section.DEPLOYMENTS, Section.METRICS})


class Discovery(Protocol):
    """The accounts that were found."""

    @property
    def accounts(self) -> Sequence[Account]: ...

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked was answered: only then is an account that is missing out of scope."""
        ...

    @property
    def gaps(self) -> Sequence[Gap]: ...


Discover = Callable[[Sequence[Account]], Awaitable[Discovery]]  #: given the accounts watched so far


class Collect(Protocol):
    """Reads an account; never raises for Azure's faults."""

    async def __call__(
        self, account: Account, known: Known, *, sections: frozenset[Section], at: datetime
    ) -> Snapshot: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often each section is read."""

    active: timedelta = timedelta(minutes=1)  #: jobs, while one is under way
    quiet: timedelta = timedelta(minutes=10)  #: jobs, otherwise
    deployments: timedelta = timedelta(minutes=10)
    metrics: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How what was seen is judged: the rules in force, and what the operator said about severity and owners."""

    rules: tuple[Rule, ...]
    fleet_rules: tuple[FleetRule, ...] = ()
    cadence: Cadence = Cadence()
    critical_environments: frozenset[str] = frozenset()
    owner_tag: str = "owner"

    @property
    def enabled(self) -> frozenset[str]:
        """Names of all rules in force."""
        return frozenset(rule.name for rule in self.rules) | {rule.name for rule in self.fleet_rules}


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
        touch = observations.Touch(
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
    changed = _advanced(evaluation, judgement, remembered.firing, account=view.account.key, now=view.now)
    return None if changed else view


def record(tx: Connection, snapshot: Snapshot, judgement: Judgement) -> Recorded:
    """Commit snapshot, transitions and alerts together. An older snapshot than the newest recorded changes nothing."""
    key = snapshot.account.key
    has_new_jobs = snapshot.jobs is not None and snapshot.jobs.items is not None
    stored = observations.stored(tx, key, all_jobs=has_new_jobs)
    if stored is None or observations.is_overtaken(stored.snapshot_at, snapshot.at):
        return Recorded(account=snapshot.account, is_stale=True)
    previous = stored.reading
    transitions = diff(previous, snapshot)
    current = absorb(previous, snapshot)
    due = _next_due(current, snapshot, judgement.cadence)
    observations.save(tx, previous, current, snapshot, transitions, due=due)
    view = _view(tx, stored, current, snapshot, transitions, judgement)
    changed = _judge(tx, view, previous, judgement, undecided=stored.undecided, is_first=stored.snapshot_at is None)
    if changed:
        observations.bump(tx, key)
    now_due = observations.due_account(tx, key)
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
    changed = _advance(tx, evaluation, judgement, account=account, now=view.now, first_sight=first_sight)
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


def _advance(
    tx: Connection,
    evaluation: Evaluation,
    judgement: Judgement,
    *,
    account: str,
    now: datetime,
    first_sight: Collection[ResourceKind] = (),
) -> tuple[Alert, ...]:
    events = {fingerprint(f.rule, f.subject) for f in evaluation.findings if f.kind is FindingKind.EVENT}
    changed = _advanced(
        evaluation,
        judgement,
        alerts.firing(tx, account),
        account=account,
        now=now,
        first_sight=first_sight,
        known_events=alerts.recorded_events(tx, events),
    )
    alerts.save(tx, changed)
    return changed


def _advanced(
    evaluation: Evaluation,
    judgement: Judgement,
    firing: Sequence[Alert],
    *,
    account: str,
    now: datetime,
    first_sight: Collection[ResourceKind] = (),
    known_events: Collection[str] = (),
) -> tuple[Alert, ...]:
    environments = judgement.critical_environments
    return advance(
        firing,
        [cap(finding, environments) for finding in evaluation.findings],
        [cap(answer, environments) for answer in evaluation.undecided],
        evaluation.cleared,
        rules=evaluation.rules,
        enabled=judgement.enabled | ABOUT_ITSELF,
        account=account,
        now=now,
        first_sight=first_sight,
        known_events=known_events,
    )


async def discover(find: Discover, *, store: Store, clock: Clock) -> Discovery:
    """Find the accounts to watch, and record them."""
    watched = await store.read(observations.due_accounts)
    found = await find([one.account for one in watched])
    await store.write(_save_discovery, found, clock())
    log.info(
        "discovery.completed",
        accounts=len(found.accounts),
        complete=found.is_complete,
        problems=[gap.message for gap in found.gaps] or None,
    )
    return found


def _save_discovery(tx: Connection, found: Discovery, now: datetime) -> None:
    removed = observations.save_accounts(tx, found.accounts, is_complete=found.is_complete, now=now)
    for account in removed:
        because = "its account is gone, or the configuration no longer includes it"
        alerts.save(tx, [end(alert, now=now, because=because) for alert in alerts.firing(tx, account)])
    state.put(tx, state.DISCOVERED, at=now, value="" if found.is_complete else "incomplete")


async def review(*, judgement: Judgement, store: Store, clock: Clock) -> tuple[Alert, ...]:
    """Look for one cause behind many accounts' troubles, from stored state alone."""
    return await store.write(review_now, judgement, clock())


def review_now(tx: Connection, judgement: Judgement, now: datetime) -> tuple[Alert, ...]:
    """`review`, inside a transaction."""
    alerts.lock_fleet(tx)
    fleet = Fleet(now=now, accounts=observations.account_states(tx))
    return _advance(tx, evaluate_fleet(judgement.fleet_rules, fleet), judgement, account="", now=now)


def note_itself(
    tx: Connection, findings: Sequence[Finding], judgement: Judgement, *, now: datetime
) -> tuple[Alert, ...]:
    """Record what `watcher` cannot do: the conditions about itself that hold, all of them; the others are over."""
    alerts.lock_fleet(tx)
    enabled = judgement.enabled | ABOUT_ITSELF
    changed = advance(alerts.firing(tx, ""), findings, rules=ABOUT_ITSELF, account="", now=now, enabled=enabled)
    alerts.save(tx, changed)
    return changed


async def dispatch(*, routing: Routing, store: Store, clock: Clock, wall_clock: Clock, immediate: bool = False) -> Plan:
    """Decide who is told of what, and commit the decisions with the outbox rows, from stored state alone.

    Args:
        wall_clock: For the due times of deliveries, which are wall time even where `clock` is simulated.
        immediate: Wait for no `group_wait` and no `group_interval`.
    """
    return await store.write(dispatch_now, routing, clock(), wall_clock(), immediate=immediate)


def dispatch_now(tx: Connection, routing: Routing, now: datetime, wall_now: datetime, *, immediate: bool) -> Plan:
    """`dispatch`, inside a transaction."""
    outbox.lock_dispatch(tx)
    open_alerts = alerts.unsettled(tx)
    decided = decide(tx, open_alerts, routing, now, immediate=immediate)
    outbox.add(tx, [(notification, told_rows(notification)) for notification in decided.notifications], now=wall_now)
    alerts.settle(tx, [alert.id for alert in open_alerts if _is_settled(alert, decided)])
    return decided


def decide(
    tx: Connection, open_alerts: Sequence[Alert], routing: Routing, now: datetime, *, immediate: bool = False
) -> Plan:
    """What dispatch would tell now of these alerts; changes nothing."""
    return plan(
        open_alerts,
        routing=routing,
        told=alerts.told(tx, {alert.id for alert in open_alerts}),
        groups=outbox.groups(tx, since=now - max(route.group_interval for route in routing.root.walk())),
        silences=alerts.silences(tx, since=now),
        keeps=alerts.keeps(tx, since=now),
        now=now,
        immediate=immediate,
    )


def _is_settled(alert: Alert, decided: Plan) -> bool:
    """Whether nobody waits for word of it: an event that all have heard of, an ending that all who had to know know."""
    is_over = alert.is_event or alert.status is AlertStatus.RESOLVED
    return is_over and not any(held.receiver for held in decided.held.get(alert.id, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What came of one delivery."""

    delivery: outbox.Delivery
    attempt: outbox.Attempt
    state: str  #: of the delivery afterwards


async def deliver(
    *,
    notifiers: Mapping[str, Notifier],
    policy: RetryPolicy,
    store: Store,
    clock: Clock,
    wall_clock: Clock,
    owner: str,
) -> tuple[Delivered, ...]:
    """Try each delivery that is due once; those to one receiver go out in order, and none holds up another receiver."""
    claimed = await store.write(outbox.claim, owner, receivers=tuple(notifiers), now=wall_clock())
    lanes: dict[str, list[outbox.Delivery]] = {}
    for delivery in claimed:
        lanes.setdefault(delivery.notification.receiver, []).append(delivery)

    async def work(receiver: str, lane: list[outbox.Delivery]) -> list[Delivered]:
        done: list[Delivered] = []
        for delivery in lane:
            # The wait for those before it took from its lease; where that was lost, another process sends it.
            if done and not await store.write(outbox.renew, delivery, now=wall_clock()):
                continue
            done.append(
                await _deliver_one(
                    delivery, notifiers[receiver], policy=policy, store=store, clock=clock, wall_clock=wall_clock
                )
            )
        return done

    results = await asyncio.gather(*(work(receiver, lane) for receiver, lane in lanes.items()))
    return tuple(delivered for lane in results for delivered in lane)


async def _deliver_one(
    delivery: outbox.Delivery,
    notifier: Notifier,
    *,
    policy: RetryPolicy,
    store: Store,
    clock: Clock,
    wall_clock: Clock,
) -> Delivered:
    at, began = wall_clock(), time.monotonic()
    due_at: datetime | None = None
    kind, detail, failure = "", "", None
    try:
        receipt = await notifier.send(delivery.notification, now=clock())
    except DeliveryError as error:
        failure = error
    except Exception as error:  # a notifier may be other people's: whatever it raises, those behind it must go out
        log.exception("notifier.failed", receiver=delivery.notification.receiver, notification=delivery.notification.id)
        failure = DeliveryError(f"the notifier failed: {type(error).__name__}", permanent=False, kind="server")
    if failure is None:
        outcome, detail = "delivered", receipt.detail
    else:
        decision = policy.decide(
            failure,
            notification_id=delivery.notification.id,
            attempts=delivery.attempts + 1,
            first_at=delivery.first_tried_at or at,
            now=wall_clock(),
        )
        kind = failure.kind
        if isinstance(decision, TryAgain):
            outcome, detail, due_at = "retry", failure.message, decision.at
        else:
            outcome, detail = "dead", decision.because
    attempt = outbox.Attempt(
        at=at, duration_s=round(time.monotonic() - began, 3), outcome=outcome, kind=kind, detail=detail
    )
    new_state = {"delivered": "delivered", "retry": "pending", "dead": "dead"}[outcome]
    await store.write(outbox.mark, delivery, attempt, state=new_state, due_at=due_at)
    _log_attempt(delivery.notification, attempt, due_at)
    return Delivered(delivery=delivery, attempt=attempt, state=new_state)


def _log_attempt(notification: Notification, attempt: outbox.Attempt, due_at: datetime | None) -> None:
    facts = {"notification": notification.id, "receiver": notification.receiver, "reason": notification.reason.value}
    if attempt.outcome == "delivered":
        log.info("notification.delivered", **facts, duration_s=attempt.duration_s)
    elif attempt.outcome == "retry":
        log.warning("delivery.failed", **facts, kind=attempt.kind, detail=attempt.detail, next_at=due_at)
    else:
        log.error("delivery.died", **facts, kind=attempt.kind, detail=attempt.detail)
