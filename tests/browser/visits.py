"""Pages opened in the browser, and what the browser complained of meanwhile."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Request, Response, expect

#: Milliseconds for what should take some tens: the machine may be busy.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
Scheme = Literal["light", "dark"]

_WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', event => {
    window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""
_DEAF = "window.EventSource = class { addEventListener() {} close() {} };"


@dataclass
class Visits:
    """One test's pages: each in a browser of its own, without cookies."""

    chromium: Browser
    complaints: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for context in self._contexts:
            for page in context.pages:
                self.complaints += [f"policy: {one}" for one in await page.evaluate("window.violations || []")]
            await context.close()
        if error is None:
            assert self.complaints == []

    async def open(
        self,
        address: str,
        *,
        has_scripts: bool = True,
        scheme: Scheme = "light",
        viewport: dict[str, int] = WIDE,
        is_live: bool = True,
        is_fine: bool = True,
    ) -> Page:
        """A page at `address`.

        Args:
            is_live: It hears of changes; else it stays as it is.
            is_fine: That its status is an error is one.
        """
        context = await self.chromium.new_context(
            viewport=viewport,  # type: ignore[arg-type]
            color_scheme=scheme,
            java_script_enabled=has_scripts,
            reduced_motion="reduce",
            locale="en-GB",
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(_WATCH + ("" if is_live else _DEAF))
        page = await context.new_page()
        origin = urlsplit(address).netloc

        def asked(request: Request) -> None:
            if urlsplit(request.url).netloc != origin and not request.url.startswith(("data:", "about:", "blob:")):
                self.complaints.append(f"asks elsewhere: {request.url}")

        def answered(response: Response) -> None:
            if is_fine and response.status >= 400:
                self.complaints.append(f"{response.status} at {response.url}")

        page.on("request", asked)
        page.on("response", answered)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on(
            "console",
            lambda said: (
                self.complaints.append(f"console: {said.text} ({page.url})")
                if said.type in ("error", "warning") and (is_fine or "status of" not in said.text)
                else None
            ),
        )
        await page.goto(address)
        return page
