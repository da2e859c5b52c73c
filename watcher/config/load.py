"""Finds the file, reads it, lays `WATCHER_…__…` variables over it, and tells every mistake at once."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from watcher.config.models import Config
from watcher.config.secret import Surroundings
from watcher.config.table import Table, explain
from watcher.errors import ConfigurationError, Problem

#: Where to look when neither `--config` nor `$WATCHER_CONFIG` says.
SEARCH: tuple[Path, ...] = (Path("config.toml"), Path("/etc/watcher/config.toml"))

_PREFIX = "WATCHER_"


def find_config(path: Path | None, environ: Mapping[str, str], *, search: Sequence[Path] = SEARCH) -> Path:
    """The file to read: `path` (`--config`), else `$WATCHER_CONFIG`, else the first of `search` that is there.

    Raises:
        ConfigurationError: it is not there. One that was named is never replaced by another.
    """
    named = environ.get("WATCHER_CONFIG", "")
    if path is not None or named:
        chosen, origin = (path, "--config") if path is not None else (Path(named), "WATCHER_CONFIG")
        if not _is_there(chosen):
            raise ConfigurationError([(str(chosen), "no such file", f"create it, or mend {origin}")])
        return chosen
    for candidate in search:
        if _is_there(candidate):
            return candidate
    places = ", ".join(str(candidate) for candidate in search)
    cure = "write one with the help of config.example.toml, or name it with --config or WATCHER_CONFIG"
    raise ConfigurationError([("", f"no configuration found ({places})", cure)])


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True  # opening it will tell why it cannot be read


def load(path: Path | None, environ: Mapping[str, str], *, is_lenient: bool = False) -> Config:
    """Find, read and check the configuration. Secrets are read now, from `environ` and files.

    Args:
        is_lenient: Let secrets other than the database's be unreadable, as they may well be for whoever only looks.

    Raises:
        ConfigurationError: with every mistake; only a file that is no TOML tells nothing but that.
    """
    found = find_config(path, environ)
    try:
        text = found.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigurationError([(str(found), f"byte {exc.start} is not UTF-8", "save the file as UTF-8")]) from None
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigurationError([(str(found), f"cannot be read ({reason})", "let this user read it")]) from exc
    return parse(text, environ=environ, origin=found, is_lenient=is_lenient)


def parse(
    text: str, *, environ: Mapping[str, str], origin: Path = Path("config.toml"), is_lenient: bool = False
) -> Config:
    """Check the text of a configuration; `origin` is named in errors, and relative `*_file` start at its directory.

    Raises:
        ConfigurationError: see `load`.
    """
    try:
        document = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as exc:
        raise ConfigurationError([_syntax(exc, text, origin)]) from None
    overrides, problems = _overrides(document, environ)
    for override in overrides:
        problems += _lay_over(document, override)
    surroundings = Surroundings(environ=environ, directory=origin.parent, is_lenient=is_lenient)
    try:
        config = Config.model_validate(document, context=surroundings)
    except ValidationError as exc:
        problems += [_problem(error, overrides) for error in exc.errors(include_url=False, include_input=False)]
        raise ConfigurationError(dict.fromkeys(problems)) from None  # its own text would hold what was written
    if problems:
        raise ConfigurationError(problems)
    return config


def _syntax(exc: tomllib.TOMLDecodeError, text: str, origin: Path) -> Problem:
    """tomllib tells the place within its message only, and none at the end of the text."""
    message = str(exc)
    if match := re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL):
        message, line, column = match[1], int(match[2]), int(match[3])
    else:
        lines = text.split("\n")
        message, line, column = message.removesuffix(" (at end of document)"), len(lines), len(lines[-1]) + 1
    return Problem(str(origin), f"line {line}, column {column} is not valid TOML ({message})", "mend it there")


class _Override(NamedTuple):
    variable: str
    keys: tuple[str, ...]
    value: Any


def _overrides(document: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[list[_Override], list[Problem]]:
    """The variables that stand for keys, by name, and those that were meant to and do not."""
    overrides: list[_Override] = []
    problems: list[Problem] = []
    named = set(_named_variables(document))
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable.startswith("WATCHER_TEST_") or variable in named:
            continue
        keys = tuple(variable.removeprefix(_PREFIX).lower().split("__"))
        if len(keys) > 1:
            overrides.append(_Override(variable, keys, _decode(environ[variable])))
        elif meant := _flat_paths().get(keys[0]):
            # Others pass: Kubernetes sets WATCHER_SERVICE_HOST and its like for a service named watcher.
            message = "overrides nothing: tables are parted by two underscores"
            problems.append(Problem(variable, message, f"did you mean {_PREFIX}{meant.upper()}?"))
    return overrides, problems


def _named_variables(value: Any) -> Iterator[str]:
    """Variables that some `*_env` names; they hold secrets and override nothing, whatever they are called."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key.endswith("_env") and isinstance(entry, str):
                yield entry
            yield from _named_variables(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _named_variables(entry)


def _decode(text: str) -> Any:
    """JSON for lists and tables; all else stays a text, of which the models make numbers and the like."""
    if text.lstrip().startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text  # `[::1]:8787`, or a mistake that the models tell
    return text


def _flat_paths() -> dict[str, str]:
    return {path.replace("__", "_"): path for path in _paths(Config, "")}


def _paths(table: type[Table], prefix: str) -> Iterator[str]:
    for key, field in zip(table.key_names(), table.model_fields.values(), strict=True):
        kinds = (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Table)), None)
        if inner is not None and inner is not table:
            yield from _paths(inner, f"{prefix}{key}__")
        elif prefix:
            yield f"{prefix}{key}"


def _lay_over(document: dict[str, Any], override: _Override) -> Iterator[Problem]:
    *tables, last = override.keys
    table = document
    for key in tables:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            yield Problem(override.variable, f"{key} is no table", "a list is given whole, as JSON")
            return
        table = inner
    table[last] = override.value


def _problem(error: ErrorDetails, overrides: Sequence[_Override]) -> Problem:
    loc = tuple(part for part in error["loc"] if part != "[key]")  # pydantic's mark of a key that is itself at fault
    if loc[:1] == ("receivers",) and len(loc) > 2:
        loc = (*loc[:2], *loc[3:])  # pydantic names the type of receiver there
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            shown = part if re.fullmatch(r"[\w.\[\]-]+", part, re.ASCII) else json.dumps(part, ensure_ascii=False)
            path += f".{shown}" if path else shown
    message, cure = explain(error)
    for override in overrides:
        if loc and loc == override.keys[: len(loc)]:
            return Problem(f"{override.variable} ({path})", message, cure)
    return Problem(path, message, cure)
