"""When a deletion is late, and when it may merely come at any moment."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.factories import DAY, HOUR, MINUTE, NOW, SECOND, make_deployment, make_usage
from tests.rules.ask import the_finding
from tests.rules.test_idle import RULE, idle_view
from watcher.rules.idle_clock import clock_start, idle_clock, usage_until


@pytest.mark.parametrize(
    ("changes", "late"),
    [
        ({"modified_at": NOW - 10 * DAY}, False),
        ({"usage": {"last_failure_at": NOW - 10 * DAY}}, False),
        ({"usage": {"last_failure_at": NOW - 16 * DAY}}, True),
        ({"deployment_state": "Paused"}, False),
    ],
    ids=["edited later", "refused later", "refused too long ago", "paused: no latest time"],
)
def test_what_may_have_put_the_deletion_off_keeps_it_from_being_late(changes, late):
    usage = {"last_success_at": NOW - 17 * DAY, **changes.pop("usage", {})}
    finding = the_finding(RULE, idle_view(usage=usage, **changes))

    assert finding.step == ("overdue" if late else "6h")
    assert ("overdue" in finding.summary, "at any moment" in finding.summary) == (late, not late)


@pytest.mark.parametrize(
    ("created", "usage", "expected"),
    [
        pytest.param(9 * DAY, None, "created 2026-11-13 08:00 UTC; its calls are not known", id="no metrics"),
        pytest.param(
            9 * DAY,
            {"read_from": NOW - 5 * DAY},
            "no successful call in the metrics read, 2026-11-17 08:00 UTC to",
            id="older than the metrics",
        ),
        pytest.param(
            9 * DAY, {"read_from": NOW - 20 * DAY}, "and no successful call after that hour", id="never called"
        ),
        pytest.param(
            9 * DAY,
            {"last_success_at": NOW - 2 * DAY},
            "last successful call in the hour from 2026-11-20 08:00 UTC",
            id="called",
        ),
    ],
)
def test_the_basis_says_what_dates_it(created, usage, expected):
    deployment = make_deployment(created_at=NOW - created)
    clock = idle_clock(deployment, None if usage is None else make_usage(deployment.name, **usage))
    assert expected in clock.basis
    assert "created 2026-11-13 08:00 UTC" in clock.basis


CREATED = NOW - 30 * DAY
LIFE = 15 * DAY


def clock_of(deployment=None, *, running_since=None, created=CREATED, **usage):
    one = make_deployment(created_at=created, **(deployment or {}))
    read = make_usage(**{"read_from": CREATED, **usage})
    return idle_clock(one, read, LIFE, running_since=running_since)


@pytest.mark.parametrize(
    ("called", "idle_since", "latest", "called_at"),
    [
        pytest.param(None, CREATED, CREATED, None, id="never"),
        pytest.param(CREATED - HOUR, CREATED, CREATED, None, id="in the hour before its creation"),
        pytest.param(CREATED, CREATED, CREATED + HOUR, None, id="in the very hour of its creation"),
        pytest.param(CREATED + HOUR, CREATED + HOUR, CREATED + 2 * HOUR, CREATED + HOUR, id="in the hour after"),
    ],
)
def test_the_clock_starts_with_the_hour_of_the_call_and_ends_with_its_end_at_the_latest(
    called, idle_since, latest, called_at
):
    clock = clock_of(last_success_at=called)
    assert (clock.idle_since, clock.called_at) == (idle_since, called_at)
    assert (clock.deletion_earliest, clock.deletion_latest) == (idle_since + LIFE, latest + LIFE)
    assert (clock.is_bounded, clock.doubts) == (False, ())


@pytest.mark.parametrize(
    ("read_from", "called", "is_bounded"),
    [
        pytest.param(CREATED, None, False, id="read since its creation"),
        pytest.param(CREATED + HOUR, None, True, id="an hour is missing"),
        pytest.param(CREATED + HOUR, CREATED - DAY, False, id="the last call is known all the same"),
    ],
)
def test_only_what_was_not_read_leaves_bounds_alone(read_from, called, is_bounded):
    clock = clock_of(read_from=read_from, last_success_at=called)
    assert clock.is_bounded is is_bounded
    assert clock.idle_since == (read_from if is_bounded else CREATED)
    assert clock.deletion_earliest == CREATED + LIFE
    assert clock.deletion_latest == clock.idle_since + LIFE


def test_without_metrics_creation_is_the_least():
    clock = idle_clock(make_deployment(created_at=CREATED), None, LIFE)
    assert (clock.deletion_earliest, clock.deletion_latest, clock.read) == (CREATED + LIFE, None, None)
    assert idle_clock(make_deployment(created_at=None), make_usage(), LIFE) is None


CALLED = NOW - 10 * DAY


@pytest.mark.parametrize("bucket", [60, 3600], ids=["minute", "hour"])
@pytest.mark.parametrize("kind", ["last_failure_at", "last_unclear_at"])
def test_a_call_that_may_count_does_so_to_the_end_of_its_bucket(kind, bucket, request):
    unit = timedelta(seconds=bucket)
    clock = clock_of(last_success_at=CALLED, bucket_seconds=bucket, **{kind: CALLED + DAY})
    assert clock.deletion_earliest == CALLED + LIFE
    assert clock.deletion_latest == CALLED + DAY + unit + LIFE
    (doubt,) = clock.doubts
    assert clock.unit in request.node.callspec.id.split("-") and f"in the {clock.unit} from" in doubt


@pytest.mark.parametrize(
    ("later", "is_told"),
    [(timedelta(0), False), (MINUTE - SECOND, False), (MINUTE, True), (DAY, True)],
    ids=["with the call", "within the minute", "a minute later", "a day later"],
)
def test_what_is_written_alike_is_no_doubt(later, is_told):
    plain = CALLED + HOUR  # the call may have come at the end of its hour
    edited = clock_of({"modified_at": plain + later}, last_success_at=CALLED)
    runs = clock_of(running_since=plain + later, last_success_at=CALLED)
    for clock in (edited, runs):
        assert bool(clock.doubts) is is_told
        assert clock.deletion_latest == (plain + later if is_told else plain) + LIFE


def test_the_last_of_all_doubts_is_the_latest_time_and_each_is_told():
    clock = clock_of(
        {"modified_at": CALLED + 2 * DAY},
        last_success_at=CALLED,
        last_failure_at=CALLED + 3 * DAY,
        last_unclear_at=CALLED - DAY,
        running_since=CALLED + DAY,
    )
    assert clock.deletion_latest == CALLED + 3 * DAY + HOUR + LIFE
    assert len(clock.doubts) == 3  # the unclear call came before one that is known


def test_the_time_left_ends_at_nothing_and_is_negative_past_the_latest_time_alone():
    clock = clock_of(last_success_at=CALLED)
    earliest, latest = CALLED + LIFE, CALLED + LIFE + HOUR
    asked = (earliest - DAY, earliest, latest, latest + MINUTE)
    assert [clock.left(at) for at in asked] == [DAY, timedelta(0), timedelta(0), -MINUTE]
    paused = clock_of({"deployment_state": "Paused"}, last_success_at=CALLED)
    assert [paused.left(at) for at in asked] == [DAY, *[timedelta(0)] * 3]
    assert paused.deletion_latest is None


def test_calls_count_to_the_life_in_which_they_came():
    """Metrics know a name, not its lives: what came from the end on is the next one's."""
    ended = NOW - 2 * DAY
    usage = make_usage(last_success_at=ended - HOUR, last_failure_at=ended - HOUR, last_unclear_at=ended - HOUR)
    assert usage_until(usage, ended) == usage
    after = replace(usage, last_failure_at=ended, last_unclear_at=ended + HOUR)
    assert usage_until(after, ended) == replace(usage, last_failure_at=None, last_unclear_at=None)
    assert usage_until(replace(usage, last_success_at=ended), ended) is None
    assert usage_until(replace(usage, last_success_at=None), ended) == replace(usage, last_success_at=None)
    assert usage_until(None, ended) is None


@pytest.mark.parametrize(
    ("created", "called", "expected"),
    [
        (CREATED, None, (CREATED, None)),
        (CREATED, CREATED, (CREATED, None)),
        (CREATED, CREATED + HOUR, (CREATED + HOUR, CREATED + HOUR)),
        (None, CALLED, (CALLED, CALLED)),
        (None, None, (None, None)),
    ],
)
def test_what_starts_the_clock(created, called, expected):
    assert clock_start(make_deployment(created_at=created), make_usage(last_success_at=called)) == expected
