"""Scenario files: TOML to frozen dataclasses, with every mistake reported at once.

The dataclasses of `scenario` are the schema: a table's keys are their fields. Durations and moments are written
`"7d"`, `"1d12h"`, `"90m"`, `"-20d"`.
"""

import dataclasses
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from watcher.simulator.faults import Fault
from watcher.simulator.scenario import Account, Scenario

_DURATION = re.compile(r"(-?)((?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class ScenarioError(ValueError):
    """A scenario cannot be used. `mistakes` has one line for each, with its path and its cure."""

    def __init__(self, source: str, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"{source}: {mistake}" for mistake in mistakes))


def demo() -> Scenario:
    """The story that ships with the package."""
    resource = files(__package__).joinpath("scenarios", "demo.toml")
    return parse(resource.read_text(encoding="utf-8"), source="demo.toml")


def load(path: Path) -> Scenario:
    """Read a scenario file. Raises ScenarioError for mistakes in it, OSError when it cannot be read."""
    return parse(path.read_text(encoding="utf-8"), source=str(path))


def parse(text: str, *, source: str = "scenario") -> Scenario:
    """Read a scenario from TOML text. Raises ScenarioError with all mistakes."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ScenarioError(source, [f"not valid TOML: {exc}"]) from exc
    mistakes: list[str] = []
    scenario = _read(Scenario, document, "", mistakes)
    if not mistakes:
        mistakes = inconsistencies(scenario)
    if mistakes:
        raise ScenarioError(source, mistakes)
    return typing.cast(Scenario, scenario)


def parse_fault(table: Mapping[str, object]) -> Fault:
    """One fault from a table in the shape of the scenario's `[[faults]]`. Raises ScenarioError."""
    mistakes: list[str] = []
    fault = _read(Fault, table, "", mistakes)
    if mistakes:
        raise ScenarioError("fault", mistakes)
    return typing.cast(Fault, fault)


def parse_duration(text: str) -> timedelta:
    """`"1d12h"` → timedelta; a leading minus is allowed. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{text!r} is not a duration; write it like "30s", "5m", "4h", "7d" or "1d12h"')
    length = sum((timedelta(**{_UNITS[unit]: float(n)}) for n, unit in _PART.findall(match[2])), timedelta(0))
    return -length if match[1] else length


def inconsistencies(scenario: Scenario) -> list[str]:
    """What no single field shows: names that clash or lead nowhere."""
    mistakes = []
    known = {subscription.id for subscription in scenario.subscriptions}
    for group in scenario.resource_groups:
        if group.subscription is not None and group.subscription not in known:
            mistakes.append(f"resource group {group.name}: no [[subscriptions]] has the id {group.subscription}")
    earlier: dict[str, list[Account]] = {}
    for account in scenario.accounts:
        here = f"account {account.name}"
        namesakes = earlier.setdefault(account.key.lower(), [])
        if any(_overlap(account, other) for other in namesakes):
            mistakes.append(f"{here}: the subdomain {account.key} is taken; give it its own `subdomain`")
        namesakes.append(account)
        if account.subscription is not None and account.subscription not in known:
            mistakes.append(f"{here}: no [[subscriptions]] has the id {account.subscription}")
        jobs = {job.name: job for job in account.jobs}
        if len(jobs) < len(account.jobs):
            mistakes.append(f"{here}: two jobs have the same name")
        for deployment in account.deployments:
            if (deployment.model is None) == (deployment.job is None):
                mistakes.append(f"{here}, deployment {deployment.name}: give either `model` or `job`")
            if deployment.job is not None and deployment.job not in jobs:
                mistakes.append(f"{here}, deployment {deployment.name}: there is no job {deployment.job!r}")
            if any(calls.per_hour <= 0 for calls in deployment.calls):
                mistakes.append(f"{here}, deployment {deployment.name}: `per_hour` must be above 0")
        lives = [(deployment.name.lower(), deployment.created) for deployment in account.deployments]
        if len(set(lives)) < len(lives):
            mistakes.append(f"{here}: two lives of a deployment begin at the same moment")
    return mistakes


def _overlap(one: Account, other: Account) -> bool:
    """Whether two accounts ever exist at the same time."""
    first, second = sorted((one, other), key=lambda account: account.created)
    return first.deleted is None or second.created < first.deleted


def _read(kind: Any, value: object, path: str, mistakes: list[str]) -> Any:
    """Convert `value` to `kind`, noting mistakes; what it returns after a mistake is not to be used."""
    if dataclasses.is_dataclass(kind):
        return _read_table(typing.cast("type[Any]", kind), value, path, mistakes)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):  # optional values only: TOML has no null, so the other one is meant
        return _read(next(a for a in arguments if a is not types.NoneType), value, path, mistakes)
    if origin is typing.Literal:
        if value not in arguments:
            mistakes.append(f"{path}: {value!r} is not one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        return _read_list(arguments, value, path, mistakes)
    if origin is Mapping and arguments[1] is Any:
        if isinstance(value, dict):
            return value
        mistakes.append(f"{path}: expected a table")
        return {}
    if origin is Mapping:
        if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
            return value
        mistakes.append(f"{path}: expected a table of strings")
        return {}
    return _read_scalar(kind, value, path, mistakes)


def _read_table(kind: type[Any], value: object, path: str, mistakes: list[str]) -> Any:
    if not isinstance(value, dict):
        mistakes.append(f"{path}: expected a table")
        return None
    fields = {field.name.rstrip("_"): field for field in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    arguments = {}
    for key, item in value.items():
        inner = f"{path}.{key}" if path else key
        if key not in fields:
            near = get_close_matches(key, fields, n=1)
            mistakes.append(f"{inner}: unknown key" + (f"; did you mean `{near[0]}`?" if near else ""))
            continue
        arguments[fields[key].name] = _read(hints[fields[key].name], item, inner, mistakes)
    for key, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and key not in value:
            mistakes.append(f"{path}: `{key}` is missing" if path else f"`{key}` is missing")
            return None
    return kind(**arguments)


def _read_list(arguments: tuple[Any, ...], value: object, path: str, mistakes: list[str]) -> Any:
    if not isinstance(value, list):
        mistakes.append(f"{path}: expected a list")
        return ()
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_read(arguments[0], item, f"{path}[{i}]", mistakes) for i, item in enumerate(value))
    if len(value) != len(arguments):
        mistakes.append(f'{path}: expected {len(arguments)} values, such as ["Succeeded", "2m"]')
        return ()
    pairs = zip(arguments, value, strict=True)
    return tuple(_read(kind, item, f"{path}[{i}]", mistakes) for i, (kind, item) in enumerate(pairs))


def _read_scalar(kind: Any, value: object, path: str, mistakes: list[str]) -> Any:
    if kind is timedelta:
        try:
            return parse_duration(str(value))
        except ValueError as exc:
            mistakes.append(f"{path}: {exc}")
            return timedelta(0)
    if kind is datetime:
        if isinstance(value, str):  # JSON, by way of the control address
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value
        mistakes.append(f"{path}: expected a time with its zone, as in 2026-03-02T08:00:00Z")
        return None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    mistakes.append(f"{path}: expected {kind.__name__}, not {value!r}")
    return value
