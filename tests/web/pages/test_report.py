"""The report's page: the same as is sent, under a policy of its own."""

import asyncio
import base64
import hashlib
import re

import pytest

from tests.factories import DAY, NOW
from tests.web.pages.house import House, read
from watcher.cycles.editions import address_of
from watcher.daemon.reports import Reports
from watcher.web.pages.report import framed
from watcher.web.problem import ProblemError
from watcher.web.site import ReportAsked

BAR = re.compile(r'\n<header class="bar-of-report">.*?</form>.*?</header>', re.DOTALL)


def own(page: str) -> str:
    """The page without what was put around it."""
    return re.sub(r'<link rel="[^>]*>', "", BAR.sub("", page)).replace("\n\n</head>", "\n</head>")


async def test_it_is_the_same_page_as_the_command_makes(house: House) -> None:
    for query, args in (
        ("", []),
        ("?period=month", ["--period", "month"]),
        ("?period=30d&owner=support", ["--period", "30d", "--owner", "support"]),
    ):
        made = house.world.watcher("report", "--format", "html", *args).out
        page = await house.get(f"/report{query}")
        assert BAR.search(page)
        assert own(page).strip() == made.strip()


async def test_whoever_has_no_mouse_skips_the_bar(house: House) -> None:
    page = await house.get("/report")
    first = re.search(r"<(a|button|input)\b[^>]*>", page.partition("<body>")[2])
    assert first is not None and first[0] == '<a class="skip" href="#report">'
    assert page.index('id="report"') > page.index("Download")
    assert page.count('id="report"') == 1


async def test_its_policy_lets_its_own_sheet_in_and_no_script(house: House) -> None:
    answer = await house.client.get("/report")
    (policy,) = answer.headers.get_list("content-security-policy")
    (sheet,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert f"style-src 'self' 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "script" not in policy and "unsafe" not in policy
    assert not re.search(r"<[^>]* (style|on\w+)=", answer.text)  # which the policy would not allow
    assert "<script" not in answer.text


async def test_the_other_periods_are_links(house: House) -> None:
    page = await house.get("/report?owner=support")
    links = [link for link in read(page).links if link.startswith("/report?")]
    for link in links:
        await house.get(link)
    assert {"/report?period=month&owner=support", "/report?period=last-month&owner=support"} <= set(links)
    title = re.search(r"<h1[^>]*>(.*?)</h1>", await house.get("/report?period=last-month"))
    assert title is not None and "October 2026" in title[1]
    chosen = await house.get("/report?from=2026-11-10&to=2026-11-12")
    title = re.search(r"<h1[^>]*>(.*?)</h1>", chosen)
    assert title is not None and "10 to 12 November 2026" in title[1]


@pytest.mark.parametrize("query", ["period=week", "from=2026-12-01", "to=2026-11-01", "from=x", "period=99999d"])
async def test_what_there_is_no_report_of_is_told_beside_the_form(house: House, query: str) -> None:
    page = await house.get(f"/report?{query}", 422)
    assert 'role="alert"' in page
    forms = [one for one in read(page).forms if one.action == "/report"]
    name, _, value = query.partition("=")
    if name in forms[0].fields and value[0].isdigit() and name != "period":
        assert forms[0].fields[name] == value


async def test_a_name_that_nobody_bears_is_told_apart_from_an_owner_of_nothing(house: House) -> None:
    said = "did you mean support?"
    page = await house.get("/report?owner=suport", 422)
    assert 'role="alert"' in page and said in page
    for path, status in (("/api/v1/report?", 422), ("/report/file?format=csv&", 400), ("/calendar.ics?", 404)):
        answer = await house.client.get(f"{path}owner=suport")
        assert (answer.status_code, said in answer.text) == (status, True), path


async def test_nothing_is_told_as_of_before_the_record(house: House) -> None:
    assert "the record begins" in await house.get("/report?as_of=2026-01-01", 422)


@pytest.mark.parametrize("format_", ["csv", "json", "markdown", "html"])
async def test_its_files_are_those_of_the_command(house: House, format_: str) -> None:
    page = await house.get("/report?period=30d")
    (link,) = [link for link in read(page).links if f"format={format_}" in link]
    answer = await house.client.get(link)
    made = house.world.watcher("report", "--format", format_, "--period", "30d").out
    assert answer.text.rstrip("\n") == made.rstrip("\n")
    assert answer.headers["content-disposition"].startswith('attachment; filename="watcher-report.')
    assert (await house.client.get("/report/file?format=exe")).status_code == 404


async def test_the_link_in_a_sent_report_leads_to_the_same_figures(house: House) -> None:
    """Though the page is opened later, when more is known."""
    made = house.world.watcher("report", "--format", "html").out
    from watcher.assembly.judgement import tariff_of, terms_of
    from watcher.assembly.reports import edition_of, report_terms_of, statement_of
    from watcher.costs.hosting import Period

    config = house.machine.config
    statement = await house.store.read(
        statement_of,
        edition_of(config, None),
        period=Period(begin=NOW - 7 * DAY, end=NOW),
        period_name="7d",
        as_of=NOW,
        is_past=False,
        terms=report_terms_of(config, terms_of(config)),
        tariff=tariff_of(config),
    )
    address = address_of("/report", statement)
    house.world.now = NOW + 3 * DAY
    page = own(await house.get(address))
    totals = re.findall(r'class="number">(.*?)<', page)
    assert totals and totals == re.findall(r'class="number">(.*?)<', made)


async def test_the_calendar_is_that_of_the_command(house: House) -> None:
    for owner in ("", "support"):
        answer = await house.client.get("/calendar.ics", params={"owner": owner} if owner else {})
        assert answer.headers["content-type"].startswith("text/calendar")
        args = ["--owner", owner] if owner else []
        assert answer.text == house.world.watcher("calendar", *args).out
        assert "support-bot" in answer.text


def test_the_bar_is_put_in_once_and_the_rest_is_as_it_was() -> None:
    html = "<html><head><style>x</style></head><body><p></head><body></p></body></html>"
    assert framed(html, "BAR").count("BAR") == 1
    assert framed(html, "BAR").endswith("<p></head><body></p></body></html>")


async def test_one_report_at_a_time_for_each_who_is_known(house: House) -> None:
    made = Reports(lambda: house.machine)
    for people, texts in ((("kim", "kim"), 1), (("kim", "sam"), 2), (("", "", ""), 3), (("",) * 10, 8)):
        asked = [ReportAsked(format="json", person=person) for person in people]
        found = await asyncio.gather(*map(made.report, asked), return_exceptions=True)
        assert [type(one) for one in found] == [str] * texts + [ProblemError] * (len(people) - texts)


@pytest.mark.parametrize(
    "query",
    [
        *(
            "as_of=0001-01-03",
            "as_of=0001-01-10",
            "as_of=0001-02-01&period=month",
            "as_of=0001-01-01&period=last-month",
            "as_of=9999-12-31",
        ),
        *("period=401d", "period=999999d", "period=999999d999999d", "from=0001-01-02&to=0001-01-03", "to=9999-12-31"),
        *("from=2025-01-01&to=2026-11-01", "from=9999-12-31", "from=0001-01-01T00:00:00%2B23:59"),
    ],
)
async def test_no_time_is_too_far(house: House, query: str) -> None:
    await house.get(f"/report?{query}", 422)
    assert (await house.client.get(f"/report/file?format=csv&{query}")).status_code == 400


async def test_a_year_is_not_too_far(house: House) -> None:
    await house.get("/report?period=400d")
