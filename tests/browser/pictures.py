"""`python -m tests.browser.pictures`: the README's pictures, of what the demo leaves behind.

One tells the story anew (half a minute), unless the folder of a kept one is given.
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser import estate
from tests.browser.sites import serve
from tests.story import tell
from watcher.store import alerts

FOLDER = Path(__file__).parents[2] / "docs"
#: File, address, colours and size of what is shown.
PICTURES = (
    ("overview.png", "/", "light", {"width": 1280, "height": 860}),
    ("job.png", "/jobs/contoso-ft/{overfitting}", "dark", {"width": 1280, "height": 1060}),
)


async def take(told: Path, folder: Path) -> None:
    """Look at each page and keep what is seen."""
    with tempfile.TemporaryDirectory() as own:
        async with serve(estate.copy(told, Path(own))) as site, async_playwright() as playwright:
            binary = shutil.which("chromium")
            browser = await playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
            listed = await site.store.read(alerts.listed)
            job = next(one.labels["job"] for one in listed if one.finding.rule == "job_overfitting")
            for name, address, scheme, size in PICTURES:
                page = await browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
                await page.goto(site.address + address.format(overfitting=job))
                await page.screenshot(path=folder / name)
                print(f"{folder / name}: {(folder / name).stat().st_size // 1000} kB")
            await browser.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as own:
        told = Path(sys.argv[1]) if len(sys.argv) > 1 else tell(Path(own) / "story").folder
        FOLDER.mkdir(exist_ok=True)
        asyncio.run(take(told, FOLDER))


if __name__ == "__main__":
    main()
