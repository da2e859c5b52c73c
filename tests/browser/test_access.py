"""The door, as a browser goes through it."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.audit import nameless
from tests.browser.conftest import KEYS
from tests.browser.sites import Served
from tests.browser.test_pages import look
from tests.browser.visits import Visits

pytestmark = pytest.mark.asyncio(loop_scope="session")
both = pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no-scripts"])
READER, WRITER = (key.secret for key in KEYS)


async def enter(page: Page, token: str) -> None:
    await page.get_by_label("Token").fill(token)
    await page.get_by_role("button", name="Sign in").click()


@both
async def test_a_visitor_signs_in_where_he_wanted_to_go_and_out_again(
    locked_site: Served, visits: Visits, has_scripts: bool
) -> None:
    page = await visits.open(f"{locked_site.address}/alerts?show=resolved", has_scripts=has_scripts, is_fine=False)
    await expect(page).to_have_title("Sign in · watcher demo")
    await enter(page, "not a token")
    await expect(page.get_by_role("alert")).to_contain_text("none of this watcher's tokens")
    await enter(page, WRITER)
    await expect(page).to_have_url(f"{locked_site.address}/alerts?show=resolved")
    await expect(page.get_by_role("banner")).to_contain_text("writer")
    (cookie,) = await page.context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax" and WRITER not in cookie["value"]
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{locked_site.address}/login")
    assert await page.context.cookies() == []
    await page.goto(f"{locked_site.address}/")
    await expect(page.get_by_label("Token")).to_be_focused()


async def test_the_door_is_right_in_every_light_and_width(locked_site: Served, visits: Visits) -> None:
    page = await visits.open(f"{locked_site.address}/", is_fine=False)
    wrong = [*await nameless(page), *await look(page)]
    await enter(page, "not a token")
    await expect(page.get_by_role("alert")).to_be_visible()
    wrong += [*await nameless(page), *await look(page)]
    assert not wrong, "\n".join(wrong)


async def test_who_may_only_look_is_offered_nothing_to_do(locked_site: Served, visits: Visits) -> None:
    page = await visits.open(f"{locked_site.address}/alerts", is_fine=False)
    await enter(page, READER)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Alerts")
    await expect(page.get_by_role("link", name="New silence")).to_have_count(0)
    await page.locator("main td a[href^='/alerts/']").first.click()
    await expect(page.get_by_role("heading", name="Why")).to_be_visible()
    await expect(page.get_by_role("link", name="Acknowledge")).to_have_count(0)
    await expect(page.locator("main form, main .button")).to_have_count(0)
    answer = await page.goto(f"{locked_site.address}/silences/new")
    assert answer is not None and answer.status == 403


async def test_another_sites_form_does_nothing(locked_site: Served, site: Served, visits: Visits) -> None:
    """A page of another origin sends our form, with the cookie that a browser would add."""
    page = await visits.open(f"{site.address}/alerts", is_fine=False)
    await page.goto(f"{locked_site.address}/login")
    await enter(page, WRITER)
    await expect(page.get_by_role("banner")).to_contain_text("writer")
    form = f'<form method=post action="{locked_site.address}/logout">'
    stranger = await page.context.new_page()
    await stranger.set_content(f"{form}<input name=proof value=x><button>Go</button></form>")
    async with stranger.expect_navigation() as going:
        await stranger.get_by_role("button").click()
    answer = await going.value
    assert answer is not None and answer.status in (401, 403)
    await page.reload()
    await expect(page.get_by_role("banner")).to_contain_text("writer")
    visits.complaints.clear()  # the stranger asks elsewhere, by design
