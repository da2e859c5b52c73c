"""Reads JSON into typed shapes and gives up as little as it can: a field of the wrong type costs that field, an item
without an identity costs that item, and only what is no JSON at all costs the page. Pure.

The usual case is one pass by msgspec over the whole page; the slower way is taken only when that pass fails.
"""

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from watcher.errors import MalformedError

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
#: Unix seconds from 1990 to 2200; outside it a number is milliseconds, or nonsense.
_EARLIEST_S, _LATEST_S = 631_152_000, 7_258_118_400


@dataclass(frozen=True, slots=True)
class BadItem:
    """An item of a listing that could not be read. It exists all the same, and must not be taken for gone."""

    id: str  #: "" where not even that could be read
    problem: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing, and where the next one is."""

    items: tuple[T, ...]
    bad: tuple[BadItem, ...] = ()
    has_more: bool = False  #: data plane
    last_id: str = ""  #: data plane: the cursor for the next page
    next_link: str = ""  #: control plane


def parse(body: bytes) -> Any:
    """The JSON in `body`. Raises `MalformedError` where there is none."""
    try:
        return msgspec.json.decode(body.removeprefix(_BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise MalformedError(f"the answer is not JSON: {exc}") from exc


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises `MalformedError` where it is something else."""
    answer = parse(body)
    if not isinstance(answer, dict):
        raise MalformedError(f"the answer is a JSON {type(answer).__name__}, not an object")
    return answer


def shape(value: Any, type_: type[S]) -> S:
    """`value` as a `type_`, field by field: what has the wrong type is taken as left out.

    Raises:
        MalformedError: `value` is no object, or lacks a field that has no default.
    """
    try:
        return msgspec.convert(value, type_)
    except (msgspec.ValidationError, RecursionError):
        pass
    if not isinstance(value, dict):
        raise MalformedError(f"a JSON {type(value).__name__} where an object was expected")
    fields: dict[str, Any] = {}
    for name, key, field_type, nested, required in _fields(type_):
        if key not in value:
            if required:
                raise MalformedError(f"`{key}` is missing")
            continue
        try:
            fields[name] = msgspec.convert(value[key], field_type)
        except (msgspec.ValidationError, RecursionError) as exc:
            if nested is not None and isinstance(value[key], dict):
                fields[name] = shape(value[key], nested)
            elif required:
                raise MalformedError(f"`{key}` is not what it should be: {exc}") from exc
    return type_(**fields)


@lru_cache(maxsize=64)
def _fields(type_: type[msgspec.Struct]) -> tuple[tuple[str, str, Any, type[msgspec.Struct] | None, bool], ...]:
    """Name, key in JSON, type, nested shape, and whether it is required, of each field."""
    hints = get_type_hints(type_)
    return tuple(
        (field.name, field.encode_name, hints[field.name], _nested(hints[field.name]), field.required)
        for field in msgspec.structs.fields(type_)
    )


def _nested(hint: Any) -> type[msgspec.Struct] | None:
    choices = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return next((c for c in choices if isinstance(c, type) and issubclass(c, msgspec.Struct)), None)


def when(value: Any) -> datetime | None:
    """A moment, aware and in UTC, from Unix seconds (a number or its text) or RFC 3339; `None` where it is neither."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _EARLIEST_S <= value <= _LATEST_S:
        return None
    return datetime.fromtimestamp(value, UTC)


def _from_text(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text_of(value: Any) -> str:
    """A text or a number as text; "" for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else ""


def texts_of(value: Any) -> Mapping[str, str]:
    """A map's entries that are texts or numbers; nested ones and nulls are left out."""
    if not isinstance(value, dict):
        return {}
    return {key: text_of(entry) for key, entry in value.items() if isinstance(entry, str | int | float)}


def float_of(value: Any) -> float | None:
    """A finite number as such; `None` for anything else, a number beyond any float included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def int_of(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):  # nan, infinity
        return None
