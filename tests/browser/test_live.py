"""What changes in the store appears on open pages by itself; what a visitor does meanwhile stays."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser import estate
from tests.browser.sites import Served
from tests.browser.visits import Visits
from watcher.store import operators

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def mark(page: Page) -> None:
    """A reload would lose it."""
    await page.evaluate("window.isSame = true")


async def is_same(page: Page) -> bool:
    return bool(await page.evaluate("window.isSame === true"))


async def listening(page: Page) -> None:
    """Until the page hears of changes: it fetches itself once when it begins to listen."""
    async with page.expect_response(lambda answer: answer.request.headers.get("x-live") == "1"):
        await page.reload()
    await mark(page)


async def note(site: Served) -> None:
    """Something changes in the store."""
    await site.store.write(operators.record, author="test", action="note", subject="-", comment="-", now=estate.now())


async def test_a_failed_job_appears_without_a_reload(site: Served, visits: Visits) -> None:
    overview = await visits.open(f"{site.address}/")
    events = await visits.open(f"{site.address}/alerts?show=events&since=30d")
    for page in (overview, events):
        await listening(page)
    before = await events.get_by_text("job_failed", exact=True).count()
    estate.fail(site.machine)
    await expect(events.get_by_text("job_failed", exact=True)).to_have_count(before + 1)
    await expect(overview.get_by_role("region", name="What changed last")).to_contain_text("just now")
    assert await is_same(overview) and await is_same(events)


async def test_what_is_unfolded_and_focused_stays_so(site: Served, visits: Visits) -> None:
    page = await visits.open(f"{site.address}/")
    await listening(page)
    fold = page.locator("main details[id]:not([open])").first
    id_ = await fold.get_attribute("id")
    await fold.locator("summary").click()
    await page.evaluate("document.querySelector('main h1').dataset.isOld = 'yes'")
    async with page.expect_response(lambda answer: answer.request.headers.get("x-live") == "1"):
        await note(site)
    await expect(page.locator("main h1[data-is-old]")).to_have_count(0)
    await expect(page.locator(f"#{id_}")).to_have_attribute("open", "")
    assert await page.evaluate("document.activeElement.parentElement.id") == id_
    assert await is_same(page)


async def test_a_form_is_left_alone(site: Served, visits: Visits) -> None:
    page = await visits.open(f"{site.address}/silences/new")
    await mark(page)
    await page.locator("[name=comment]").fill("half a sen")
    other = await visits.open(f"{site.address}/alerts")
    await listening(other)
    async with other.expect_response(lambda answer: answer.request.headers.get("x-live") == "1"):
        await note(site)
    assert await page.locator("[name=comment]").input_value() == "half a sen"
    assert await is_same(page)


async def test_no_click_is_lost_to_a_change_between_its_two_halves(site: Served, visits: Visits) -> None:
    page, other = await visits.open(f"{site.address}/alerts"), await visits.open(f"{site.address}/alerts")
    for one in (page, other):
        await listening(one)
    link = page.locator("main tbody a").first
    await page.evaluate("document.querySelector('main h1').dataset.isOld = 'yes'")
    await link.hover()
    await page.mouse.down()
    for _ in range(2):  # when the second has come, the first has come to both
        async with other.expect_response(lambda answer: answer.request.headers.get("x-live") == "1"):
            await note(site)
    await expect(page.locator("main h1[data-is-old]")).to_have_count(1)
    await page.mouse.up()
    await expect(page).to_have_url(re.compile(r"/alerts/alr_"))


async def test_a_page_that_is_out_of_touch_says_so(site: Served, visits: Visits) -> None:
    page = await visits.open(f"{site.address}/", is_fine=False)
    await listening(page)
    await page.route("**/*", lambda route: route.abort())
    await note(site)
    await expect(page.locator("#live")).to_contain_text("Not up to date")
    await page.unroute("**/*")
    await note(site)
    await expect(page.locator("#live")).to_contain_text("As of")
    assert await is_same(page)
    visits.complaints.clear()  # of what was not answered


async def test_without_scripts_a_page_refreshes_by_itself(site: Served, visits: Visits) -> None:
    page = await visits.open(f"{site.address}/", has_scripts=False)
    await expect(page.locator("noscript meta[http-equiv=refresh]")).to_have_count(1)
    form = await visits.open(f"{site.address}/silences/new", has_scripts=False)
    await expect(form.locator("meta[http-equiv=refresh]")).to_have_count(0)
