"""What is known of a training after another reading of it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.factories import HOUR, NOW, make_checkpoint, make_training
from watcher.resources.training import MOST_POINTS, CurveSource, joined

EARLY = make_training(
    make_checkpoint(10), make_checkpoint(20), curve={10: {"valid_loss": 2.0}, 20: {"valid_loss": 1.0}}
)
LATE = make_training(
    make_checkpoint(20),
    make_checkpoint(30),
    curve={20: {"valid_loss": 1.5}, 30: {"valid_loss": 3.0}},
    read_at=NOW,
)
RESULTS = replace(LATE, source=CurveSource.RESULTS, is_final=True)
NOTHING = make_training(read_at=NOW, is_final=True, remark="the job is not listed")


def curve(training):
    return {point.step: point.metrics["valid_loss"] for point in training.points}


def test_a_first_reading_is_taken_as_it_is():
    assert joined(None, LATE) == LATE
    assert joined(make_training(), LATE) == LATE


def test_a_curve_through_checkpoints_grows_while_the_service_forgets_them():
    both = joined(EARLY, LATE)
    assert curve(both) == {10: 2.0, 20: 1.5, 30: 3.0}
    assert (both.checkpoints, both.read_at, both.source) == (LATE.checkpoints, NOW, CurveSource.CHECKPOINTS)


def test_a_result_file_stands_for_the_whole_curve():
    assert curve(joined(EARLY, RESULTS)) == curve(RESULTS)
    later = joined(RESULTS, replace(EARLY, is_final=True))
    assert (curve(later), later.source) == (curve(RESULTS), CurveSource.RESULTS)


def test_nothing_read_takes_nothing_back_and_is_not_said_to_have_been_read():
    after = joined(replace(LATE, read_at=NOW - HOUR), NOTHING)
    assert after == replace(LATE, read_at=NOW - HOUR, is_final=True, remark="the job is not listed")
    assert joined(make_training(), NOTHING) == NOTHING


def test_what_the_log_said_early_stays():
    assert joined(replace(EARLY, skipped=3), LATE).skipped == 3
    assert joined(replace(EARLY, skipped=3), NOTHING).skipped == 3
    assert joined(replace(EARLY, skipped=3), replace(LATE, skipped=5)).skipped == 5


@given(steps=st.lists(st.lists(st.integers(0, 900), max_size=3), max_size=250))
def test_a_growing_curve_stays_small_and_in_order(steps):
    known = None
    for some in steps:
        read = make_training(
            *(make_checkpoint(step) for step in some), curve={step: {"valid_loss": 1.0 + step} for step in sorted(some)}
        )
        known = joined(known, read)
        kept = [point.step for point in known.points]
        assert kept == sorted(set(kept)) and len(kept) <= MOST_POINTS
        assert set(some) <= set(kept) or len(kept) == MOST_POINTS
