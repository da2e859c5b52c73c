"""The divisions of the bill: nothing is lost between them, and what is unknown stays unknown in each."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.costs.factories import make_book, make_row, own
from tests.factories import DAY, MODEL, NOW, make_account, make_deployment, make_job
from tests.report.factories import (
    FIRST_DAY,
    UNKNOWN,
    make_busy,
    make_days,
    make_hosted,
    make_place,
    make_trained,
    usd,
)
from tests.report.recorded import make_life, make_recorded, make_records, make_terms, stated
from watcher.costs.idle import NO_END, OPEN_END, IdleMoney
from watcher.costs.money import Unknown
from watcher.costs.prices import Source
from watcher.costs.uses import State
from watcher.report.bills import TRAINING, Missing, bills, by_day, until_deletion
from watcher.report.recorded import RecordedJob

NEVER = Unknown(because="never read")


def divided(hosted=(), trained=(), missing=(), labels=()):
    """By what, then by value."""
    found = bills(tuple(hosted), tuple(trained), tuple(missing), labels=labels, currency="USD")
    return {bill.by: {line.value: line for line in bill.lines} for bill in found}


def test_what_is_missing_of_a_line_is_an_unknown_part_of_its_share():
    found = divided([make_hosted(missing=UNKNOWN), make_busy()], labels=("environment",))
    for by in ("account", "owner", "model", "sku", "environment"):
        (line,) = found[by].values()
        assert (line.hosting.parts, line.hosting.unknown) == (3, 1)
        assert line.hosting.text == "at least 571.20 USD"
        assert line.idle.text == "163.20 USD"


def test_what_was_never_read_is_an_unknown_part_where_it_is():
    blind = make_place("blind", owner="Ads", labels={})
    missing = [
        Missing(place=blind, hosting=NEVER, training=None),
        Missing(place=replace(blind, account="deaf"), hosting=None, training=NEVER),
    ]
    found = divided([make_hosted()], [make_trained()], missing, labels=("environment",))
    assert {value: (line.hosting.text, line.training.text) for value, line in found["account"].items()} == {
        "contoso-ft": ("285.60 USD", "10.40 USD"),
        "blind": ("unknown", "0.00 USD"),
        "deaf": ("0.00 USD", "unknown"),
    }
    # Whose models and SKUs they are nobody knows, and their owner is.
    for by in ("model", "sku", "environment"):
        assert (found[by][""].hosting.text, found[by][""].training.text) == ("unknown", "unknown")
    assert found["owner"]["Ads"].hosting.unknown == found["owner"]["Ads"].training.unknown == 1


def test_two_lives_are_one_deployment_and_two_accounts_have_two():
    first = make_hosted()
    again = make_hosted(id=first.id.upper())
    elsewhere = make_hosted(place=make_place("other"))
    found = divided([first, again, elsewhere])
    assert {value: line.deployments for value, line in found["account"].items()} == {"contoso-ft": 1, "other": 1}
    assert found["sku"]["Standard"].deployments == 2
    assert found["sku"]["Standard"].hosting.parts == 3


def test_the_dearest_comes_first_by_hosting_and_training_together():
    hosted = [make_hosted(place=make_place(name), cost=usd(cost)) for name, cost in (("b", 20), ("a", 20), ("c", 25))]
    trained = [make_trained(place=make_place("d"), cost=usd(90)), make_trained(place=make_place("a"), cost=usd(6))]
    (by_account,) = [bill for bill in bills(hosted, trained, (), labels=(), currency="USD") if bill.by == "account"]
    assert [line.value for line in by_account.lines] == ["d", "a", "c", "b"]
    equal = [make_hosted(place=make_place(name), cost=usd(5)) for name in "cab"]
    (by_account,) = [bill for bill in bills(equal, (), (), labels=(), currency="USD") if bill.by == "account"]
    assert [line.value for line in by_account.lines] == ["a", "b", "c"]


def test_a_model_is_billed_under_the_base_of_its_line():
    hosted = [make_hosted(base="gpt-4.1-2025-04-14"), make_hosted(base="", model=MODEL)]
    found = divided(hosted, [make_trained(model=MODEL), make_trained(model="gpt-4.1-2025-04-14")])
    assert set(found["model"]) == {"gpt-4.1-2025-04-14", "gpt-4o-mini-2024-07-18"}
    assert [line.jobs for line in found["model"].values()] == [1, 1]
    assert found["sku"][TRAINING].jobs == 2
    assert found["sku"][TRAINING].hosting.parts == 0


def test_a_missing_label_is_a_share_of_its_own():
    bare = make_hosted("bare", place=make_place(labels={}))
    found = divided([make_hosted(), bare], labels=("environment", "team"))
    assert {value: line.deployments for value, line in found["environment"].items()} == {"production": 1, "": 1}
    assert {value: line.deployments for value, line in found["team"].items()} == {"": 2}


@pytest.mark.parametrize(
    ("idle", "text", "why"),
    [
        pytest.param(None, "0.00 USD", "", id="called"),
        pytest.param(IdleMoney(so_far=usd(1), per_day=usd(1), until_deletion=usd(9)), "9.00 USD", "", id="dated"),
        pytest.param(
            IdleMoney(so_far=usd(1), per_day=usd(1), until_deletion=usd(9), is_open=True),
            "at least 9.00 USD",
            f"1 of 1 part unknown (of 1 the least is known): {OPEN_END}",
            id="no latest time",
        ),
        pytest.param(
            IdleMoney(so_far=usd(1), per_day=usd(1), until_deletion=None),
            "unknown",
            f"1 of 1 part unknown: {NO_END}",
            id="no end",
        ),
        pytest.param(UNKNOWN, "unknown", f"1 of 1 part unknown: {UNKNOWN.because}", id="no price"),
    ],
)
def test_what_is_idle_costs_on_until_an_end_that_may_be_unknown(idle, text, why):
    found = until_deletion([make_hosted(idle=idle)], "USD")
    assert (found.text, found.why) == (text, why)


def test_each_idle_line_is_one_part_however_much_of_it_is_known():
    dated = IdleMoney(so_far=usd(1), per_day=usd(1), until_deletion=usd(9))
    assumed, overdue = replace(dated, is_assumed=True), replace(dated, until_deletion=usd(0), is_overdue=True)
    lines = [make_hosted(idle=idle) for idle in (dated, assumed, assumed, overdue, UNKNOWN)]
    found = until_deletion([*lines, make_busy()], "USD")
    assert (found.text, found.parts, found.unknown) == ("at least 27.00 USD", 5, 4)
    assert found.why.startswith("4 of 5 parts unknown (of 2 the least is known): ")


def test_the_days_of_all_are_added_by_use_in_their_order():
    late = make_hosted("late", days=make_days(idle=[0, 0, 4], used=[0, 1, 2])[::-1])
    early = make_hosted("early", days=make_days(unknown=[1], idle=[0, 0, 3]))
    found = by_day([late, early], "USD")
    assert [day.day - FIRST_DAY for day in found] == [timedelta(days=number) for number in range(3)]
    assert [{state.value: cost.text for state, cost in day.costs.items()} for day in found] == [
        {"unknown": "1.00 USD"},
        {"used": "1.00 USD"},
        {"used": "2.00 USD", "idle": "7.00 USD"},
    ]
    assert list(found[2].costs) == [State.USED, State.IDLE]


def test_prices_are_told_by_what_they_are_for_the_most_used_first():
    west = make_account("west", location="westus3")
    jobs = [
        RecordedJob(job=make_job(f"ftjob-{n}", "succeeded", finished_at=NOW - DAY), ended_at=NOW - DAY) for n in "12"
    ]
    lives = [make_life(make_deployment(name, created_at=NOW - 9 * DAY)) for name in ("a", "b", "c")]
    elsewhere = make_life(make_deployment("d", account=west, sku="GlobalStandard"))
    statement = stated(make_records(make_recorded(*lives, jobs=jobs), make_recorded(elsewhere, account=west)))
    assert [(one.what, one.uses) for one in statement.prices] == [
        ("hosting, Standard, gpt-4o-mini", 3),
        ("training, gpt-4o-mini", 2),
        ("hosting, GlobalStandard, gpt-4o-mini", 1),
    ]
    assert isinstance(statement.prices[1].price, Unknown)
    assert statement.prices[1].origin == "the price of training gpt-4o-mini is not known"
    assert statement.prices[0].price.rate.most == Decimal("1.70")


def test_a_price_is_told_though_it_is_not_known_how_much_was_bought():
    job = RecordedJob(job=make_job(status="succeeded", finished_at=NOW - DAY, trained_tokens=None), ended_at=NOW - DAY)
    terms = make_terms(book=make_book(table=(own(training_per_million=3),)))
    statement = stated(make_recorded(jobs=[job]), terms=terms)
    assert statement.trained[0].cost == Unknown(because="the service does not say how many tokens were trained")
    (used,) = statement.prices
    assert used.price.rate.text == "3.00 USD"


def test_a_checkpoint_is_billed_to_the_base_of_its_model():
    """Its own name tells nothing of it."""
    found = divided([make_hosted(model="ftchkpt-0a1b"), make_hosted("own", model="gpt-4o-2024-08-06.ft-1", base="")])
    assert set(found["model"]) == {"gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"}


def test_one_price_of_two_sources_is_told_of_each():
    west = make_account("west", location="westus3")
    book = make_book(make_row(price="1.70"))  # in Sweden: elsewhere the documentation says the same
    statement = stated(
        make_recorded(make_life()),
        make_recorded(make_life(make_deployment(account=west)), account=west),
        terms=make_terms(book=book),
    )
    assert {one.price.source: (one.price.rate.most, one.uses) for one in statement.prices} == {
        Source.RETAIL: (Decimal("1.70"), 1),
        Source.DOCUMENTATION: (Decimal("1.70"), 1),
    }
