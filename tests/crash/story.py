"""What goes on in the pretend Azure meanwhile: jobs that pause and end, deployments that idle, are called, and vanish.

Several little stories run side by side, each at its own pace. Some wait until the receivers have heard of a thing
before they go on, so that no alert is too short to be told; others do not. The next begins when the end of the last is
told.
"""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tests.crash.sink import Sink
from tests.flows.conftest import ft, now, running_job
from watcher.simulator import Account, Job, World
from watcher.simulator.jobs import job_id

ACCOUNTS = ("north", "south", "west")
_AT_ONCE = 4  #: stories of each kind
_ENDINGS = {"failed": "job_failed", "succeeded": "job_succeeded", "cancelled": "job_cancelled"}
#: Deployments are so old when they appear, and fire as `warning` or `critical`; or cross the line soon after.
_DAYS = (13, 14)
_PATIENCE_S = 5.0  #: for the receivers to hear of something


def accounts() -> tuple[Account, ...]:
    return tuple(Account(name=name) for name in ACCOUNTS)


@dataclass
class Story:
    """Changes `world`, and keeps book of what has to be told of it."""

    world: World
    sink: Sink
    rng: random.Random
    happened: list[tuple[str, str]] = field(default_factory=list)
    is_ending: bool = False
    _count: int = 0

    def start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Until `is_ending`, and then until each story has come to its end."""
        async with asyncio.TaskGroup() as group:
            for number in range(_AT_ONCE):
                group.create_task(self._again(self._job))
                group.create_task(self._again(self._deployment))
                await asyncio.sleep(0.1 * number)

    async def _again(self, story) -> None:
        while not self.is_ending:
            await story(self.rng.choice(ACCOUNTS))
            await asyncio.sleep(self.rng.uniform(0.2, 2.0))

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    async def _job(self, account: str) -> None:
        job = running_job(self._name("job"))
        self.world.add_job(account, job)
        name = job_id(next(one for one in self.world.scenario.accounts if one.key == account), job)
        await self._a_while()
        if self.rng.random() < 0.4:
            job = self._turn(account, job, "paused")
            await self._heard("job_paused", "firing", name)
            await self._a_while()
            job = self._turn(account, job, "running")
            await self._heard("job_paused", "resolved", name)
        ending = self.rng.choice(tuple(_ENDINGS))
        self._turn(account, job, ending, outcome=ending)
        self.happened.append((_ENDINGS[ending], name))
        await self._told(_ENDINGS[ending], "firing", name)

    async def _deployment(self, account: str) -> None:
        name, days = self._name("ft"), self.rng.choice(_DAYS)
        soon = timedelta(seconds=self.rng.uniform(1, 6)) if days == 14 else timedelta()
        self.world.add_deployment(account, ft(name, timedelta(days=days) - soon))
        await self._heard("deployment_idle", "firing", name)
        await self._a_while()
        if self.rng.random() < 0.5:
            self.world.call(account, name, at=now())
            await self._heard("deployment_idle", "resolved", name)
            await self._a_while()
        was_known = ("deployment_idle", "firing", name) in self.sink.told
        self.world.delete_deployment(account, name, at=now(), by=self.rng.choice((None, "somebody@contoso.example")))
        if was_known:
            self.happened.append(("deployment_gone", name))
            await self._told("deployment_gone", "firing", name)

    def _turn(self, account: str, job: Job, status: str, **changes: str) -> Job:
        at = self.world.moment(now()) - job.created
        turned = replace(job, timeline=(*job.timeline, (status, at)), **changes)
        self.world.replace_job(account, turned)
        return turned

    async def _a_while(self) -> None:
        await asyncio.sleep(self.rng.uniform(0.2, 0.5 if self.is_ending else 4.0))

    async def _heard(self, rule: str, status: str, name: str) -> None:
        """Wait until the receivers have been told, for a while; one time in three not."""
        if self.rng.random() < 1 / 3:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await self._told(rule, status, name)

    async def _told(self, rule: str, status: str, name: str) -> None:
        """Wait until the receivers have been told: more must not happen than short lives can catch up with.

        While they refuse all there is no waiting, or each story would come to stand, and nothing be left to merge.
        """
        while (rule, status, name) not in self.sink.told and not self.is_ending and self.sink.mood != "refuse":
            await asyncio.sleep(0.1)
