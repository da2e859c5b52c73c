from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    make_reading,
    make_snapshot,
)
from watcher.resources.changes import (
    ESTIMATED_FINISH,
    Change,
    ResourceKind,
    Source,
    diff,
)
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.merging import absorb, living
from watcher.resources.snapshot import GapReason, Listing, Reading, Section

NEVER = Reading(account=ACCOUNT)
OLD, NEW = NOW - 9 * DAY, NOW - DAY
STATUSES = [*(status.value for status in JobStatus if status is not JobStatus.UNKNOWN), "melting"]


def steps(previous, current):
    return [(t.change.value, t.before, t.after, t.source.value, t.is_history) for t in diff(previous, current)]


class TestJobs:
    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [
            pytest.param([], [], [], id="empty account"),
            pytest.param([make_job()], [make_job()], [], id="nothing changed"),
            pytest.param([make_job()], None, [], id="not read"),
            pytest.param([make_job()], [], [], id="a job that was deleted"),
            pytest.param([], [make_job()], [("discovered", None, "running", "listing", False)], id="a new job"),
            pytest.param(
                None, [make_job(status="failed")], [("discovered", None, "failed", "listing", True)], id="first sight"
            ),
            pytest.param(
                [make_job()],
                [make_job(status="failed")],
                [("changed", "running", "failed", "listing", False)],
                id="failed",
            ),
            pytest.param(
                [make_job()],
                [make_job(status="melting")],
                [("changed", "running", "melting", "listing", False)],
                id="unknown status",
            ),
            pytest.param(
                [make_job(status="melting")],
                [make_job(status="dripping")],
                [("changed", "melting", "dripping", "listing", False)],
                id="from one unknown status to another",
            ),
            pytest.param([make_job()], [make_job(trained_tokens=7)], [], id="another attribute"),
            pytest.param(
                [make_job(status="succeeded")],
                [make_job(status="running")],
                [("changed", "succeeded", "running", "listing", False)],
                id="an unlikely jump is recorded",
            ),
        ],
    )
    def test_transitions(self, before, after, expected):
        assert steps(make_reading(jobs=before), make_snapshot(jobs=after)) == expected

    def test_an_unchanged_answer_says_nothing_and_keeps_the_jobs(self):
        previous = make_reading(jobs=[make_job()], at=NOW - HOUR)
        current = make_snapshot(jobs=[])
        current = replace(current, jobs=Listing(digest="same", items=None))

        assert diff(previous, current) == ()
        assert absorb(previous, current).jobs == previous.jobs
        assert absorb(previous, current).jobs_at == NOW

    def test_a_job_listed_on_two_pages_is_one(self):
        current = make_snapshot(jobs=[make_job(), make_job(status="failed")])

        assert steps(make_reading(), current) == [("discovered", None, "failed", "listing", False)]
        assert len(absorb(make_reading(), current).jobs) == 1

    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [
            (None, "succeeded", [(None, "pending"), ("pending", "running"), ("running", "succeeded")]),
            ("pending", "failed", [("pending", "running"), ("running", "failed")]),
            ("queued", "running", [("queued", "running")]),
            ("running", "failed", [("running", "failed")]),
            ("paused", "succeeded", [("paused", "succeeded")]),
            ("resuming", "failed", [("resuming", "failed")]),
            ("melting", "failed", [("melting", "failed")]),
        ],
    )
    def test_steps_between_two_polls_are_rebuilt_from_events(self, before, after, expected):
        events = [
            make_event("Job enqueued. Waiting for jobs ahead to complete.", at=NOW - 3 * HOUR),
            make_event("Job started.", at=NOW - 2 * HOUR),
            make_event("Job succeeded."),
        ]
        previous = make_reading(jobs=[make_job(status=before)] if before else [])
        current = make_snapshot(jobs=[make_job(status=after, finished_at=NOW)], events={"ftjob-1": events})
        transitions = diff(previous, current)

        assert [(t.before, t.after) for t in transitions] == expected
        assert transitions[-1].source is Source.LISTING
        assert transitions[-1].occurred_at == (NOW - 2 * HOUR if after == "running" else NOW)

    def test_a_job_that_was_resumed_did_not_start_again(self):
        current = make_snapshot(jobs=[make_job()], events={"ftjob-1": [make_event("Job started.", at=NOW - DAY)]})
        (transition,) = diff(make_reading(jobs=[make_job(status="paused")]), current)

        assert transition.occurred_at is None

    def test_an_event_never_makes_a_job_succeed(self):
        current = make_snapshot(jobs=[make_job()], events={"ftjob-1": [make_event("Job succeeded.")]})

        assert diff(make_reading(jobs=[make_job()]), current) == ()

    @pytest.mark.parametrize(
        ("job", "expected"),
        [
            (make_job(status="pending"), NOW - 2 * HOUR),
            (make_job(status="running"), None),
            (make_job(status="paused", finished_at=NOW), None),
            (make_job(status="failed"), None),
            (make_job(status="failed", finished_at=NOW - MINUTE), NOW - MINUTE),
        ],
        ids=["waits since its creation", "running", "paused, finished_at set", "ended, undated", "ended"],
    )
    def test_when_it_happened_is_not_made_up(self, job, expected):
        (transition,) = diff(make_reading(), make_snapshot(jobs=[job]))

        assert transition.occurred_at == expected


class TestDeployments:
    @pytest.mark.parametrize(
        ("before", "after", "absent", "expected"),
        [
            pytest.param([], [], [], [], id="empty account"),
            pytest.param([make_deployment()], [make_deployment()], [], [], id="nothing changed"),
            pytest.param([make_deployment()], None, [], [], id="not read"),
            pytest.param([make_deployment()], [], [], [], id="missing is not gone"),
            pytest.param([make_deployment()], [], ["support-bot"], ["gone"], id="missing, and its address answers 404"),
            pytest.param([make_deployment()], None, ["support-bot"], [], id="404 without a listing"),
            pytest.param([], [], ["stranger"], [], id="a 404 of what was never known"),
            pytest.param(None, [make_deployment()], [], ["discovered, history"], id="first sight"),
            pytest.param([], [make_deployment()], [], ["discovered"], id="new"),
            pytest.param([make_deployment()], [make_deployment(capacity=9)], [], ["changed"], id="capacity"),
            pytest.param(
                [make_deployment(created_at=OLD)], [make_deployment(created_at=NEW)], [], ["replaced"], id="replaced"
            ),
            pytest.param(
                [make_deployment(created_at=OLD)], [make_deployment(created_at=None)], [], [], id="systemData left out"
            ),
            pytest.param(
                [make_deployment(created_at=None)],
                [make_deployment(created_at=OLD)],
                [],
                [],
                id="systemData comes later",
            ),
        ],
    )
    def test_transitions(self, before, after, absent, expected):
        keys = frozenset(f"{ACCOUNT.key}/deployments/{name}" for name in absent)
        found = diff(make_reading(deployments=before), make_snapshot(deployments=after, absent=keys))

        assert [t.change.value + (", history" if t.is_history else "") for t in found] == expected

    def test_ids_compare_without_case(self):
        shouted = make_deployment(id=make_deployment().id.upper())

        assert diff(make_reading(deployments=[make_deployment()]), make_snapshot(deployments=[shouted])) == ()

    def test_an_unchanged_listing_still_lets_one_go_that_answers_404(self):
        previous = make_reading(deployments=[make_deployment()])
        current = make_snapshot(deployments=[], absent=frozenset({make_deployment().key}))
        current = replace(current, deployments=Listing(digest="same", items=None))

        assert [t.change for t in diff(previous, current)] == [Change.GONE]
        assert absorb(previous, current).deployments == ()

    def test_replaced_names_both_lives(self):
        previous = make_reading(deployments=[make_deployment(created_at=OLD)])
        (replaced,) = diff(previous, make_snapshot(deployments=[make_deployment(created_at=NEW)]))

        assert replaced.before == OLD.isoformat()
        assert replaced.after == replaced.incarnation == NEW.isoformat()

    def test_a_life_survives_flickering_system_data(self):
        reading = absorb(NEVER, make_snapshot(deployments=[make_deployment(created_at=None)]))
        first = reading.deployments[0].incarnation
        for created_at in (OLD, None, OLD):
            current = make_snapshot(at=NOW + HOUR, deployments=[make_deployment(created_at=created_at)])
            assert diff(reading, current) == ()
            reading = absorb(reading, current)
            assert reading.deployments[0].created_at == OLD  # an answer that leaves it out takes nothing back

        assert reading.deployments[0].incarnation == first == f"seen {NOW.isoformat()}"

    def test_a_name_that_comes_back_has_a_new_life(self):
        reading = absorb(NEVER, make_snapshot(deployments=[make_deployment(created_at=None)]))
        first = reading.deployments[0].incarnation
        gone = make_snapshot(at=NOW + HOUR, deployments=[], absent=frozenset({make_deployment().key}))
        back = make_snapshot(at=NOW + 2 * HOUR, deployments=[make_deployment(created_at=None)])

        (again,) = living(absorb(reading, gone), back)
        assert again.incarnation != first


names = st.sampled_from(["a", "b", "c"])
jobs = st.lists(st.builds(make_job, names, st.sampled_from(STATUSES)), max_size=4)
creations = st.none() | st.sampled_from([OLD, NEW])
deployments = st.lists(
    st.builds(
        make_deployment, names, created_at=creations, capacity=st.sampled_from([1, 2]), sku=st.sampled_from(["A", "B"])
    ),
    max_size=4,
    unique_by=lambda deployment: deployment.name,
)
messages = st.sampled_from(["Job enqueued.", "Job started.", "Job succeeded.", "Bang."])


@st.composite
def snapshots(draw, at=NOW):
    listed = draw(st.none() | deployments)
    missing = {make_deployment(name).key for name in draw(st.sets(names))} - {each.key for each in listed or ()}
    asked = frozenset(draw(st.sets(st.sampled_from(list(Section)))))
    gaps = draw(st.lists(st.builds(make_gap, st.sampled_from(list(Section)), st.sampled_from(list(GapReason)))))
    return make_snapshot(
        at=at + timedelta(minutes=draw(st.integers(0, 60))),
        jobs=draw(st.none() | jobs),
        deployments=listed,
        absent=frozenset(missing),
        events={draw(names): [make_event(draw(messages)) for _ in range(draw(st.integers(0, 3)))]},
        asked=asked,
        gaps=tuple(gap for gap in gaps if gap.section in asked),
    )


@st.composite
def readings(draw):
    reading = NEVER
    for hour in range(draw(st.integers(0, 3))):
        reading = absorb(reading, draw(snapshots(at=NOW - (4 - hour) * HOUR)))
    return reading


@settings(deadline=None)
@given(readings(), snapshots())
def test_what_was_absorbed_is_no_change(previous, current):
    assert diff(absorb(previous, current), current) == ()


@settings(deadline=None)
@given(readings(), snapshots())
def test_absorbing_twice_is_absorbing_once(previous, current):
    once = absorb(previous, current)

    assert absorb(once, current) == once


@settings(deadline=None)
@given(readings(), snapshots())
def test_transitions_are_distinct_and_seen_now(previous, current):
    transitions = diff(previous, current)

    assert len({t.key for t in transitions}) == len(transitions)
    assert {t.observed_at for t in transitions} <= {current.at}


@settings(deadline=None)
@given(readings(), snapshots())
def test_nothing_is_gone_without_two_signs(previous, current):
    for transition in diff(previous, current):
        if transition.change is Change.GONE:
            assert current.deployments is not None
            assert transition.resource.lower() in current.absent
    before = {d.key for d in previous.deployments or ()}
    assert before - current.absent <= {d.key for d in absorb(previous, current).deployments or ()}


@settings(deadline=None)
@given(readings(), snapshots())
def test_history_is_all_and_only_first_sight(previous, current):
    for transition in diff(previous, current):
        is_job = transition.kind is ResourceKind.JOB
        assert transition.is_history == ((previous.jobs if is_job else previous.deployments) is None)


@settings(deadline=None)
@given(readings(), snapshots())
def test_steps_of_one_job_form_a_chain_to_what_is_listed(previous, current):
    after = {job.id: job for job in absorb(previous, current).jobs or ()}
    chains = {}
    for transition in diff(previous, current):
        if transition.kind is ResourceKind.JOB:
            assert chains.get(transition.resource, transition.before) == transition.before
            chains[transition.resource] = transition.after
    assert all(after[job].raw_status == last for job, last in chains.items())


class TestAnnouncedEnds:
    def slips(self, *estimates, status="running"):
        """The slips of a job that is read each minute, as (before, after) in minutes from the first look."""
        reading = make_reading(jobs=[])
        found = []
        for number, estimate in enumerate(estimates):
            end = None if estimate is None else NOW + estimate * MINUTE
            at = NOW + number * MINUTE
            snapshot = make_snapshot(at=at, jobs=[make_job(status=status, estimated_finish_at=end)])
            found += [t for t in diff(reading, snapshot) if t.attribute == ESTIMATED_FINISH]
            reading = absorb(reading, snapshot)
        return [
            tuple(end and (datetime.fromisoformat(end) - NOW) / MINUTE for end in (t.before, t.after)) for t in found
        ]

    @pytest.mark.parametrize(
        ("estimates", "expected"),
        [
            pytest.param([60], [], id="the first is none"),
            pytest.param([60, 74], [], id="less than a quarter of an hour"),
            pytest.param([60, 75], [(60, 75)], id="later"),
            pytest.param([60, 45], [(60, 45)], id="earlier"),
            pytest.param([60, None, 60, 75], [(60, 75)], id="left out once"),
            pytest.param([None, 60], [(None, 60)], id="announced late"),
            pytest.param([60, 70, 60, 70, 60], [], id="to and fro"),
            pytest.param([60, 80, 75, 95], [(60, 80), (80, 95)], id="from the last one that was news"),
        ],
    )
    def test_an_end_has_slipped_once_it_is_far_from_the_one_announced(self, estimates, expected):
        assert self.slips(*estimates) == expected

    def test_a_creeping_end_slips_though_no_step_is_large(self):
        slips = self.slips(*range(60, 660))

        assert slips[:2] == [(60, 75), (75, 90)]
        assert len(slips) == 39

    def test_a_job_that_has_ended_announces_nothing(self):
        assert self.slips(60, 600, status="succeeded") == []
