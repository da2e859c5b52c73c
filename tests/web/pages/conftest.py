"""`house`: the pages over a copy of the estate, for somebody on this machine; `house_for` for others."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.cli.world import World, estate
from tests.factories import HOUR, NOW
from tests.web.pages.house import House, Show, build, machine_of
from tests.web.rig import asking, make_app, make_site
from watcher import cycles
from watcher.cycles import Judgement
from watcher.resources.snapshot import Snapshot
from watcher.rules.registry import build_rules
from watcher.store import scope, state
from watcher.store.engine import Store
from watcher.web.access import Rules


@pytest.fixture(scope="session")
def estate_recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return estate(tmp_path_factory.mktemp("estate")).database


@pytest.fixture
def world(tmp_path: Path, estate_recorded: Path) -> World:
    shutil.copy(estate_recorded, tmp_path / "watcher.db")
    return World(tmp_path)


@pytest.fixture
async def house_for(world: World) -> AsyncIterator[Callable[..., Awaitable[House]]]:
    async with AsyncExitStack() as stack:

        async def open_house(rules: Rules | None = None, *, token: str = "") -> House:
            store = world.open()
            stack.callback(store.close)
            machine = await machine_of(world, store)
            stack.push_async_callback(machine.aclose)
            wakes: list[int] = []
            site, app = build(world, store, machine, rules, wakes)
            client = await stack.enter_async_context(asking(app, token=token))
            return House(world=world, store=store, site=site, app=app, client=client, machine=machine, wakes=wakes)

        yield open_house


@pytest.fixture
async def house(house_for: Callable[..., Awaitable[House]]) -> House:
    return await house_for()


@pytest.fixture
async def show(store: Store) -> AsyncIterator[Show]:
    """Records snapshots as polls do, and gives the page at an address after them."""
    async with AsyncExitStack() as stack:

        async def page(*snapshots: Snapshot, path: str = "/", status: int = 200) -> str:
            judgement = Judgement(rules=build_rules({}, ()).rules)
            accounts = {snapshot.account.key: snapshot.account for snapshot in snapshots}
            if accounts:
                store.write_now(scope.save_accounts, [*accounts.values()], is_complete=True, now=NOW - HOUR)
                store.write_now(state.put, state.DISCOVERED, at=NOW - HOUR)
            for snapshot in snapshots:
                store.write_now(cycles.record, snapshot, judgement)
            client = await stack.enter_async_context(asking(make_app(make_site(store, lambda: NOW))))
            answer = await client.get(path)
            assert answer.status_code == status, answer.text
            return answer.text

        yield page
