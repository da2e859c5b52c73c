"""A short story with everything in it that some bug could take for something else, told in ten days."""

import random
from collections.abc import Sequence
from datetime import timedelta

from watcher.simulator import Account, Calls, Deployment, Fault, Job, Scenario
from watcher.simulator.ledger import Ledger

from .drive import Look

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

#: More than the ten series that Azure Monitor answers with where nobody asks for more.
BUSY = 12


def ten_days() -> Scenario:
    """One account.

    A dozen deployments are called all the time; one more is deployed anew at once and never called in its second life.
    One job ended before watching began, one succeeds, and one is refused so soon after "Job succeeded." that no poll
    sees it run. At first, every listing of jobs is refused.
    """
    busy = [
        Deployment(
            name=f"busy-{number}",
            job="history",
            created=-20 * DAY,
            calls=(Calls(from_=-19 * DAY, per_hour=2 + number),),
        )
        for number in range(BUSY)
    ]
    lives = (
        Deployment(
            name="twice",
            job="history",
            created=-14 * DAY,
            calls=(Calls(from_=-13 * DAY, until=-4 * DAY, per_hour=1),),
            deleted=DAY + 5 * MINUTE,
            deleted_by="operator@contoso.example",
        ),
        Deployment(name="twice", job="history", created=DAY + 5 * MINUTE + timedelta(seconds=20)),
    )
    jobs = (
        Job(name="history", created=-30 * DAY),
        Job(name="succeeds", created=2 * DAY, running_for=30 * HOUR),
        Job(
            name="refused",
            created=3 * DAY + MINUTE,
            queued_for=4 * HOUR,
            running_for=HOUR,
            outcome="rai_model",
            harm_types=("violence",),
        ),
    )
    return Scenario(
        title="ten days",
        length=10 * DAY,
        accounts=(Account(name="contoso-ft", jobs=jobs, deployments=(*busy, *lives)),),
        faults=(Fault(plane="data", until=DAY + HOUR, status=403),),
    )


def twice_a_day(truth: Ledger, chance: random.Random) -> Sequence[Look]:
    """At everything, every twelve hours, and last at noon."""
    found, at = [], truth.start
    while at <= truth.end:
        found.append(Look(at=at))
        at += 12 * HOUR
    return [*found, Look(at=truth.end.replace(hour=12, minute=0, second=0, microsecond=0) + DAY)]


def long_blindness() -> Scenario:
    """Nobody calls `bot`; the one call that comes falls into ten days without metrics, and puts its deletion off.

    Its countdown, which ran to its end unverified, begins anew when the metrics can be read again.
    """
    calls = (Calls(from_=-9 * DAY, until=-2 * DAY, per_hour=1), Calls(from_=7.5 * DAY, count=1))
    bot = Deployment(name="bot", job="history", created=-10 * DAY, calls=calls)
    return Scenario(
        title="long blindness",
        length=23 * DAY,
        accounts=(Account(name="contoso-ft", jobs=(Job(name="history", created=-30 * DAY),), deployments=(bot,)),),
        faults=(Fault(plane="metrics", from_=6.5 * DAY, until=16 * DAY, status=503),),
    )
