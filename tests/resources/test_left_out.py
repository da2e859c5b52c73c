"""What a job's log says was left out of its training."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import make_event
from watcher.resources.fine_tuning import JobEvent
from watcher.resources.left_out import left_out

AT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("messages", "number"),
    [
        ([], None),
        (["Job started.", "Step 120: training loss=1.05", "Training tokens billed: 8000"], None),
        (["12 images were skipped because they could not be used for training."], 12),
        (["Skipped 3 images."], 3),
        (["Skipped: 4 examples"], 4),
        (["3 of 100 images were skipped"], 3),
        (["Skipping 1,204 training examples that are too long"], 1204),
        (["5 images of the training set have been ignored"], 5),
        (["12 image(s) dropped"], 12),
        (["0 images skipped"], 0),
        (["3 images were skipped", "5 examples were skipped", "2 rows were skipped"], 5),
        (["No images were skipped", "Training on 40 examples. Nothing skipped."], None),
        (["40 examples were read and none was skipped"], None),
        (["Some images were skipped because of their content."], None),
        (["Some images were skipped", "2 rows were dropped"], 2),
        (["We used 90 examples and skipped 10 examples"], 10),
    ],
)
def test_reads_how_many_examples_were_left_out(messages, number):
    events = [JobEvent(id="e", created_at=AT, level="info", message=message) for message in messages]
    said = left_out(events)
    assert (said.count if said else None) == number


@settings(max_examples=60, deadline=None)
@given(message=st.text(alphabet="1, skipedmagsxroflt.()", max_size=400))
def test_no_message_takes_long_or_fails(message):
    left_out([JobEvent(id="e", created_at=AT, level="info", message=message)])


def test_a_hostile_message_takes_no_time():
    for message in ("1 " * 100_000, "skipped " * 20_000, "9" * 100_000, "1 images of " + "the " * 50_000):
        left_out([JobEvent(id="e", created_at=AT, level="info", message=message)])


@pytest.mark.parametrize(
    ("messages", "line"),
    [
        (["Dropped 12 rows ", "Job started."], "Dropped 12 rows"),
        (["3 images were skipped", "5 examples were skipped", "Some rows were skipped"], "5 examples were skipped"),
        (["Some images were skipped because of their content."], "Some images were skipped because of their content."),
        (["0 examples were skipped"], "0 examples were skipped"),
        (["Checkpoint at step 40 excluded from evaluation."], None),
        (["No images were skipped"], None),
        (["Evaluation skipped, as no validation file was given."], None),
    ],
)
def test_the_line_is_the_one_that_the_number_was_read_in(messages, line):
    said = left_out([make_event(message) for message in messages])
    assert (said.line if said else None) == line


def test_lines_of_metrics_say_nothing():
    assert left_out([JobEvent(id="e", created_at=AT, level="info", message="3 rows dropped", type="metrics")]) is None
