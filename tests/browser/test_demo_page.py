"""The demo's page: its address is printed, it follows the story while that is told, and tells it alone afterwards."""

import asyncio
import contextlib
import re
import signal
import sys

import pytest
from playwright.async_api import expect

from tests.browser.sites import Served
from tests.browser.visits import Visits

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_page_follows_the_story_without_a_reload(visits: Visits) -> None:
    command = [sys.executable, "-m", "watcher", "demo", "--speed", "2d", "--duration", "60s"]
    demo = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert demo.stdout is not None
        async with asyncio.timeout(30):
            while not (found := re.search(rb"Page at (http://[\d.:]+)", await demo.stdout.readline())):
                pass
        page = await visits.open(found[1].decode())
        await page.evaluate("window.isSame = true")
        changes = page.get_by_role("region", name="What changed last")
        await expect(changes.get_by_role("link").first).to_be_visible()
        first = await changes.inner_text()
        await expect(changes).not_to_have_text(first, use_inner_text=True)
        assert await page.evaluate("window.isSame")
        await page.close()
    finally:
        with contextlib.suppress(ProcessLookupError):
            demo.send_signal(signal.SIGKILL)
        await demo.communicate()


async def test_the_page_alone_tells_the_story(told_site: Served, visits: Visits) -> None:
    """Who has seen nothing but the page learns what the demo's story is made of, a link or two from the overview."""
    page = await visits.open(f"{told_site.address}/", is_live=False)
    main = page.get_by_role("main")
    await expect(main).to_contain_text("3 of 3 accounts seen whole")
    for name in ("search-ranker", "support-bot-v2", "eval-paused"):
        await expect(main.get_by_role("link", name=name, exact=True).first).to_be_visible()
    await page.goto(f"{told_site.address}/alerts?show=events&since=30d")
    for text in (
        "assistant in contoso-west is gone: unexplained",
        "long-context-preview in contoso-lab is gone: deleted by operator@contoso.example",
        "deleted by Azure after 15 d without a call",
        "hate_fairness, violence",
        "cannot be deployed",
    ):
        await expect(main).to_contain_text(text)
    await page.goto(f"{told_site.address}/alerts?rule=job_overfitting")
    await main.locator("td a[href^='/alerts/']").first.click()
    await expect(main).to_contain_text("Train again with fewer epochs")
    await main.locator("a[href^='/jobs/']").first.click()
    await expect(main).to_contain_text("it overfits from there")
    assert await main.locator("svg[role=img]").count() >= 2
