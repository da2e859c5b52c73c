"""Settling: what follows from tries at deliveries, for the messages, for the channel and for whoever is told instead.

All in one transaction: a message that dies is told elsewhere or is not dead, and what all processes know of a channel
is what its newest message met.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher import logs
from watcher.alerts.fallback import fallbacks
from watcher.alerts.notification import Notification
from watcher.alerts.routing import Routing
from watcher.errors import DeliveryError
from watcher.notify.notifier import Receipt, RetryPolicy, TryAgain
from watcher.store import attempts, channels, outbox, redelivery, tellings
from watcher.store.attempts import Attempt, Outcome
from watcher.store.channels import Channel
from watcher.store.outbox import Delivery

#: A lease is renewed when this much of it is over.
_RENEW_AFTER = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One try at a delivery, as it went."""

    delivery: Delivery
    at: datetime
    duration_s: float
    receipt: Receipt | None = None
    failure: DeliveryError | None = None
    is_ours: bool = False  #: it failed by a fault of the notifier, which says nothing of the channel

    @property
    def is_of_channel(self) -> bool:
        """Whether it failed, and others would have in its place."""
        if self.failure is None or self.is_ours:
            return False
        return self.failure.kind != "bad_request" or self.failure.may_pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What came of one delivery."""

    delivery: Delivery
    attempt: Attempt
    state: str  #: of the delivery afterwards
    due_at: datetime | None = None  #: where it is tried again


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of some tries at one receiver."""

    done: tuple[Delivered, ...]
    unsent: tuple[Delivery, ...]  #: still ours, and to be sent
    lost: tuple[Delivery, ...] = ()  #: tried, and in other hands before that came to its end: what came of it is theirs
    instead: tuple[Notification, ...] = ()  #: queued for fallbacks


def settle(
    tx: Connection,
    sent: Sequence[Sent],
    *,
    receiver: str,
    unsent: Sequence[Delivery],
    policy: RetryPolicy,
    routing: Routing | None,
    heedless: bool,
    now: datetime,
    wall_now: datetime,
) -> Settled:
    """Record tries at deliveries to one receiver, in the order in which they ended, and what follows from them.

    Args:
        unsent: What is claimed and not tried yet. It is given back where the channel fails.
        heedless: Go on with it all the same.
    """
    refused_since = None
    if any(one.failure for one in sent):
        refused_since = channels.of(tx, [receiver]).get(receiver, Channel(receiver=receiver)).refused_since
    sent = [_judged(one, policy, refused_since, wall_now) for one in sent]
    outcomes = [_outcome(one, policy, refused_since, wall_now) for one in sent]
    if any(one.is_of_channel and one.failure and not one.failure.permanent for one in sent):
        outcomes += _expired(tx, receiver, sent, policy, wall_now)
    if any(outcome.state == "dead" for outcome in outcomes):
        outbox.lock_dispatch(tx)  # what is told instead gets a place; held before the channel, as everywhere
    before = after = channels.locked(tx, receiver)
    for one in sent:
        after = _channel(after, one, policy, wall_now, oldest=outbox.oldest(tx, receiver) if one.failure else None)
    if after.is_closed(wall_now) and not heedless:
        after = replace(after, tokens=None if after.tokens is None else after.tokens + len(unsent))
        outbox.release(tx, unsent)
        unsent = ()
    elif unsent and (unsent[0].lease_until or wall_now) - wall_now < outbox.LEASE - _RENEW_AFTER:
        unsent = outbox.renew_all(tx, unsent, now=wall_now)
    channels.put(tx, before, after)
    held = attempts.mark_all(tx, outcomes)
    if before.failures > 1 and not after.is_failing and not heedless:
        redelivery.try_now(tx, now=wall_now, receivers=[receiver])  # it works again: the rest follows at once
    dead = [one for one in outcomes if one.state == "dead" and one.delivery.notification.id in held]
    return Settled(
        done=tuple(
            Delivered(delivery=one.delivery, attempt=one.attempt, state=one.state, due_at=one.due_at)
            for one in outcomes
            if one.delivery.notification.id in held
        ),
        unsent=tuple(unsent),
        lost=tuple(one.delivery for one in outcomes if one.delivery.notification.id not in held),
        instead=() if routing is None else _tell_instead(tx, dead, routing, now, wall_now),
    )


def settle_at(
    tx: Connection,
    sent: Sequence[Sent],
    *,
    clock: Callable[[], datetime],
    wall_clock: Callable[[], datetime],
    receiver: str,
    unsent: Sequence[Delivery],
    policy: RetryPolicy,
    routing: Routing | None,
    heedless: bool,
) -> Settled:
    """`settle`, by the time at which the writer comes to it: a lease counts from when it is renewed."""
    return settle(
        tx,
        sent,
        receiver=receiver,
        unsent=unsent,
        policy=policy,
        routing=routing,
        heedless=heedless,
        now=clock(),
        wall_now=wall_clock(),
    )


def clean(failure: DeliveryError) -> DeliveryError:
    """A failure as it may be stored, logged and told to others: without secrets, whoever wrote it."""
    return DeliveryError(
        logs.clean(failure.message),
        permanent=failure.permanent,
        kind=failure.kind,
        retry_after=failure.retry_after,
        maybe_delivered=failure.maybe_delivered,
        may_pass=failure.may_pass,
    )


def _judged(one: Sent, policy: RetryPolicy, refused_since: datetime | None, now: datetime) -> Sent:
    return (
        one if one.failure is None else replace(one, failure=policy.refused(one.failure, since=refused_since, now=now))
    )


def _outcome(one: Sent, policy: RetryPolicy, refused_since: datetime | None, now: datetime) -> Outcome:
    """What a try means for its message."""
    if one.failure is None:
        receipt = one.receipt or Receipt("")
        attempt = Attempt(at=one.at, duration_s=one.duration_s, outcome="delivered", kind="", detail=receipt.detail)
        return Outcome(delivery=one.delivery, attempt=attempt, state="delivered", reference=receipt.reference)
    decision = policy.decide(
        one.failure,
        notification_id=one.delivery.notification.id,
        attempts=one.delivery.attempts + 1,
        queued_at=one.delivery.queued_at,
        now=now,
    )
    if isinstance(decision, TryAgain):
        outcome, detail, state, due_at = "retry", one.failure.message, "pending", decision.at
        if one.failure.may_pass:
            due_at = min(due_at, (refused_since or now) + policy.refusals_pass_within)
    else:
        outcome, detail, state, due_at = "dead", decision.because, "dead", None
    attempt = Attempt(at=one.at, duration_s=one.duration_s, outcome=outcome, kind=one.failure.kind, detail=detail)
    return Outcome(
        delivery=one.delivery,
        attempt=attempt,
        state=state,
        due_at=due_at,
        is_uncertain=one.failure.maybe_delivered,
    )


def _expired(tx: Connection, receiver: str, sent: Sequence[Sent], policy: RetryPolicy, now: datetime) -> list[Outcome]:
    """The end of what has waited its time out: its channel has just failed again, by another message."""
    failure = next(one.failure for one in reversed(sent) if one.failure is not None)
    tried = {one.delivery.notification.id for one in sent}
    late = outbox.expired(tx, receiver, queued_before=now - policy.give_up_after)
    detail = f"not delivered in {_hours(policy.give_up_after)}; the channel's newest: {failure.kind}: {failure.message}"
    attempt = Attempt(at=now, duration_s=0.0, outcome="dead", kind=failure.kind, detail=detail)
    return [Outcome(delivery=one, attempt=attempt, state="dead") for one in late if one.notification.id not in tried]


def _hours(span: timedelta) -> str:
    return f"{span // timedelta(hours=1)} h"


def _channel(channel: Channel, one: Sent, policy: RetryPolicy, now: datetime, *, oldest: datetime | None) -> Channel:
    """The channel after a try. What was under way with others when they failed is no failure more in a row."""
    if one.failure is None:
        return channel.took(at=now)
    if not one.is_of_channel:
        return replace(channel, retry_at=None) if one.delivery.is_probe else channel  # it answers
    # A run that heeds no breaker sends no probe; what it tries when the channel was to be tried again is one all the
    # same.
    is_probe = one.delivery.is_probe or channel.retry_at is None or channel.retry_at <= one.at
    counts = not channel.is_failing or is_probe
    return _failed(channel, one.failure, policy, now, counts=counts, oldest=oldest)


def _failed(
    channel: Channel,
    failure: DeliveryError,
    policy: RetryPolicy,
    now: datetime,
    *,
    counts: bool,
    oldest: datetime | None,
) -> Channel:
    retry_at = channel.retry_at
    if failure.permanent:
        retry_at = None  # each message says so for itself, and at once
    elif counts or retry_at is None or failure.retry_after is not None:
        seed = f"{channel.receiver}:{(channel.failing_since or now).isoformat()}"
        until = now + policy.wait(failure, failures=max(channel.failures + counts, 1), seed=seed)
        retry_at = until if counts or retry_at is None else max(retry_at, until)
        deadline = None if oldest is None else oldest + policy.give_up_after
        if failure.may_pass:
            deadline = (channel.refused_since or now) + policy.refusals_pass_within
        if deadline is not None and now < deadline < retry_at:
            retry_at = deadline  # one last try when the time of what waits is up
    return channel.failed(
        kind=failure.kind,
        detail=failure.message,
        at=now,
        retry_at=retry_at,
        counts=counts,
        may_pass=failure.may_pass,
    )


def note_refresh(
    tx: Connection, receiver: str, failure: DeliveryError | None, *, policy: RetryPolicy, wall_now: datetime
) -> None:
    """What a channel did with word of what still fires, which is no delivery, says how it does."""
    before = after = channels.locked(tx, receiver)
    if failure is None:
        after = before.took(at=wall_now)
    elif failure.kind != "bad_request" or failure.may_pass:
        failure = policy.refused(failure, since=before.refused_since, now=wall_now)
        oldest = outbox.oldest(tx, receiver)
        after = _failed(before, failure, policy, wall_now, counts=True, oldest=oldest)
    channels.put(tx, before, after)
    if before.failures > 1 and not after.is_failing:
        redelivery.try_now(tx, now=wall_now, receivers=[receiver])


def _tell_instead(
    tx: Connection, dead: Iterable[Outcome], routing: Routing, now: datetime, wall_now: datetime
) -> tuple[Notification, ...]:
    """Queue what the fallbacks of the routes are told; returns what is new."""
    queued: list[Notification] = []
    for one in dead:
        notification = one.delivery.notification
        about = {entry.alert.id for entry in notification.alerts}
        kind, detail = one.attempt.kind, one.attempt.detail
        instead = fallbacks(
            notification,
            paths=outbox.paths(tx, one.delivery.sequence),
            routing=routing,
            known=tellings.newest(tx, about),
            because=detail if not kind or detail.startswith(f"{kind}: ") else f"{kind}: {detail}",
            now=now,
        )
        if outbox.add(tx, instead, now=wall_now):
            outbox.look_again(tx, about)
            queued += [each for each, _ in instead]
    return tuple(queued)


def bury_now(
    tx: Connection, receivers: Collection[str], *, routing: Routing | None, now: datetime, wall_now: datetime
) -> Settled:
    """Give up what waits for others than these receivers: they are configured no longer, and it would wait for ever.

    It counts as told to nobody, so dispatch tells whoever the routes now lead to. Safe to repeat.
    """
    if not outbox.strangers(tx, receivers):
        return Settled(done=(), unsent=())
    outbox.lock_dispatch(tx)
    outcomes: list[Outcome] = []
    for receiver in outbox.strangers(tx, receivers):
        channels.locked(tx, receiver)
        attempt = Attempt(at=wall_now, duration_s=0.0, outcome="dead", kind="", detail=NOT_CONFIGURED)
        outcomes += [
            Outcome(delivery=one, attempt=attempt, state="dead")
            for one in outbox.waiting_for(tx, receiver, now=wall_now)
        ]
    held = attempts.mark_all(tx, outcomes)
    dead = [one for one in outcomes if one.delivery.notification.id in held]
    instead = () if routing is None else _tell_instead(tx, dead, routing, now, wall_now)
    redelivery.forget(tx, [one.delivery for one in dead if not one.delivery.is_uncertain])
    return Settled(
        done=tuple(Delivered(delivery=one.delivery, attempt=one.attempt, state=one.state) for one in dead),
        unsent=(),
        instead=instead,
    )


#: Why what waits for a receiver that has left the configuration is given up.
NOT_CONFIGURED = "the receiver is no longer configured"
