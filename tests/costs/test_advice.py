from dataclasses import replace
from typing import Any

import pytest

from tests.costs.factories import make_book
from tests.factories import DAY, MODEL, NOW
from watcher.costs.advice import Case, Move, Wish, advise, advise_all
from watcher.costs.idle import idle_money
from watcher.costs.money import Unknown, money

BOOK = make_book()
PRICE = BOOK.hosting(model=MODEL, sku="Standard")
CHEAP = make_book(discount_percent=50).hosting(model=MODEL, sku="Standard")
IDLE = idle_money(PRICE, now=NOW, since=(NOW - 5 * DAY, NOW - 5 * DAY), deletion=(NOW + 10 * DAY, NOW + 10 * DAY))
LATE = idle_money(PRICE, now=NOW, since=(NOW - 20 * DAY, NOW - 20 * DAY), deletion=(NOW - 5 * DAY, NOW - 5 * DAY))
WISH = Wish(until=NOW + DAY, by="ann", reason="demo on Monday")


def case(**changes: Any) -> Case:
    defaults: dict[str, Any] = {
        "account": "contoso-ft",
        "name": "support-bot",
        "price": PRICE,
        "calls": 0.0,
        "delete": "az delete",
        "developer": "az put developer",
    }
    return Case(**{**defaults, **changes})


@pytest.mark.parametrize(
    ("changes", "move"),
    [
        pytest.param({}, None, id="nothing speaks against it"),
        pytest.param({"is_wasting": True, "idle": IDLE}, Move.DELETE, id="nobody calls it"),
        pytest.param({"successor": "v2 in contoso-west"}, Move.CONSOLIDATE, id="superseded"),
        pytest.param({"trickle_calls": 3.0, "trickle_days": 15}, Move.DEVELOPER, id="a trickle"),
        pytest.param(
            {"is_wasting": True, "successor": "v2", "trickle_calls": 1.0}, Move.DELETE, id="one piece of advice"
        ),
        pytest.param({"successor": "v2", "trickle_calls": 1.0}, Move.CONSOLIDATE, id="the successor before the trial"),
        pytest.param({"is_wasting": True, "wish": WISH}, Move.KEEP, id="kept"),
        pytest.param({"is_wasting": True, "wish": Wish(until=NOW)}, Move.DELETE, id="kept until now"),
        pytest.param(
            {"is_wasting": True, "price": BOOK.hosting(model=MODEL, sku="Developer")}, None, id="it costs nothing"
        ),
        pytest.param(
            {"is_wasting": True, "price": Unknown(because="no price")}, Move.DELETE, id="its price is unknown"
        ),
    ],
)
def test_what_to_do(changes, move):
    found = advise(case(**changes), NOW)
    assert (found and found.move) == move


def test_advice_names_saving_risk_and_command():
    found = advise(case(is_wasting=True, idle=IDLE), NOW)
    assert found.saving_until_deletion.text == "408.00 USD"
    assert (found.command, found.because) == ("az delete", "nobody calls it")
    assert "can be deployed again" in found.risk


@pytest.mark.parametrize(
    ("idle", "saving"),
    [
        pytest.param(IDLE, "408.00 USD", id="Azure ends the fee by itself, long before the month is over"),
        pytest.param(replace(IDLE, is_open=True), "408.00 to 1224.00 USD", id="it may go on standing"),
        pytest.param(replace(IDLE, until_deletion=money(2000, "USD")), "1224.00 USD", id="later than that"),
        pytest.param(replace(IDLE, until_deletion=None), "0.00 to 1224.00 USD", id="its latest calls were not read"),
        pytest.param(None, "0.00 to 1224.00 USD", id="nor is it known how long it is idle"),
        pytest.param(LATE, "0.00 to 1224.00 USD", id="overdue: it may go now, or never"),
        pytest.param(replace(IDLE, is_assumed=True), "408.00 to 1224.00 USD", id="Azure does not say that it will"),
        pytest.param(replace(LATE, is_assumed=True), "0.00 to 1224.00 USD", id="nor that it should have"),
    ],
)
def test_deleting_what_azure_deletes_saves_only_the_time_between(idle, saving):
    found = advise(case(is_wasting=True, ends_uncalled=True, idle=idle), NOW)
    assert found.saving_per_month.text == saving


def test_deleting_what_no_rule_ends_saves_the_whole_fee():
    idle = replace(IDLE, until_deletion=None)
    assert advise(case(is_wasting=True, idle=idle), NOW).saving_per_month.text == "1224.00 USD"


@pytest.mark.parametrize(
    ("idle", "because"),
    [
        pytest.param(IDLE, "nobody calls it", id="in time"),
        pytest.param(
            LATE,
            "nobody calls it; Azure's own deletion of it is overdue: it may come at any moment, or the fee goes on",
            id="overdue",
        ),
        pytest.param(
            replace(IDLE, is_assumed=True),
            "nobody calls it; whether Azure deletes one of its SKU by itself is not documented",
            id="assumed",
        ),
        pytest.param(
            replace(LATE, is_assumed=True),
            "nobody calls it; whether Azure deletes one of its SKU by itself is not documented, and it stands though "
            "its time is over",
            id="both",
        ),
    ],
)
def test_why_a_saving_is_not_sure_is_said(idle, because):
    found = advise(case(is_wasting=True, ends_uncalled=True, idle=idle), NOW)
    assert (found.because, found.saving_until_deletion) == (because, idle.rest)


def test_what_surely_saves_comes_before_what_may_save_more_and_then_the_dearest():
    may = {"is_wasting": True, "ends_uncalled": True}
    cases = [
        case(name="overdue", idle=LATE, price=CHEAP, **may),
        case(name="overdue and dear", idle=LATE, **may),
        case(name="in time", idle=IDLE, **may),
        case(name="in time, or later", idle=replace(IDLE, is_open=True), **may),
    ]
    expected = ["in time, or later", "in time", "overdue and dear", "overdue"]
    assert [one.name for one in advise_all(cases, NOW)] == expected


def test_a_trial_saves_nothing_for_sure():
    found = advise(case(trickle_calls=3.0, trickle_days=15), NOW)
    assert found.saving_per_month.text == "0.00 to 1224.00 USD"
    priceless = advise(case(trickle_calls=3.0, trickle_days=15, price=Unknown(because="no price")), NOW)
    assert priceless.saving_per_month == Unknown(because="no price")


@pytest.mark.parametrize(
    ("price", "fee"),
    [
        pytest.param(PRICE, "its fee comes to 1,224.00 USD a month", id="known"),
        pytest.param(Unknown(because="no price"), "its fee runs by the hour all the same", id="unknown"),
    ],
)
def test_of_a_provisioned_trickle_its_owner_is_asked(price, fee):
    found = advise(case(trickle_calls=3.0, trickle_days=15, developer="", is_provisioned=True, price=price), NOW)
    assert (found.move, found.command, found.saving_per_month) == (Move.ASK, "", None)
    assert found.because == f"it had 3 calls in 15 d, and {fee}: whether they are worth that only its owner knows"


def test_the_dearest_is_asked_about_first_after_all_that_saves_and_before_trials():
    ask = {"trickle_calls": 3.0, "developer": "", "is_provisioned": True}
    cases = [
        case(name="a-trial", trickle_calls=3.0),
        case(name="b-ask", price=CHEAP, **ask),
        case(name="c-ask", **ask),
        case(name="d-ask", price=Unknown(because="no price"), **ask),
        case(name="e-kept", wish=WISH),
        case(name="f-overdue", is_wasting=True, ends_uncalled=True, idle=LATE),
    ]
    expected = ["f-overdue", "c-ask", "b-ask", "d-ask", "a-trial", "e-kept"]
    assert [one.name for one in advise_all(cases, NOW)] == expected


@pytest.mark.parametrize(
    "changes", [{"is_wasting": True, "idle": IDLE}, {"successor": "v2"}], ids=["idle", "superseded"]
)
def test_that_it_is_paused_and_what_that_assumes_is_said(changes):
    said = "; this deployment is paused and refuses calls, and that its fee is charged all the same is assumed"
    found = advise(case(is_paused=True, **changes), NOW)
    assert found.because.endswith(said)
    assert not advise(case(**changes), NOW).because.endswith(said)


@pytest.mark.parametrize(
    "changes", [{"is_wasting": True, "idle": IDLE}, {"successor": "v2", "calls": 0.0}], ids=["idle", "superseded"]
)
def test_what_is_paused_saves_nothing_for_sure(changes):
    """Whether its fee is charged, Azure does not say."""
    paused, sure = advise(case(is_paused=True, **changes), NOW), advise(case(**changes), NOW)
    assert (paused.saving_per_month.low, paused.saving_per_month.high) == (0, sure.saving_per_month.high)
    assert sure.saving_per_month.low > 0
    cheap = case(name="z", is_wasting=True, price=replace(PRICE, rate=money(1, "USD") / 1000))
    assert [one.name for one in advise_all([case(name="a", is_paused=True, **changes), cheap], NOW)] == ["z", "a"]


def test_deleting_what_is_paused_fails_no_call_that_is_not_refused_already():
    assert advise(case(is_paused=True, is_wasting=True), NOW).risk.startswith("Calls are refused already")
    assert advise(case(is_wasting=True), NOW).risk.startswith("Calls that still come would fail")


def test_a_trial_deployment_says_what_is_lost():
    found = advise(case(trickle_calls=3.0, trickle_days=15), NOW)
    assert found.because == "it had 3 calls in 15 d: a choice if it serves tests only"
    assert found.command == "az delete\naz put developer"
    assert "24 h" in found.risk and "service level" in found.risk and "tokens are billed" in found.risk
    assert found.saving_until_deletion is None
    assert "had 1 call in" in advise(case(trickle_calls=1.0, trickle_days=15), NOW).because


def test_a_trickle_that_no_trial_fits_gets_no_advice():
    assert advise(case(trickle_calls=3.0, trickle_days=15, developer=""), NOW) is None


def test_a_trial_comes_after_all_that_is_sure_whatever_it_saves():
    dear = BOOK.hosting(model=MODEL, sku="GlobalStandard")
    cheap = make_book(discount_percent=99).hosting(model=MODEL, sku="Standard")
    cases = [
        case(name="kept", wish=WISH),
        case(name="trickle", trickle_calls=3.0, price=PRICE),
        case(name="dear trickle", trickle_calls=3.0, price=dear),
        case(name="called", successor="v2", calls=9.0, price=cheap),
        case(name="superseded", successor="v2", price=cheap),
        case(name="unknown", is_wasting=True, price=Unknown(because="no price")),
        case(name="idle", is_wasting=True, price=make_book(discount_percent=98).hosting(model=MODEL, sku="Standard")),
    ]
    expected = ["idle", "superseded", "called", "unknown", "dear trickle", "trickle", "kept"]
    assert [one.name for one in advise_all(cases, NOW)] == expected


def test_a_successor_that_nobody_calls_is_a_risk():
    assert "Nobody is known to call v2" in advise(case(successor="v2"), NOW).risk
    assert "Nobody" not in advise(case(successor="v2", is_successor_called=True), NOW).risk


@pytest.mark.parametrize(("calls", "said"), [(84_000.0, "84,000 calls"), (1.0, "1 call "), (None, "not known")])
def test_what_is_called_or_may_be_is_not_deleted_for_its_successor(calls, said):
    found = advise(case(successor="v2", is_successor_called=True, calls=calls), NOW)
    assert (found.move, found.command, found.saving_per_month) == (Move.CONSOLIDATE, "", None)
    assert said in found.because and "move its callers there first" in found.because


def test_what_nobody_calls_is_deleted_for_its_successor():
    found = advise(case(successor="v2"), NOW)
    assert (found.command, found.saving_per_month.text) == ("az delete", "1224.00 USD")
    assert "callers" not in found.because


def test_an_exception_says_who_until_when_and_why():
    found = advise(case(wish=WISH), NOW)
    assert (found.because, found.saving_per_month, found.command) == (
        "kept by ann until 2026-11-23: demo on Monday",
        None,
        "",
    )


def test_the_greatest_saving_comes_first_and_exceptions_last():
    dear = BOOK.hosting(model=MODEL, sku="GlobalStandard")
    cheap = make_book(discount_percent=50).hosting(model=MODEL, sku="Standard")
    cases = [
        case(name="kept", wish=WISH),
        case(name="unknown", is_wasting=True, price=Unknown(because="no price")),
        case(name="cheap", is_wasting=True, price=cheap),
        case(name="dear", is_wasting=True, price=dear),
        case(name="also dear", is_wasting=True, price=dear),
        case(name="fine"),
    ]
    expected = ["also dear", "dear", "cheap", "unknown", "kept"]
    assert [one.name for one in advise_all(cases, NOW)] == expected
    assert [one.name for one in advise_all(cases[::-1], NOW)] == expected


def test_an_end_without_a_latest_time_is_told_as_the_least():
    idle = idle_money(PRICE, now=NOW, since=(NOW - 5 * DAY, NOW - 5 * DAY), deletion=(NOW + 10 * DAY, None))
    found = advise(case(is_wasting=True, idle=idle, ends_uncalled=True), NOW)
    assert found.saving_until_deletion.text == "at least 408.00 USD"
    assert found.saving_per_month.text == "408.00 to 1224.00 USD"


def test_a_trickle_of_half_a_call_is_one_and_none_is_no_figure():
    assert advise(case(trickle_calls=0.0, trickle_days=15), NOW).move is Move.DEVELOPER
    assert advise(case(trickle_calls=None, trickle_days=15), NOW) is None


def test_what_nobody_can_price_comes_after_all_that_has_a_price_and_what_is_kept_last():
    cases = [
        case(name="a-kept", is_wasting=True, wish=WISH),
        case(name="b-unknown", is_wasting=True, price=Unknown(because="no price")),
        case(name="c-called", successor="v2", calls=5.0),
        case(name="d-dear", is_wasting=True),
        case(name="e-over", is_wasting=True, idle=replace(IDLE, until_deletion=money(0, "USD")), ends_uncalled=True),
    ]
    expected = ["d-dear", "e-over", "c-called", "b-unknown", "a-kept"]
    assert [one.name for one in advise_all(cases, NOW)] == expected
