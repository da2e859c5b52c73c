"""What operators said in their time is said again in a replay: keeps and their end, tags, acks, silences."""

from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest

from watcher.alerts.keep import Keep
from watcher.answers import acts
from watcher.replay.comparison import entries
from watcher.resources.deployment import KEEP_TAG
from watcher.rules.finding import FindingKind
from watcher.simulator import Account, Calls, Deployment, Fault, Job, Scenario
from watcher.store import alerts

from .month import CONFIGURATION, HOUR, replayed, watched

DAY = timedelta(days=1)
TEXT = CONFIGURATION.replace('repeat_interval = "24h"', 'repeat_interval = "36h"')

#: Of a kept deployment the steps of "7d" and "3d" are not told. By when the first of them comes since the start.
IDLE = {"kept": 2 * DAY, "let-go": 2 * DAY, "tagged": 2 * DAY, "still-tagged": 2 * DAY, "late": 8.5 * DAY}


def story() -> Scenario:
    """Deployments that are called no more, an account whose jobs cannot be read, and one that somebody deletes."""
    calls = {name: (Calls(from_=-9 * DAY, until=first - 8 * DAY, per_hour=1),) for name, first in IDLE.items()}
    deployments = tuple(
        Deployment(name=name, job="history", created=-20 * DAY, calls=some) for name, some in calls.items()
    )
    within = Deployment(name="within", job="history", created=-20 * DAY, calls=calls["late"])
    jobs = (
        Job(name="history", created=-30 * DAY),
        Job(name="early", created=3 * DAY, running_for=5 * HOUR, outcome="failed"),
        Job(name="late", created=8.5 * DAY, running_for=5 * HOUR, outcome="failed"),
    )
    return Scenario(
        title="a week with operators",
        length=9.75 * DAY,
        accounts=(
            Account(name="contoso-ft", jobs=jobs, deployments=deployments),
            Account(name="blind"),
            Account(
                name="closed",
                jobs=jobs[:1],
                deployments=(within,),
                deleted=4.3 * DAY,
                deleted_by="ann@contoso.example",
            ),
        ),
        faults=(Fault(plane="data", account="blind", from_=6 * HOUR, until=20 * DAY, status=403),),
    )


def keep(*names, days=300):
    def act(tx, now):
        for name in names:
            said = Keep(account="contoso-ft", deployment=name, until=now + days * DAY, author="ann", reason="a reason")
            alerts.save_keep(tx, said, now=now)

    return act


def let_go(name):
    return lambda tx, now: acts.drop(tx, f"contoso-ft/{name}", author="ann", reason="no more", now=now)


def acknowledge(tx, now):
    (alert,) = (one for one in alerts.unsettled(tx) if one.finding.rule == "account_forbidden")
    assert alert.finding.kind is FindingKind.CONDITION
    alerts.acknowledge(tx, alert, author="ann", comment="a network rule", now=now)


def silence(tx, now):
    alerts.add_silence(tx, ["rule=job_failed"], ends_at=now + 20 * DAY, author="ann", comment="known", now=now)


def tag(value, *names):
    def change(world):
        def tagged(one):
            return replace(one, tags={KEEP_TAG: value} if value else {}) if one.name in names else one

        accounts = (
            replace(account, deployments=tuple(map(tagged, account.deployments))) for account in world.scenario.accounts
        )
        world.scenario = replace(world.scenario, accounts=tuple(accounts))

    return change


@cache
def recorded():
    return watched(
        story(),
        every=6 * HOUR,
        text=TEXT,
        acts={
            0.5 * DAY: lambda tx, now: (
                keep("kept", "let-go", "late")(tx, now),
                acknowledge(tx, now),
                silence(tx, now),
            ),
            4 * DAY: let_go("let-go"),
        },
        changes={5 * DAY: tag("2099-12-31", "tagged", "still-tagged"), 7 * DAY: tag("", "tagged")},
    )


@cache
def again(since, **changes):
    """A replay from so long after the start; `changes` of what is recorded."""
    store, end = recorded()
    return replayed(story(), store, since=end - story().length + since, until=end, text=TEXT, **changes)


def steps(name, found):
    """What came of a countdown, by when since the start."""
    start = recorded()[1] - story().length
    told = [one for one in found if one.alert.labels.get("deployment") == name and one.receiver == "all"]
    return [(one.alert.finding.step, round((one.at - start) / DAY * 4) / 4) for one in told]


def words(some):
    return [(one.reason.value, one.alert.finding.rule, one.alert.finding.step, one.alert.labels) for one in some]


def test_they_are_as_they_are_told_here():
    sent = entries(again(HOUR).sent)
    assert steps("kept", sent) == [("1d", 8.0), ("6h", 8.75), ("", 9.0)]
    assert steps("let-go", sent)[:3] == [("7d", 4.25), ("3d", 6.0), ("1d", 8.0)]
    assert steps("tagged", sent)[:3] == [("7d", 2.0), ("3d", 7.0), ("1d", 8.0)]
    assert steps("still-tagged", sent)[:2] == [("7d", 2.0), ("1d", 8.0)]
    assert steps("late", sent) == []
    assert [one.receiver for one in sent if one.alert.labels.get("cause") == "account_gone"] == ["all"]
    rules = [one.alert.finding.rule for one in sent if one.receiver == "all"]
    assert (rules.count("account_forbidden"), rules.count("job_failed")) == (1, 0)


@pytest.mark.parametrize("since", [HOUR, 8 * DAY + HOUR], ids=["from the start", "from long after it"])
def test_they_are_said_again(since):
    found = again(since)
    assert words(found.comparison.only_now) == words(found.comparison.only_then) == []
    assert found.comparison.both
