"""What a command works with: the time, the environment, where it writes, and the way to configuration and store."""

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from watcher.cli.table import Line, printable
from watcher.clock import Clock, system_clock
from watcher.errors import Refused

if (
    TYPE_CHECKING
):  # for annotations alone: pydantic and SQLAlchemy cost most of a second, and some commands need neither
    from watcher.config import Config
    from watcher.store.engine import Store

#: Width of what is written to a file or a pipe.
_WIDTH = 80
_LEAST_WIDTH = 40
#: A shorter secret is a placeholder, and would be cut out of innocent words.
_LEAST_SECRET = 6


@dataclass(slots=True)
class Desk:
    """One for each run of the program."""

    clock: Clock = system_clock
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    config_path: Path | None = None  #: `--config` where it stood before the command
    _secrets: tuple[str, ...] = ()

    # What is known

    def config(self, path: Path | None, *, needs_secrets: bool = False) -> "Config":
        """The configuration. Its secrets are kept out of all that `complain` writes.

        Args:
            needs_secrets: All of them must be readable; without it, only the database's.

        Raises:
            ConfigurationError: with every mistake.
        """
        from watcher.config import load

        config = load(path or self.config_path, self.environ, is_lenient=not needs_secrets)
        known = (secret.reveal() for secret in config.secrets() if not secret.is_missing)
        self._secrets = tuple(text for text in known if len(text) >= _LEAST_SECRET)
        return config

    @contextlib.contextmanager
    def store(self, config: "Config") -> "Iterator[Store]":
        """The store, at the schema that this version knows; never creates or upgrades one.

        Raises:
            Refused: there is no database yet.
            StoreError: it cannot be used.
        """
        from watcher.store.engine import Store, check_schema, connect

        engine = connect(config.database.address.reveal())
        file = engine.url.database if engine.dialect.name == "sqlite" else None
        if file and file != ":memory:" and not Path(file).exists():
            raise Refused(
                f"there is no database at {file} yet: start `watcher run`, or run `watcher db upgrade`", code=2
            )
        check_schema(engine)
        store = Store(engine)
        try:
            yield store
        finally:
            store.close()

    def quieten(self) -> None:
        """Let only errors through to the log, and that on standard error: a command speaks for itself."""
        from watcher import logs

        logs.configure(format="console", level="error", stream=self.err)
        logs.hide(self._secrets)

    def now(self) -> datetime:
        """The time, for the whole of a command."""
        return self.clock()

    # What is said

    @property
    def is_terminal(self) -> bool:
        """Whether somebody looks at what is written."""
        return self.out.isatty()

    @property
    def width(self) -> int:
        """Cells in a line: `COLUMNS`, else those of the terminal, else 80."""
        columns = self.environ.get("COLUMNS", "")
        if columns.isascii() and columns.isdigit() and int(columns):
            return max(int(columns), _LEAST_WIDTH)
        if self.is_terminal:
            with contextlib.suppress(OSError, ValueError):
                return max(os.get_terminal_size(self.out.fileno()).columns, _LEAST_WIDTH)
        return _WIDTH

    def document(self, document: Mapping[str, object]) -> None:
        """Write one JSON document. Pure ASCII: whatever stands in names, a terminal obeys none of it."""
        self.out.write(json.dumps(document, indent=2) + "\n")

    def lines(self, lines: Iterable[Line]) -> None:
        """Write lines as they are; with colours on a terminal only."""
        if not self.is_terminal:
            self.out.writelines("".join(text for text, _ in line).rstrip() + "\n" for line in lines)
            return
        from rich.console import Console
        from rich.text import Text

        console = Console(file=self.out, markup=False, emoji=False, highlight=False)
        for line in lines:
            console.print(Text.assemble(*line), soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """Write one line."""
        self.lines([((printable(text), style),)])

    def ask(self, question: str, default: str | None = None) -> str:
        """Ask whoever sits there, again until something is said; nothing said means `default`.

        Raises:
            KeyboardInterrupt: nobody is there any more.
        """
        while True:
            self.out.write(f"{question} [{default}]: " if default else f"{question}: ")
            self.out.flush()
            answer = self.stdin.readline()
            if not answer:
                raise KeyboardInterrupt
            if (said := answer.strip()) or default is not None:
                return said or (default or "")

    def complain(self, text: str) -> None:
        """Write to standard error: one line, however many the text has, and none of the configuration's secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        self.err.write(printable(" ".join(text.split("\n"))) + "\n")
        self.err.flush()
