"""The real program in a process of its own, forked from one that has imported it and done nothing else.

So a start takes a tenth of a second in place of two. What differs from `python -m watcher` is the interpreter's own
start, and who reaps the process; `Flow.is_anew` starts it as a user does.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from watcher.cli import main

#: What the program imports before it does anything.
_LOADED = (
    "watcher.cli.run",
    "watcher.daemon.service",
    "watcher.notify.webhook",
    "httpx_aiohttp",
    "psycopg",
    "pydantic.dataclasses",
    "uvicorn.lifespan.off",
    "uvloop",
)
_BEAT_S = 0.01
#: A start asks for the ends of all before it, in its own thread; of two who read one exit code at once, one gets 255.
_DOOR = threading.Lock()


def fork(body: Callable[..., None], *arguments: Any, **options: Any) -> BaseProcess:
    """Call `body` in a new process. The first call in a process takes as long as the imports; call it in a thread."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", body.__module__, *_LOADED])
    process = context.Process(target=body, args=arguments, kwargs=options, daemon=True)
    with _DOOR:
        process.start()
    return process


def exit_code(process: BaseProcess) -> int | None:
    """Of a forked process; `None`: it runs."""
    with _DOOR:
        return process.exitcode


def kill(process: BaseProcess) -> None:
    """Kill a forked process, if it runs."""
    with _DOOR:
        process.kill()


def become(*, out: Path, err: Path, folder: Path, environ: Mapping[str, str]) -> None:
    """Have this process write to these files, stand in this folder, and know no other environment."""
    for path, number in ((out, 1), (err, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)


def run(arguments: Sequence[str], *, out: Path, err: Path, folder: Path, environ: Mapping[str, str]) -> None:
    """The body of a process: the command line, in a folder and an environment of its own."""
    become(out=out, err=err, folder=folder, environ=environ)
    main(arguments)


@dataclass(frozen=True, slots=True)
class Forked:
    """As `asyncio.subprocess.Process`, as far as it is used here."""

    process: BaseProcess

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return exit_code(self.process)

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    async def wait(self) -> int:
        while (code := self.returncode) is None:
            await asyncio.sleep(_BEAT_S)
        return code
