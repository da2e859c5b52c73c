"""What a poll leaves in memory is what the store would answer, though nothing is read twice for it."""

from dataclasses import replace

import pytest
from sqlalchemy import event

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_deployment,
    make_event,
    make_gap,
    make_job,
    make_snapshot,
    make_training,
    make_usage,
)
from watcher.cycles import Judgement, record
from watcher.resources.departure import Departure
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Section
from watcher.rules.registry import build_rules
from watcher.store import alerts, observations, scope

JUDGEMENT = Judgement(rules=build_rules({}, plugins=()).rules)
DEPLOYMENTS = frozenset({Section.DEPLOYMENTS})
IDLE = make_usage(last_success_at=NOW - 9 * DAY)
BASE = make_deployment("base", model="gpt-4o")
#: Known as customised by a job alone: its name does not tell.
UNTOLD = make_deployment("untold", model="bespoke")
ENDED = make_job("ftjob-0", JobStatus.SUCCEEDED, fine_tuned_model="bespoke", finished_at=NOW - 2 * DAY)
OVER = make_job("ftjob-1", JobStatus.FAILED, finished_at=NOW - HOUR)

STEPS = {
    "first sight": {"jobs": [ENDED, make_job()], "deployments": [BASE, UNTOLD, make_deployment()]},
    "an idle warning": {"asked": frozenset({Section.METRICS}), "usage": [IDLE]},
    "an end that nobody can judge": {"jobs": [ENDED, OVER], "gaps": [make_gap(subject="ftjob-1")]},
    "its events": {"jobs": [ENDED, OVER], "events": {"ftjob-1": [make_event("Job failed.")]}},
    "its inside": {"jobs": [ENDED, OVER], "training": {"ftjob-1": make_training()}},
    "a deployment is gone, and the log silent": {
        "asked": DEPLOYMENTS,
        "deployments": [BASE, UNTOLD],
        "absent": frozenset({make_deployment().key}),
        "departures": {make_deployment().key: Departure(is_read=True, read_from=NOW - DAY)},
    },
    "an outage": {"gaps": [make_gap(at=NOW - HOUR)]},
    "its end": {"jobs": [ENDED, OVER], "deployments": [BASE]},
}


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def played(store, steps):
    """Each step's name, with what came of it."""
    for number, (name, step) in enumerate(steps.items()):
        at = NOW - HOUR + number * MINUTE
        yield name, at, store.write_now(record, make_snapshot(at=at, **step), JUDGEMENT)


def test_what_is_remembered_is_what_is_stored(watched):
    seen = set()
    for name, at, recorded in played(watched, STEPS):
        stored = watched.read_now(observations.known, ACCOUNT.key, now=at)
        known = recorded.remembered.known
        # Of models it may name more: those of deployments that have just ended.
        assert (name, replace(known, custom_models=None)) == (name, replace(stored, custom_models=None))
        assert (stored.custom_models or frozenset()) <= (known.custom_models or frozenset()), name
        assert (name, recorded.remembered.firing) == (name, watched.read_now(alerts.firing, ACCOUNT.key))
        seen |= {alert.finding.rule for alert in recorded.remembered.firing}
        seen |= {"unexplained"} if known.unexplained else set()
        seen |= {"departed"} if known.departed else set()
        seen |= {"custom"} if known.custom_models else set()
    assert seen >= {"deployment_idle", "account_unreachable", "unexplained", "departed", "custom"}


def test_nothing_is_read_twice_for_one_record(watched):
    for _ in played(watched, STEPS):
        pass
    statements: list[str] = []

    @event.listens_for(watched.engine, "before_cursor_execute")
    def note(_c, _cursor, statement, parameters, _x, _many):
        if statement.startswith("SELECT"):
            statements.append(f"{statement} {parameters}")

    watched.write_now(record, make_snapshot(at=NOW, jobs=[ENDED, OVER], deployments=[BASE]), JUDGEMENT)
    assert [one for one in statements if statements.count(one) > 1] == [] != statements
