from datetime import timedelta
from email.utils import format_datetime

import pytest
from azure_factories import NOW, FakeAzure, answer, make_client, static_credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.azure.skew import ClockSkew
from watcher.errors import AzureError

TOKEN = static_credentials().for_scope("s")
SECOND = timedelta(seconds=1)


def dated(at):
    return {"date": format_datetime(at, usegmt=True)}


def skew_of(*samples):
    """Of answers that took no time, our clock ahead of theirs by so many seconds and a half."""
    skew = ClockSkew()
    for seconds in samples:
        skew.add(dated(NOW - seconds * SECOND), sent_at=NOW, received_at=NOW)
    return skew


def test_few_answers_say_nothing():
    assert skew_of().skew is None
    assert skew_of(3, 3).skew is None
    assert skew_of(3, 3).at == NOW


@pytest.mark.parametrize(("ours", "sign"), [(100, 1), (-100, -1)])
def test_is_positive_where_our_clock_is_ahead(ours, sign):
    skew = skew_of(ours, ours, ours).skew
    assert skew == (ours - 0.5) * SECOND
    assert (skew > timedelta()) is (sign > 0)


def test_half_of_the_round_trip_is_theirs():
    skew = ClockSkew()
    for _ in range(3):
        skew.add(dated(NOW), sent_at=NOW - 4 * SECOND, received_at=NOW + 4 * SECOND)
    assert skew.skew == -0.5 * SECOND
    for _ in range(9):
        skew.add(dated(NOW), sent_at=NOW, received_at=NOW + 8 * SECOND)
    assert skew.skew == 3.5 * SECOND


def test_a_few_wrong_clocks_do_not_outvote_the_others():
    assert abs(skew_of(1, 86400, 1, -86400, 1, 86400, 1, 1).skew) < 2 * SECOND


def test_only_the_newest_answers_count():
    assert skew_of(*[300] * 20, *[0] * 5).skew < SECOND


@pytest.mark.parametrize(
    "headers",
    [{}, {"date": ""}, {"date": "now"}, {"date": "Sun, 22 Nov 99999 08:10:30 GMT"}, dated(NOW) | {"age": "40"}],
)
def test_an_answer_that_cannot_be_dated_is_left_out(headers):
    skew = skew_of(5, 5, 5)
    for _ in range(9):
        skew.add(headers, sent_at=NOW, received_at=NOW + SECOND)
    assert (skew.skew, skew.at) == (4.5 * SECOND, NOW)


@pytest.mark.parametrize("took", [-1, 11])
def test_an_answer_that_took_too_long_or_no_time_at_all_is_left_out(took):
    skew = ClockSkew()
    for _ in range(9):
        skew.add(dated(NOW), sent_at=NOW, received_at=NOW + took * SECOND)
    assert (skew.skew, skew.at) == (None, None)


@settings(max_examples=60, deadline=None)
@given(
    ahead=st.integers(-100_000, 100_000),
    travel=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), min_size=3, max_size=20),
)
def test_is_as_good_as_half_a_round_trip_and_a_second(ahead, travel):
    """Whatever part of a round trip lies before the service dates its answer, and whatever fraction it leaves out."""
    skew = ClockSkew()
    for took, part in travel:
        theirs = NOW - ahead * SECOND + took * part * SECOND
        skew.add(dated(theirs.replace(microsecond=0)), sent_at=NOW, received_at=NOW + took * SECOND)
    longest = max(took for took, _ in travel)
    assert abs(skew.skew - ahead * SECOND) <= (longest / 2 + 0.51) * SECOND


async def test_the_client_measures_by_answers_of_success_alone():
    wrong = dated(NOW - timedelta(days=9))["date"]
    right = dated(NOW - 90 * SECOND)["date"]
    azure = FakeAzure({"/ok": answer({}, date=right), "/no": answer("", 404, date=wrong)})
    client = make_client(azure)
    assert (client.skew, client.skew_at) == (None, None)
    for _ in range(3):
        await client.get("https://a.example.com/ok", api="t", auth=TOKEN)
        with pytest.raises(AzureError):
            await client.get("https://a.example.com/no", api="t", auth=TOKEN)
    assert (client.skew, client.skew_at) == (89.5 * SECOND, NOW)
