"""The demo's whole story, told once for all tests that look at what it prints or leaves behind."""

import io
from dataclasses import dataclass
from pathlib import Path

from watcher.cli.app import run
from watcher.cli.desk import Desk


@dataclass
class Told:
    """What a command came to."""

    code: int
    out: str
    err: str
    folder: Path = Path()  #: of a story: where it is kept


def watcher(*args: str) -> Told:
    """Run one command in this process."""
    out, err = io.StringIO(), io.StringIO()
    code = run(args, Desk(environ={}, out=out, err=err))
    return Told(code, out.getvalue(), err.getvalue())


def tell(folder: Path) -> Told:
    """Tell it as fast as it goes, and keep it in `folder`."""
    told = watcher("demo", "--no-web", "--speed", "1000d", "--keep", str(folder))
    told.folder = folder
    return told
