"""Every page, wide and narrow, light and dark, as a browser shows it to eyes, hands and screen readers."""

import pytest
from playwright.async_api import Page

from tests.browser.audit import audit, nameless
from tests.browser.crawl import Crawl
from tests.browser.sites import Served
from tests.browser.visits import NARROW, WIDE, Visits

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Of which no two are alike.
TOLD_AT_LENGTH = ("job", "deployment", "alert", "alerts")
PAGES = (
    "overview",
    "jobs",
    "job",
    "deployments",
    "deployment",
    "alerts",
    "alert",
    "acknowledge",
    "silence",
    "expire",
    "keep",
    "keep no longer",
    "deliveries",
    "delivery",
    "retry",
    "drop",
    "report",
)


async def test_every_link_leads_to_a_page(crawled: Crawl) -> None:
    assert not crawled.broken + crawled.strange, "\n".join(crawled.broken + crawled.strange)


async def test_every_kind_of_page_is_looked_at(crawled: Crawl) -> None:
    assert {kind for kind, found in crawled.pages.items() if found} - {"report file"} <= set(PAGES)


@pytest.mark.parametrize("kind", PAGES)
async def test_a_page_is_right_in_every_light_and_width(
    kind: str, site: Served, crawled: Crawl, visits: Visits
) -> None:
    found = crawled.worst(kind, 2 if kind in TOLD_AT_LENGTH else 1)
    assert found, f"no link leads to a page of this kind; there are {sorted(crawled.pages)}"
    wrong: list[str] = []
    for path in found:
        page = await visits.open(site.address + path)
        wrong += [f"{path}: {one}" for one in [*await nameless(page), *await look(page)]]
        await page.close()
    assert not wrong, "\n".join(wrong)


async def test_a_page_that_is_not_there_is_right_too(site: Served, visits: Visits) -> None:
    page = await visits.open(f"{site.address}/nothing/here", is_fine=False)
    wrong = [*await nameless(page), *await look(page)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", ["overview", "job", "deployment", "alert", "report"])
async def test_a_page_can_be_printed(kind: str, site: Served, crawled: Crawl, visits: Visits) -> None:
    """Dark ink on white, whatever the screen has, and nothing to click."""
    page = await visits.open(site.address + crawled.worst(kind, 1)[0], scheme="dark", is_live=False)
    await page.emulate_media(media="print")
    grounds = (
        "[...document.querySelectorAll('html, body, main, .card')].map(one => getComputedStyle(one).backgroundColor)"
    )
    assert set(await page.evaluate(grounds)) <= {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    for gone in ("nav", "form", "button", ".button"):
        assert await page.locator(gone).filter(visible=True).count() == 0, gone
    wrong = [one for one in await audit(page) if one.startswith("contrast")]
    assert not wrong, "\n".join(wrong)
    await page.set_viewport_size({"width": 700, "height": 1000})  # about what paper has
    assert [one for one in await audit(page) if "too wide" in one] == []


#: What a chart hides: what lies beyond the edge of its frame, and texts beyond that of the picture.
_HIDDEN = """[...document.querySelectorAll('.scroll')].flatMap(frame => [
    ...(frame.scrollWidth > frame.clientWidth ? [`${frame.scrollWidth} wide in ${frame.clientWidth}`] : []),
    ...[...frame.querySelectorAll('text')].filter(text => text.getBBox().x < 0).map(text => text.textContent),
])"""


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_the_charts_of_a_report_are_seen_whole(viewport: dict[str, int], site: Served, visits: Visits) -> None:
    page = await visits.open(f"{site.address}/report", viewport=viewport)
    assert await page.locator(".scroll svg").count() == 2
    assert await page.evaluate(_HIDDEN) == []


async def look(page: Page) -> list[str]:
    """What is wrong with a page, and in which light and width."""
    wrong: dict[str, list[str]] = {}
    await page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    for viewport in (WIDE, NARROW):
        await page.set_viewport_size(viewport)  # type: ignore[arg-type]
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for one in await audit(page):
                wrong.setdefault(one, []).append(f"{viewport['width']} {scheme}")
    return [f"{one} ({', '.join(where) if len(where) < 4 else 'always'})" for one, where in wrong.items()]
