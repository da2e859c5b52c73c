"""A short story with everything in it that some bug could take for something else, told in ten days."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from watcher.simulator import Account, BaseModel, Calls, Deployment, Fault, File, Job, Scenario
from watcher.simulator.ledger import Ledger
from watcher.simulator.traffic_shapes import EMPTY

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


def unread_metrics() -> Scenario:
    """Two accounts whose metrics cannot be read for days: only the one with a customised model is asked for them."""
    tuned = Account(
        name="contoso-ft",
        jobs=(Job(name="history", created=-30 * DAY),),
        deployments=(
            Deployment(name="bot", job="history", created=-10 * DAY, calls=(Calls(from_=-9 * DAY, per_hour=1),)),
        ),
    )
    base = Account(
        name="contoso-base",
        jobs=(Job(name="history", created=-30 * DAY),),
        deployments=(Deployment(name="chat", model="gpt-4o", created=-10 * DAY),),
    )
    return Scenario(
        title="unread metrics",
        length=5 * DAY,
        accounts=(tuned, base),
        faults=(Fault(plane="metrics", from_=1.5 * DAY, until=4 * DAY, status=529),),
    )


def narrow_cases() -> Scenario:
    """What is right by a hair.

    `edge` is called exactly as long before a poll as metrics are late: that poll cannot see it yet. `nameless` is
    called under no name, so that by all that can be known it is overdue when an application deletes it.
    """
    called = Calls(from_=-13 * DAY, until=-12 * DAY, per_hour=1)
    edge = Deployment(
        name="edge",
        job="history",
        created=-14 * DAY,
        calls=(called, Calls(from_=1.5 * DAY - 3 * MINUTE, per_hour=1)),
    )
    nameless = Deployment(
        name="nameless",
        job="history",
        created=-13 * DAY,
        calls=(Calls(from_=-12 * DAY, per_hour=1, dimension="__Empty"),),
        deleted=4 * DAY + HOUR,
        deleted_by="9b7c2c1e-52a4-4a55-8b0d-0d6f2f9f3c11",
    )
    return Scenario(
        title="narrow cases",
        length=6 * DAY,
        metrics_delay=3 * MINUTE,
        accounts=(
            Account(name="contoso-ft", jobs=(Job(name="history", created=-30 * DAY),), deployments=(edge, nameless)),
        ),
    )


def one_subscription() -> Scenario:
    """Azure throttles the one account and says how long to wait, while the other one's pages are still being read."""
    history = Job(name="history", created=-30 * DAY)
    served = [Deployment(name=f"served-{number}", job="history", created=-10 * DAY) for number in range(5)]
    return Scenario(
        title="one subscription",
        length=4 * DAY,
        page_size=2,
        accounts=(
            Account(name="contoso-ft", jobs=(history,), deployments=tuple(served[:1])),
            Account(name="contoso-west", jobs=(history,), deployments=tuple(served)),
        ),
        faults=(
            Fault(plane="arm", account="contoso-ft", from_=1.5 * DAY, until=2.5 * DAY, status=429, retry_after=120),
        ),
    )


def deleted_accounts() -> Scenario:
    """Two accounts are deleted: one by somebody whom the log names, one without an entry.

    In the other one somebody had deleted a deployment just before: he is not who deleted the account.
    """
    history = Job(name="history", created=-30 * DAY)
    bot = Deployment(name="bot", job="history", created=-9 * DAY)
    alone = Deployment(
        name="alone", job="history", created=-9 * DAY, deleted=1.5 * DAY + HOUR, deleted_by="somebody@contoso.example"
    )
    named = Account(
        name="contoso-ft",
        jobs=(history,),
        deployments=(bot,),
        deleted=1.5 * DAY + 2 * HOUR,
        deleted_by="operator@contoso.example",
    )
    nameless = Account(name="contoso-west", jobs=(history,), deployments=(bot, alone), deleted=1.5 * DAY + 2 * HOUR)
    stays = Account(name="contoso-lab", jobs=(history,), deployments=(bot,))
    return Scenario(title="deleted accounts", length=4 * DAY, accounts=(named, nameless, stays))


def stock_taking() -> Scenario:
    """One account with an upload that grows old unused, three jobs at once, many deployments, and a base that retires.

    Each of these comes about while it is watched, and all but the upload and the base are over again before the end.
    """
    jobs = (
        Job(name="history", created=-30 * DAY),
        *(Job(name=f"at-once-{number}", created=DAY, running_for=30 * HOUR) for number in range(3)),
    )
    served = [
        Deployment(
            name=f"served-{number}", job="history", created=-10 * DAY, calls=(Calls(from_=-9 * DAY, per_hour=1),)
        )
        for number in range(7)
    ]
    eighth = Deployment(
        name="eighth", job="history", created=DAY, deleted=3 * DAY, deleted_by="operator@contoso.example"
    )
    base = BaseModel(
        name="gpt-4.1",
        version="2025-04-14",
        inference_until=datetime(2026, 6, 2, 20, tzinfo=UTC),  # 90 days after the end of the second day
        fine_tune_until=datetime(2026, 1, 2, tzinfo=UTC),
    )
    account = Account(
        name="contoso-ft",
        jobs=jobs,
        deployments=(*served, eighth),
        files=(File(filename="upload.jsonl", created=-12 * DAY),),
    )
    return Scenario(title="stock taking", length=6 * DAY, accounts=(account,), models=(base,))


def spending() -> Scenario:
    """What money can be got wrong by, over the night in which New York's clocks are put forward.

    `bot` is called for two days and then left alone, and `steady` every other hour, last before each look in the last
    whole hour that can be read; `trial` has no fee, and `ptu` one that no list knows; `twice` is deployed anew between
    two polls, and `deleted` by somebody whom the log names. One job succeeds, one is refused when it has trained, one
    is cancelled on the way.
    """
    calls = (Calls(from_=DAY, until=3 * DAY, per_hour=4),)
    hour = timedelta(hours=1)
    steady = (Calls(from_=2.5 * hour, per_hour=0.5),)
    deployments = (
        Deployment(name="bot", job="history", created=18 * hour, calls=calls),
        Deployment(name="steady", job="history", created=hour, calls=steady),
        Deployment(name="trial", job="history", created=hour, sku="DeveloperTier", expires=False),
        Deployment(name="ptu", job="history", created=2 * hour, sku="ProvisionedManaged"),
        Deployment(name="twice", job="history", created=3 * hour, sku="GlobalStandard"),
        Deployment(name="twice", job="history", created=40 * hour, sku="DataZoneStandard"),
        Deployment(
            name="deleted",
            job="history",
            created=4 * hour,
            deleted=DAY + 5 * hour,
            deleted_by="operator@contoso.example",
        ),
    )
    jobs = (
        Job(name="history", created=-30 * DAY),
        Job(name="succeeds", created=DAY, running_for=5 * hour, training_type="globalStandard"),
        Job(name="refused", created=DAY, running_for=5 * hour, outcome="rai_model"),
        Job(name="cancelled", created=DAY, running_for=5 * hour, outcome="cancelled"),
    )
    return Scenario(
        title="spending",
        start=datetime(2026, 3, 6, 8, tzinfo=UTC),
        length=5 * DAY,
        accounts=(Account(name="contoso-ft", jobs=jobs, deployments=deployments),),
    )


def doubts() -> Scenario:
    """What some call may have been, what a job is, and whose a deployment was.

    `bot` is called for two days and then left alone, `busy` is called all the time, and every four hours a call comes
    that the metrics book under no name. A job of the stable dated API tells no method. One account is deleted, and
    another one created under its id.
    """
    calls = (Calls(from_=DAY, until=3 * DAY, per_hour=4),)
    nameless = (Calls(from_=2 * HOUR, per_hour=0.25, dimension=EMPTY),)
    history = Job(name="history", created=-30 * DAY)
    reinforced = Job(
        name="reinforced", created=DAY, running_for=5 * HOUR, model="o4-mini-2025-04-16", method="reinforcement"
    )
    asked = Account(
        name="contoso-ft",
        dialects=("dated",),
        jobs=(history, reinforced),
        deployments=(
            Deployment(name="bot", job="history", created=18 * HOUR, calls=calls),
            Deployment(name="busy", job="history", created=HOUR, calls=(Calls(from_=DAY, per_hour=60),)),
            Deployment(name="base", model="gpt-4.1", created=HOUR, calls=nameless),
        ),
    )
    before = Account(
        name="contoso-lab",
        jobs=(history, Job(name="early", created=HOUR, running_for=5 * HOUR, training_type="globalStandard")),
        deployments=(Deployment(name="first", job="history", created=2 * HOUR),),
        deleted=2 * DAY + HOUR,
        deleted_by="operator@contoso.example",
    )
    after = Account(
        name="contoso-lab",
        created=3 * DAY + HOUR,
        jobs=(Job(name="late", created=3 * DAY + 2 * HOUR, running_for=5 * HOUR),),
        deployments=(Deployment(name="second", job="late", created=3 * DAY + 20 * HOUR),),
    )
    return Scenario(
        title="doubts",
        start=datetime(2026, 3, 6, 8, tzinfo=UTC),
        length=6 * DAY,
        accounts=(asked, before, after),
    )
