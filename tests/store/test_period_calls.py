"""The calls of a period: of which time they are loaded, and what was known of them at a time in the past."""

from datetime import timedelta

import pytest

from tests.factories import DAY, HOUR, MINUTE, NOW, make_deployment
from tests.store.test_period import BEGAN, KEY, World
from watcher.costs.hosting import Period
from watcher.costs.idle import Trickle
from watcher.costs.uses import State
from watcher.resources.calls import Coverage
from watcher.store import period, schema
from watcher.store.period_calls import Tallies

WEEK = Period(begin=NOW - 7 * DAY, end=NOW)


def the_account(world, as_of=NOW, **changes):
    (account,) = world.store.read_now(period.load, WEEK, as_of=as_of, owner_tag="owner", **changes).accounts
    return account


def test_calls_without_a_name_were_made_and_surely_answered_by_nobody():
    world = World()
    world.call("", NOW - 3 * DAY, 4.0)
    world.call("", NOW - 2 * DAY, -2.0)
    world.poll(NOW, [make_deployment()])
    unclear = the_account(world).unclear[""]
    assert [unclear.within(NOW - days * DAY, NOW - (days - 1) * DAY) for days in (4, 3, 2, 1)] == [0, 4, 2, 0]


def test_calls_without_a_name_are_looked_at_as_far_back_as_any_however_many_they_are():
    world = World()
    world.call("", NOW - 12 * DAY, 4.0)
    world.call("", NOW - 2 * DAY, 5000.0)
    world.poll(NOW, [make_deployment()])
    assert the_account(world).unclear[""].within(BEGAN, NOW) == 5004


def test_calls_are_found_by_a_name_in_whatever_case():
    world = World()
    world.call("bot", NOW - 3 * DAY)
    world.poll(NOW, [make_deployment("Bot")])
    assert the_account(world).answered["bot"].within(BEGAN, NOW) == 3


@pytest.mark.parametrize("refused", [[19, 2], [19], [2], [19, 12, 2]], ids=str)
def test_the_last_refused_call_of_a_time_in_the_past_is_the_newest_before_it(refused):
    world = World()
    for days in refused:
        world.call("support-bot", NOW - days * DAY, -1.0)
    world.call("support-bot", NOW + DAY, -1.0)
    world.poll(NOW, [make_deployment()])
    world.poll(NOW + 2 * DAY, [make_deployment()])
    (life,) = the_account(world).lives
    assert life.usage.last_failure_at == NOW - refused[-1] * DAY


@pytest.mark.parametrize(
    ("in_period", "max_calls", "found"),
    [(1, 1, 2), (2, 1, 2), (2, 2, 3)],
    ids=["as many as a trickle has", "one too many", "as many as a greater one has"],
)
def test_what_is_called_as_often_as_a_trickle_may_be_is_looked_at_further_back(in_period, max_calls, found):
    world = World()
    world.call("support-bot", NOW - 19 * DAY, 1.0)
    world.call("support-bot", NOW - 2 * DAY, float(in_period))
    world.poll(NOW, [make_deployment()])
    trickle = Trickle(window=18 * DAY, max_calls=max_calls)
    assert the_account(world, trickle=trickle).answered["support-bot"].within(BEGAN, NOW) == found


def test_calls_of_the_last_day_make_nothing_busy():
    """The window of a trickle may end before them."""
    world = World()
    world.call("support-bot", NOW - 19 * DAY, 1.0)
    world.call("support-bot", NOW - 20 * HOUR, 5.0)
    world.poll(NOW, [make_deployment()])
    trickle = Trickle(window=18 * DAY, max_calls=1)
    assert the_account(world, trickle=trickle).answered["support-bot"].within(BEGAN, NOW) == 6


def test_a_call_in_the_hour_in_which_a_life_was_seen_gone_is_none_of_its():
    world = World()
    gone = NOW - 4 * DAY
    world.call("support-bot", NOW - 19 * DAY)
    world.call("support-bot", gone)
    world.poll(gone - DAY, [make_deployment()])
    world.poll(gone, [])
    world.poll(NOW, [make_deployment(created_at=gone)])
    former, new = sorted(the_account(world).lives, key=lambda one: one.first_seen_at)
    assert (former.usage.last_success_at, new.usage.last_success_at) == (NOW - 19 * DAY, gone)


# At a time in the past


def test_the_hour_that_was_not_over_had_not_been_read():
    world = World()
    world.call("support-bot", NOW - 3 * HOUR)
    world.call("support-bot", NOW - HOUR)
    world.poll(NOW, [make_deployment()])
    world.poll(NOW + 2 * HOUR, [make_deployment()])
    account = the_account(world)
    assert account.answered["support-bot"].within(BEGAN, NOW) == 3
    assert account.lives[0].usage.last_success_at == NOW - 3 * HOUR


def test_calls_of_which_nobody_knows_when_they_were_read_count_from_the_end_of_their_hour():
    world = World()
    world.call("support-bot", NOW - 3 * HOUR)
    world.poll(NOW, [make_deployment()])
    world.poll(NOW + DAY, [make_deployment()])
    undated = [[hour, 1.0, 0.0, 0.0, None] for hour in (5, 6, 7)]
    world.store.write_now(lambda tx: tx.execute(schema.calls.update().values(hours=undated)))
    at = {minutes: the_account(world, NOW + minutes * MINUTE).answered["support-bot"] for minutes in (0, 14, 15)}
    assert {minutes: found.within(BEGAN, NOW) for minutes, found in at.items()} == {0: 2, 14: 2, 15: 3}


@pytest.mark.parametrize("since", [60, 20 * 24], ids=["in the period", "and before it"])
def test_from_the_first_call_that_came_late_on_nothing_had_been_read(since):
    world = World(NOW - 19 * DAY)
    world.poll(NOW - 10 * DAY, [make_deployment()])
    for hours in (8, since - 10, since - 30):
        world.call("support-bot", NOW - hours * HOUR)
    world.poll(NOW, [make_deployment()])
    first = NOW - max(8, since - 10) * HOUR
    assert the_account(world, NOW - 7 * HOUR).holding.coverage.spans == ((BEGAN, first),)


def test_what_was_read_within_an_hour_stays_read():
    """Nothing is cut that had ended when metrics were read last."""
    spans = ((NOW - DAY, NOW - 30 * MINUTE),)
    tallies = Tallies(begin=NOW - 9 * DAY, as_of=NOW, of={}, late={})
    assert tallies.coverage(KEY, Coverage(spans=spans)).spans == spans
    assert tallies.coverage(KEY, Coverage(spans=((NOW - HOUR, NOW + DAY),))).spans == ()  # begun, and not over
    later = ((NOW - DAY, NOW + DAY),)
    assert tallies.coverage(KEY, Coverage(spans=later)).spans == ((NOW - DAY, NOW - HOUR),)


LATER = NOW + 15 * DAY
#: Of a time in the past all calls of a month are looked at: from here on.
MONTH = (LATER - timedelta(days=31)).replace(hour=0)


def called_again(world, *polls):
    """Read until now, and anew when it had been called after `LATER`."""
    for at, deployments in polls:
        world.poll(at, deployments)
    world.call("support-bot", LATER + DAY)
    world.poll(LATER + 2 * DAY, deployments)
    (account,) = world.load(LATER).accounts
    return account.lives[-1].usage.last_success_at


def test_a_day_of_refused_calls_hides_no_answered_one_before_it():
    world, at = World(), BEGAN + DAY
    world.call("support-bot", at)
    world.call("support-bot", MONTH + 3 * HOUR, -1.0)
    assert at < MONTH
    assert called_again(world, (NOW, [make_deployment()])) == at


def test_an_answered_call_of_a_former_life_is_none_of_one_whose_metrics_begin_later():
    """As in an account that was made again: what was called before they begin is not known to be its own."""
    world = World()
    world.call("support-bot", BEGAN + DAY)
    world.since["support-bot"] = BEGAN
    world.poll(NOW, [make_deployment()])
    world.poll(NOW + DAY, [])
    world.since["support-bot"] = LATER - 3 * DAY
    assert called_again(world, (LATER - DAY, [make_deployment(created_at=LATER - 3 * DAY)])) is None


# Whose last call it was


def test_a_call_of_which_no_hour_is_kept_is_no_idleness():
    """The newest call is known, and no calls by the hour are."""
    world, one = World(), make_deployment()
    world.call("support-bot", NOW - 3 * HOUR)
    world.poll(NOW, [one])
    world.store.write_now(lambda tx: tx.execute(schema.calls.delete()))
    (line,) = world.statement(NOW).hosted
    assert (line.last_call_at, line.idle_since, line.calls) == (NOW - 3 * HOUR, None, None)
    assert world.statement(NOW).advice == ()
    world.poll(NOW + DAY, [one])
    world.store.write_now(lambda tx: tx.execute(schema.calls.delete()))
    (before,) = world.load(NOW).accounts
    assert before.lives[0].usage.last_success_at == NOW - 3 * HOUR
    # Of the time before a later call it is not known when it was called last, and so nothing is said.
    world.call("support-bot", NOW + 30 * HOUR)
    world.poll(NOW + 2 * DAY, [one])
    world.store.write_now(lambda tx: tx.execute(schema.calls.delete()))
    (before,) = world.load(NOW).accounts
    assert before.lives[0].usage is None


def test_calls_are_loaded_as_far_back_as_a_trickle_is_looked_for():
    world = World()
    world.call("support-bot", NOW - 19 * DAY, 1.0)
    world.call("support-bot", NOW - 2 * DAY, 1.0)
    world.poll(NOW, [make_deployment()])
    found = [
        world.store.read_now(
            period.load, Period(begin=NOW - 7 * DAY, end=NOW), as_of=NOW, owner_tag="owner", trickle=trickle
        )
        .accounts[0]
        .answered["support-bot"]
        .within(BEGAN, NOW)
        for trickle in (Trickle(), Trickle(window=18 * DAY), Trickle(window=18 * DAY, max_calls=0))
    ]
    assert found == [1, 2, 1]


def test_the_last_call_of_a_life_is_known_where_its_name_lived_on():
    """Usage tells of the last call alone, which is the new life's."""
    world, again = World(), make_deployment(created_at=NOW - 3 * DAY)
    world.call("support-bot", NOW - 19 * DAY)
    world.call("support-bot", NOW - DAY)
    world.poll(NOW - 5 * DAY, [make_deployment()])
    world.poll(NOW - 4 * DAY, [])
    world.poll(NOW, [again])
    former, new = world.statement(NOW).hosted
    assert (former.end is None, new.end) == (False, None)
    assert (former.last_call_at, new.last_call_at) == (NOW - 19 * DAY, NOW - DAY)


def test_the_last_call_of_a_life_is_known_where_metrics_were_read_anew_since():
    """As in an account that was made again: what was read of the former one is overwritten, but for its calls."""
    world = World(NOW - 9 * DAY)
    world.call("support-bot", NOW - 6 * DAY)
    world.poll(NOW - 5 * DAY, [make_deployment()])
    world.poll(NOW - 4 * DAY, [])
    (before,) = world.statement(NOW - 3 * DAY).hosted
    world.since["support-bot"] = NOW - 2 * DAY
    world.poll(NOW, [make_deployment(created_at=NOW - 2 * DAY)])
    former, _ = world.statement(NOW).hosted
    (again,) = world.statement(NOW - 3 * DAY).hosted
    assert before.last_call_at == former.last_call_at == again.last_call_at == NOW - 6 * DAY


def test_calls_that_were_read_late_are_unknown_before_that():
    """Whoever asks for a time in the past hears nothing of its calls that was read after it: not that none came."""
    world = World(NOW - 5 * DAY)
    one = make_deployment(created_at=NOW - 9 * DAY)
    world.poll(NOW - 3 * DAY, [one])
    for number in range(8, 60):
        world.call("support-bot", NOW - number * HOUR)
    world.poll(NOW, [one])
    then = world.statement(NOW - DAY, span=DAY)
    assert then.hosted[0].by_state.keys() == {State.UNKNOWN}
    assert then.hosted[0].calls is None
    now = world.statement(NOW, span=2 * DAY)
    assert State.USED in now.hosted[0].by_state


def test_the_last_call_before_a_time_is_found_however_long_ago():
    world = World(NOW - 19 * DAY)
    one = make_deployment(created_at=NOW - 19 * DAY)
    world.call("support-bot", NOW - 18 * DAY)
    world.poll(NOW - 5 * DAY, [one])
    world.call("support-bot", NOW - 2 * DAY)
    world.poll(NOW, [one])
    (account,) = world.load(NOW - 4 * DAY).accounts
    assert account.lives[0].usage.last_success_at == NOW - 18 * DAY
    assert world.statement(NOW - 4 * DAY).hosted[0].deletion[0] == NOW - 3 * DAY


def test_the_last_call_of_a_former_life_is_known_though_the_new_one_is_called_often():
    """Of what is called often the time before the period is looked at no further, but for such a life."""
    world, last = World(), NOW - 12 * DAY
    world.call("support-bot", last)
    for hours in range(30, 60):
        world.call("support-bot", NOW - hours * HOUR, 9.0)
    world.poll(NOW - 5 * DAY, [make_deployment()])
    world.poll(NOW - 4 * DAY, [])
    world.poll(NOW, [make_deployment(created_at=NOW - 3 * DAY)])
    former, _ = sorted(the_account(world).lives, key=lambda one: one.first_seen_at)
    assert former.usage.last_success_at == last


def test_of_a_life_of_whose_calls_none_is_kept_nobody_knows_the_last():
    """Usage tells of the new life's alone."""
    world = World()
    world.call("support-bot", NOW - DAY)
    world.poll(NOW - 5 * DAY, [make_deployment()])
    world.poll(NOW - 4 * DAY, [])
    world.poll(NOW, [make_deployment(created_at=NOW - 3 * DAY)])
    former, new = sorted(the_account(world).lives, key=lambda one: one.first_seen_at)
    assert (former.usage, new.usage.last_success_at) == (None, NOW - DAY)


@pytest.mark.parametrize("last", [BEGAN, NOW - 6 * DAY], ids=["in the first hour that was read", "later"])
def test_where_metrics_were_read_anew_a_former_life_is_known_no_further_than_its_end(last):
    world, gone, other = World(), NOW - 4 * DAY, make_deployment("other-bot")
    world.call("support-bot", last)
    world.call("support-bot", NOW - DAY)
    world.call("", NOW - 5 * DAY)
    world.poll(NOW - 5 * DAY, [make_deployment(), other])
    world.poll(gone, [other])
    world.poll(NOW - 3 * DAY, [other])
    world.since["support-bot"] = NOW - 2 * DAY
    world.poll(NOW, [make_deployment(created_at=NOW - 2 * DAY), other])
    unclear = (NOW - 5 * DAY).replace(hour=3)
    kept = {"account": KEY, "deployment": "support-bot", "day": f"{unclear:%Y-%m-%d}", "hours": [[3, 0, 2, 2, None]]}
    world.store.write_now(lambda tx: tx.execute(schema.calls.insert().values(kept)))
    (former,) = (one for one in the_account(world).lives if one.end is not None)
    assert (former.usage.read_from, former.usage.read_to) == (BEGAN, gone)
    assert (former.usage.last_success_at, former.usage.last_unclear_at) == (last, unclear)


def test_a_call_without_a_name_may_be_anybodys_last_at_a_time_in_the_past():
    world = World()
    world.call("", NOW - 3 * DAY)
    world.poll(NOW, [make_deployment()])
    world.poll(NOW + 2 * DAY, [make_deployment()])
    assert the_account(world).lives[0].usage.last_unclear_at == NOW - 3 * DAY


def test_an_unclear_call_of_long_ago_is_known_as_of_a_time_in_the_past():
    """It is kept by the hour no more, or was never looked at."""
    world = World()
    world.unclear_at = MONTH - DAY
    world.poll(NOW, [make_deployment()])
    world.poll(LATER + 2 * DAY, [make_deployment()])
    (account,) = world.load(LATER).accounts
    assert account.lives[0].usage.last_unclear_at == MONTH - DAY
