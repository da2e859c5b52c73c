"""What a notifier is, and when a failed delivery is tried again: policy as a value, it decides and does nothing."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from watcher.alerts.notification import Notification
from watcher.errors import DeliveryError

#: One send or probe, in total; below the lease of 30 s that a delivery has (contract 6.20).
SEND_TIMEOUT = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A medium took the message over."""

    detail: str  #: what it answered, in a few words, without secrets: "200", "accepted for 2 recipients"
    #: The medium's own name for the message, in the notifier's own form, if later messages can refer to it: they get it
    #: in `Notification.earlier`. No secret.
    reference: str = ""


class Notifier(Protocol):
    """Sends messages by one medium. Its `repr` holds no secret."""

    @property
    def name(self) -> str:
        """The receiver's name."""
        ...

    @property
    def type(self) -> str:
        """The receiver's type, as configured."""
        ...

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        """Send once, within `SEND_TIMEOUT`. Safe to repeat: the receiver can tell repeats by the notification's id.

        Args:
            now: The time of which the texts speak (simulated in a demo); signatures use the wall clock.

        Raises:
            DeliveryError: it was not delivered, or not for certain.
        """
        ...

    async def probe(self) -> Receipt:
        """Find out whether the medium can be reached, and accepts us as far as it tells, without sending anything.

        Raises:
            DeliveryError: it cannot, or does not.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what the notifier holds; the shared HTTP client is not its own."""
        ...


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Send once more, not before `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The notification is dead for this receiver."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Growing waits, then an hour at a time, for three days; a permanent failure ends it at once, or after a quarter of
    an hour where it may pass.

    The same waits hold for one message and for a channel as a whole. They add up to some two hours by the eighth
    attempt, and to 79 attempts in all.
    """

    #: After the first attempt, the second, …; the last one repeats.
    waits: tuple[timedelta, ...] = (
        timedelta(seconds=10),
        timedelta(seconds=30),
        timedelta(minutes=1),
        timedelta(minutes=2),
        timedelta(minutes=5),
        timedelta(minutes=10),
        timedelta(minutes=30),
        timedelta(hours=1),
    )
    give_up_after: timedelta = timedelta(hours=72)  #: since the message was queued
    jitter: float = 0.2  #: each wait grows by up to this share, so that receivers that failed together return apart
    refusals_pass_within: timedelta = timedelta(minutes=15)  #: so long a refusal that may pass is none for good
    longest_retry_after: timedelta = timedelta(hours=6)  #: a receiver that names a longer wait is asked again then

    def decide(
        self, error: DeliveryError, *, notification_id: str, attempts: int, queued_at: datetime, now: datetime
    ) -> TryAgain | GiveUp:
        """What to do after `attempts` (at least one) failed, the last one by `error` at `now`.

        The same question has the same answer: jitter comes from the notification's id and the attempt. One last
        attempt is made when time is up.
        """
        if error.permanent:
            return GiveUp(f"{error.kind}: {error.message}")
        deadline = queued_at + self.give_up_after
        if now >= deadline:
            tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
            return GiveUp(f"{tries} failed; the last: {error.kind}: {error.message}")
        return TryAgain(min(now + self.wait(error, failures=attempts, seed=notification_id), deadline))

    def refused(self, error: DeliveryError, *, since: datetime | None, now: datetime) -> DeliveryError:
        """What a failure means at `now`: a refusal that may pass is permanent once the channel has said so for a while.

        Args:
            since: Since when the channel says nothing else; `None`: it says so for the first time.
        """
        if not (error.permanent and error.may_pass):
            return error
        if since is not None and now >= since + self.refusals_pass_within:
            return error
        return DeliveryError(
            error.message,
            permanent=False,
            kind=error.kind,
            retry_after=error.retry_after,
            maybe_delivered=error.maybe_delivered,
            may_pass=True,
        )

    def wait(self, error: DeliveryError, *, failures: int, seed: str) -> timedelta:
        """How long to wait after so many failures in a row, at least one; no shorter than the other side asks.

        Args:
            seed: What the jitter comes from: another seed, another wait.
        """
        wait = self.waits[min(failures, len(self.waits)) - 1]
        wait += wait * self.jitter * _share(f"{seed}:{failures}")
        if error.retry_after is not None:
            wait = max(wait, min(error.retry_after, self.longest_retry_after))
        return wait


def _share(seed: str) -> float:
    """A number in [0, 1), the same for the same seed."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") / 2**32
