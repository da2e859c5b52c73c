"""Hands on the keyboard alone: everything is reached in order, and one sees where one is."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser import estate
from tests.browser.crawl import Crawl
from tests.browser.sites import Served
from tests.browser.visits import NARROW, WIDE, Visits

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Tabs on one page; what comes after is of the same kind.
_MOST = 120
_STOPS = """() => {
    const kinds = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
    const all = [...document.querySelectorAll(kinds)]
        .filter(one => !one.disabled && one.checkVisibility({ checkVisibilityCSS: true }));
    all.forEach((one, index) => one.dataset.stop = index);
    return all.map(one => (one.textContent || one.name || '').trim().slice(0, 40));
}"""
#: Where the focus is; "shown" is what lies under the middle of its first line.
_WHERE = """() => {
    const one = document.activeElement, style = getComputedStyle(one), box = one.getClientRects()[0] || new DOMRect();
    const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return {
        stop: one.dataset.stop === undefined ? null : Number(one.dataset.stop),
        isMarked: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
        isShown: hit !== null && (one.contains(hit) || hit.contains(one)) && hit.localName !== 'body',
    };
}"""


@pytest.mark.parametrize(
    "kind",
    ["overview", "jobs", "job", "deployments", "deployment", "alerts", "alert", "silence", "deliveries", "report"],
)
async def test_the_tab_key_reaches_everything_in_order(kind: str, site: Served, crawled: Crawl, visits: Visits) -> None:
    (path,) = crawled.worst(kind, 1)
    viewport = NARROW if kind in ("jobs", "alerts") else WIDE
    page = await visits.open(site.address + path, viewport=viewport, is_live=False)
    stops: list[str] = (await page.evaluate(_STOPS))[:_MOST]
    reached: list[int] = []
    wrong: list[str] = []
    for _ in range(len(stops) + 12):  # the browser adds what scrolls, and the parts of a date
        await page.keyboard.press("Tab")
        at: dict[str, Any] = await page.evaluate(_WHERE)
        if at["stop"] is None or at["stop"] >= len(stops) or at["stop"] in reached[-1:]:
            continue
        if reached and at["stop"] < reached[-1]:
            break
        reached.append(at["stop"])
        if not at["isMarked"] or not at["isShown"]:
            wrong.append(f"{stops[at['stop']]}: {'out of sight' if at['isMarked'] else 'not marked'}")
    wrong += [f"{stops[one]}: not reached" for one in range(len(stops)) if one not in reached]
    assert not wrong, "\n".join(wrong)


async def test_the_first_tab_leads_past_the_navigation(site: Served, visits: Visits) -> None:
    page = await visits.open(f"{site.address}/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="To the content")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('main') !== null")


async def test_an_alert_is_acknowledged_without_a_mouse(site: Served, visits: Visits) -> None:
    page = await visits.open(f"{site.address}/alerts")
    await page.locator("main td a[href^='/alerts/']").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Why")).to_be_visible()
    await page.get_by_role("link", name="Acknowledge", exact=True).focus()
    await page.keyboard.press("Enter")
    await page.locator("[name=comment]").focus()
    await page.keyboard.type("by keyboard")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Grace")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main").get_by_role("status")).to_contain_text("Acknowledged")


async def test_names_that_want_to_be_markup_are_text(site: Served, visits: Visits) -> None:
    page = await visits.open(f"{site.address}/deployments")
    links = page.locator("main a[href^='/deployments/contoso-hostile/']")
    await links.get_by_text(estate.MARKUP, exact=True).first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(estate.MARKUP)
    assert await page.evaluate("window.hacked === undefined && document.querySelector('img') === null")
    await page.goto(f"{site.address}/deployments")
    text = await page.locator("main").inner_text()
    assert estate.LETTERS in text and "\u202e" not in text
    assert "\u202e" not in await page.title()
