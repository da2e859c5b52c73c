"""Figures are held against another way of counting: hour by hour, in `Decimal`, over the whole period."""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.costs.factories import make_book, own
from tests.factories import DAY, HOUR, MODEL, NOW, make_account, make_deployment, make_gap, make_usage
from tests.report.recorded import (
    BEGAN,
    WEEK,
    every,
    hour,
    make_life,
    make_recorded,
    make_records,
    make_terms,
    stated,
)
from watcher.alerts.keep import Keep
from watcher.alerts.matcher import matches, parse_matchers
from watcher.costs.advice import Move
from watcher.costs.hosting import Period
from watcher.costs.money import Amount, Unknown, total
from watcher.costs.prices import Terms
from watcher.costs.uses import State
from watcher.report.statement import Audience, DateKind, Edition
from watcher.resources.calls import Coverage
from watcher.resources.departure import Departure
from watcher.resources.deployment import ProvisioningState
from watcher.resources.snapshot import GapReason, Section

BERLIN = ZoneInfo("Europe/Berlin")
RATE = Decimal("1.70")
BOTH_CHANGES = [datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)]


def lived(name, begin, end=None, **changes):
    """From hour to hour of the week; the end is known to lie within the hours of `end`."""
    one = make_deployment(name, created_at=hour(begin))
    span = None if end is None else (hour(end[0]), hour(end[1]))
    return make_life(one, first_seen_at=hour(begin), end=span, outcome="gone" if span else "", **changes)


def brute(begin, end, called, read, zone):
    """Hours by local day and state, at least and at most, of one life in the week: each hour on its own."""
    least, most = end or (168, 168)
    own = [number for number in called if max(begin, 0) <= number < min(most, 168)]
    was_read = [any(low <= number < high for low, high in read) for number in range(168)]
    # Use has ended only where an hour after that of the last call was seen to have none.
    has_ended = bool(own) and any(was_read[max(own) + 1 : min(most, 168)])
    by_day = {}
    for number in own:
        day = hour(number).astimezone(zone).date()
        by_day[day] = by_day.get(day, 0) + called[number]
    found = {}
    for number in range(max(begin, 0), min(most, 168)):
        day = hour(number).astimezone(zone).date()
        calls = by_day.get(day, 0)
        if own and number > max(own):
            calls = by_day[hour(max(own)).astimezone(zone).date()]
        if not was_read[number]:
            state = "unknown"
        elif not own or (number >= max(own) and has_ended) or not calls:
            state = "idle"
        else:
            state = "trickle" if calls <= 1 else "used"
        known, whole = found.get((day, state), (0, 0))
        found[day, state] = known + (number < least), whole + 1
    return found


hours = st.integers(-24, 167)
lives = st.lists(
    st.tuples(
        hours,
        st.none() | st.tuples(st.integers(1, 80), st.integers(0, 20)),
        st.dictionaries(hours, st.sampled_from([1, 3]), max_size=9),
    ),
    min_size=1,
    max_size=4,
)
spans = st.lists(st.integers(0, 168), max_size=4, unique=True).map(sorted)


def world(found, cuts):
    """An account with these lives, one name each, of which the metrics were read between every other pair of cuts."""
    edges = [*cuts, 168] if len(cuts) % 2 else cuts
    read = list(zip(edges[::2], edges[1::2], strict=True))
    made, calls = [], {}
    for number, (begin, end, called) in enumerate(found):
        ends = None if end is None else (begin + end[0], begin + end[0] + end[1])
        ends = None if ends is None or ends[1] > 168 else ends
        made.append((f"bot-{number}", begin, ends, called))
        calls[f"bot-{number}"] = {hour(at): float(count) for at, count in called.items()}
    coverage = Coverage(spans=tuple((hour(low), hour(high)) for low, high in read))
    account = make_recorded(*(lived(name, begin, end) for name, begin, end, _ in made), calls=calls, coverage=coverage)
    return account, made, read


def money(hours_):
    return (hours_ * RATE).quantize(Decimal("0.01"))


@settings(max_examples=120, deadline=None)
@given(found=lives, cuts=spans, zone=st.sampled_from([ZoneInfo("UTC"), BERLIN, ZoneInfo("Asia/Kolkata")]))
def test_every_figure_is_that_of_counting_hour_by_hour(found, cuts, zone):
    if zone.key == "Asia/Kolkata":  # its midnights lie within an hour: such days are no whole hours
        zone = ZoneInfo("Asia/Tokyo")
    account, made, read = world(found, cuts)
    statement = stated(account, terms=make_terms(zone=zone))

    by_day, lines = {}, {}
    for name, begin, end, called in made:
        counted = brute(begin, end, called, read, zone)
        lines[name] = counted
        for key, (least, most) in counted.items():
            low, high = by_day.get(key, (0, 0))
            by_day[key] = low + least, high + most
    least, most = sum(low for low, _ in by_day.values()), sum(high for _, high in by_day.values())
    assert (statement.hosting.known.least, statement.hosting.known.most) == (money(least), money(most))
    assert {
        (day.day, state.value): (cost.known.least, cost.known.most)
        for day in statement.days
        for state, cost in day.costs.items()
    } == {key: (money(low), money(high)) for key, (low, high) in by_day.items()}
    for line in statement.hosted:
        counted = lines[line.name]
        for state in State:
            low = sum(one[0] for (_, of), one in counted.items() if of == state)
            high = sum(one[1] for (_, of), one in counted.items() if of == state)
            cost = line.by_state.get(state)
            assert (low, high) == (0, 0) if cost is None else (cost.least, cost.most) == (money(low), money(high))
    assert {line.name for line in statement.hosted} == {name for name, counted in lines.items() if counted}


def exact(statement):
    """Hosting, as it is the sum of lines, of days and states, and of each bill."""
    lines = total((line.cost for line in statement.hosted), statement.currency).known
    states = total((cost for line in statement.hosted for cost in line.by_state.values()), statement.currency).known
    days = total((cost for line in statement.hosted for day in line.days for cost in day.costs.values()), "USD").known
    by_day = total((one.known for day in statement.days for one in day.costs.values()), "USD").known
    bills = [total((line.hosting.known for line in bill.lines), "USD").known for bill in statement.bills]
    return [lines, states, days, by_day, *bills]


@settings(max_examples=60, deadline=None)
@given(found=lives, cuts=spans, minutes=st.integers(0, 59), cut=st.integers(0, 168 * 60))
def test_the_parts_are_the_whole_and_a_period_is_its_parts(found, cuts, minutes, cut):
    account, _, _ = world(found, cuts)
    terms = make_terms(zone=BERLIN, tag_labels=("environment",))
    period = Period(begin=WEEK.begin + timedelta(minutes=minutes), end=WEEK.end)
    whole = stated(account, period=period, terms=terms)
    for part in exact(whole):
        assert part == whole.hosting.known

    at = min(max(WEEK.begin + timedelta(minutes=cut), period.begin), period.end)
    halves = [
        stated(account, period=one, terms=terms)
        for one in (Period(begin=period.begin, end=at), Period(begin=at, end=period.end))
    ]
    assert halves[0].hosting.known + halves[1].hosting.known == whole.hosting.known
    for half in halves:  # shorter is never dearer
        assert half.hosting.known.low <= whole.hosting.known.low
        assert half.hosting.known.high <= whole.hosting.known.high
        assert half.idle.known.high + half.unread.known.high <= half.hosting.known.high


@pytest.mark.parametrize("midnight", BOTH_CHANGES, ids=["spring", "autumn"])
def test_a_day_on_which_the_clock_changes_costs_its_own_hours(midnight):
    after = (midnight + DAY).astimezone(BERLIN)
    one = make_deployment(created_at=datetime(2026, 1, 1, tzinfo=BERLIN))
    coverage = Coverage(spans=((midnight - 9 * DAY, after + 9 * DAY),))
    account = make_recorded(make_life(one), coverage=coverage)
    (day,) = stated(account, period=Period(begin=midnight, end=after), terms=make_terms(zone=BERLIN)).days
    hours_ = 23 if midnight.month == 3 else 25
    assert day.costs[State.IDLE].known.most == money(hours_)


def test_two_currencies_never_meet():
    terms = make_terms(book=make_book(currency="EUR", table=(own(hosting_per_hour="2.00"),)))
    statement = stated(make_recorded(make_life()), terms=terms)
    assert statement.currency == "EUR"
    assert statement.hosting.text == "336.00 EUR"
    assert {line.cost.currency for line in statement.hosted} == {"EUR"}

    other = stated(make_recorded(make_life()), terms=make_terms(book=make_book(currency="EUR")))
    assert other.hosting.text == "unknown"  # Azure's pages give dollars only


def test_what_is_unknown_is_no_zero_in_any_sum():
    lives_ = make_life(make_deployment("known")), make_life(make_deployment("ptu", sku="ProvisionedManaged"))
    statement = stated(make_recorded(*lives_, account=make_account(labels={"environment": "test"})))
    assert statement.hosting.text == "at least 285.60 USD"
    assert statement.hosting.unknown == 1
    assert statement.idle.text == "at least 285.60 USD"
    assert statement.idle_until_deletion.unknown == 2  # both are overdue, and of one the price is unknown besides
    assert [bill.lines[0].hosting.unknown for bill in statement.bills if bill.by == "account"] == [1]
    (by_sku,) = [bill for bill in statement.bills if bill.by == "sku"]
    assert {line.value: line.hosting.text for line in by_sku.lines} == {
        "Standard": "285.60 USD",
        "ProvisionedManaged": "unknown",
    }
    assert [line.name for line in statement.hosted] == ["known", "ptu"]
    assert any(isinstance(one.price, Unknown) for one in statement.prices)


def test_an_account_that_was_never_read_is_an_unknown_part():
    blind = make_recorded(account=make_account("blind"), deployments=None, deployments_at=None, jobs_at=None)
    statement = stated(make_recorded(make_life()), blind)
    assert statement.hosting.text == "at least 285.60 USD"
    assert statement.training.text == "unknown"
    assert statement.accounts == 2
    assert statement.accounts_seen == 1
    assert statement.unseen == (
        "The deployments of 1 account have never been read: blind.",
        "The jobs of 1 account have never been read: blind.",
    )
    (by_account,) = [bill for bill in statement.bills if bill.by == "account"]
    assert {line.value: line.hosting.text for line in by_account.lines} == {
        "contoso-ft": "285.60 USD",
        "blind": "unknown",
    }


def test_one_of_unknown_creation_says_what_is_missing():
    one = make_deployment(created_at=None)
    statement = stated(make_recorded(make_life(one, first_seen_at=NOW - 2 * DAY)))
    (line,) = statement.hosted
    assert line.cost == Amount(low=Decimal("81.6"), high=Decimal("81.6"), currency="USD")
    assert statement.hosting.text == "at least 81.60 USD"
    assert "before it was first seen" in statement.hosting.why


# Idle


def test_an_idle_one_has_its_clock_its_money_and_advice():
    called = NOW - 10 * DAY
    statement = stated(make_recorded(make_life(called=called), calls={"support-bot": {called: 3.0}}))
    (line,) = statement.idle_lines()
    assert line.state is State.IDLE
    assert line.idle_since == (called, called)
    assert line.deletion == (called + 15 * DAY, called + 15 * DAY + HOUR)
    assert line.deletion_why == "15 d without a call"
    assert line.idle.so_far.text == "408.00 USD"
    assert line.idle.until_deletion.text == "204.00 to 205.70 USD"
    assert line.last_call_at == called
    (advice,) = statement.advice
    assert (advice.move, advice.saving_per_month.text) == (Move.DELETE, "204.00 to 205.70 USD")
    assert "deployment delete" in advice.command
    assert statement.saving_per_month.text == "204.00 to 205.70 USD"
    assert [one.kind for one in statement.dates] == [DateKind.DELETION]
    assert statement.dates[0].at == called + 15 * DAY


@pytest.mark.parametrize(
    ("called", "state", "is_listed", "is_advised"),
    [
        pytest.param(NOW - 3 * HOUR, State.USED, False, False, id="called today"),
        pytest.param(NOW - 30 * HOUR, State.IDLE, True, False, id="since yesterday: idle, and no advice yet"),
        pytest.param(NOW - 49 * HOUR, State.IDLE, True, True, id="for longer than allowed"),
    ],
)
def test_idleness_by_its_length(called, state, is_listed, is_advised):
    statement = stated(make_recorded(make_life(called=called), calls={"support-bot": {called: 3.0}}))
    assert statement.hosted[0].state is state
    assert bool(statement.idle_lines()) is is_listed
    assert (Move.DELETE in {advice.move for advice in statement.advice}) is is_advised


def test_what_was_not_read_is_never_called_idle():
    gap = make_gap(Section.METRICS, GapReason.ROLE, at=NOW - 5 * DAY)
    read = Coverage(spans=((BEGAN, NOW - 5 * DAY),))
    usage = make_usage(read_from=BEGAN, read_to=NOW - 5 * DAY)
    statement = stated(make_recorded(make_life(usage=usage), coverage=read, gaps=(gap,)))
    (line,) = statement.hosted
    assert (line.state, line.calls, line.idle_since, line.idle) == (State.UNKNOWN, None, None, None)
    assert line.by_state[State.UNKNOWN].text == "204.00 USD"
    assert line.by_state[State.IDLE].text == "81.60 USD"  # of the two days that were read
    assert statement.unread.text == "204.00 USD"
    assert statement.advice == ()
    assert any("the metrics could not be read: a role is missing" in one for one in line.remarks)
    assert statement.unseen[0] == (
        "The metrics of 1 account could not be read since 2026-11-17 08:00 UTC: a role is missing; which deployments "
        "are called since is not known: contoso-ft."
    )
    assert statement.accounts_seen == 0


def test_one_that_could_not_be_read_for_days_costs_an_interval():
    gap = make_gap(Section.DEPLOYMENTS, GapReason.UNREACHABLE, at=NOW - 2 * DAY)
    statement = stated(make_recorded(make_life(), deployments_at=NOW - 2 * DAY, gaps=(gap,)))
    (line,) = statement.hosted
    assert line.end is None
    assert line.cost.text == "204.00 to 285.60 USD"
    assert line.remarks[0].startswith("It was last read 2026-11-20 08:00 UTC: whether it has stood since is not known")


def test_of_one_that_was_read_a_moment_ago_the_cost_is_exact():
    statement = stated(make_recorded(make_life(), deployments_at=NOW - 10 * HOUR / 60))
    assert statement.hosted[0].cost.text == "285.60 USD"


def test_a_trickle_costs_by_the_call():
    calls = every(DAY, NOW - 30 * DAY, NOW, 1.0)
    life = make_life(make_deployment(created_at=NOW - 60 * DAY), called=max(calls))
    statement = stated(make_recorded(life, calls={"support-bot": calls}))
    (line,) = statement.trickle_lines()
    assert (line.trickle_calls, line.cost_per_call.text) == (15.0, "40.80 USD")
    assert statement.advice[0].move is Move.DEVELOPER
    assert statement.trickle.known.high > 0


def test_calls_that_may_be_its_own_keep_it_from_being_a_trickle():
    calls = every(DAY, NOW - 30 * DAY, NOW, 1.0)
    life = make_life(make_deployment(created_at=NOW - 60 * DAY), called=max(calls))
    nameless = {"": {NOW - DAY: 50.0}}
    assert stated(make_recorded(life, calls={"support-bot": calls}, unclear=nameless)).trickle_lines() == ()


def test_a_developer_deployment_expires_and_costs_nothing():
    one = make_deployment(sku="developer", created_at=NOW - 20 * HOUR)
    statement = stated(make_recorded(make_life(one)))
    (line,) = statement.hosted
    assert line.cost.text == "0.00 USD"
    assert (line.deletion, line.deletion_why) == (
        (NOW + 4 * HOUR, NOW + 4 * HOUR),
        "a Developer deployment lasts 24 h",
    )
    assert [one.kind for one in statement.dates] == [DateKind.EXPIRY]
    assert statement.advice == ()


def test_one_that_is_being_deleted_gets_no_advice():
    one = make_deployment(provisioning_state=ProvisioningState.DELETING)
    assert stated(make_recorded(make_life(one, called=NOW - 10 * DAY))).advice == ()


def test_one_that_is_kept_is_an_exception_with_its_end():
    keep = Keep(account="contoso-ft", deployment="Support-Bot", until=NOW + 9 * DAY, author="ana", reason="launch")
    over = Keep(account="contoso-ft", deployment="gone", until=NOW - DAY, author="bo", reason="test")
    records = make_records(make_recorded(make_life(called=NOW - 10 * DAY)), keeps=(keep, over))
    statement = stated(records)
    assert [one.move for one in statement.advice] == [Move.KEEP]
    assert statement.saving_per_month.text == "0.00 USD"
    assert [(one.name, one.until, one.is_over) for one in statement.exceptions] == [
        ("gone", NOW - DAY, True),
        ("support-bot", NOW + 9 * DAY, False),
    ]
    assert statement.hosted[0].kept_until == NOW + 9 * DAY
    assert DateKind.EXCEPTION_END in {one.kind for one in statement.dates}


def test_a_tag_keeps_as_the_command_does():
    one = make_deployment(tags={"Watcher-Keep-Until": "2026-12-31"})
    statement = stated(make_recorded(make_life(one, called=NOW - 10 * DAY)))
    assert [exemption.by for exemption in statement.exceptions] == ["the deployment's own tag"]


# Ends


def gone(by="ana@contoso.com", **changes):
    ended_at = NOW - 3 * DAY
    usage = make_usage(read_from=BEGAN, read_to=ended_at, last_success_at=NOW - 9 * DAY)
    departure = Departure(is_read=True, deleted_by=by, deleted_at=ended_at, stood_at=ended_at)
    defaults = {
        "end": (ended_at, ended_at),
        "outcome": "gone",
        "departure": departure,
        "usage": usage,
        "told_at": NOW - 6 * DAY,
    }
    return make_life(make_deployment(), **{**defaults, **changes})


def test_a_deletion_after_an_alert_is_a_saving_to_the_deadline():
    statement = stated(make_recorded(gone()))
    (line,) = statement.hosted
    assert line.ended_by == "deleted by ana@contoso.com"
    assert line.cost.text == "163.20 USD"  # four days
    (realised,) = statement.realised
    assert (realised.by, realised.saving.text) == ("ana@contoso.com", "367.20 to 368.90 USD")  # nine days to its 15th
    assert statement.saved.text == "367.20 to 368.90 USD"
    assert (line.idle_since, line.deletion) == (None, None)


@pytest.mark.parametrize(
    "life",
    [
        pytest.param(gone(told_at=None), id="nobody was told"),
        pytest.param(gone(told_at=NOW - DAY), id="told after it"),
        pytest.param(gone(by="Microsoft.CognitiveServices"), id="Azure deleted it"),
        pytest.param(gone(outcome="replaced"), id="replaced"),
    ],
)
def test_no_saving_is_claimed(life):
    statement = stated(make_recorded(life))
    assert statement.realised == ()
    assert statement.saved.text == "0.00 USD"


# Editions


def fleet():
    ours = make_account("ours", owner="Search", labels={"environment": "production"})
    theirs = make_account("theirs", owner="Ads", labels={"environment": "test"})
    mine = make_deployment("mine", account=theirs, tags={"owner": "Search"})
    return make_records(
        make_recorded(make_life(make_deployment("a", account=ours)), account=ours),
        make_recorded(make_life(mine), make_life(make_deployment("b", account=theirs)), account=theirs),
    )


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        pytest.param(lambda labels: labels.get("owner") == "Search", {"a", "mine"}, id="an owner, wherever"),
        pytest.param(lambda labels: matches(parse_matchers(["environment=test"]), labels), {"mine", "b"}, id="label"),
        pytest.param(lambda labels: matches(parse_matchers(["account=~our.*"]), labels), {"a"}, id="account"),
        pytest.param(lambda labels: labels.get("owner") == "nobody", set(), id="nobody"),
    ],
)
def test_an_edition_holds_what_matches_and_its_own_sums(chosen, names):
    records, terms = fleet(), make_terms(tag_labels=("environment",))
    edition = Edition(audience=Audience.OWNER, owner="Search")
    statement = stated(records, terms=terms, edition=edition, matches=chosen)
    assert {line.name for line in statement.hosted} == names
    assert statement.hosting.known == total((line.cost for line in statement.hosted), "USD").known
    assert {advice.name for advice in statement.advice} == names
    assert statement.edition is edition


def test_owners_together_are_all():
    records, terms = fleet(), make_terms()
    whole = stated(records, terms=terms)
    chosen = [parse_matchers([f"owner={owner}"]) for owner in ("Search", "Ads")]
    parts = [stated(records, terms=terms, matches=partial(matches, one)) for one in chosen]
    assert parts[0].hosting + parts[1].hosting == whole.hosting
    assert parts[0].accounts == 2  # its own, and that in which it has a deployment
    assert parts[0].watched == whole.watched == whole.accounts


def test_what_costs_time_is_worked_out_once():
    records, terms = fleet(), make_terms()
    first, second = (stated(records, terms=terms) for _ in range(2))
    assert first == second
    assert first.hosted[0] is second.hosted[0]
    other = stated(records, terms=make_terms(book=make_book(discount_percent=Decimal(50))))
    assert other.hosting.known.high * 2 == first.hosting.known.high


def test_a_later_time_makes_no_period_longer():
    later = Period(begin=WEEK.begin, end=NOW + 30 * DAY)
    assert stated(make_recorded(make_life()), period=later).hosting.text == "285.60 USD"


def test_what_begins_after_the_period_is_no_part_of_it():
    period = Period(begin=NOW - 9 * DAY, end=NOW - 8 * DAY)
    account = make_recorded(make_life(make_deployment(created_at=NOW - 7 * DAY)))
    assert stated(account, period=period).hosted == ()


def test_terms_price_as_the_book_does():
    book = make_book(table=(own(model="gpt-4o-mini*", hosting_per_hour="3.00"),))
    assert book.terms != Terms()
    statement = stated(make_recorded(make_life()), terms=make_terms(book=book))
    assert statement.hosting.text == "504.00 USD"
    assert statement.prices[0].what == "hosting, Standard, gpt-4o-mini"
    assert statement.prices[0].uses == 1
    assert statement.hosted[0].model == MODEL


def test_hours_that_metrics_have_not_reached_yet_are_no_failure_to_see():
    read = Coverage(spans=((BEGAN, NOW - 10 * HOUR),))
    ended = make_life(make_deployment("old-bot"), end=(NOW - 2 * DAY, NOW - 2 * DAY), outcome="gone")
    late = Coverage(spans=((BEGAN, NOW - 2 * DAY - 9 * HOUR),))
    fresh = stated(
        make_recorded(make_life(called=NOW - 20 * HOUR), calls={"support-bot": {NOW - 20 * HOUR: 9.0}}, coverage=read)
    )
    gone = stated(make_recorded(ended, coverage=late))
    assert (fresh.unseen, gone.unseen) == ((), ())
    assert fresh.unread.known.most == Decimal("17.00")
    assert gone.unread.known.most == Decimal("15.30")
    assert any("were read until 2026-11-21 22:00 UTC or later" in said for said in fresh.remarks)
    assert any("the last hours before the end were not read" in said for said in gone.remarks)


def test_hours_older_than_the_metrics_ever_rest_are_a_failure_to_see():
    stale = stated(make_recorded(make_life(), coverage=Coverage(spans=((BEGAN, NOW - 14 * HOUR),))))
    assert any("were not read in all of the period" in said for said in stale.unseen)


def test_what_is_called_is_not_idle_before_its_call_though_no_calls_are_kept_by_the_hour():
    (line,) = stated(make_recorded(make_life(called=NOW - 2 * HOUR))).hosted
    assert line.calls is None
    assert line.idle_since is None
    assert line.by_state[State.IDLE].most == Decimal("3.40")
    assert line.by_state[State.UNKNOWN].most == Decimal("282.20")


def test_nor_in_the_hour_of_its_call_before_another_has_followed():
    (line,) = stated(make_recorded(make_life(called=NOW - HOUR))).hosted
    assert set(line.by_state) == {State.UNKNOWN}


def test_what_was_called_in_the_last_hour_that_was_read_is_not_idle_however_long_ago_that_is():
    usage = make_usage("support-bot", read_from=BEGAN, read_to=NOW - 36 * HOUR, last_success_at=NOW - 37 * HOUR)
    patient = make_terms(metrics_stale_after=37 * HOUR, wasting_after=DAY)
    recorded = make_recorded(
        make_life(usage=usage),
        calls={"support-bot": {NOW - 37 * HOUR: 9.0}},
        coverage=Coverage(spans=((BEGAN, NOW - 36 * HOUR),)),
    )
    statement = stated(recorded, terms=patient)
    assert (statement.hosted[0].idle_since, statement.advice, statement.unseen) == (None, (), ())
