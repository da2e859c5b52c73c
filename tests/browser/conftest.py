"""One Chromium for all tests of a worker, on sites over what the demo leaves behind.

Browser, sites and tests share one event loop. Everything here runs in one worker, the one that tells the demo's story.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import async_playwright

from tests.browser import estate
from tests.browser.crawl import Crawl, crawl
from tests.browser.sites import Served, serve
from tests.browser.visits import Visits
from tests.story import Told
from watcher.web.access import Key, Right, Rules

_HERE = Path(__file__).parent
_BINARY = shutil.which("chromium")
KEYS = (
    Key(name="reader", right=Right.READ, secret="a-token-that-reads-0123456789"),
    Key(name="writer", right=Right.WRITE, secret="a-token-that-writes-0123456789"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("demo"))
            if _BINARY is None:
                item.add_marker(pytest.mark.skip(reason="there is no chromium: apt-get install chromium"))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    async with async_playwright() as playwright:
        # As root, which containers are, Chromium starts without its sandbox alone.
        browser = await playwright.chromium.launch(executable_path=_BINARY, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def site(story: Told, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Open to whoever can connect, as on loopback; with all that can go wrong."""
    async with serve(estate.copy(story.folder, tmp_path_factory.mktemp("site"))) as served:
        await estate.trouble(served.machine)
        yield served


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def told_site(story: Told, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """What the demo left, and nothing else."""
    async with serve(estate.copy(story.folder, tmp_path_factory.mktemp("told"))) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def locked_site(story: Told, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Closed to those without a token."""
    async with serve(estate.copy(story.folder, tmp_path_factory.mktemp("locked")), rules=Rules(keys=KEYS)) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def visits(chromium: Chromium) -> AsyncIterator[Visits]:
    """Opens pages, and holds at the end that the browser had nothing to complain of."""
    async with Visits(chromium) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def crawled(site: Served) -> Crawl:
    return await crawl(site.address)
