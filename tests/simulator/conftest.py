import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from watcher.simulator import TOKEN, Account, Addresses, Scenario, SteppedClock, World, create_app

ARM = "https://management.azure.com"
BEARER = {"authorization": f"Bearer {TOKEN}"}
ACCOUNTS_VERSION = "2024-10-01"


@dataclass
class Azure:
    """A simulator without sockets, and a client that already holds a token."""

    world: World
    clock: SteppedClock
    client: httpx.AsyncClient
    app: Any

    def account_id(self, name: str) -> str:
        account = next(a for a in self.world.scenario.accounts if a.name == name)
        return self.world.account_id(account)

    def at(self, **offset: float) -> "Azure":
        """Move the clock to an offset from the start of the world."""
        self.clock.move_to(self.world.start + timedelta(**offset))
        return self

    async def get(self, path: str, **parameters: str) -> httpx.Response:
        return await self.client.get(path, params=parameters or None)

    async def arm(self, path: str, version: str = ACCOUNTS_VERSION) -> httpx.Response:
        return await self.client.get(path, params={"api-version": version})

    async def deployments(self, account: str = "ft") -> dict[str, dict[str, Any]]:
        answer = await self.arm(f"{self.account_id(account)}/deployments")
        return {row["name"]: row for row in answer.json()["value"]}

    async def v1(self, path: str, account: str = "ft", **parameters: str) -> httpx.Response:
        return await self.get(f"/account/{account}/openai/v1{path}", **parameters)

    async def dated(self, path: str, account: str = "ft", version: str = "2024-10-21", **more: str) -> httpx.Response:
        return await self.get(f"/account/{account}/openai{path}", **{"api-version": version}, **more)

    async def metrics(self, account: str = "ft", **parameters: str) -> httpx.Response:
        given = {"api-version": "2024-02-01", "metricnames": "ModelRequests", "aggregation": "total"} | parameters
        path = f"{self.account_id(account)}/providers/Microsoft.Insights/metrics"
        return await self.client.get(path, params=given)

    def timespan(self, since: timedelta, until: timedelta) -> str:
        begin, end = self.world.start + since, self.world.start + until
        return f"{begin:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"


Build = Callable[..., Azure]


@pytest.fixture
async def build() -> AsyncIterator[Build]:
    """Makes an Azure from a scenario, or from the parts of its one account `ft`."""
    async with AsyncExitStack() as stack:

        def make(
            scenario: Scenario | None = None,
            *,
            addresses: Addresses | None = None,
            with_control: bool = False,
            **account: Any,
        ) -> Azure:
            world = World(scenario or Scenario(accounts=(Account(name="ft", **account),)))
            clock = SteppedClock(world.start)
            app = create_app(world, clock, addresses=addresses, with_control=with_control)
            transport = httpx.ASGITransport(app)
            client = httpx.AsyncClient(transport=transport, base_url=ARM, headers=BEARER)
            stack.push_async_callback(client.aclose)
            return Azure(world=world, clock=clock, client=client, app=app)

        yield make


@pytest.fixture
def example() -> Iterator[Callable[[str], Any]]:
    """Reads the body of an official example payload."""

    def read(name: str, status: str = "200") -> Any:
        path = Path(__file__).parent / "examples" / f"{name}.json"
        return json.loads(path.read_text())["responses"][status]["body"]

    yield read
