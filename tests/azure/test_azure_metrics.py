import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from azure_factories import NOW, body_of, make_deployment, raw_metrics, raw_series
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.azure.metrics import FIRST_SPAN, TOP, Span, decode_usage, first_span, query_of, span_of
from watcher.errors import IncompleteError, MalformedError
from watcher.resources.deployment import Usage

SPAN = Span(start=NOW - FIRST_SPAN, end=NOW)


def hour(day: int, at: int) -> datetime:
    return datetime(2026, 11, day, at, tzinfo=UTC)


def usage(*series, names=(), span=SPAN, **more):
    return decode_usage(json.dumps(raw_metrics(*series, **more)).encode(), span=span, names=names)


def test_counts_only_2xx_as_calls_that_keep_a_deployment():
    read = usage(
        raw_series("Bot", "200", ("2026-11-20T03:00:00Z", 5), ("2026-11-20T04:00:00Z", None)),
        raw_series("bot", "201", ("2026-11-20T07:00:00Z", 1), ("2026-11-20T09:00:00Z", 0)),
        raw_series("bot", "429", ("2026-11-21T03:00:00Z", 2)),
    )["bot"]
    assert (read.last_success_at, read.last_failure_at) == (hour(20, 7), hour(21, 3))
    assert not read.is_ambiguous
    assert read.bucket_seconds == 3600


def test_a_deployment_without_a_series_was_not_called():
    read = usage(names=["Quiet"])["quiet"]
    assert (read.last_success_at, read.last_failure_at) == (None, None)
    assert (read.read_from, read.read_to) == (SPAN.start, hour(22, 7))


def test_absence_is_claimed_for_whole_buckets_that_had_time_to_arrive():
    """At 08:10, less than a quarter of an hour after the bucket of seven ended, its calls may still be on their way."""
    read = usage(raw_series("d", "200", ("2026-11-22T08:00:00Z", 1)), names=["d"])["d"]
    assert read.read_to == hour(22, 7)
    assert read.last_success_at == hour(22, 8)
    later = Span(start=SPAN.start, end=NOW + timedelta(minutes=6))
    assert usage(names=["d"], span=later)["d"].read_to == hour(22, 8)


@pytest.mark.parametrize("name", ["__Empty", "", "unknown"])
def test_nameless_calls_make_everything_ambiguous(name):
    read = usage(
        raw_series(name, "200", ("2026-11-20T03:00:00Z", 1)),
        raw_series("a", "200", ("2026-11-20T02:00:00Z", 1)),
        raw_series("c", "200", ("2026-11-20T03:00:00Z", 1)),
        names=["b"],
    )
    assert {one.last_unclear_at for one in read.values()} == {hour(20, 3)}
    # "c" was surely called in that hour, so that whose the others were makes no difference to it.
    assert {one for one, calls in read.items() if calls.is_ambiguous} == {"a", "b"}


def test_a_nameless_series_without_calls_means_nothing():
    assert not usage(raw_series("__Empty", "200", ("2026-11-20T03:00:00Z", 0)), names=["b"])["b"].is_ambiguous


def test_calls_without_a_status_are_unclear_for_their_deployment_only():
    read = usage(raw_series("a", "__Empty", ("2026-11-20T03:00:00Z", 1)), names=["b"])
    assert read["a"].is_ambiguous
    assert read["a"].last_success_at is None
    assert not read["b"].is_ambiguous


def test_dimension_names_compare_without_case():
    series = raw_series("a", "200", ("2026-11-20T03:00:00Z", 1))
    series["metadatavalues"][0]["name"]["value"] = "ModelDeploymentName"
    series["metadatavalues"][1]["name"]["value"] = "STATUSCODE"
    assert usage(series)["a"].last_success_at == hour(20, 3)


def test_either_metric_tells_of_calls():
    body = raw_metrics(raw_series("a", "200", ("2026-11-20T03:00:00Z", 1)))
    body["value"][1]["timeseries"] = [raw_series("a", "200", ("2026-11-20T05:00:00Z", 1))]
    assert decode_usage(json.dumps(body).encode(), span=SPAN, names=())["a"].last_success_at == hour(20, 5)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body["value"][1].update(errorCode="InternalError"),
        lambda body: body.update(value=[]),
        lambda body: body.update(value="x"),
        lambda body: body["value"][0].update(timeseries={"a": 1}),
        lambda body: body["value"][1].update(timeseries=None),
        lambda body: body["value"][1].pop("timeseries"),
        lambda body: body["value"][0]["timeseries"][0]["data"][0].update(total="5"),
        lambda body: body["value"][0]["timeseries"][0]["data"][0].update(timeStamp="then"),
        lambda body: body["value"][0]["timeseries"][0].update(metadatavalues=[7]),
    ],
    ids=[
        "metric in error",
        "no metric",
        "no list",
        "series",
        "null series",
        "no series",
        "total",
        "time",
        "dimension",
    ],
)
def test_what_could_hide_a_call_makes_the_whole_unread(spoil):
    body = raw_metrics(raw_series("a", "200", ("2026-11-20T03:00:00Z", 1)))
    spoil(body)
    with pytest.raises(MalformedError):
        decode_usage(json.dumps(body).encode(), span=SPAN, names=())


@pytest.mark.parametrize("left_out", [0, 1])
def test_a_metric_that_was_asked_for_and_is_left_out_says_nothing_of_its_calls(left_out):
    body = raw_metrics(raw_series("a", "200", ("2026-11-20T03:00:00Z", 1)))
    name = body["value"].pop(left_out)["name"]["value"]
    with pytest.raises(IncompleteError, match=name):
        decode_usage(json.dumps(body).encode(), span=SPAN, names=["a"])
    others = [metric["name"]["value"].upper() for metric in body["value"]]
    assert set(decode_usage(json.dumps(body).encode(), span=SPAN, names=["a"], asked=others)) == {"a"}


def test_as_many_series_as_were_asked_for_may_not_be_all():
    with pytest.raises(IncompleteError):
        usage(*[raw_series("a", "200")] * TOP)


@pytest.mark.parametrize(
    ("interval", "seconds", "read_to"),
    [
        ("PT1M", 60, datetime(2026, 11, 22, 7, 55, tzinfo=UTC)),
        ("PT6H", 21600, hour(22, 6)),
        ("P1D", 86400, hour(22, 0)),
        ("FULL", 3600, hour(22, 7)),
        (None, 3600, hour(22, 7)),
        ("PT0M", 3600, hour(22, 7)),
        (7, 3600, hour(22, 7)),
        (f"PT{'9' * 5000}M", 3600, hour(22, 7)),
        ("P999999D", 3600, hour(22, 7)),
    ],
)
def test_takes_an_adjusted_interval(interval, seconds, read_to):
    read = usage(names=["a"], interval=interval)["a"]
    assert (read.bucket_seconds, read.read_to) == (seconds, read_to)


def test_claims_no_more_than_the_span_that_was_answered():
    read = usage(names=["a"], timespan="2026-11-10T00:00:00Z/2026-11-21T00:00:00Z")["a"]
    assert (read.read_from, read.read_to) == (hour(10, 0), hour(20, 23))


def test_the_official_answer_is_of_another_resource_and_is_still_read():
    """Its series have no deployment, and its aggregation is another: there is nothing of ours in it."""
    start = datetime(2021, 4, 20, 9, tzinfo=UTC)
    span = Span(start=start, end=start + timedelta(hours=5))
    body, asked = body_of("monitor-2024-02-01-GetMetric.json"), ("BlobCount", "BlobCapacity")
    read = decode_usage(body, span=span, names=["a"], asked=asked)
    assert read["a"] == Usage(deployment="a", read_from=start, read_to=start + timedelta(hours=4), bucket_seconds=3600)


def known_usage(name: str, read_to: datetime, **changes) -> Usage:
    given = {"read_from": read_to - FIRST_SPAN, "read_to": read_to} | changes
    return Usage(deployment=name, **given)


@pytest.mark.parametrize(
    ("deployments", "known", "start"),
    [
        ([make_deployment("a")], {}, hour(6, 8)),
        ([make_deployment("a", created_at=hour(20, 5) + timedelta(minutes=40))], {}, hour(20, 5)),
        ([make_deployment("a", created_at=hour(1, 5))], {}, hour(6, 8)),
        ([make_deployment("A")], {"a": known_usage("a", hour(22, 7))}, hour(21, 7)),
        (
            [make_deployment("a"), make_deployment("b")],
            {"a": known_usage("a", hour(22, 7)), "b": known_usage("b", hour(20, 7))},
            hour(19, 7),
        ),
        ([make_deployment("a"), make_deployment("b")], {"a": known_usage("a", hour(22, 7))}, hour(6, 8)),
        ([make_deployment("a")], {"a": known_usage("a", hour(1, 7) - timedelta(days=90))}, hour(6, 8)),
        ([], {}, hour(21, 8)),
    ],
    ids=["first", "new", "old", "continued", "earliest", "one unread", "long ago", "none"],
)
def test_asks_from_where_the_last_reading_ended(deployments, known, start):
    assert span_of(deployments, known, NOW) == Span(start=start, end=NOW)


@pytest.mark.parametrize(
    ("created", "start"),
    [
        ([hour(22, 3)], hour(22, 1)),
        ([hour(22, 3), hour(22, 1) - timedelta(minutes=1)], hour(21, 8)),
        ([hour(22, 3), None], hour(22, 1)),
        ([], hour(21, 8)),
    ],
    ids=["another account of its id may have been there before", "it was moved", "one of unknown age", "none"],
)
def test_an_account_tells_nothing_of_one_that_was_there_before_it(created, start):
    deployments = [make_deployment(f"d{number}", created_at=at) for number, at in enumerate(created)]
    span = span_of(deployments, {}, NOW, account_created_at=hour(22, 1) + timedelta(minutes=30))
    assert span == Span(start=start, end=NOW)


@pytest.mark.parametrize(
    ("lifetimes", "days"),
    [((), 16), ((15,), 16), ((3,), 16), ((15, 60), 61), ((400, 15), 93)],
    ids=["none", "default", "short", "longest", "longer than Azure keeps"],
)
def test_the_first_reading_reaches_back_beyond_the_longest_lifetime(lifetimes, days):
    reach = first_span(timedelta(days=lifetime) for lifetime in lifetimes)
    span = span_of([make_deployment("a", created_at=NOW - timedelta(days=500))], {}, NOW, first=reach)
    assert timedelta(days=days) - timedelta(hours=1) <= NOW - span.start <= timedelta(days=93)


@pytest.mark.parametrize(
    ("usage", "start"),
    [
        pytest.param(known_usage("a", hour(22, 7)), NOW - timedelta(days=61), id="no call in it"),
        pytest.param(known_usage("a", hour(22, 7), last_success_at=hour(12, 3)), hour(21, 7), id="a call dates it"),
        pytest.param(known_usage("a", hour(22, 7), read_from=NOW - timedelta(days=61)), hour(21, 7), id="long enough"),
    ],
)
def test_a_lifetime_made_longer_is_read_anew_where_no_call_is_known(usage, start):
    old = make_deployment("a", created_at=NOW - timedelta(days=80))
    span = span_of([old], {"a": usage}, NOW, first=timedelta(days=61))
    assert span.start == start.replace(minute=0)


def test_a_reading_that_begins_with_its_deployment_is_not_repeated():
    born = hour(20, 5) + timedelta(minutes=40)
    known = {"a": known_usage("a", hour(22, 7), read_from=hour(20, 5))}
    assert span_of([make_deployment("a", created_at=born)], known, NOW).start == hour(21, 7)


def test_the_query_names_both_metrics_and_a_large_top():
    query = parse_qs(query_of(Span(start=hour(6, 8), end=NOW)))
    assert query == {
        "metricnames": ["AzureOpenAIRequests,ModelRequests"],
        "timespan": ["2026-11-06T08:00:00Z/2026-11-22T08:10:00Z"],
        "interval": ["PT1H"],
        "aggregation": ["total"],
        "$filter": ["ModelDeploymentName eq '*' and StatusCode eq '*'"],
        "top": ["10000"],
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "timeseries", "data", "name", "total", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(value=json_values)
def test_no_json_raises_anything_but_malformed(value):
    with suppress(MalformedError):
        decode_usage(json.dumps({"value": value}).encode(), span=SPAN, names=["a"])


def test_a_total_beyond_all_numbers_is_malformed():
    body = json.dumps(raw_metrics(raw_series("d", "200", ("2026-11-20T03:00:00Z", 10**400)))).encode()
    with pytest.raises(MalformedError, match="no number"):
        decode_usage(body, span=SPAN, names=["d"])
