"""The pages over the estate of `tests/cli/world.py`, visited as a browser without scripts visits them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.cli.world import World
from tests.web.rig import make_app
from watcher import config
from watcher.assembly.machine import Machine, assemble
from watcher.daemon import page
from watcher.store.engine import Store
from watcher.web.access import Rules
from watcher.web.site import Health, Site


@dataclass(slots=True)
class Form:
    """A form on a page."""

    action: str = ""
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    invalid: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._area = ""

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attrs = {name: value or "" for name, value in given}
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
        if tag == "form":
            self.forms.append(Form(action=attrs.get("action", ""), method=attrs.get("method", "get")))
        if tag in ("input", "textarea") and self.forms and "name" in attrs:
            name = attrs["name"]
            if attrs.get("type") != "checkbox" or "checked" in attrs:
                self.forms[-1].fields[name] = attrs.get("value", "")
            if "aria-invalid" in attrs:
                self.forms[-1].invalid.add(name)
            if tag == "textarea":
                self._area = name

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""

    def handle_data(self, text: str) -> None:
        if self._area:
            self.forms[-1].fields[self._area] += text.removeprefix("\n")


def read(html: str) -> _Reader:
    made = _Reader()
    made.feed(html)
    return made


def act_form(html: str) -> Form:
    """The one form of a page that changes something beside signing out."""
    (found,) = [one for one in read(html).forms if one.method == "post" and one.action != "/logout"]
    return found


@dataclass(slots=True)
class House:
    """The pages, and what stands behind them."""

    world: World
    store: Store
    site: Site
    app: Any
    client: httpx.AsyncClient
    machine: Machine
    wakes: list[int]

    async def get(self, address: str, status: int = 200) -> str:
        answer = await self.client.get(address)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.text

    async def submit(self, address: str, **typed: str) -> httpx.Response:
        """Open the form at an address, type into it, and send it."""
        form = act_form(await self.get(address))
        data = {name: value for name, value in {**form.fields, **typed}.items() if value is not None}
        return await self.client.post(form.action, data=data)

    async def done(self, address: str, **typed: str) -> str:
        """The same of a form that is taken: the page to which it leads."""
        answer = await self.submit(address, **typed)
        assert answer.status_code == 303, answer.text
        return await self.get(answer.headers["location"])


def build(world: World, store: Store, machine: Machine, rules: Rules | None, wakes: list[int]) -> tuple[Site, Any]:
    site = page.site_of(
        lambda: machine, health=lambda: Health(is_alive=True, not_ready=()), wake=lambda: wakes.append(1)
    )
    return site, make_app(site, rules)


async def machine_of(world: World, store: Store) -> Machine:
    loaded = config.parse(world.config.read_text(), environ=world.environ)
    return await assemble(loaded, store, clock=lambda: world.now)


#: Records snapshots, and gives the page at an address after them.
Show = Callable[..., Awaitable[str]]
