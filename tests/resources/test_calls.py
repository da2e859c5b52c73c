"""Calls by the hour, and what is known of the time without any."""

from hypothesis import given
from hypothesis import strategies as st

from tests.factories import HOUR, MINUTE, NOW
from watcher.resources.calls import Calls, Coverage, HourOfCalls

counts = st.floats(0, 1e6)
hours = st.builds(
    HourOfCalls,
    ok=counts,
    other=counts,
    unclear=counts,
    seen_at=st.none() | st.integers(0, 10).map(lambda number: NOW + number * MINUTE),
)
days = st.dictionaries(st.integers(0, 6).map(lambda number: NOW + number * HOUR), hours)
calls = days.map(lambda found: Calls(deployment="bot", hours=found))
spans = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)))


@given(one=calls, other=calls)
def test_joining_two_readings_takes_nothing_back_whatever_their_order(one, other):
    both = one.joined(other)
    assert both == other.joined(one) == both.joined(one)
    for hour, counted in (*one.hours.items(), *other.hours.items()):
        assert both.hours[hour].ok >= counted.ok
        assert both.hours[hour].other >= counted.other


def test_it_is_known_since_when_an_hour_has_good_calls():
    failed = HourOfCalls(other=3, seen_at=NOW)
    good = HourOfCalls(ok=1, other=3, seen_at=NOW + HOUR)
    later = HourOfCalls(ok=9, seen_at=NOW + 2 * HOUR)
    assert failed.joined(good).seen_at == NOW + HOUR
    assert good.joined(later).seen_at == NOW + HOUR
    assert failed.joined(HourOfCalls(other=5, seen_at=NOW + HOUR)).seen_at == NOW


@given(found=spans)
def test_coverage_holds_what_was_read_and_nothing_else(found):
    coverage = Coverage()
    for begin, end in found:
        coverage = coverage.with_span(NOW + begin * HOUR, NOW + end * HOUR)
    for number in range(50):
        at = NOW + number * HOUR
        assert coverage.holds(at, at + HOUR) == any(begin <= number < end for begin, end in found)
    assert all(end < begin for (_, end), (begin, _) in zip(coverage.spans, coverage.spans[1:], strict=False))


def test_calls_within_a_span_and_the_last_good_one_before_a_time():
    found = Calls(deployment="bot", hours={NOW: HourOfCalls(ok=1), NOW + HOUR: HourOfCalls(other=1)})
    assert found.within(NOW, NOW + HOUR).hours == {NOW: HourOfCalls(ok=1)}
    assert found.last_ok_before(NOW + 5 * HOUR) == NOW
    assert found.last_ok_before(NOW) is None
    assert list(Coverage(spans=((NOW, NOW + HOUR),)).clipped(NOW + 30 * MINUTE, NOW + 9 * HOUR)) == [
        (NOW + 30 * MINUTE, NOW + HOUR)
    ]
