"""What people act upon is not told as more certain, or as more, than it is."""

import csv
import json
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from msgspec import structs

from tests.factories import HOUR, NOW
from tests.report.factories import (
    UNKNOWN,
    make_advice,
    make_exemption,
    make_hosted,
    make_place,
    make_price,
    make_price_used,
    make_statement,
    sum_of,
    usd,
)
from tests.report.render import samples
from tests.report.render.test_formats import LINK, Page
from tests.report.render.test_statement_record import SCHEMA, faults
from watcher.costs.advice import Move
from watcher.costs.idle import IdleMoney
from watcher.report.render import FORMATS
from watcher.report.render.mail import mail_parts
from watcher.report.statement import Statement


def spent(text: str) -> str:
    return " ".join(text.split())


def open_ended() -> Statement:
    """Two idle ones; that without a known latest end stays idle for at least 202.30 USD."""
    line = make_hosted()
    assert isinstance(line.idle, IdleMoney)
    paused = make_hosted("sleeper", idle=replace(line.idle, until_deletion=usd(Decimal("202.30")), is_open=True))
    assert isinstance(paused.idle, IdleMoney)
    advice = make_advice("sleeper", saving_per_month=usd(202, 1224), saving_until_deletion=paused.idle.rest)
    return make_statement((line, paused), (), advice=(advice,))


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_what_has_no_latest_end_makes_the_sum_a_least(form: str) -> None:
    drawn = FORMATS[form](open_ended())
    said = spent(Page(drawn).text if form == "html" else drawn.replace("\\", ""))
    assert "at least 651.10 USD more until Azure deletes them" in said
    assert "Until Azure deletes it by itself: at least 202.30 USD." in said


def test_programs_read_no_bound_where_there_is_none() -> None:
    record = json.loads(FORMATS["json"](open_ended()))
    assert list(faults(record, SCHEMA)) == []
    rows = list(csv.DictReader(StringIO(FORMATS["csv"](open_ended()))))
    lines = {line["name"]: line["cost_until_deletion"] for line in record["deployments"]}
    least = {"amount": None, "low": 202.3, "high": None}
    for money in (lines["sleeper"], record["recommendations"][0]["saving_until_deletion"]):
        assert money == {**least, "unknown_because": "when Azure deletes it at the latest is not known"}
    assert lines["support-bot"]["amount"] == 448.8
    assert record["totals"]["idle_until_deletion"]["high"] is None
    bounds = {(row["measure"], row["name"]): (row["low"], row["high"]) for row in rows}
    assert bounds["idle_until_deletion", ""] == ("651.10", "")
    assert bounds["cost_until_deletion", "sleeper"] == ("202.30", "")
    assert bounds["cost_until_deletion", "support-bot"] == ("448.80", "448.80")


def test_what_no_day_can_be_named_of_is_no_nothing_in_the_sum() -> None:
    line = make_hosted()
    assert isinstance(line.idle, IdleMoney)
    undated = make_hosted("stale", idle=replace(line.idle, until_deletion=None), deletion=None, deletion_why="")
    said = spent(FORMATS["text"](make_statement((line, undated), ())))
    assert "at least 448.80 USD more until Azure deletes them" in said
    alone = spent(FORMATS["text"](make_statement((undated,), ())))
    assert "how much more until Azure deletes them, if nobody acts, is unknown" in alone


def test_a_rest_of_which_nothing_is_known_is_said_to_be_unknown() -> None:
    said = spent(FORMATS["text"](make_statement(idle_until_deletion=sum_of(UNKNOWN))))
    assert "how much more until Azure deletes them, if nobody acts, is unknown" in said and "unknown more" not in said


def test_a_rest_between_two_bounds_is_told_by_both_wherever_it_stands() -> None:
    """Else its most here and its least there would look like two figures that do not agree."""
    line = make_hosted()
    assert isinstance(line.idle, IdleMoney)
    bounds = usd(Decimal("402.90"), Decimal("612.00"))
    line = structs.replace(line, idle=replace(line.idle, until_deletion=bounds))
    said = spent(FORMATS["text"](make_statement((line,), (), advice=(make_advice(saving_until_deletion=bounds),))))
    assert said.count("402.90 to 612.00") == 3 and "up to" not in said


def test_an_idle_one_whose_calls_were_read_long_ago_says_until_when() -> None:
    line = make_hosted(called_until=NOW - 30 * HOUR)
    said = spent(FORMATS["text"](make_statement((line,), ())))
    assert "15 d without a call; its calls were read until 2026-11-21 03:00, and none since is known" in said
    assert "and none since is known" not in FORMATS["text"](make_statement())


def test_the_sentence_counts_the_accounts_of_what_it_counts() -> None:
    gone = make_hosted("old", place=make_place("contoso-poc", account_id="/accounts/contoso-poc"))
    said = spent(FORMATS["text"](make_statement((make_hosted(), gone), (), accounts=1, accounts_seen=1)))
    assert "2 deployments in 2 accounts cost" in said
    assert "was seen in 3 accounts" in spent(FORMATS["text"](make_statement((), (), accounts=3)))


def test_prices_that_nobody_can_rely_upon_stand_among_those_shown() -> None:
    firm = [make_price_used(what=f"hosting, Standard, model {n:02}", uses=100 - n) for n in range(12)]
    guessed = make_price_used(what="training, o4-mini", price=make_price(100, is_estimate=True))
    stale = make_price_used(what="hosting, stale", is_stale=True)
    free = make_price_used(what="hosting, DeveloperTier", price=make_price(0, is_estimate=True))
    drawn = FORMATS["text"](make_statement(prices=(*firm, free, make_price_used(price=UNKNOWN), guessed, stale)))
    section = drawn[drawn.index("Where the prices come from") :]
    assert re.findall(r"training, o4-mini|hosting, stale|  unknown  ", section) == [
        "  unknown  ",
        "training, o4-mini",
        "hosting, stale",
    ]
    assert "DeveloperTier" not in section and "… and 6 more" in section


def test_idle_is_told_as_a_part_of_the_total() -> None:
    drawn = FORMATS["html"](samples.rich())
    assert re.search(r"Total, USD</th>.*Of which idle</th>", drawn) and ">Idle</th>" not in drawn


def test_an_exception_says_the_time_at_which_it_ends() -> None:
    at = NOW.replace(hour=0, minute=0) + timedelta(days=30)
    drawn = FORMATS["text"](make_statement(exceptions=(make_exemption(until=at),), zone="UTC"))
    assert re.search(rf"gold\s+contoso-ft\s+{at:%Y-%m-%d} 00:00", drawn)


def test_a_risk_names_what_is_advised() -> None:
    moves = (
        make_advice("a", move=Move.CONSOLIDATE),
        make_advice("b"),
        make_advice("c", move=Move.DEVELOPER, risk="It ends after 24 h."),
    )
    said = spent(FORMATS["text"](make_statement(advice=moves)))
    assert "Risk of “Consolidate or Delete”: Calls" in said
    assert "Risk of “Redeploy as Developer”: It ends" in said


def test_a_mail_breaks_no_amount_over_two_lines() -> None:
    html = mail_parts(samples.rich(), link=LINK).html
    cells = re.findall(r'<td class="ink rule" align="right"[^>]*overflow-wrap:anywhere[^>]*>(.*?)</td>', html)
    assert cells
    for cell in cells:
        assert not re.search(r"\d\.\d\d", re.sub(r"<span[^>]*nowrap[^>]*>.*?</span>", "", cell)), cell
