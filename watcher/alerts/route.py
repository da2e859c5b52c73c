"""The tree of routes, with Alertmanager's meaning: which receivers an alert reaches, and in which group.

A child takes over what it leaves unset, except `mute`, which is each route's own. The first child that matches wins,
unless it says `continue`; a child that matches replaces its parent.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from watcher.alerts.matcher import Matcher, Operator, matches

#: Rules for reports and the page: their alerts reach no receiver unless a route names them in a matcher on `rule`.
REPORT_ONLY_RULES = frozenset(
    {
        "deployment_wasting",
        "deployment_trickle",
        "deployment_superseded",
        "model_undeployed",
        "file_orphaned",
        "limit_near",
    }
)

#: In `group_by`: group by all labels, so that each alert stands alone.
ALL_LABELS = "..."

#: No rule has this name; a regular expression that matches it names no rule, as `.*` does not.
_NO_RULE = "no_such_rule_at_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """A route as written: `None` is taken over from the parent, and at the root from the defaults."""

    receiver: str | None = None
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] | None = None
    group_wait: timedelta | None = None
    group_interval: timedelta | None = None
    repeat_interval: timedelta | None = None
    mute: tuple[str, ...] = ()
    continue_: bool = False
    fallback: tuple[str, ...] | None = None
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] | None = None
    routes: "tuple[RouteSpec, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route with everything settled. `fallback` and `escalate_*` are carried for later stages of delivery."""

    path: str = "route"  #: "route", "route.routes[0]", "route.routes[0].routes[1]", …
    receiver: str
    matchers: tuple[Matcher, ...] = ()
    inherited_matchers: tuple[Matcher, ...] = ()  #: those of all its ancestors
    group_by: tuple[str, ...] = ("rule", "owner")
    group_wait: timedelta = timedelta(seconds=30)
    group_interval: timedelta = timedelta(minutes=5)
    repeat_interval: timedelta = timedelta(hours=24)  #: zero: no reminders
    mute: tuple[str, ...] = ()  #: names of mute intervals
    continue_: bool = False
    fallback: tuple[str, ...] = ()
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()
    routes: "tuple[Route, ...]" = ()

    def match(self, labels: Mapping[str, str]) -> "tuple[Route, ...]":
        """The routes that an alert with these labels takes, in the order of the file; empty where none wants it."""
        rule = labels.get("rule", "")
        reached = self._reached(labels)
        if rule in REPORT_ONLY_RULES:
            return tuple(route for route in reached if route.names_rule(rule))
        return reached

    def _reached(self, labels: Mapping[str, str]) -> "tuple[Route, ...]":
        if not matches(self.matchers, labels):
            return ()
        reached: tuple[Route, ...] = ()
        for child in self.routes:
            below = child._reached(labels)
            reached += below
            if below and not child.continue_:
                break
        return reached or (self,)

    def names_rule(self, rule: str) -> bool:
        """Whether this route, or one above it, asks for the rule by name or by a telling regular expression."""
        return any(
            matcher.name == "rule"
            and matcher.operator in (Operator.EQUAL, Operator.REGEX)
            and matcher.matches({"rule": rule})
            and not matcher.matches({"rule": _NO_RULE})
            for matcher in (*self.inherited_matchers, *self.matchers)
        )

    def walk(self) -> "Iterator[Route]":
        """This route and all below it, in the order of the file."""
        yield self
        for child in self.routes:
            yield from child.walk()

    def at(self, path: str) -> "Route | None":
        """The route of that path, or `None`."""
        return next((route for route in self.walk() if route.path == path), None)


def build_route(spec: RouteSpec) -> Route:
    """The tree with all that is inherited filled in.

    Raises:
        ValueError: the root names no receiver.
    """
    if not spec.receiver:
        raise ValueError("route.receiver is not set; the root route needs one")
    return _settle(spec, Route(receiver=spec.receiver), path="route")


def _settle(spec: RouteSpec, parent: Route, *, path: str, above: tuple[Matcher, ...] = ()) -> Route:
    settled = Route(
        path=path,
        receiver=spec.receiver or parent.receiver,
        matchers=spec.matchers,
        inherited_matchers=above,
        group_by=_or(spec.group_by, parent.group_by),
        group_wait=_or(spec.group_wait, parent.group_wait),
        group_interval=_or(spec.group_interval, parent.group_interval),
        repeat_interval=_or(spec.repeat_interval, parent.repeat_interval),
        mute=spec.mute,
        continue_=spec.continue_,
        fallback=_or(spec.fallback, parent.fallback),
        escalate_after=_or(spec.escalate_after, parent.escalate_after),
        escalate_to=_or(spec.escalate_to, parent.escalate_to),
    )
    children = tuple(
        _settle(child, settled, path=f"{path}.routes[{number}]", above=(*above, *spec.matchers))
        for number, child in enumerate(spec.routes)
    )
    return replace(settled, routes=children)


T = TypeVar("T")


def _or(own: T | None, inherited: T) -> T:
    return inherited if own is None else own


def group_labels(route: Route, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that name the alert's group, by name. An empty label is a missing one."""
    return {
        name: labels[name]
        for name in sorted(labels)
        if labels[name] and (ALL_LABELS in route.group_by or name in route.group_by)
    }


def group_key(route: Route, labels: Mapping[str, str]) -> str:
    """Name of the alert's group, the same for every receiver: the route's path and the group's labels as JSON."""
    named = json.dumps(group_labels(route, labels), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"{route.path}:{named}"


def labels_of_key(key: str) -> dict[str, str]:
    """The group's labels, read back from its key: its route may be gone from the configuration by then."""
    _, brace, rest = key.partition(":{")
    return dict(json.loads("{" + rest)) if brace else {}
