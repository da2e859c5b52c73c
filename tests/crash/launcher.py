"""The real program in a process of its own, which kills itself with SIGKILL at a named step.

The program knows nothing of this: what marks a step is a function of its own, and a call of it is the place. A name
that is no longer there ends the process with a traceback, and so the test.

Each process is forked, so that a life begins in a tenth of a second. Times that would make each restart wait are
shortened: leases, and the waits between tries.
"""

import functools
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.flows.forked import become
from watcher.cli import main as program

LEASE = timedelta(seconds=3)  #: longer than the slowest receiver takes
WAITS = tuple(timedelta(milliseconds=each) for each in (300, 500, 1000, 2000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A place in the program: at a call of a function, where it came to something."""

    holder: str  #: module, or module and class, where the callers look the function up
    name: str
    is_async: bool = False
    before: bool = False  #: at its start, and not at its end
    on_failure: bool = False  #: when it raises, and not when it returns
    came_to: Callable[[Any], Any] = lambda result: True


#: In the order of the flow.
STEPS = {
    "migrating": Step(holder="alembic.op", name="create_table"),  # inside the transaction
    "migrated": Step(holder="watcher.store.migrate", name="to_head"),
    "recording": Step(holder="watcher.store.observations", name="save"),  # inside the transaction, before the alerts
    "alerting": Step(holder="watcher.store.alerts", name="save"),  # inside the transaction, after the alerts
    "recorded": Step(holder="watcher.cycles", name="poll", is_async=True, came_to=lambda done: done and done.alerts),
    "dispatching": Step(holder="watcher.store.outbox", name="add", came_to=bool),  # inside the transaction
    "leasing": Step(holder="watcher.store.claiming", name="openings", came_to=bool),  # inside the transaction
    "dispatched": Step(
        holder="watcher.cycles", name="dispatch_and_claim", is_async=True, came_to=lambda done: done.plan.notifications
    ),
    "leased": Step(  # with the decision, and nothing is sent yet
        holder="watcher.cycles", name="dispatch_and_claim", is_async=True, came_to=lambda done: done.claimed
    ),
    "claiming": Step(holder="watcher.store.claiming", name="claim", came_to=bool),  # inside the transaction
    "merging": Step(holder="watcher.store.merging", name="_merge"),  # inside the transaction
    "claimed": Step(holder="watcher.notify.webhook:WebhookNotifier", name="send", is_async=True, before=True),
    "sent": Step(holder="watcher.notify.webhook:WebhookNotifier", name="send", is_async=True),
    "failed": Step(holder="watcher.notify.webhook:WebhookNotifier", name="send", is_async=True, on_failure=True),
    "marking": Step(holder="watcher.store.attempts", name="mark_all", came_to=bool),  # inside the transaction
    "marked": Step(holder="watcher.cycles", name="deliver", is_async=True, came_to=bool),
}
#: They come before Azure is asked for anything.
BEFORE_REQUESTS = ("migrating", "migrated")


def die_at(step: Step, count: int) -> None:
    """Have this process killed when it comes to `step` for the `count`th time."""
    module, _, cls = step.holder.partition(":")
    holder = import_module(module)
    holder = getattr(holder, cls) if cls else holder
    original = getattr(holder, step.name)
    left = count

    def strike() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if step.came_to(result):
            strike()
        return result

    async def watched_async(*args: Any, **kwargs: Any) -> Any:
        if step.before:
            strike()
        try:
            result = await original(*args, **kwargs)
        except Exception:
            if step.on_failure:
                strike()
            raise
        if not (step.before or step.on_failure) and step.came_to(result):
            strike()
        return result

    setattr(holder, step.name, functools.wraps(original)(watched_async if step.is_async else watched))


def hurry(lease: timedelta) -> None:
    """Shorten what would make each restart wait."""
    from watcher.cycles import delivery
    from watcher.notify.notifier import RetryPolicy
    from watcher.store import claiming, outbox

    for module in (claiming, outbox):
        getattr(module, "LEASE")  # noqa: B009 (whether it is still there)
        setattr(module, "LEASE", lease)  # noqa: B010 (it is not ours to type)
    if lease >= delivery._ENOUGH:
        raise AssertionError("a lease of this length now leaves time for a send: nothing to shorten")
    delivery._ENOUGH = lease / 3
    RetryPolicy.__init__.__kwdefaults__["waits"] = WAITS  # wherever it is made
    if RetryPolicy().waits != WAITS:
        raise AssertionError("the waits between tries are no longer those of RetryPolicy")


def run(
    arguments: Sequence[str],
    *,
    step: str,
    count: int,
    lease: timedelta,
    folder: Path,
    log: Path,
    environ: Mapping[str, str],
) -> None:
    """The body of the process: the command line, in a folder and an environment of its own; `step` "" lives on."""
    become(out=log, err=log, folder=folder, environ=environ)
    hurry(lease)
    if step:
        die_at(STEPS[step], count)
    program(arguments)
