"""Secrets: read from a variable or a file when the configuration is loaded, and shown nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from watcher.config.values import Invalid

_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a value may be read from beside the file itself; handed to pydantic as its context."""

    environ: Mapping[str, str] = field(repr=False)
    #: Relative `*_file` paths start here: the directory of the configuration, as in Alertmanager.
    directory: Path
    #: A secret that cannot be read is no mistake until somebody wants it, as most commands do not.
    is_lenient: bool = False


class Secret:
    """A secret's value; `repr` and `str` are `***`, so that no log, page or traceback shows it by accident."""

    __slots__ = ("_read", "_value", "source")

    def __init__(self, value: str, *, source: str = "", read: Callable[[], str] | None = None) -> None:
        """`source`: where it is from, for people (`$NAME` or a path); `read`: reads it anew."""
        self._value = value
        self._read = read
        self.source = source

    def reveal(self) -> str:
        return self._value

    def renewed(self) -> Secret:
        """The secret as its file has it now; one from elsewhere is returned as it is.

        Raises:
            Invalid: the file cannot be read any more, or is empty.
        """
        return self if self._read is None else Secret(self._read(), source=self.source, read=self._read)

    @property
    def is_missing(self) -> bool:
        """Whether it could not be read, where that is allowed."""
        return False

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class MissingSecret(Secret):
    """One that could not be read; wanting it raises why."""

    __slots__ = ("_problem",)

    def __init__(self, problem: Invalid) -> None:
        super().__init__("")
        self._problem = problem

    def reveal(self) -> str:
        raise self._problem

    @property
    def is_missing(self) -> bool:
        return True


def _read_or_missing(read: Callable[[], Secret], info: ValidationInfo) -> Secret:
    try:
        return read()
    except Invalid as exc:
        if isinstance(info.context, Surroundings) and info.context.is_lenient:
            return MissingSecret(exc)
        raise


def _secret_from_env(name: object, info: ValidationInfo) -> Secret:
    if isinstance(name, Secret):
        return name
    if not isinstance(name, str) or not re.fullmatch(_VARIABLE, name):
        # The text is not repeated: it may be the secret itself.
        raise Invalid("is not the name of a variable", "write the variable's name, not the secret")
    return _read_or_missing(lambda: _from_variable(name, info), info)


def _from_variable(name: str, info: ValidationInfo) -> Secret:
    environ = info.context.environ if isinstance(info.context, Surroundings) else {}
    value = environ.get(name)
    if value is not None and (value := value.rstrip("\r\n")):
        return Secret(value, source=f"${name}")
    shown = name if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", name) else "the variable"
    other = f"{(info.field_name or '').removesuffix('_env')}_file"
    raise Invalid(f"{shown} is {'not set' if value is None else 'empty'}", f"export it or use {other}")


def _secret_from_file(name: object, info: ValidationInfo) -> Secret:
    if isinstance(name, Secret):
        return name
    if not isinstance(name, (str, Path)) or not str(name) or "://" in str(name) or "\n" in str(name):
        raise Invalid("is not the path of a file", "write the file's path, not the secret")
    path = Path(name)
    if isinstance(info.context, Surroundings):
        path = info.context.directory / path

    # What is no path may be the secret itself; only what leads somewhere is shown.
    start = Path(*path.parts[:2]) if Path(name).is_absolute() else path.parent
    shown = str(path) if "/" in str(name) and start.is_dir() else "the file"

    def read() -> str:
        return _read_secret(path, shown)

    return _read_or_missing(lambda: Secret(read(), source=str(path), read=read), info)


def _read_secret(path: Path, shown: str) -> str:
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "not a text in UTF-8"
        raise Invalid(
            f"{shown} cannot be read ({reason})", "create it, and let the user that runs watcher read it"
        ) from None
    if not value:
        raise Invalid(f"{shown} is empty", "write the secret into it")
    return value


_HIDDEN = PlainSerializer(str, return_type=str)
SecretFromEnv = Annotated[
    Secret,
    PlainValidator(_secret_from_env),
    _HIDDEN,
    WithJsonSchema({"type": "string", "pattern": rf"^{_VARIABLE}$"}),
]
SecretFromFile = Annotated[Secret, PlainValidator(_secret_from_file), _HIDDEN, WithJsonSchema({"type": "string"})]
