"""The parts of a mail, and the short form for chats."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.report.factories import make_advice, make_quiet, make_statement, sum_of, usd
from tests.report.render import samples
from tests.report.render.test_formats import LINK, Page
from watcher.report.render.mail import SUBJECT_LIMIT, mail_parts
from watcher.report.render.short import ACTIONS, short_form
from watcher.report.statement import Audience, Edition

GMAIL_CUTS = 100_000


def test_subject_tells_whose_when_and_how_much() -> None:
    statement = make_quiet(period=samples.LOCAL_WEEK)
    expected = "[prod] Fine-tuning costs 285.60 USD at list price, 15 to 21 Nov 2026, idle 0.00 USD"
    assert mail_parts(statement, link=LINK).subject == expected
    assert len(mail_parts(replace(statement, watcher="w" * 300), link=LINK).subject) <= SUBJECT_LIMIT


@pytest.mark.parametrize("watcher", ["prod", "contoso-production", "w" * 300])
@pytest.mark.parametrize("owner", ["", "search-and-ranking-platform-team"])
@pytest.mark.parametrize("digits", [2, 5, 9])
def test_a_long_subject_loses_whole_clauses_and_never_part_of_a_number(watcher: str, owner: str, digits: int) -> None:
    """The bill stands first and its price words beside it; what idleness came to is told whole, by its least or not."""
    cost, idle = usd(Decimal(f"{'7' * digits}.25")), usd(Decimal(f"{'3' * digits}.75"), Decimal(f"{'4' * digits}.75"))
    statement = make_quiet(
        watcher=watcher,
        edition=Edition(audience=Audience.OWNER, owner=owner) if owner else Edition(audience=Audience.FINANCE),
        hosting=sum_of(cost),
        idle=sum_of(idle),
        unread=sum_of(usd(Decimal("1136.74"))),
    )
    subject = mail_parts(statement, link=LINK).subject
    assert len(subject) <= SUBJECT_LIMIT
    assert subject.partition("] ")[2].startswith(
        f"Fine-tuning costs {cost.least:,.2f} USD at list price, 15 to 22 Nov 2026"
    )
    span = f"{idle.least:,.2f} to {idle.most:,.2f} USD, 1,136.74 USD not known"
    assert subject.partition(", idle ")[2] in ("", span, f"at least {idle.least:,.2f} USD")
    assert watcher != "prod" or owner or ", idle " in subject or digits == 9


@pytest.mark.parametrize("count", [30, 400])
def test_html_stays_below_what_gmail_cuts_and_keeps_what_to_do(count: int) -> None:
    parts = mail_parts(samples.huge(count), link=LINK)
    for html in (parts.html, parts.html_without_charts):
        assert len(html.encode()) < GMAIL_CUTS
        assert "What to do" in html and "Bill by account" in html


def test_lists_of_a_mail_give_way_before_it_grows_too_long() -> None:
    command = "az " + "x" * 2000
    advice = tuple(make_advice(f"d{n}", command=command) for n in range(30))
    unseen = tuple(f"Account a{n} could not be read. " + "y" * 300 for n in range(200))
    parts = mail_parts(make_statement(advice=advice, unseen=unseen), link=LINK)
    assert len(parts.html.encode()) < GMAIL_CUTS
    assert re.search(r"… and 2\d more", Page(parts.html).text)


def test_html_refers_to_each_picture_and_to_no_other() -> None:
    parts = mail_parts(samples.rich(), link=LINK)
    assert parts.charts
    assert re.findall(r'src="([^"]*)"', parts.html) == [f"cid:{chart.cid}" for chart in parts.charts]
    assert all(chart.alt for chart in parts.charts)
    assert "cid:" not in parts.html_without_charts and "<img" not in parts.html_without_charts


def test_nothing_is_drawn_where_there_is_nothing_to_draw() -> None:
    assert mail_parts(samples.unseen(), link=LINK).charts == ()


@pytest.mark.parametrize(("link", "shown"), [(LINK, True), ("", False), ("javascript:alert(1)", False)])
def test_html_links_to_the_page_where_there_is_one(link: str, shown: bool) -> None:
    html = mail_parts(make_quiet(), link=link).html
    assert ("Open the whole report" in html) is shown
    assert "javascript:" not in html


def test_mail_needs_no_style_sheet_and_no_script() -> None:
    page = Page(mail_parts(samples.rich(), link=LINK).html)
    outside, inside = {"html", "head", "meta", "title", "style", "body"}, {"div", "table", "tr", "td", "th"}
    assert {tag for tag, _ in page.tags} <= outside | inside | {"span", "b", "br", "a", "img"}
    assert all("style" in names for tag, names in page.tags if tag in ("td", "th"))


def test_text_part_is_the_text_report_with_the_link() -> None:
    from watcher.report.render import text

    assert mail_parts(make_quiet(), link=LINK).text == text.render(make_quiet()) + f"\nThe whole report: {LINK}\n"


def test_short_form_has_three_numbers_what_to_do_and_what_was_not_seen() -> None:
    short = short_form(samples.rich(), link=LINK)
    assert short.title == "[prod] Fine-tuning costs, 15 to 21 November 2026 (list price, not an invoice)"
    assert short.lines[1:4] == (
        "Bill: at least 8,451.10 USD",
        "Of which idle: 1,344.70 to 1,346.40 USD, 856.80 USD not known",
        "Saving possible: 15,912.00 USD in a month",
    )
    assert short.lines[4].startswith("⚠ Not everything was seen: 4 of 6")
    assert len([line for line in short.lines if re.match(r"\d+\. ", line)]) == ACTIONS
    assert short.lines[-1] == "… and 8 more, 9,792.00 USD in a month"
    assert short.text.endswith(f"The whole report: {LINK}")
    assert short.mrkdwn.endswith(f"<{LINK}|The whole report>")


def test_short_form_of_nothing_says_so_and_has_no_link_to_nowhere() -> None:
    short = short_form(make_quiet(), link="")
    assert short.lines[-1].startswith("Nothing to report")
    assert "whole report" not in short.text + short.mrkdwn


def test_short_form_counts_what_was_not_seen_beyond_two() -> None:
    lines = short_form(samples.unseen(), link="").lines
    assert "  • and 3 more" in lines
    assert [line for line in lines if "0.00" in line] == []


def test_short_form_stays_short() -> None:
    statement = make_statement(
        advice=tuple(make_advice("n" * 300, saving_per_month=usd(1)) for _ in range(50)),
        saving_per_month=sum_of(usd(50)),
        unseen=tuple("u" * 900 for _ in range(50)),
    )
    short = short_form(statement, link=LINK)
    assert len(short.lines) < 20 and len(short.mrkdwn) < 3000
