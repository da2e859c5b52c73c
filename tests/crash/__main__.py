"""`make crash`: the real daemon, killed again and again on SQLite and PostgreSQL, and what its receivers say of it.

    python -m tests.crash [--kills N] [--seed N] [--databases sqlite,postgresql]

The databases are worked on side by side, each with a daemon, a pretend Azure and a sink of its own. Exit code 1 where
anything was lost, told again under another id, or told wrongly.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.conftest import postgresql_server
from tests.crash.launcher import STEPS
from tests.crash.rig import ANSWERING, Rig, rig
from tests.crash.verdict import Verdict

_KILLS = 500
_DATABASES = ("sqlite", "postgresql")
#: How long a named step is waited for, before the daemon is killed wherever it is.
_WAIT_S = 5.0
#: Of a database's kills these come first; its schema is made once only.
_FIRST = ("migrating", "migrating", "migrating", "migrated")
_LATER = (*(name for name in STEPS if name not in _FIRST), ANSWERING)
_PROGRESS_S = 20.0
_MOST_SHOWN = 20


async def run(kills: int, seed: int, databases: tuple[str, ...]) -> int:
    began = time.monotonic()
    print(f"{kills} kills on {' and '.join(databases)}; SEED={seed}", flush=True)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="watcher-crash-")))
        shares = [kills // len(databases) + (number < kills % len(databases)) for number in range(len(databases))]
        rigs = []
        for name in databases:
            url = await stack.enter_async_context(_database(name, folder))
            rigs.append(await stack.enter_async_context(rig(name, url, folder / name, seed=seed)))
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(_tick(rigs, kills, began))
            work = [group.create_task(_torment(each, share)) for each, share in zip(rigs, shares, strict=True)]
            await asyncio.wait(work)
            ticker.cancel()
        verdicts = [each.judge() for each in rigs]
        for each, verdict in zip(rigs, verdicts, strict=True):
            _show(each, verdict)
    done = sum(each.kills.total() for each in rigs)
    messages = sum(verdict.messages for verdict in verdicts)
    lost = sum(len(verdict.lost) for verdict in verdicts)
    repeated = sum(len(verdict.repeated) for verdict in verdicts)
    wrong = sum(len(verdict.wrong) for verdict in verdicts)
    if wrong:
        print(f"{wrong} told wrongly, or otherwise wrong; see above")
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{done} kills, {messages} messages, {lost} lost, {repeated} repeated under another id")
    return 1 if lost or repeated or wrong else 0


async def _torment(each: Rig, kills: int) -> None:
    """Kill daemons until it is enough, and let the last one live."""
    for step in _FIRST[:kills]:
        await each.live(step, each.rng.randint(1, 12) if step == "migrating" else 1)
    await each.first_sight()
    telling = each.story.start()
    while each.kills.total() < kills:
        if each.rng.random() < 0.5:
            await each.live()
        else:
            await each.live(each.rng.choice(_LATER), each.rng.choice((1, 1, 2, 3)), within=_WAIT_S)
    each.story.is_ending = True
    await each.rest(telling)
    await telling


async def _tick(rigs: list[Rig], kills: int, began: float) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_S)
        done = sum(each.kills.total() for each in rigs)
        came = ", ".join(f"{each.name} {len({one.id for one in each.sink.receipts})} messages" for each in rigs)
        print(f"{done} of {kills} kills, {came}, {time.monotonic() - began:.0f} s", flush=True)


def _show(each: Rig, verdict: Verdict) -> None:
    steps = ", ".join(f"{step} {count}" for step, count in sorted(each.kills.items()))
    print(f"{each.name}: killed at: {steps}")
    print(f"{each.name}: {verdict.messages} messages, {verdict.repeats} repeats under their id")
    print(f"{each.name}: {verdict.merged} merged before they went out, {len(each.story.happened)} events")
    print(f"{each.name}: {verdict.untold} conditions over before anyone was told")
    for fault in verdict.faults[:_MOST_SHOWN]:
        print(f"  !! {each.name}: {fault}")
    if len(verdict.faults) > _MOST_SHOWN:
        print(f"  and {len(verdict.faults) - _MOST_SHOWN} more")


@contextlib.asynccontextmanager
async def _database(name: str, folder: Path) -> AsyncIterator[str]:
    """The address of an empty database."""
    if name == "sqlite":
        yield f"sqlite:///{folder / 'watcher.db'}"
        return
    with postgresql_server() as server:
        address = server.create()
        yield address
        server.drop(address)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=_KILLS, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, help="what is drawn by lot; the moments themselves are the machine's")
    parser.add_argument("--databases", default=",".join(_DATABASES), help="which (%(default)s)")
    return parser.parse_args()


def main() -> int:
    options = _options()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    return asyncio.run(run(options.kills, seed, tuple(options.databases.split(","))))


if __name__ == "__main__":
    sys.exit(main())
