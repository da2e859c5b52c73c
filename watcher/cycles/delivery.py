"""Deliver: send what is due from the outbox, and mark what came of it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from watcher.alerts.notification import Notification
from watcher.clock import Clock
from watcher.errors import DeliveryError
from watcher.notify.notifier import Notifier, RetryPolicy, TryAgain
from watcher.store import outbox
from watcher.store.engine import Store

log = structlog.get_logger()


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
