"""What a poll leaves in memory is what the store would answer, though nothing is read twice for it."""

import tracemalloc
from dataclasses import replace

import pytest
from sqlalchemy import event

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_account,
    make_deployment,
    make_event,
    make_gap,
    make_job,
    make_snapshot,
    make_training,
    make_usage,
)
from watcher.cycles import Judgement, record
from watcher.cycles.memory import Memory
from watcher.cycles.polling import unchanged
from watcher.resources.departure import Departure
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.merging import absorb
from watcher.resources.snapshot import Listing, Section
from watcher.rules.registry import build_rules
from watcher.rules.rule import evaluate
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


def test_what_is_recalled_is_what_was_kept_with_the_times_that_are_stored(watched):
    memory, firing = Memory(watched), set()
    for name, _, recorded in played(watched, STEPS):
        kept = recorded.remembered
        memory.keep(kept)
        due = watched.read_now(scope.due_account, ACCOUNT.key)
        recalled = memory.recall(due)
        assert (name, recalled.known_at(due.read_at)) == (name, kept.known)
        assert (name, recalled.reading_at(due.read_at, due.account)) == (name, kept.view.reading)
        assert (name, replace(recalled, known=kept.known)) == (name, kept)
        firing |= {alert.finding.rule for alert in recalled.firing}
    assert firing >= {"deployment_idle", "account_unreachable"}

    later = NOW + HOUR
    touch = scope.Touch(
        account=ACCOUNT.key,
        revision=kept.revision,
        at=later,
        asked=DEPLOYMENTS,
        due=((Section.DEPLOYMENTS, later + HOUR),),
    )
    assert watched.write_now(scope.touch, [touch]) == {touch: True}
    due = watched.read_now(scope.due_account, ACCOUNT.key)
    recalled = memory.recall(due)
    reading = recalled.reading_at(due.read_at, due.account)
    assert (reading.deployments_at, recalled.known_at(due.read_at).deployments_at) == (later, later)
    assert (reading.jobs_at, reading.usage_at) == (kept.view.reading.jobs_at, kept.view.reading.usage_at)
    assert reading.files_at is None
    assert memory.recall(replace(due, revision=due.revision + 1)) is None
    assert Memory(watched).recall(due) is None


def test_an_unchanged_snapshot_is_seen_as_one_that_was_recorded(watched):
    """It is not recorded, and so nothing but this holds the view that its poll shows the rules against the other."""
    settled = [make_deployment(), make_deployment("other")], [make_usage(last_success_at=NOW - DAY)]
    parts = {"jobs": [make_job()], "deployments": settled[0], "usage": settled[1]}
    kept = watched.write_now(record, make_snapshot(at=NOW - HOUR, **parts), JUDGEMENT).remembered
    due = watched.read_now(scope.due_account, ACCOUNT.key)
    snapshot = replace(
        make_snapshot(at=NOW, asked=DEPLOYMENTS), deployments=Listing(digest=kept.known.deployments_digest, items=None)
    )
    view = unchanged(kept, due, snapshot, JUDGEMENT)
    assert view.reading == absorb(kept.view.reading, snapshot)
    assert view.reading.deployments_at == NOW
    assert view.previous_at == {section: NOW - HOUR for section in (Section.JOBS, Section.DEPLOYMENTS, Section.METRICS)}
    assert unchanged(replace(kept, is_settled=False), due, snapshot, JUDGEMENT) is None
    assert unchanged(kept, due, replace(snapshot, account=make_account("renamed")), JUDGEMENT) is None


def test_a_calm_view_leaves_out_why_something_is_clear_and_nothing_else(watched):
    told = set()
    for _, _, recorded in played(watched, STEPS):
        view = replace(recorded.remembered.view, reading=replace(recorded.remembered.view.reading, usage_at=NOW))
        loud, calm = (evaluate(JUDGEMENT.rules, replace(view, is_calm=is_calm)) for is_calm in (False, True))
        assert (calm.findings, calm.undecided) == (loud.findings, loud.undecided)
        told |= {answer.rule for answer in set(loud.cleared) - set(calm.cleared)}
    assert told >= {"deployment_failed", "metrics_stale"}


def test_a_thousand_accounts_are_remembered_in_a_megabyte_and_a_half(watched):
    """Ten thousand are to leave room for the rest of a daemon in 150 MB."""
    jobs = [make_job(f"ftjob-{number:032x}", JobStatus.SUCCEEDED, finished_at=NOW - DAY) for number in range(10)]
    parts = {"jobs": jobs, "deployments": [make_deployment(f"d{number}") for number in range(5)]}
    usage = [make_usage(f"d{number}", last_success_at=NOW - DAY) for number in range(5)]
    recorded = watched.write_now(record, make_snapshot(at=NOW, usage=usage, **parts), JUDGEMENT)
    view = recorded.remembered.view
    memory = Memory(watched)
    memory.keep(recorded.remembered)  # the first is what the others are packed by
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(1000):
        other = replace(view.reading, account=make_account(f"account-{number}"))
        memory.keep(replace(recorded.remembered, view=replace(view, reading=other)))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken < 1_500_000


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
