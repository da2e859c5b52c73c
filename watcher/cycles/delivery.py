"""Deliver: send what is due from the outbox, and mark what came of it."""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from watcher import logs
from watcher.alerts.notification import Notification
from watcher.alerts.pace import STEADY
from watcher.alerts.routing import Routing
from watcher.clock import Clock
from watcher.cycles.settling import Delivered, Sent, Settled, bury_now, clean, settle_at
from watcher.errors import DeliveryError
from watcher.notify.notifier import SEND_TIMEOUT, Notifier, RetryPolicy
from watcher.store import claiming, outbox
from watcher.store.claiming import Paces
from watcher.store.engine import Store
from watcher.store.outbox import Delivery

log = structlog.get_logger()

#: What is left of a lease when a send begins: less, and another process might send the same before this one has ended.
_ENOUGH = SEND_TIMEOUT + timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What deliveries are made with."""

    policy: RetryPolicy
    store: Store
    clock: Clock
    wall_clock: Clock
    routing: Routing | None
    heedless: bool


async def deliver(
    *,
    notifiers: Mapping[str, Notifier],
    policy: RetryPolicy,
    store: Store,
    clock: Clock,
    wall_clock: Clock,
    owner: str,
    paces: Paces | None = None,
    routing: Routing | None = None,
    heedless: bool = False,
    claimed: Sequence[Delivery] | None = None,
) -> tuple[Delivered, ...]:
    """Try each delivery that is due once; none holds up another receiver.

    To one receiver they go out in order, or several at once where they are about different alerts and its pace allows
    that. Where it fails, the rest waits until it is tried again.

    Args:
        paces: How fast each receiver is told; one that is not named is told one by one.
        routing: Who is told instead where a delivery is given up; `None`: nobody.
        heedless: Try all that is due, however the channel fails.
        claimed: What is leased for `owner` already, and is sent in place of what is due.
    """
    paces = paces or {}
    if claimed is None:
        claimed = await store.write(
            claiming.claim_at, owner, clock=wall_clock, receivers=tuple(notifiers), paces=paces, heedless=heedless
        )
    lanes: dict[str, list[Delivery]] = {}
    for delivery in claimed:
        lanes.setdefault(delivery.notification.receiver, []).append(delivery)
    desk = Desk(policy=policy, store=store, clock=clock, wall_clock=wall_clock, routing=routing, heedless=heedless)
    results = await asyncio.gather(
        *(
            _work(desk, notifiers[receiver], lane, at_once=paces.get(receiver, STEADY).at_once)
            for receiver, lane in lanes.items()
        )
    )
    return tuple(delivered for lane in results for delivered in lane)


async def bury(
    receivers: Collection[str], *, routing: Routing | None, store: Store, clock: Clock, wall_clock: Clock
) -> tuple[Delivered, ...]:
    """Give up what waits for others than `receivers`, all that the configuration names. Safe to repeat."""
    names = await store.read(outbox.strangers, tuple(receivers))
    if not names:
        return ()
    settled = await store.write(bury_now, tuple(receivers), routing=routing, now=clock(), wall_now=wall_clock())
    for name in sorted({one.delivery.notification.receiver for one in settled.done}):
        count = sum(one.delivery.notification.receiver == name for one in settled.done)
        log.warning("receiver.vanished", receiver=name, given_up=count)
    _log(settled)
    return settled.done


async def _work(desk: Desk, notifier: Notifier, lane: Sequence[Delivery], *, at_once: int) -> list[Delivered]:
    """Send what was claimed for one receiver, and settle what has ended while more is under way."""
    waiting, done = deque(lane), list[Delivered]()
    under_way: set[asyncio.Task[Sent]] = set()
    receiver = lane[0].notification.receiver

    def start() -> None:
        while waiting and len(under_way) < at_once and _has_time(desk, waiting[0]):
            under_way.add(asyncio.create_task(_send(desk, notifier, waiting.popleft())))

    async def renew() -> None:
        nonlocal waiting
        if waiting and not _has_time(desk, waiting[0]):
            waiting = deque(await desk.store.write(_renew, desk, tuple(waiting)))
        if not under_way and waiting and not _has_time(desk, waiting[0]):  # the database is slower than a lease is long
            await desk.store.write(outbox.release, tuple(waiting))
            waiting.clear()

    try:
        await renew()
        start()
        while under_way:
            ended, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            sent = sorted((task.result() for task in ended), key=lambda one: (one.at, one.delivery.sequence))
            if at_once > 1 and all(one.failure is None for one in sent):
                start()  # the wire need not wait for the database
            settled = await desk.store.write(
                settle_at,
                sent,
                clock=desk.clock,
                wall_clock=desk.wall_clock,
                receiver=receiver,
                unsent=tuple(waiting),
                policy=desk.policy,
                routing=desk.routing,
                heedless=desk.heedless,
            )
            done += settled.done
            _log(settled)
            waiting = deque(settled.unsent)
            await renew()
            start()
    finally:
        for task in under_way:  # whatever ended this lane: nobody would mark what comes of them
            task.cancel()
    return done


def _has_time(desk: Desk, delivery: Delivery) -> bool:
    return delivery.lease_until is not None and delivery.lease_until - desk.wall_clock() >= _ENOUGH


def _renew(tx: Connection, desk: Desk, deliveries: Sequence[Delivery]) -> tuple[Delivery, ...]:
    return outbox.renew_all(tx, deliveries, now=desk.wall_clock())


async def _send(desk: Desk, notifier: Notifier, delivery: Delivery) -> Sent:
    at, began = desk.wall_clock(), time.monotonic()
    receipt, failure, is_ours = None, None, False
    try:
        receipt = await notifier.send(delivery.notification, now=desk.clock())
        receipt = replace(receipt, detail=logs.clean(receipt.detail))
    except DeliveryError as error:
        failure = clean(error)
    except Exception as error:  # a notifier may be other people's: whatever it raises, those behind it must go out
        log.exception("notifier.failed", receiver=delivery.notification.receiver, notification=delivery.notification.id)
        failure = DeliveryError(
            f"the notifier failed: {type(error).__name__}", permanent=False, kind="server", maybe_delivered=True
        )
        is_ours = True
    return Sent(
        delivery=delivery,
        at=at,
        duration_s=round(time.monotonic() - began, 3),
        receipt=receipt,
        failure=failure,
        is_ours=is_ours,
    )


def _log(settled: Settled) -> None:
    bound = log.bind()  # once: a call by `log` itself sets up a logger anew
    for one in settled.done:
        notification, attempt = one.delivery.notification, one.attempt
        facts = {
            "notification": notification.id,
            "receiver": notification.receiver,
            "reason": notification.reason.value,
        }
        if attempt.outcome == "delivered":
            bound.info("notification.delivered", **facts, duration_s=attempt.duration_s)
        elif attempt.outcome == "retry":
            bound.warning("delivery.failed", **facts, kind=attempt.kind, detail=attempt.detail, next_at=one.due_at)
        else:
            bound.error("delivery.died", **facts, kind=attempt.kind, detail=attempt.detail)
    for delivery in settled.lost:
        notification = delivery.notification
        bound.warning("delivery.lease_lost", notification=notification.id, receiver=notification.receiver)
    for each in settled.instead:
        _log_instead(each)


def _log_instead(notification: Notification) -> None:
    log.warning(
        "notification.fell_back",
        notification=notification.id,
        receiver=notification.receiver,
        reason=notification.reason.value,
    )
