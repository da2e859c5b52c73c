"""What the browser is shown: the end of the demo's story, and beside it what goes wrong in one's own house.

The story is told by the demo itself. Added as polls would: an account whose names and texts want to be markup, one that
is partly unseen, and messages that are dead or wait.
"""

import itertools
import shutil
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.cli.world import Refusing, Taking
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    make_account,
    make_deployment,
    make_event,
    make_gap,
    make_job,
    make_snapshot,
    make_usage,
)
from watcher import config, cycles, rounds
from watcher.answers import acts
from watcher.assembly.machine import Machine, assemble
from watcher.assembly.stores import open_store
from watcher.cycles import Judgement
from watcher.demo import keeping
from watcher.notify.notifier import RetryPolicy
from watcher.resources.fine_tuning import FineTuningJob, JobError
from watcher.resources.snapshot import GapReason, Section, Snapshot
from watcher.rules.registry import build_rules
from watcher.settings import frame_of, known_of
from watcher.store import scope
from watcher.store.engine import Store

#: Azure would refuse such names; what comes over the wire is not ours to trust.
MARKUP = "<img src=x onerror=window.hacked=1>"
LONG = "a-name-without-end-" * 16
TURNED = "\u202etob-troppus \u05d1\u05d5\u05d8"
LETTERS = "\u05d1\u05d5\u05d8"
HOSTILE = make_account("contoso-hostile", owner="<b>owner</b>")
BLIND = make_account("contoso-blind", owner="")
ENVIRON = {"DEMO_TOKEN": "unused", "DEMO_SIGNING_SECRET": "whsec_ZGVtby1zaWduaW5nLXNlY3JldC0wMQ=="}

#: One moment for all that is told of; what goes on is told at the real time.
NOW = datetime.now(UTC).replace(microsecond=0)
BORN = NOW - 30 * DAY
_COUNT = itertools.count(1)


def now() -> datetime:
    return datetime.now(UTC)


def copy(told: Path, folder: Path) -> Path:
    """What a demo left in `told`, in a folder of its own; returns its configuration."""
    shutil.copy(told / keeping.DATABASE, folder / keeping.DATABASE)
    text = (told / keeping.CONFIGURATION).read_text(encoding="utf-8")
    made = folder / keeping.CONFIGURATION
    made.write_text(text.replace(str(told.resolve()), str(folder.resolve())), encoding="utf-8")
    return made


async def open_machine(configuration: Path) -> Machine:
    """The machine over a demo's configuration. Its Azure is gone: nothing polls."""
    loaded = config.parse(configuration.read_text(encoding="utf-8"), environ=ENVIRON)
    return await assemble(loaded, open_store(loaded), clock=now)


async def trouble(machine: Machine) -> None:
    """Add what the story lacks: hostile words, gaps, a dead message and one that waits."""
    at = now() - 2 * MINUTE
    record(machine.store, hostile(at - HOUR), blind(at - HOUR))
    record(machine.store, hostile(at), blind(at))
    await tell(machine, Refusing())
    fail(machine)
    await rounds.announce(machine)
    known, ends_at = known_of(machine.config), now() + 3 * DAY
    machine.store.write_now(
        acts.silence, ["account=contoso-blind"], ends_at=ends_at, author=MARKUP, comment=LONG, known=known, now=now()
    )
    frame = frame_of(machine.config, now())
    machine.store.write_now(acts.keep, frame, f"contoso-hostile/{LONG}", until=ends_at, author=MARKUP, reason=LONG)


def fail(machine: Machine) -> str:
    """A poll that finds that one more job has failed; returns its id."""
    id_ = f"ftjob-{next(_COUNT)}"
    record(machine.store, hostile(now(), running=(id_,)))
    record(machine.store, hostile(now(), failed=(id_,)))
    return id_


async def lose(machine: Machine) -> None:
    """One more message is dead."""
    fail(machine)
    await tell(machine, Refusing())


def record(store: Store, *snapshots: Snapshot) -> None:
    """As polls would."""
    judgement = Judgement(rules=build_rules({}, ()).rules)
    store.write_now(scope.save_accounts, [one.account for one in snapshots], is_complete=False, now=snapshots[0].at)
    for snapshot in snapshots:
        assert not store.write_now(cycles.record, snapshot, judgement).is_stale


async def tell(machine: Machine, hook: Any) -> None:
    """Decide what is to be told, and tell it; `hook` stands for the webhook's other end."""
    await rounds.announce(machine)
    await cycles.deliver(
        notifiers={"hook": hook, "console": Taking()},
        policy=RetryPolicy(),
        store=machine.store,
        clock=now,
        wall_clock=now,
        owner="test",
    )


def hostile(at: datetime, *, running: Collection[str] = (), failed: Collection[str] = ()) -> Snapshot:
    """The account whose words want to be markup, to turn the page round, or to burst it."""
    return make_snapshot(
        account=HOSTILE,
        at=at,
        jobs=[_job(id_, at, has_failed=id_ in failed) for id_ in ("ftjob-hostile", *running, *failed)],
        events={
            "ftjob-hostile": [make_event(f"{MARKUP} {LONG} {TURNED}", at=BORN + HOUR)],
            **{id_: [make_event(MARKUP, at=at, level="error")] for id_ in failed},
        },
        deployments=[
            make_deployment(name, account=HOSTILE, created_at=BORN, tags={"owner": MARKUP, "note": LONG})
            for name in (MARKUP, LONG, TURNED)
        ],
        usage=[
            make_usage(name, read_from=at - 16 * DAY, read_to=at, last_success_at=BORN + (30 - idle) * DAY)
            for name, idle in ((MARKUP, 14.5), (LONG, 12.0), (TURNED, 9.0))
        ],
    )


def _job(id_: str, at: datetime, *, has_failed: bool) -> FineTuningJob:
    changes: dict[str, Any] = {"account": HOSTILE.key, "created_at": at - 20 * MINUTE, "suffix": MARKUP}
    if has_failed:
        changes |= {"error": JobError(message=f"{MARKUP} {LONG}", code="<script>"), "finished_at": at}
    return make_job(id_, "failed" if has_failed else "running", **changes)


def blind(at: datetime) -> Snapshot:
    """The account of which metrics and jobs could not be read."""
    return make_snapshot(
        account=BLIND,
        at=at,
        deployments=[make_deployment("night-bot", account=BLIND, created_at=BORN)],
        gaps=(
            make_gap(Section.METRICS, GapReason.ROLE, at=at, message=f"needs Monitoring Reader {MARKUP}"),
            make_gap(Section.JOBS, GapReason.NETWORK, at=at),
        ),
    )
