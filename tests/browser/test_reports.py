"""A report as a browser shows it: nothing runs past the edge, and no column starves another."""

import pytest
from playwright.async_api import Browser, Page

from tests.factories import DAY, NOW
from tests.report.factories import (
    make_bill_line,
    make_date,
    make_ended,
    make_hosted,
    make_place,
    make_statement,
    sum_of,
    usd,
)
from tests.report.render.test_formats import LINK
from watcher.report.render import FORMATS
from watcher.report.render.mail import mail_parts
from watcher.report.statement import Bill, DateKind, Statement

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDE, PHONE = 1280, 380


def uncertain() -> Statement:
    """Intervals everywhere, and remarks that are longer than what they remark on."""
    sums = {
        "hosting": sum_of(usd(1364.90, 1375.10)),
        "training": sum_of(usd(3300, 3300.22)),
        "idle": sum_of(usd(566.75, 571.85)),
        "unread": sum_of(usd(144.44, 149.54)),
    }
    lines = (make_bill_line("gpt-4.1-mini-2025-04-14", **sums), make_bill_line("o4-mini-2025-04-16", **sums))
    said = "When it ended is known only to lie between two sights, of which the later one was that of a listing. " * 3
    place = make_place("contoso-evaluation-west", owner="research-and-evaluation")
    return make_statement(
        (
            make_hosted(deletion=(NOW + DAY, NOW + 6 * DAY)),
            make_ended(
                "long-context-preview-of-the-spring", place=place, sku="DataZoneProvisionedManaged", remarks=(said,)
            ),
        ),
        unread=sums["unread"],
        bills=(Bill(by="model", lines=lines),),
        dates=(make_date(text=said), make_date("r", kind=DateKind.RETIREMENT, text=said)),
    )


async def shown(chromium: Browser, html: str, width: int) -> Page:
    page = await chromium.new_page(viewport={"width": width, "height": 900})
    await page.set_content(html)
    return page


@pytest.mark.parametrize("width", [PHONE, 1024, 1100, WIDE])
@pytest.mark.parametrize("kind", ["page", "mail"])
async def test_nothing_runs_past_the_edge(chromium: Browser, kind: str, width: int) -> None:
    statement = uncertain()
    html = FORMATS["html"](statement) if kind == "page" else mail_parts(statement, link=LINK).html_without_charts
    page = await shown(chromium, html, width)
    beyond = await page.evaluate(
        """() => [...document.querySelectorAll("td, th, p, h1, h2, img, pre")].filter(each => {
            const [own, card] = [each, each.closest("section, .card") || document.body]
                .map(one => one.getBoundingClientRect().right)
            return !each.closest("thead, nav") && own > card
        }).map(each => each.textContent)"""
    )
    assert beyond == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.close()


async def test_no_column_starves_another(chromium: Browser) -> None:
    page = await shown(chromium, FORMATS["html"](uncertain()), WIDE)
    lines = """key => Math.max(...[...document.querySelectorAll(`table[aria-labelledby="${key}"] tr:not(.note) > *`)]
        .map(each => (each.clientHeight - 12) / parseFloat(getComputedStyle(each).lineHeight)))"""
    assert await page.evaluate(lines, "deployments") < 4
    share = """() => { const cell = document.querySelector('table[aria-labelledby="calendar"] tbody th')
        return cell.clientWidth / cell.closest("table").clientWidth }"""
    assert await page.evaluate(share) < 0.3
    await page.close()
