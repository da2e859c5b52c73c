import pytest

from tests.factories import ACCOUNT, DAY, HOUR, NOW, make_gap, make_job, make_reading, make_snapshot, make_usage
from watcher.resources.changes import diff
from watcher.resources.merging import absorb, closed_gaps, merge_usage, open_gaps
from watcher.resources.snapshot import GapReason, Reading, Section

NEVER = Reading(account=ACCOUNT)


class TestUsage:
    @pytest.mark.parametrize(
        ("known", "read", "expected"),
        [
            pytest.param((0, 10, 4), (9, 20, None), (0, 20, 4), id="overlapping"),
            pytest.param((0, 10, 4), (10, 20, None), (0, 20, 4), id="adjoining"),
            pytest.param((0, 10, 4), (11, 20, None), (11, 20, None), id="torn"),
            pytest.param((0, 10, 4), (9, 20, 15), (0, 20, 15), id="a newer call"),
            pytest.param((0, 10, 4), (0, 20, None), (0, 20, 4), id="a call once seen stays seen"),
            pytest.param((5, 10, None), (0, 20, 2), (0, 20, 2), id="wider on both sides"),
            pytest.param((0, 20, 18), (5, 10, 7), (0, 20, 18), id="an older, narrower reading"),
            pytest.param((0, 20, 18), (0, 10, 7), (0, 20, 18), id="an older reading takes nothing back"),
            pytest.param((10, 20, 18), (0, 5, 4), (10, 20, 18), id="an older one that is torn off"),
        ],
    )
    def test_spans_are_joined(self, known, read, expected):
        def usage(span):
            start, end, call = (None if hour is None else NOW + hour * HOUR for hour in span)
            return {"support-bot": make_usage(read_from=start, read_to=end, last_success_at=call)}

        assert merge_usage(usage(known), usage(read)) == usage(expected)

    def test_doubt_lasts_until_a_call_that_surely_was_its_own(self):
        doubtful = make_usage(read_from=NOW - DAY, read_to=NOW, last_unclear_at=NOW - HOUR)
        grown = make_usage(read_from=NOW - HOUR, read_to=NOW + HOUR)
        called = make_usage(read_from=NOW - HOUR, read_to=NOW + HOUR, last_success_at=NOW)

        assert merge_usage({"x": doubtful}, {"x": grown})["x"].is_ambiguous
        assert not merge_usage({"x": doubtful}, {"x": called})["x"].is_ambiguous

    def test_what_is_known_of_a_deployment_outlives_it(self):
        known, read = {"old": make_usage("old")}, {"new": make_usage("new")}

        assert merge_usage(known, read) == {**known, **read}


class TestGaps:
    def test_a_gap_is_dated_from_when_it_was_first_met(self):
        current = make_snapshot(gaps=(make_gap(),))

        assert open_gaps([make_gap(at=NOW - DAY)], current) == (make_gap(at=NOW - DAY),)

    def test_another_reason_is_another_gap(self):
        current = make_snapshot(gaps=(make_gap(reason=GapReason.ROLE),))
        previous = make_reading(gaps=[make_gap(at=NOW - DAY)])

        assert open_gaps(previous.gaps, current) == (make_gap(reason=GapReason.ROLE),)
        assert closed_gaps(previous, absorb(previous, current)) == (make_gap(at=NOW - DAY),)

    def test_a_section_that_was_not_asked_keeps_its_gap(self):
        current = make_snapshot(asked=frozenset({Section.DEPLOYMENTS}))
        previous = make_reading(gaps=[make_gap()])

        assert absorb(previous, current).gaps == (make_gap(),)
        assert closed_gaps(previous, absorb(previous, current)) == ()

    def test_a_section_that_was_read_closes_its_gap(self):
        previous = make_reading(jobs=None, gaps=[make_gap()])
        after = absorb(previous, make_snapshot(jobs=[]))

        assert after.gaps == ()
        assert closed_gaps(previous, after) == (make_gap(),)

    def test_an_unread_section_keeps_its_reading_and_its_age(self):
        previous = make_reading(jobs=[make_job()], at=NOW - DAY)
        after = absorb(previous, make_snapshot(gaps=(make_gap(),)))

        assert (after.jobs, after.jobs_at) == (previous.jobs, NOW - DAY)

    def test_a_section_unread_at_first_has_its_first_sight_later(self):
        after = absorb(NEVER, make_snapshot(gaps=(make_gap(),), deployments=[]))
        (transition,) = diff(after, make_snapshot(jobs=[make_job(status="failed")]))

        assert transition.is_history
