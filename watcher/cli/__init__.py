"""The command line. `main` is the entry point; all else is imported only once it is known to be needed."""

import gc
import sys
from collections.abc import Sequence

from watcher import __version__


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code: 0 done, 1 failed, 2 wrong usage or configuration, 3 done with gaps."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args == ["--version"]:  # asked by scripts and health checks: answered before anything is imported
        print(f"watcher {__version__}")
        return
    gc.disable()  # loading makes no garbage, and much to scan for it; `watcher.loop` turns it on again
    from watcher.cli.app import run

    sys.exit(run(args))
