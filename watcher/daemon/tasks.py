"""What the loops are made of: tasks under way, one for each key, and an event that wakes a sleeper."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress


class UnderWay:
    """Tasks by key, one at most for each; those that have ended are forgotten."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, key: str, work: Coroutine[None, None, None], *, name: str) -> None:
        """Run `work` as the task of `key`, which must have none."""
        task = asyncio.create_task(work, name=name)
        self._tasks[key] = task

        def forget(ended: asyncio.Task[None]) -> None:
            if self._tasks.get(key) is ended:  # else it made way for its successor itself
                del self._tasks[key]

        task.add_done_callback(forget)

    def make_way(self, key: str) -> None:
        """The task of `key` is as good as over: its successor may start now."""
        self._tasks.pop(key, None)

    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """Those of now."""
        return tuple(self._tasks.values())


class Wake:
    """An event that a loop waits for, with a timer of its own."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, at_most: float | None) -> None:
        """Until it is set, or `at_most` seconds have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):  # `wait_for` of 3.11 swallows a cancellation that comes with the event
                await self._event.wait()
        self._event.clear()
