"""Alertmanager's label matchers, shared by routes, silences and inhibitions. A label that is missing equals "".

A regular expression that could take for ever is refused like one that is none, wherever it comes from.
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


def matches(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all of them match; none at all match everything."""
    return all(matcher.matches(labels) for matcher in matchers)
