"""Alertmanager's label matchers, shared by routes, silences and inhibitions. A label that is missing equals "".

A regular expression that could take for ever is refused like one that is none, wherever it comes from. What was stored
before it was refused can be read all the same, and matches nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from watcher.patterns import compiled


class Operator(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One comparison of one label. Regular expressions are anchored at both ends."""

    name: str
    operator: Operator
    value: str

    def __post_init__(self) -> None:
        if self.is_pattern:
            compiled(self.value)

    @property
    def is_pattern(self) -> bool:
        return self.operator in (Operator.REGEX, Operator.NOT_REGEX)

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.name, "")
        if self.operator is Operator.EQUAL:
            return value == self.value
        if self.operator is Operator.NOT_EQUAL:
            return value != self.value
        return (compiled(self.value).fullmatch(value) is not None) is (self.operator is Operator.REGEX)

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{escaped}"'


@dataclass(frozen=True, slots=True)
class UnreadMatcher:
    """What was stored as a matcher and is none by now: another version took it, or another hand wrote it.

    It matches nothing. Guessing what it meant might hide an alert; without it, at worst one too many is told.
    """

    text: str
    because: str  #: why it is none, in a line

    def matches(self, labels: Mapping[str, str]) -> bool:
        return False

    def __str__(self) -> str:
        return self.text


# A tag that becomes a label keeps its name, hence the hyphen and the dot, which Prometheus would not allow.
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]*")
_OPERATOR = re.compile(r"\s*(=~|!~|!=|=)\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r'[^\s"{},]*')
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


def parse_matcher(text: str) -> Matcher:
    """One matcher: `rule="deployment_idle"`, `account=~"dev-.*"`, or without quotes `rule=deployment_idle`.

    Inside quotes `\\"`, `\\\\` and `\\n` are escapes; any other backslash stands for itself, so that regular
    expressions need no doubling.

    Raises:
        ValueError: what is wrong with the text, in one line.
    """
    stripped = text.strip()
    name = _NAME.match(stripped)
    operator = _OPERATOR.match(stripped, name.end()) if name else None
    if name is None or operator is None:
        raise ValueError(f"""{text!r} is not a matcher; write label="value" with one of = != =~ !~""")
    rest = stripped[operator.end() :]
    if quoted := _QUOTED.fullmatch(rest):
        value = re.sub(r'\\([n"\\])', lambda found: _ESCAPES[found[1]], quoted[1])
    elif _BARE.fullmatch(rest):
        value = rest
    else:
        raise ValueError(f'{text!r} has a value that cannot be read; put it in quotes: {name[0]}{operator[1]}"…"')
    return Matcher(name[0], Operator(operator[1]), value)


def parse_matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Each text as a matcher, in order. Raises ValueError at the first that is none."""
    return tuple(parse_matcher(text) for text in texts)


def stored_matchers(texts: Iterable[str]) -> tuple[Matcher | UnreadMatcher, ...]:
    """What was stored, each in order: one that cannot be read does not keep the others from being read."""
    return tuple(_stored(text) for text in texts)


def _stored(text: str) -> Matcher | UnreadMatcher:
    try:
        return parse_matcher(text)
    except ValueError as exc:
        return UnreadMatcher(text, str(exc))


def matches(matchers: Iterable[Matcher | UnreadMatcher], labels: Mapping[str, str]) -> bool:
    """Whether all of them match; none at all match everything."""
    for matcher in matchers:  # noqa: SIM110 (`all` takes twice as long, and nothing is asked more often)
        if not matcher.matches(labels):
            return False
    return True
