from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.azure.results import decode_results, points_of, spelt
from watcher.errors import MalformedError
from watcher.resources.fine_tuning import Checkpoint
from watcher.resources.training import MOST_POINTS, CurvePoint, thinned

NEWER = (
    "step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,"
    "full_valid_loss,full_valid_mean_token_accuracy"
)


def read(*lines: str, end: str = "\n"):
    return decode_results(end.join(lines).encode())


def metrics(points):
    return [(point.step, dict(point.metrics)) for point in points]


def test_reads_the_documented_columns_under_our_spelling():
    assert metrics(read(NEWER, "1,1.5,0.5,1.6,0.4,1.7,0.3")) == [
        (
            1,
            {
                "train_loss": 1.5,
                "train_accuracy": 0.5,
                "valid_loss": 1.6,
                "valid_accuracy": 0.4,
                "full_valid_loss": 1.7,
                "full_valid_accuracy": 0.3,
            },
        )
    ]


def test_reads_the_columns_of_older_jobs():
    head = "step,elapsed_tokens,elapsed_examples,training_loss,training_token_accuracy,validation_loss"
    assert metrics(read(head, "1,900,4,2.5,0.25,2.75")) == [
        (1, {"train_loss": 2.5, "train_accuracy": 0.25, "valid_loss": 2.75})
    ]


def test_reads_the_rewards_of_reinforcement():
    assert metrics(read("step,train_mean_reward,full_valid_mean_reward,x", "4,-0.5,0.25,1")) == [
        (4, {"train_reward": -0.5, "full_valid_reward": 0.25})
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_shape_of_the_file_makes_no_difference(end, mark, delimiter):
    lines = [f"{mark}Step, Train_Loss ,valid_loss", '"1","2.5",', "2,2.25,3", "", "3,2,"]
    points = read(*(line.replace(",", delimiter) for line in lines), end=end)
    assert metrics(points) == [
        (1, {"train_loss": 2.5}),
        (2, {"train_loss": 2.25, "valid_loss": 3.0}),
        (3, {"train_loss": 2.0}),
    ]


@pytest.mark.parametrize(
    "row",
    [
        "",
        "x,1",
        ",1",
        "1",
        "1,",
        "1,nan",
        "1,inf",
        "1,-1.0",
        "-1,1",
        "1.5,1",
        "nan,1",
        "1e400,1",
        "1,one",
        "step,train_loss",
    ],
)
def test_a_row_that_makes_no_sense_costs_that_row(row):
    assert metrics(read("step,train_loss", "3,1", row, "4,2")) == [(3, {"train_loss": 1.0}), (4, {"train_loss": 2.0})]


def test_rows_of_one_step_are_one_point_and_steps_come_in_order():
    points = read("step,train_loss,valid_loss", "2,1,", "1,3,4", "2,,5")
    assert metrics(points) == [(1, {"train_loss": 3.0, "valid_loss": 4.0}), (2, {"train_loss": 1.0, "valid_loss": 5.0})]


@pytest.mark.parametrize(
    "body", [b"", b"\n\n", b"{}", b"<html>", b"train_loss\n1", b"step\n1", b"step,x\n1,2", b"\xff\xfe"]
)
def test_what_is_no_result_file_is_malformed(body):
    with pytest.raises(MalformedError, match=r"no results\.csv"):
        decode_results(body)


def test_a_file_without_rows_is_one():
    assert read(NEWER) == ()


def test_of_a_huge_file_the_first_the_last_and_the_best_points_are_kept():
    """The lowest losses stand at odd places, as those of a noisy run do."""
    rows = [f"{step},{2 + (step % 7) / 10},{3 + (step % 11) / 10 - (step == 43_211)}," for step in range(1, 100_001)]
    rows[77_776] = "77777,1,4,0.125"
    points = read("step,train_loss,valid_loss,full_valid_loss", *rows)
    steps = [point.step for point in points]
    assert len(points) <= MOST_POINTS
    assert (steps[0], steps[-1]) == (1, 100_000)
    assert {43_211, 77_777} <= set(steps)
    assert steps == sorted(set(steps))
    widest = max(later - step for step, later in pairwise(steps))
    assert widest < 3 * 100_000 / MOST_POINTS


numbers = st.none() | st.floats(0, 10, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 2000), numbers, numbers, numbers), max_size=700))
def test_thinning_keeps_what_matters(rows):
    points = [
        CurvePoint(
            step=step,
            metrics={
                k: v
                for k, v in zip(("train_loss", "valid_loss", "full_valid_loss"), values, strict=True)
                if v is not None
            },
        )
        for step, *values in rows
    ]
    kept = thinned(points)
    assert len(kept) <= MOST_POINTS
    assert [point.step for point in kept] == sorted({point.step for point in kept})
    if points:
        assert (kept[0].step, kept[-1].step) == (min(p.step for p in points), max(p.step for p in points))
    whole = {}
    for point in points:
        whole[point.step] = {**whole.get(point.step, {}), **point.metrics}
    for name in ("valid_loss", "full_valid_loss"):
        lowest = min((values[name] for values in whole.values() if name in values), default=None)
        assert min((point.metrics[name] for point in kept if name in point.metrics), default=None) == lowest
    assert thinned(kept) == kept


def test_checkpoints_give_a_curve_under_the_same_spelling():
    def checkpoint(step, **metrics):
        return Checkpoint(id=f"c{step}", job_id="j", model="m", step=step, metrics={"step": step, **metrics})

    points = points_of([checkpoint(80, valid_mean_token_accuracy=0.5, full_valid_loss=1.0), checkpoint(40, other=3)])
    assert metrics(points) == [(80, {"valid_accuracy": 0.5, "full_valid_loss": 1.0})]


def test_what_is_no_number_is_left_out():
    assert spelt({"train_loss": float("nan"), "valid_loss": float("inf"), "TRAIN_LOSS": 1.0}) == {"train_loss": 1.0}
