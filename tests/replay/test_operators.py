"""What operators said in their time is said again in a replay: keeps and their end, tags, acks, silences."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from watcher.alerts.keep import Keep
from watcher.answers import acts
from watcher.replay.comparison import entries
from watcher.resources.deployment import KEEP_TAG
from watcher.rules.finding import FindingKind
from watcher.simulator import Account, Calls, Deployment, Fault, Job, Scenario
from watcher.simulator.catalogue import MODELS, prices_of
from watcher.store import alerts, operators

from .month import CONFIGURATION, HOUR, replayed, watched

DAY = timedelta(days=1)
TEXT = CONFIGURATION.replace('repeat_interval = "24h"', 'repeat_interval = "36h"')
TEXT += "[rules.job_stalled]\nhistory = 3\n"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)

#: Dollars by the hour, unlike what stands in the code for want of a list.
DEAR = 2.5

#: Of a kept deployment the steps of "7d" and "3d" are not told. By when the first of them comes since the start.
IDLE = {
    "kept": 2 * DAY,
    "let-go": 2 * DAY,
    "tagged": 2 * DAY,
    "still-tagged": 2 * DAY,
    "late": 8.5 * DAY,
    "deleted": 2 * DAY,
}

#: Accounts whose jobs cannot be read, by from when on since the start. Of `blind` that is acknowledged, of `dark` it is
#: silenced for days; whatever is said of the one says nothing of the others.
BLIND = {"blind": 6 * HOUR, "dark": 6 * HOUR, "dim": 5.75 * DAY}


def story() -> Scenario:
    """Deployments that are called no more, one that somebody deletes, and so an account; and the blind ones."""
    calls = {name: (Calls(from_=-9 * DAY, until=first - 8 * DAY, per_hour=1),) for name, first in IDLE.items()}
    deployments = tuple(
        Deployment(name=name, job="history", created=-20 * DAY, calls=some) for name, some in calls.items()
    )
    deleted = replace(deployments[-1], deleted=5.3 * DAY, deleted_by="ann@contoso.example")
    within = Deployment(name="within", job="history", created=-20 * DAY, calls=calls["late"])
    jobs = (
        Job(name="history", created=-30 * DAY),
        Job(name="early", created=3 * DAY + HOUR, running_for=HOUR, outcome="failed"),
        Job(name="late", created=8.5 * DAY + HOUR, running_for=HOUR, outcome="failed"),
        # By what these took, the last is late at once. That is known of the first day, long before a replay begins.
        *(Job(name=f"quick-{hour}", created=hour * HOUR, running_for=HOUR) for hour in (1, 2, 3)),
        Job(name="slow", created=8.25 * DAY - HOUR, running_for=12 * HOUR),
    )
    old = Job(name="old", model="gpt-4o-mini-2024-07-18", created=-30 * DAY)
    served = Deployment(name="served", job="old", created=-20 * DAY, calls=(Calls(from_=-9 * DAY, per_hour=1),))
    models = tuple(
        replace(one, fine_tune_until=START + 38.6 * DAY) if one.full_name == old.model else one for one in MODELS
    )
    return Scenario(
        title="a week with operators",
        start=START,
        models=models,
        prices=tuple(replace(one, price=DEAR) if "Hosting" in one.meter else one for one in prices_of(["eastus2"])),
        length=9.75 * DAY,
        accounts=(
            Account(name="contoso-ft", jobs=jobs, deployments=(*deployments[:-1], deleted)),
            *map(_account, BLIND),
            Account(name="retiring", jobs=(old,), deployments=(served,)),
            Account(
                name="closed",
                jobs=jobs[:1],
                deployments=(within,),
                deleted=4.3 * DAY,
                deleted_by="ann@contoso.example",
            ),
        ),
        faults=tuple(
            Fault(plane="data", account=name, from_=from_, until=20 * DAY, status=403) for name, from_ in BLIND.items()
        ),
    )


def _account(name):
    return Account(name=name)


def keep(*names, days=300):
    def act(tx, now):
        for name in names:
            said = Keep(account="contoso-ft", deployment=name, until=now + days * DAY, author="ann", reason="a reason")
            operators.save_keep(tx, said, now=now)

    return act


def let_go(name):
    return lambda tx, now: acts.drop(tx, f"contoso-ft/{name}", author="ann", reason="no more", now=now)


def acknowledge(tx, now):
    (alert,) = (one for one in alerts.unsettled(tx) if _is_blind(one, "blind"))
    assert alert.finding.kind is FindingKind.CONDITION
    operators.acknowledge(tx, alert, author="ann", comment="a network rule", now=now)


def _is_blind(alert, name):
    return alert.finding.rule == "account_forbidden" and alert.labels["account"] == name


def silence(tx, now):
    operators.add_silence(tx, ["rule=job_failed"], ends_at=now + 20 * DAY, author="ann", comment="known", now=now)
    operators.add_silence(tx, ["account=dark"], ends_at=now + 8.4 * DAY, author="ann", comment="a move", now=now)


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


def _since_start(one):
    return round((one.at - (recorded()[1] - story().length)) / DAY * 4) / 4


def steps(name, found):
    """What came of a countdown, by when since the start."""
    told = [one for one in found if one.alert.labels.get("deployment") == name and one.receiver == "all"]
    return [(one.alert.finding.step, _since_start(one)) for one in told]


def blindness(name, found):
    """What was told of an account that could not be read, by when since the start."""
    told = [one for one in found if _is_blind(one.alert, name) and one.receiver == "all"]
    return [(one.reason.value, _since_start(one)) for one in told]


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
    assert [one for one in sent if one.alert.finding.rule == "job_failed"] == []
    assert {one.alert.finding.rule for one in sent} >= {"job_stalled", "model_retiring"}
    assert blindness("blind", sent) == [("firing", 0.25)]
    assert blindness("dark", sent) == [("firing", 0.25), ("reminder", 9.0)]
    assert [word for word, _ in blindness("dim", sent)] == ["firing", "reminder", "reminder"]


@pytest.mark.parametrize("since", [HOUR, 8 * DAY + HOUR], ids=["from the start", "from long after it"])
def test_they_are_said_again(since):
    found = again(since)
    assert words(found.comparison.only_now) == words(found.comparison.only_then) == []
    assert found.comparison.both
    reminders = [sentence for sentence in found.blind if "reminders" in sentence]
    assert reminders == (
        []
        if since == HOUR
        else ["when reminders came of what fired before 2026-03-03 09:00 UTC: they are counted from then"]
    )


@pytest.mark.parametrize("since", [HOUR, 8 * DAY + HOUR], ids=["from the start", "from long after it"])
def test_they_are_said_again_when_they_were_said(since):
    """Most of all where it begins long after: what was told and silenced before is none the less known there."""
    found = again(since)
    now, then = entries(found.messages), entries(found.sent)
    for of, names in ((blindness, BLIND), (steps, IDLE)):
        for name in names:
            again_, really = of(name, now), of(name, then)
            assert [word for word, _ in again_] == [word for word, _ in really], name
            # Reminders wait for a look, and of those without news nobody knows when they were.
            assert all(abs(at - other) <= 0.25 for (_, at), (_, other) in zip(again_, really, strict=True)), name


@pytest.mark.parametrize("since", [HOUR, 8 * DAY + HOUR], ids=["from the start", "from long after it"])
def test_what_was_read_before_is_known_again(since):
    """How long such jobs took, when their model retires, and what an hour costs: none of it is found anew."""
    found = again(since)
    for rule in ("job_stalled", "model_retiring", "deployment_idle"):
        now, then = (_facts(entries(some), rule) for some in (found.messages, found.sent))
        assert now and now == then, rule
    assert {fact for _, _, fact in _facts(entries(found.messages), "deployment_idle")} == {DEAR}


def _facts(some, rule):
    findings = [one.alert.finding for one in some if one.alert.finding.rule == rule and one.reason != "resolved"]
    return {(one.labels.get("deployment"), one.step, one.values.get("hosting_per_hour")) for one in findings}


@pytest.mark.parametrize("since", [HOUR, 8 * DAY + HOUR], ids=["from the start", "from long after it"])
def test_the_end_of_a_silence_is_no_look_and_is_heeded_all_the_same(since):
    told = [one for one in entries(again(since).messages) if _is_blind(one.alert, "dark") and one.receiver == "all"]
    assert told[-1].at == START + 8.9 * DAY


def test_what_is_gone_says_when_it_stood_who_deleted_it_and_who_had_been_told():
    found = again(HOUR)
    now, then = (_evidence_of_the_gone(entries(some)) for some in (found.messages, found.sent))
    assert now == then
    assert now["deleted"].endswith("told before: all (deployment_idle, 7d)")
    assert now["within"].endswith("nobody had been told before")


def _evidence_of_the_gone(some):
    gone = [one.alert.finding for one in some if one.alert.finding.rule == "deployment_gone" and one.receiver == "all"]
    # Who was told of a step was told at a look, and of those without news nobody knows when they were.
    return {one.labels["deployment"]: re.sub(r" at \S+ \S+ UTC (?=\(deployment_)", " ", one.evidence) for one in gone}
