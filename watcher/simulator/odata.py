"""The part of OData's `$filter` that these APIs use: comparisons, `and`, `or`, parentheses, `contains`, `startswith`.

One grammar serves the metrics, the activity log and the retail prices.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

Lookup = Callable[[str], str | None]  # field name in lower case → value; None when the row lacks it
Test = Callable[[Lookup], bool]

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[\w/.:+-]+)|(?P<mark>[(),]))")
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ge": lambda a, b: _order(a) >= _order(b),
    "gt": lambda a, b: _order(a) > _order(b),
    "le": lambda a, b: _order(a) <= _order(b),
    "lt": lambda a, b: _order(a) < _order(b),
    "sw": lambda a, b: a.startswith(b),
}


def _order(value: str) -> float:
    """What these APIs put in order: times, and numbers."""
    try:
        return datetime.fromisoformat(value.upper()).timestamp()
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        raise FilterError(f"{value!r} is neither a time nor a number") from None


class FilterError(ValueError):
    """A `$filter` that cannot be read; the message says where it went wrong."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, and the fields that it mentions (lower case, in order of appearance)."""

    test: Test
    fields: tuple[str, ...]


def parse_filter(text: str) -> Filter:
    """Read a `$filter`. Text compares without case; `eq '*'` holds for every value. Raises FilterError."""
    parser = _Parser(_tokens(text))
    test = parser.disjunction()
    if parser.peek():
        raise FilterError(f"unexpected {parser.peek()!r} in filter")
    return Filter(test, tuple(dict.fromkeys(parser.fields)))


def _tokens(text: str) -> list[str]:
    found, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"cannot read the filter at {text[position:]!r}")
        found.append(match.group().strip())
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self.fields: list[str] = []

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def disjunction(self) -> Test:
        tests = [self._conjunction()]
        while self.peek().lower() == "or":
            self._next()
            tests.append(self._conjunction())
        return lambda row: any(test(row) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._term()]
        while self.peek().lower() == "and":
            self._next()
            tests.append(self._term())
        return lambda row: all(test(row) for test in tests)

    def _term(self) -> Test:
        word = self._next()
        if word == "(":
            inner = self.disjunction()
            self._expect(")")
            return inner
        if word.lower() in ("contains", "startswith"):
            self._expect("(")
            field = self._field(self._next())
            self._expect(",")
            wanted = self._value()
            self._expect(")")
            if word.lower() == "contains":
                return lambda row: wanted in (row(field) or "").lower()
            return lambda row: (row(field) or "").lower().startswith(wanted)
        field = self._field(word)
        operator = self._next().lower()
        if operator not in _COMPARISONS:
            raise FilterError(f"unknown operator {operator!r} in filter")
        compare, wanted = _COMPARISONS[operator], self._value()

        def test(row: Lookup) -> bool:
            value = row(field)
            return value is not None and ((operator == "eq" and wanted == "*") or compare(value.lower(), wanted))

        return test

    def _field(self, word: str) -> str:
        if not word or not word[0].isalpha():
            raise FilterError(f"expected a field name, not {word!r}")
        self.fields.append(word.lower())
        return word.lower()

    def _value(self) -> str:
        word = self._next()
        if word.startswith("'"):
            return word[1:-1].replace("''", "'").lower()
        if not word or word in "(),":
            raise FilterError("expected a value in filter")
        return word.lower()

    def _next(self) -> str:
        word = self.peek()
        if not word:
            raise FilterError("the filter ends too early")
        self._at += 1
        return word

    def _expect(self, mark: str) -> None:
        if self._next() != mark:
            raise FilterError(f"expected {mark!r} in filter")
