"""Real sites for a real browser: the application over a database, behind uvicorn on a socket of loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.browser import estate
from watcher.assembly.machine import Machine
from watcher.daemon import page
from watcher.store.engine import Store
from watcher.web.access import Rules
from watcher.web.app import create_app
from watcher.web.metrics import Metrics
from watcher.web.server import serving
from watcher.web.site import Health


@dataclass
class Served:
    """A site that runs."""

    address: str
    machine: Machine
    wakes: list[None] = field(default_factory=list)  #: one for each act

    @property
    def store(self) -> Store:
        return self.machine.store


@asynccontextmanager
async def serve(configuration: Path, *, rules: Rules | None = None) -> AsyncIterator[Served]:
    """The site over what a demo left, as the daemon would serve it."""
    machine = await estate.open_machine(configuration)
    served = Served("", machine)
    site = page.site_of(
        lambda: machine,
        health=lambda: Health(is_alive=True, not_ready=()),
        wake=lambda: served.wakes.append(None),
    )
    metrics = Metrics(lambda: page.figures(machine, estate.now()))
    app = create_app(site, metrics=metrics, rules=rules or Rules(), hosts=("127.0.0.1", "localhost"))
    try:
        async with serving(app, host="127.0.0.1", port=0) as served.address:
            yield served
    finally:
        await machine.aclose()
        machine.store.close()
