"""The bottom line of each bill: what its lines add up to, the same in every format."""

import re

import pytest

from tests.report.factories import make_bill_line, make_busy, make_hosted, make_statement, make_trained, sum_of, usd
from tests.report.render import samples
from tests.report.render.test_formats import LINK, Page
from watcher.costs.money import Unknown
from watcher.report.render import FORMATS, text
from watcher.report.render.mail import mail_parts
from watcher.report.render.sections import outline
from watcher.report.statement import Bill
from watcher.report.wording import money

UNKNOWN = Unknown(because="its price is not known")


def two(*lines, **changes):
    """One bill of such lines."""
    return make_statement(bills=(Bill(by="account", lines=lines),), **changes)


def total_of(statement):
    (section,) = (section for section in outline(statement).sections if section.key == "bill-1")
    return None if section.total is None else section.total.cells


def test_it_is_the_sum_of_the_lines():
    first = make_bill_line("a", hosting=sum_of(usd(100)), training=sum_of(usd(1, 3)), idle=sum_of(usd(40)))
    second = make_bill_line("b", hosting=sum_of(usd(20)), training=sum_of(), idle=sum_of(usd(2, 5)))
    cells = total_of(two(first, second))
    assert cells == ("Total", "2", "2", "120.00", "1.00 to 3.00", "121.00 to 123.00", "", "42.00 to 45.00", "")


def test_what_is_unknown_in_a_line_is_unknown_in_the_sum():
    first, second = make_bill_line("a"), make_bill_line("b", hosting=sum_of(UNKNOWN), training=sum_of())
    assert total_of(two(first, second))[3:6] == ("at least 285.60", "10.40", "at least 296.00")


def test_of_one_line_there_is_none():
    assert total_of(two(make_bill_line("a"))) is None
    assert "\nTotal " not in FORMATS["text"](two(make_bill_line("a")))


def test_one_that_is_in_two_lines_counts_once():
    """A deployment that was given another model in the period is in the lines of both."""
    lives = make_hosted("bot"), make_hosted("BOT"), make_busy("other")
    lines = make_bill_line("a", deployments=1), make_bill_line("b", deployments=2)
    assert total_of(two(*lines, hosted=lives, trained=(make_trained(),)))[1:3] == ("2", "1")


@pytest.mark.parametrize("statement", [samples.rich, lambda: samples.huge(60)], ids=["rich", "huge"])
def test_each_bill_ends_in_the_figure_of_the_report(statement):
    made = statement()
    sections = [section for section in outline(made).sections if section.key.startswith("bill-") and section.total]
    assert sections
    expected = tuple(money(each).replace(" USD", "") for each in (made.hosting, made.training, made.total))
    assert {section.total.cells[3:6] for section in sections} == {expected}


def test_every_format_shows_it_once_a_bill():
    statement = samples.huge(60)
    bills = sum(
        section.key.startswith("bill-") and section.total is not None for section in outline(statement).sections
    )
    whole = f"{statement.total.known.least:,.2f}"
    lines = FORMATS["text"](statement).splitlines()
    assert sum(line.startswith("Total ") and whole in line for line in lines) == bills > 1
    rows = FORMATS["markdown"](statement).splitlines()
    assert sum(row.startswith("| **Total** |") and f"**{whole}**" in row for row in rows) == bills
    page = FORMATS["html"](statement)
    found = re.findall(r'<tr role="row" class="total">.*?</tr>', page, re.DOTALL)
    assert len([row for row in found if "Total" in row and whole in row]) == bills
    mail = Page(mail_parts(statement, link=LINK).html).text
    assert len(re.findall(rf"Total {re.escape(whole)} ", mail)) == bills


def test_what_is_left_out_of_a_list_is_said_to_be_in_its_total():
    statement = samples.huge(60)
    lines = FORMATS["text"](statement).splitlines()
    place = next(number for number, line in enumerate(lines) if line.endswith("USD together, in the total"))
    assert set(lines[place + 1]) == {"-"} and lines[place + 2].startswith("Total ")
    assert "USD together, in the total" in FORMATS["markdown"](statement)


def test_a_wide_total_cuts_no_names_to_the_same():
    """Hosting and training give way to them."""
    wide = {"hosting": sum_of(usd(50_000, 57_000)), "training": sum_of(usd(1, 3)), "idle": sum_of(usd(1, 2))}
    names = ("gpt-4.1-2025-04-14", "gpt-4.1-mini-2025-04-14", "gpt-4.1-nano-2025-04-14")
    drawn = FORMATS["text"](two(*(make_bill_line(name, **wide) for name in names)))
    assert all(name in drawn for name in names)
    assert max(map(len, drawn[drawn.index("Bill by") :].splitlines())) <= text.WIDTH
