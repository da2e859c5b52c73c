"""Figures and dates that nobody can know whole say what is missing, and on what they rest."""

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from tests.factories import DAY, HOUR, NOW
from tests.report.factories import (
    UNKNOWN,
    make_bill_line,
    make_busy,
    make_date,
    make_ended,
    make_hosted,
    make_leftover,
    make_price,
    make_quiet,
    make_statement,
    make_trained,
    make_unread,
    sum_of,
    usd,
)
from tests.report.render import samples
from tests.report.render.test_formats import LINK, Page
from watcher.report.charts import timeline
from watcher.report.render import FORMATS
from watcher.report.render.drawing import svg
from watcher.report.render.mail import mail_parts
from watcher.report.render.markdown import escaped
from watcher.report.render.outline import figures
from watcher.report.render.sections import outline
from watcher.report.render.short import short_form
from watcher.report.statement import Audience, Bill, DateKind, Edition, Statement
from watcher.report.wording import deadline_words, not_known

BERLIN = ZoneInfo("Europe/Berlin")
SAID = "0.00 USD, 285.60 USD not known"


def section(statement: Statement, key: str):
    return next(each for each in outline(statement).sections if each.key == key)


def plain(form: str, statement: Statement) -> str:
    """What a reader of it sees, on one line."""
    if form == "mail":
        return Page(mail_parts(statement, link=LINK).html).text
    drawn = FORMATS[form](statement)
    return Page(drawn).text if form == "html" else " ".join(drawn.replace("\\", "").split())


EVERY = ("text", "markdown", "html", "mail")


# Idleness


def unread() -> Statement:
    """Of the one deployment no call was read; so that it cost 0.00 idle is not known."""
    return make_statement((make_unread(),), ())


@pytest.mark.parametrize("form", EVERY)
def test_idleness_is_told_with_what_is_not_known_of_it(form: str) -> None:
    assert re.search(rf"Of which idle\W+{re.escape(SAID)}", plain(form, unread()))


def test_the_subject_and_the_short_form_tell_it_too() -> None:
    assert mail_parts(unread(), link="").subject.endswith(f"285.60 USD at list price, 15 to 22 Nov 2026, idle {SAID}")
    assert f"Of which idle: {SAID}" in short_form(unread(), link="").lines


def test_where_everything_was_read_nothing_is_said_to_be_unknown() -> None:
    assert figures(make_quiet())[1].text == "0.00 USD"


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (sum_of(), ""),
        (sum_of(usd(0)), ""),
        (sum_of(usd(5)), ", 5.00 USD not known"),
        (sum_of(usd(0, 5)), ", 0.00 to 5.00 USD not known"),
        (sum_of(usd(5), UNKNOWN), ", at least 5.00 USD not known"),
        (sum_of(UNKNOWN), ", the rest not known"),
    ],
)
def test_what_is_not_known_may_itself_be_unknown(cost, words: str) -> None:
    assert not_known(cost) == words


def test_each_row_of_a_bill_has_what_is_not_known() -> None:
    """Two accounts: of one all was read."""
    lines = make_bill_line("dark", idle=sum_of(), unread=sum_of(usd(Decimal("285.60")))), make_bill_line("read")
    statement = make_statement(bills=(Bill(by="account", lines=lines),))
    bill = section(statement, "bill-1")
    assert [column.title for column in bill.columns][-2:] == ["Of which idle", "Use not known"]
    assert [row.cells[-2:] for row in bill.rows] == [("0.00", "285.60"), ("163.20", "")]
    assert bill.total.cells[-2:] == ("163.20", "285.60")
    record = json.loads(FORMATS["json"](statement))
    assert [line["unread"]["amount"] for line in record["bills"][0]["lines"]] == [285.6, 0.0]
    rows = csv.DictReader(StringIO(FORMATS["csv"](statement)))
    found = [
        (row["name"], row["low"]) for row in rows if (row["section"], row["measure"]) == ("bill_by_account", "unread")
    ]
    assert found == [("dark", "285.60"), ("read", "0.00")]


def test_two_figures_of_idleness_say_why_they_differ() -> None:
    (said,) = section(make_statement(), "idle").closing
    assert "may lie before the period" in said and "counts the period alone" in said
    assert "each day without a call before the last one" in said and "both are right" in said


# Prices


@pytest.mark.parametrize("form", EVERY)
def test_every_total_says_that_it_is_no_invoice(form: str) -> None:
    """The sentence, three figures, the bill, and what was saved; and the footer, which tells it of all."""
    statement = make_statement()
    assert len(re.findall("list price, not an invoice", plain(form, statement), re.IGNORECASE)) >= 7


def test_a_figure_of_which_nothing_is_known_has_no_price() -> None:
    assert all("list price" not in note for figure in figures(samples.unseen()) for note in figure.notes)


def guessed(rate: int = 1, **changes):
    return make_hosted("guess", price=make_price(rate, is_estimate=True), cost=usd(100), **changes)


def test_the_sentence_says_how_much_rests_on_estimates() -> None:
    job = make_trained(cost=usd(200), is_estimate=True)
    said = outline(make_statement((guessed(), make_busy(cost=usd(100))), (job,))).sentence
    assert said.endswith("cost 400.00 USD (list price, not an invoice). Of this, 300.00 USD rests on estimated prices.")
    assert outline(make_statement((guessed(),), ())).sentence.endswith("All of this rests on estimated prices.")


def test_it_does_not_where_that_is_half_or_less() -> None:
    said = outline(make_statement((guessed(), make_busy(cost=usd(100))), ())).sentence
    assert said.endswith("cost 200.00 USD (list price, not an invoice).")


# Dates


@pytest.mark.parametrize(
    ("latest", "words"),
    [
        (timedelta(), "2026-11-29 00:00"),
        (DAY, "2026-11-29 00:00"),
        (DAY + HOUR, "2026-11-29 to 11-30"),
        (5 * DAY, "2026-11-29 to 12-04"),
        (40 * DAY, "2026-11-29 to 2027-01-08"),
        (None, "2026-11-29 or later"),
    ],
)
def test_a_deadline_has_both_ends_where_they_are_days_apart(latest: timedelta | None, words: str) -> None:
    at = datetime(2026, 11, 28, 23, tzinfo=UTC)
    assert deadline_words((at, None if latest is None else at + latest), BERLIN) == words


@pytest.mark.parametrize("form", EVERY)
def test_an_idle_one_says_until_when_it_may_stand(form: str) -> None:
    at = datetime(2026, 11, 28, 23, tzinfo=UTC)
    line = make_hosted(deletion=(at, at + 5 * DAY))
    date = make_date(at=at, latest=at + 5 * DAY)
    assert plain(form, make_statement((line,), (), dates=(date,))).count("2026-11-29 to 12-04") == 2


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(DAY, 2 * DAY, "1 d"), (-DAY, DAY, "any time now"), (-DAY, None, "any time now"), (-2 * DAY, -DAY, "")],
)
def test_what_may_still_come_is_not_overdue(first: timedelta, last: timedelta | None, words: str) -> None:
    line = make_hosted(deletion=(NOW + first, None if last is None else NOW + last))
    assert section(make_statement((line,), ()), "idle").rows[0].cells[-2] == words


def retirement(ahead: timedelta, **changes):
    at = (NOW + ahead).replace(hour=0)
    named = tuple(f"contoso-ft/bot-{number}" for number in range(7))
    text = (
        "Calls are answered with 410 from then on, by ARM's model catalogue, which calls the model GenerallyAvailable."
    )
    said = {"plain": "Calls to its models fail from then on.", "subjects": named, "text": text}
    return make_date(
        kind=DateKind.RETIREMENT, at=at, latest=None, title="gpt-4o retires in eastus2", **{**said, **changes}
    )


def test_a_retirement_is_a_day_and_no_time_of_one() -> None:
    for zone in ("Europe/Berlin", "America/New_York"):
        (row,) = section(make_statement(dates=(retirement(20 * DAY),), zone=zone), "calendar").rows
        assert row.cells[0] == f"from {NOW + 20 * DAY:%Y-%m-%d}"
        certain = make_statement(dates=(retirement(20 * DAY, is_certain=True),), zone=zone)
        assert section(certain, "calendar").rows[0].cells[0] == f"{NOW + 20 * DAY:%Y-%m-%d}"


def test_a_retirement_says_in_plain_words_whom_it_concerns() -> None:
    (row,) = section(make_statement(dates=(retirement(20 * DAY),)), "calendar").rows
    assert row.note.startswith("Calls to its models fail from then on. 7 deployments: contoso-ft/bot-0, ")
    assert "and 2 more" in row.note
    drawn = FORMATS["text"](make_statement(dates=(retirement(20 * DAY),)))
    assert "GenerallyAvailable" not in drawn and "410" not in drawn
    assert "GenerallyAvailable" in FORMATS["json"](make_statement(dates=(retirement(20 * DAY),)))


def test_a_retirement_far_ahead_takes_one_line() -> None:
    drawn = FORMATS["text"](make_statement(dates=(retirement(92 * DAY), make_date())))
    lines = drawn[drawn.index("What is to come") :].splitlines()
    place = next(number for number, line in enumerate(lines) if "retires in eastus2" in line)
    assert not lines[place + 1].startswith("    ")


def test_the_timeline_names_the_last_day_to_come() -> None:
    chart = timeline(make_statement((make_hosted(deletion=(NOW + DAY, None)), make_busy()), ()))
    assert chart is not None and chart.ahead
    assert chart.last_day == "2026-11-29"
    assert re.search(r">29 Nov</text>", svg(chart))
    past = timeline(make_statement((make_busy("a"), make_busy("b")), ()))
    assert past is not None and past.last_day == past.days[-1]


@pytest.mark.parametrize("form", EVERY)
def test_a_model_was_made_and_a_file_uploaded(form: str) -> None:
    """A model that is deployed nowhere may have been until yesterday."""
    drawn = plain(form, make_statement(undeployed=(make_leftover("m"),), orphans=(make_leftover(),)))
    assert "Made" in drawn and "Uploaded" in drawn and "Since" not in drawn


# Training


JOB = "ftjob-03e67dadee4f5c10e72904a39ffd5c0d"


@pytest.mark.parametrize("form", EVERY)
def test_a_job_is_named_whole_with_its_suffix_and_owner(form: str) -> None:
    job = make_trained(JOB, suffix="contract-review")
    failed = make_trained(JOB[::-1], suffix="refused-one", status="failed", failure="No.")
    drawn = plain(form, make_statement((), (job, failed)))
    for word in (
        f"{JOB}: 5,200,000 tokens billed",
        "contract-review",
        "search-team",
        f"{JOB[::-1]}: No.",
        "refused-one",
    ):
        assert word in drawn, word


@pytest.mark.parametrize(
    ("so_far", "shown"), [(None, "not yet"), (usd(0), "not yet"), (usd(Decimal("4.20")), "4.20 so far")]
)
def test_a_running_job_costs_no_nothing(so_far, shown: str) -> None:
    job = make_trained(status="running", cost=usd(0), is_under_way=True, so_far=so_far, finished_at=None)
    (row,) = section(make_statement((), (job,)), "training").rows
    assert row.cells[-1] == shown
    free = section(make_statement((), (make_trained(status="cancelled", cost=usd(0)),)), "training").rows[0]
    assert free.cells[-1] == "0.00", "what ended and was free is known"


# Where an account is gone, and whose bill it is


def gone(**changes) -> Statement:
    line = make_ended()
    assert line.recipe
    recipe = structs.replace(line.recipe, obstacle="The account contoso-ft is gone.")
    return make_statement((structs.replace(line, recipe=recipe, **changes),), ())


@pytest.mark.parametrize("form", EVERY)
def test_a_command_that_leads_nowhere_is_not_shown(form: str) -> None:
    assert "az rest" in plain(form, gone())
    drawn = plain(form, gone(is_account_gone=True))
    assert "az rest" not in drawn and "The account contoso-ft is gone." in drawn
    assert "“watcher explain contoso-ft/old-bot” prints the recipe" in drawn


def test_an_owner_gets_no_bill_that_repeats_the_total() -> None:
    one = tuple(Bill(by=by, lines=(make_bill_line("x"),)) for by in ("account", "owner", "model", "sku"))
    two = Bill(by="environment", lines=(make_bill_line("test"), make_bill_line("production")))
    edition = Edition(audience=Audience.OWNER, owner="x")

    def titles(statement: Statement) -> list[str]:
        return [each.title for each in outline(statement).sections if each.key.startswith("bill-")]

    assert titles(make_statement(bills=(*one, two), edition=edition)) == ["Bill by account", "Bill by environment"]
    assert len(titles(make_statement(bills=(*one, two)))) == 5


# Markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ana.b@contoso.com", "ana.b@contoso.com"),
        ("a+b@contoso.com", "a+b@contoso.com"),
        ("https://contoso.com/x", "https\\://contoso.com/x"),
        ("www.contoso.com", "www\\.contoso.com"),
        ("by @ana", "by @\u200bana"),
        ("@ana", "@\u200bana"),
        ("see #12", "see #\u200b12"),
    ],
)
def test_markdown_breaks_mentions_and_no_address(text: str, shown: str) -> None:
    assert escaped(text) == shown


# The page


def test_a_remark_stands_below_its_row_over_the_whole_width() -> None:
    """Within the first column it would widen that at the cost of all others."""
    page = FORMATS["html"](make_statement((make_unread(), make_busy()), ()))
    table = page[page.index('id="deployments"') :]
    (width,) = re.findall(r'<tr role="row" class="note"><td role="cell" colspan="(\d+)">Its calls were not read', table)
    assert int(width) == table[: table.index("</thead>")].count("<th ")


def test_a_mail_breaks_no_date_in_a_table() -> None:
    html = mail_parts(make_statement(dates=(retirement(20 * DAY),)), link=LINK).html
    assert f'from <span style="white-space:nowrap;">{NOW + 20 * DAY:%Y-%m-%d}</span>' in html
