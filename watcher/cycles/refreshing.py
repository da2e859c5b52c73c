"""Refresh: what fires is said again and again where a medium forgets it otherwise.

A refresh is no message: nothing of it is in the outbox, and one that is missed is made up for by the next. How it goes
says how the channel does, all the same.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, cast

import structlog
from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.clock import Clock
from watcher.cycles.settling import clean, note_refresh
from watcher.errors import DeliveryError
from watcher.notify.notifier import Notifier, RetryPolicy
from watcher.store import alerts
from watcher.store.engine import Store

log = structlog.get_logger()


class Refreshing(Protocol):
    """What a notifier is besides, whose medium forgets."""

    @property
    def refresh_every(self) -> timedelta:
        """How often at least."""
        ...

    async def refresh(self, alerts: Sequence[Alert], *, now: datetime) -> bool:
        """Say that these conditions still fire, or have ended, where they have. False: there was nothing to say, so
        nothing is known of the channel.

        Raises:
            DeliveryError: it was not taken.
        """
        ...


def refreshing(notifiers: Mapping[str, Notifier]) -> dict[str, Refreshing]:
    """Those of the notifiers that want it."""
    return {
        name: cast(Refreshing, notifier)
        for name, notifier in notifiers.items()
        if isinstance(getattr(notifier, "refresh_every", None), timedelta)
    }


async def refresh(
    notifiers: Mapping[str, Refreshing], *, policy: RetryPolicy, store: Store, clock: Clock, wall_clock: Clock
) -> frozenset[str]:
    """Say once at each of these receivers what still fires of what it was told; returns those that took it."""

    async def one(receiver: str, notifier: Refreshing) -> bool:
        firing = await store.read(alerts.firing_at, receiver)
        if not firing:
            return True
        failure: DeliveryError | None = None
        try:
            if await notifier.refresh(firing, now=clock()) is False:
                return True
            if ended := await store.read(_ended_among, firing):
                # Another process may have told of their end while this one said that they fire.
                await notifier.refresh(ended, now=clock())
        except DeliveryError as error:
            failure = error = clean(error)
            log.warning("refresh.failed", receiver=receiver, kind=error.kind, detail=error.message)
        except Exception:  # a notifier may be other people's
            log.exception("notifier.failed", receiver=receiver)
            return False
        await store.write(note_refresh, receiver, failure, policy=policy, wall_now=wall_clock())
        return failure is None

    took = await asyncio.gather(*(one(receiver, notifier) for receiver, notifier in notifiers.items()))
    return frozenset(name for name, is_taken in zip(notifiers, took, strict=True) if is_taken)


def _ended_among(tx: Connection, firing: Sequence[Alert]) -> tuple[Alert, ...]:
    """Those that have ended since they were read."""
    return tuple(alert for alert in alerts.of_ids(tx, {one.id for one in firing}) if alert.ends_at is not None)
