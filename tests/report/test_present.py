"""How one that stands, stands now: to the hour, and never better known than it is."""

from dataclasses import replace

import pytest

from tests.factories import DAY, HOUR, NOW, SECOND, make_account, make_deployment, make_gap, make_model, make_usage
from tests.report.recorded import BEGAN, WEEK, every, make_life, make_recorded, make_records, make_terms, stated
from watcher.alerts.keep import Keep
from watcher.costs.advice import Move
from watcher.costs.hosting import Period
from watcher.costs.idle import Trickle
from watcher.costs.uses import State
from watcher.report.recorded import RecordedLife
from watcher.resources.calls import Coverage
from watcher.resources.deployment import ProvisioningState
from watcher.resources.snapshot import Section


def idle(*, called=NOW - 5 * DAY, unclear=None, **changes) -> RecordedLife:
    one = make_deployment("bot", **{"created_at": BEGAN, **changes})
    usage = make_usage("bot", read_from=BEGAN, last_success_at=called, last_unclear_at=unclear)
    return make_life(one, usage=usage)


def the_line(life, **changes):
    called = life.usage.last_success_at if life.usage else None
    calls = {"bot": {called: 3.0}} if called else {}
    return stated(make_recorded(life, calls=calls, **changes)).hosted[0]


@pytest.mark.parametrize(
    ("called", "is_idle"), [(NOW - DAY, False), (NOW - DAY - HOUR, True)], ids=["a day ago", "longer ago"]
)
def test_it_is_idle_after_a_day_without_a_call(called, is_idle):
    assert (the_line(idle(called=called)).idle_since is not None) is is_idle


@pytest.mark.parametrize(
    ("unclear", "since"),
    [
        pytest.param(NOW - DAY, None, id="a day ago"),
        pytest.param(NOW - DAY - HOUR, (NOW - 5 * DAY, NOW - DAY - HOUR), id="longer ago"),
        pytest.param(NOW - 6 * DAY, (NOW - 5 * DAY, NOW - 5 * DAY), id="before one that is known"),
    ],
)
def test_calls_that_may_be_its_own_keep_it_from_being_idle_for_a_day(unclear, since):
    assert the_line(idle(unclear=unclear)).idle_since == since


@pytest.mark.parametrize(
    ("called", "is_advised"), [(NOW - 2 * DAY, False), (NOW - 2 * DAY - HOUR, True)], ids=["as long", "longer"]
)
def test_it_is_a_waste_after_more_than_is_allowed(called, is_advised):
    statement = stated(make_recorded(idle(called=called), calls={"bot": {called: 3.0}}))
    assert (Move.DELETE in {one.move for one in statement.advice}) is is_advised


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sku": "DeveloperTier", "created_at": NOW - 3 * DAY}, id="a Developer one"),
        pytest.param({"provisioning_state": ProvisioningState.DELETING}, id="on its way out"),
        pytest.param({"provisioning_state": ProvisioningState.FAILED}, id="never come to be"),
    ],
)
def test_what_is_not_charged_is_no_waste(changes):
    assert stated(make_recorded(idle(**changes))).advice == ()
    assert [one.move for one in stated(make_recorded(idle())).advice] == [Move.DELETE]


PROBED = every(DAY, NOW - 30 * DAY, NOW, 1.0)


def trickled(*, created=NOW - 60 * DAY, known=None, terms=None):
    life = make_life(make_deployment("bot", created_at=created), called=max(PROBED))
    records = make_records(make_recorded(life, calls={"bot": PROBED}), **({"trickle": known} if known else {}))
    return stated(records, terms=terms).trickle_lines()


def test_a_trickle_is_judged_of_what_stood_for_its_window_by_calls_that_were_loaded():
    assert len(trickled()) == 1
    assert len(trickled(created=NOW - 15 * DAY)) == 1
    assert trickled(created=NOW - 15 * DAY + SECOND) == ()
    # More calls, or a longer time, than was loaded: nobody knows how often all were called.
    assert trickled(terms=make_terms(trickle=Trickle(max_calls=21))) == ()
    assert trickled(terms=make_terms(trickle=Trickle(window=16 * DAY))) == ()
    assert len(trickled(known=Trickle(max_calls=21), terms=make_terms(trickle=Trickle(max_calls=21)))) == 1
    assert len(trickled(terms=make_terms(trickle=Trickle(max_calls=19)))) == 1


def test_calls_of_a_period_that_has_passed_tell_nothing_of_the_present():
    """What was called then may be called no more, and the other way round: its callers are not counted."""
    account = make_account()
    old = make_model(created_at=BEGAN, account=account.key)
    heir = make_model(f"{old.id}2", created_at=NOW - 3 * DAY, base=old.id, account=account.key)
    lives = (
        make_life(make_deployment("bot", created_at=BEGAN), called=NOW - HOUR),
        make_life(make_deployment("v2", model=heir.id, created_at=NOW - 2 * DAY), called=NOW - HOUR),
    )
    calls = {"bot": {NOW - 5 * DAY: 7.0, NOW - HOUR: 3.0}, "v2": {NOW - HOUR: 1.0}}
    recorded = make_recorded(*lives, calls=calls, models=(old, heir))
    (now,) = stated(recorded).advice
    (then,) = stated(recorded, period=Period(begin=NOW - 6 * DAY, end=NOW - 4 * DAY)).advice
    assert "it had 10 calls in this period" in now.because
    assert "how often it is called is not known" in then.because


def test_a_successor_is_called_if_this_life_of_it_was():
    """Metrics know names: a call before its creation was another life's."""
    account = make_account()
    old = make_model(created_at=BEGAN, account=account.key)
    heir = make_model(f"{old.id}2", created_at=NOW - 3 * DAY, base=old.id, account=account.key)

    def risk(called, gaps=()):
        v2 = make_deployment("v2", model=heir.id, created_at=NOW - 2 * DAY)
        seldom = make_usage("bot", read_from=BEGAN, last_success_at=NOW - 30 * HOUR)
        bot = make_life(make_deployment("bot", created_at=BEGAN), usage=seldom)
        lives = (bot, make_life(v2, called=called))
        records = make_recorded(*lives, calls={"bot": {NOW - 30 * HOUR: 1.0}}, models=(old, heir), gaps=gaps)
        advice = stated(records, period=WEEK).advice
        return [one.risk for one in advice if one.move is Move.CONSOLIDATE]

    assert "Nobody is known to call v2 in contoso-ft yet" not in risk(NOW - HOUR)[0]
    assert "Nobody is known to call v2 in contoso-ft yet" in risk(NOW - 5 * DAY)[0]
    unread = make_gap(Section.DEPLOYMENTS, subject=f"{account.id}/deployments/v2")
    assert risk(NOW - HOUR, gaps=(unread,)) == []


def test_what_ends_on_an_unknown_day_may_save_nothing():
    """Its calls were read too long ago to date its end; Azure may end its fee at any time."""
    read_to = NOW - 12 * HOUR
    usage = make_usage("bot", read_from=BEGAN, read_to=read_to, last_success_at=NOW - 14 * DAY)
    life = make_life(make_deployment("bot", created_at=BEGAN), usage=usage)
    coverage = Coverage(spans=((BEGAN, read_to),))
    recorded = make_recorded(life, calls={"bot": {NOW - 14 * DAY: 3.0}}, coverage=coverage, usage_at=read_to)
    (advice,) = stated(recorded).advice
    assert advice.saving_per_month.text == "0.00 to 1224.00 USD"


def test_a_wish_by_tag_is_one_and_the_longest_holds():
    tagged = idle(tags={"watcher-keep-until": "2026-12-01"})
    (line,) = stated(make_recorded(tagged)).hosted
    assert line.kept_until is not None
    longer = Keep(account=make_account().key, deployment="BOT", until=line.kept_until + DAY, author="ann")
    (both,) = stated(make_records(make_recorded(tagged), keeps=(longer,))).hosted
    assert both.kept_until == longer.until
    over = replace(longer, until=NOW)
    (line,) = stated(make_records(make_recorded(idle()), keeps=(over,))).hosted
    assert line.kept_until is None
    assert line.state is State.IDLE


@pytest.mark.parametrize("name", ["contoso-ft", "Contoso-FT", make_account().id, make_account().key, "contoso"])
def test_who_keeps_it_may_name_its_account_in_whatever_case(name):
    keep = Keep(account=name, deployment="BOT", until=NOW + DAY, author="ana", reason="launch")
    (line,) = stated(make_records(make_recorded(idle()), keeps=(keep,))).hosted
    assert line.kept_until == (None if name == "contoso" else NOW + DAY)
