"""Calls by the hour, as the metrics tell of them."""

import json
from datetime import UTC, datetime, timedelta

from azure_factories import NOW, raw_metrics, raw_series
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.azure.metrics import FIRST_SPAN, METRICS, Span, decode_counts
from watcher.resources.calls import HourOfCalls

SPAN = Span(start=NOW - FIRST_SPAN, end=NOW)
AT = datetime(2026, 11, 20, 3, tzinfo=UTC)


def counted(first, second=(), **more):
    body = raw_metrics(*first)
    body["value"][1]["timeseries"] = list(second)
    return decode_counts(json.dumps({**body, **more}).encode(), span=SPAN, names=["quiet"])


def test_calls_are_counted_by_hour_and_by_how_they_were_answered():
    found = counted(
        [
            raw_series("Bot", "200", ("2026-11-20T03:00:00Z", 5), ("2026-11-20T04:00:00Z", None)),
            raw_series("bot", "201", ("2026-11-20T03:00:00Z", 1)),
            raw_series("bot", "429", ("2026-11-20T03:00:00Z", 2)),
            raw_series("bot", "__Empty", ("2026-11-20T03:00:00Z", 4)),
        ]
    )
    assert found.calls.keys() == {"bot"}
    assert found.calls["bot"].hours == {AT: HourOfCalls(ok=6, other=6, unclear=4)}
    assert found.usage.keys() == {"bot", "quiet"}


def test_the_same_calls_under_both_metrics_count_once_and_of_each_hour_the_larger_count():
    found = counted(
        [raw_series("bot", "200", ("2026-11-20T03:00:00Z", 5), ("2026-11-20T04:00:00Z", 1))],
        [raw_series("bot", "200", ("2026-11-20T03:00:00Z", 5), ("2026-11-20T04:00:00Z", 7))],
    )
    assert [one.ok for _, one in sorted(found.calls["bot"].hours.items())] == [5, 7]


def test_calls_without_a_name_are_kept_under_none():
    found = counted([raw_series("__Empty", "200", ("2026-11-20T03:00:00Z", 5))])
    assert found.calls[""].hours == {AT: HourOfCalls(ok=5)}


def test_minutes_add_up_to_hours_and_of_whole_days_no_hour_is_told():
    series = [raw_series("bot", "200", ("2026-11-20T03:05:00Z", 1), ("2026-11-20T03:55:00Z", 2))]
    assert counted(series, interval="PT1M").calls["bot"].hours == {AT: HourOfCalls(ok=3)}
    assert counted(series, interval="P1D").calls == {}


@settings(max_examples=60, deadline=None)
@given(
    points=st.lists(
        st.tuples(
            st.sampled_from(METRICS), st.sampled_from(["a", "b"]), st.sampled_from(["200", "500"]), st.integers(0, 47)
        )
    )
)
def test_the_newest_calls_are_those_of_the_last_hour_with_any(points):
    series = {metric: [] for metric in METRICS}
    for metric, name, status, number in points:
        at = AT + timedelta(hours=number)
        series[metric].append(raw_series(name, status, (f"{at:%Y-%m-%dT%H:%M:%SZ}", 1)))
    found = counted(series[METRICS[0]], series[METRICS[1]])
    for name, calls in found.calls.items():
        usage = found.usage[name]
        assert usage.last_success_at == max((hour for hour, one in calls.hours.items() if one.ok), default=None)
        assert usage.last_failure_at == max((hour for hour, one in calls.hours.items() if one.other), default=None)
    assert {name for name, one in found.usage.items() if one.last_success_at or one.last_failure_at} == (
        found.calls.keys()
    )
