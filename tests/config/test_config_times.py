"""Single values: durations, rates, weekdays, times of day."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.config import TimeRange, format_duration, parse_duration
from watcher.config.times import parse_rate, parse_time_range, parse_weekdays
from watcher.config.values import Invalid

CENTURY = 36525 * 24 * 60 * 60


@given(st.integers(min_value=0, max_value=CENTURY))
def test_durations_survive_the_round_trip(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.text(max_size=12))
def test_a_text_is_a_duration_or_refused_with_a_cure(text: str) -> None:
    try:
        assert parse_duration(text) >= timedelta()
    except Invalid as exc:
        assert exc.cure


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("30s", 30), ("5m", 300), ("4h", 14400), ("7d", 604800), ("2w", 1209600), ("1h30m", 5400)],
)
def test_reads_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "1.5h", "-1s", "30m1h", "1h1h", "5m\n", "٥m", 5, None, True])
def test_refuses_what_is_no_duration(text: object) -> None:
    with pytest.raises(Invalid, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "days"),
    [
        (["mon-fri"], (0, 1, 2, 3, 4)),
        (["sat", "Sunday"], (5, 6)),
        ("fri-mon", (0, 4, 5, 6)),
        (["mon-sun"], (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_reads_weekdays(value: object, days: tuple[int, ...]) -> None:
    assert parse_weekdays(value) == days


@pytest.mark.parametrize("value", [[], [1], 1, ["mon-"], ["-fri"], ["mo"]])
def test_refuses_other_weekdays(value: object) -> None:
    with pytest.raises(Invalid):
        parse_weekdays(value)


def test_reads_time_ranges() -> None:
    assert parse_time_range("22:00-07:00") == TimeRange(timedelta(hours=22), timedelta(hours=7))
    assert parse_time_range("00:00-24:00") == TimeRange(timedelta(0), timedelta(hours=24))
    for text in ("24:00-07:00", "22-07", "22:60-23:00", "22:00", 5):
        with pytest.raises(Invalid):
            parse_time_range(text)


@pytest.mark.parametrize(("text", "rate"), [("30/1m", (30, 60)), ("1/1s", (1, 1)), ("5/1h30m", (5, 5400))])
def test_reads_rates(text: str, rate: tuple[int, int]) -> None:
    messages, per = parse_rate(text)
    assert (messages, per) == (rate[0], timedelta(seconds=rate[1]))


@pytest.mark.parametrize(
    "text", ["", "30", "30/", "/1m", "30/m", "30 / 1m", "-1/1m", "1.5/1m", "0/1m", "30/0s", "1000000/1s", "٣/1m", 30]
)
def test_refuses_what_is_no_rate_with_a_cure(text: object) -> None:
    with pytest.raises(Invalid) as caught:
        parse_rate(text)
    assert caught.value.cure
