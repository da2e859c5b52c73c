"""What is advised, in words: nothing sounds surer than it is."""

import json

import pytest
from msgspec import structs

from tests.report.factories import make_advice, make_statement, sum_of, usd
from tests.report.render.test_formats import Page
from tests.report.render.test_statement_record import SCHEMA, faults
from watcher.costs.advice import Move
from watcher.report.render import FORMATS
from watcher.report.statement import Statement

ASKED = make_advice("probed", move=Move.ASK, saving_per_month=None, saving_until_deletion=None, command="")


def said(form: str, statement: Statement) -> str:
    drawn = FORMATS[form](statement)
    return " ".join((Page(drawn).text if form == "html" else drawn.replace("\\", "")).split())


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
@pytest.mark.parametrize(
    ("saving", "words"),
    [
        pytest.param(usd(0, 1224), "saves up to 1,224.00 USD a month", id="perhaps nothing"),
        pytest.param(usd(202, 1224), "saves 202.00 to 1,224.00 USD a month", id="something"),
        pytest.param(usd(0), "saves 0.00 USD a month", id="nothing"),
    ],
)
def test_what_may_save_nothing_saves_at_most(form, saving, words):
    advice = make_advice(saving_per_month=saving, saving_until_deletion=None)
    assert words in said(form, make_statement(advice=(advice,)))


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_a_question_saves_nothing_before_it_is_asked(form):
    text = said(form, make_statement(advice=(ASKED,), saving_per_month=sum_of()))
    assert "Ask the owner about: probed in contoso-ft" in text
    assert "before owners have been asked" in text and "before callers have moved" not in text


@pytest.mark.parametrize("move", [Move.ASK, Move.CONSOLIDATE, Move.KEEP])
def test_programs_may_read_what_saves_nothing_yet(move):
    record = json.loads(FORMATS["json"](make_statement(advice=(structs.replace(ASKED, move=move),))))
    assert not [*faults(record, SCHEMA)]
    (advice,) = record["recommendations"]
    assert (advice["move"], advice["saving_per_month"], advice["command"]) == (move.value, None, None)


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_a_risk_that_half_of_them_have_is_told_of_each(form):
    advice = [make_advice("a", risk="Nobody calls it"), make_advice("b", risk="Somebody may call it")]
    text = said(form, make_statement(advice=advice))
    assert text.count("Risk: Nobody calls it") == text.count("Risk: Somebody may call it") == 1
    assert text.index("a in contoso-ft") < text.index("Risk: Nobody calls it") < text.index("b in contoso-ft")
    alike = said(form, make_statement(advice=[*advice, make_advice("c", risk="Nobody calls it")]))
    assert alike.count("Risk: Nobody calls it") == 1
    assert alike.index("Risk: Nobody calls it") < alike.index("a in contoso-ft")
