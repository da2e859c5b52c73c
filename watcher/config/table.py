"""`Table`: what every table of the configuration has in common.

A table tells all its mistakes at once: pydantic's about single values, those about several keys (`mistakes`), unknown
keys and literal secrets. pydantic alone would stop at the first kind, since its validators of whole models run only
once every field is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from watcher.config.secret import Secret
from watcher.config.values import Invalid

#: The type of all errors that leave a table; they carry `message` and `cure`.
MISTAKE = "mistake"


class Mistake(NamedTuple):
    """What is wrong with one key of a table, seen from the table; an empty key is the table itself."""

    key: str
    message: str
    cure: str = ""


class Table(BaseModel):
    """A frozen table that refuses unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        defer_build=True,  # most commands of the CLI import this package and some never read a configuration
    )

    #: Secrets of which `…_env` or `…_file` must be given.
    needed_secrets: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        """Mistakes among several keys. `table` is as in the file: nothing about its types is known yet."""
        return iter(())

    @classmethod
    def key_names(cls) -> tuple[str, ...]:
        """The keys as they are written in the file."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    def secret(self, name: str) -> Secret | None:
        """The secret `name`, from wherever it was read."""
        value = getattr(self, f"{name}_env") or getattr(self, f"{name}_file")
        return value if isinstance(value, Secret) else None

    def secrets(self) -> Iterator[Secret]:
        """Every secret in this table and those below it, for cutting them out of logs."""
        waiting: list[object] = [self]
        while waiting:
            value = waiting.pop(0)
            if isinstance(value, Secret):
                yield value
            elif isinstance(value, Table):
                waiting.extend(getattr(value, name) for name in type(value).model_fields)
            elif isinstance(value, tuple):
                waiting.extend(value)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Nothing in a table changes, so none needs a copy; pydantic would copy every default."""
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _all_at_once(cls, table: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(table, dict):
            return handler(table)
        value: Self | None = None
        lines: list[InitErrorDetails] = []
        try:
            value = handler(table)
        except ValidationError as exc:
            for error in exc.errors(include_url=False, include_input=False):
                if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
                    continue  # told with its nearest key by _unknown_keys
                if error["type"] == "tuple_type" and isinstance(table.get(key := error["loc"][0]), dict):
                    lines.append(_line(error["loc"], "must be a list of tables", f"write [[{key}]], in two brackets"))
                    continue
                lines.append(_line(error["loc"], *explain(error)))
        for key, message, cure in (*_unknown_keys(cls, table), *_secrets(cls, table), *cls.mistakes(table)):
            lines.append(_line((key,) if key else (), message, cure))
        if value is None or lines:
            raise ValidationError.from_exception_data(cls.__name__, lines, hide_input=True)
        return value


def _line(loc: tuple[int | str, ...], message: str, cure: str) -> InitErrorDetails:
    error = PydanticCustomError(MISTAKE, "{message}", {"message": message, "cure": cure})
    return InitErrorDetails(type=error, loc=loc, input=None)


def _unknown_keys(cls: type[Table], table: Mapping[str, Any]) -> Iterator[Mistake]:
    if cls.model_config.get("extra") != "forbid":
        return
    keys = cls.key_names()
    for key in table:
        if key in keys:
            continue
        if f"{key}_env" in keys:
            yield Mistake(
                key, "a secret is never written here", f"name its variable in {key}_env or its file in {key}_file"
            )
        else:
            yield Mistake(key, "is not a known key", nearest(key, keys))


def _secrets(cls: type[Table], table: Mapping[str, Any]) -> Iterator[Mistake]:
    for key in cls.key_names():
        name = key.removesuffix("_env")
        if name != key and key in table and f"{name}_file" in table:
            yield Mistake(f"{name}_file", f"stands beside {key}", "keep one of them")
    for name in cls.needed_secrets:
        if not has_secret(table, name) and name not in table:  # a literal one was told already
            yield Mistake(f"{name}_env", "is required", f"name a variable here, or a file in {name}_file")


def has_secret(table: Mapping[str, Any], name: str) -> bool:
    return f"{name}_env" in table or f"{name}_file" in table


def nearest(word: str, known: Iterable[str]) -> str:
    """The advice that goes with an unknown word: the nearest known one, or all if none is near and they are few."""
    known = list(dict.fromkeys(known))
    if close := get_close_matches(word.lower(), known, n=1, cutoff=0.5):
        return f"did you mean {close[0]}?"
    # A prefix or a part is a common slip that the ratio misses: `interval` for `repeat_interval`.
    if parts := [key for key in known if word.lower() in key or key in word.lower()]:
        return f"did you mean {parts[0]}?"
    return f"known are {', '.join(known)}" if 0 < len(known) <= 20 else "remove it"


#: pydantic's types of errors in our words; each message follows the path and a colon.
_WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("is required", "add it"),
    "string_type": ("must be a text", "put it in quotes"),
    "bool_type": ("must be true or false", "write it without quotes"),
    "bool_parsing": ("must be true or false", "write true or false"),
    "int_type": ("must be a whole number", "write it without quotes"),
    "int_parsing": ("must be a whole number", "write it in digits"),
    "int_from_float": ("must be a whole number", "write it in digits"),
    "decimal_type": ("must be a number", "write it without quotes"),
    "decimal_parsing": ("must be a number", "write it in digits"),
    "tuple_type": ("must be a list", 'write it in brackets: ["…"]'),
    "mapping_type": ("must be a table", "write it under a head in brackets, or { key = value }"),
    "model_type": ("must be a table", "write it under a head in brackets, or { key = value }"),
    "model_attributes_type": ("must be a table", "write it under a head in brackets, or { key = value }"),
    "dict_type": ("must be a table", "write it under a head in brackets, or { key = value }"),
    "too_short": ("is empty", "name at least one"),
    "string_too_short": ("is empty", "write something"),
}
_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("gt", "must be more than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def explain(error: ErrorDetails) -> tuple[str, str]:
    """Message and cure for one of pydantic's errors; never the value itself, which may be a secret."""
    kind, context = error["type"], error.get("ctx", {})
    cause = context.get("error")
    if kind == MISTAKE:
        return context["message"], context["cure"]
    if isinstance(cause, Invalid):
        return cause.message, cause.cure
    if kind == "literal_error":
        return "is none of the choices", f"use {context['expected']}"
    if kind in _LIMITS:
        limit, words = _LIMITS[kind]
        return f"{words} {context[limit]}", "choose another number"
    if kind in _WORDS:
        return _WORDS[kind]
    return error["msg"][:1].lower() + error["msg"][1:], "see config.example.toml"
