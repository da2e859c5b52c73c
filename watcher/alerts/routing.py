"""Who an alert reaches: the tree of routes, the owners beside it, and the others where a receiver itself has failed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from watcher.alerts.inhibition import DEFAULT_INHIBITIONS, InhibitRule
from watcher.alerts.interval import MuteInterval
from watcher.alerts.matcher import Matcher, matches
from watcher.alerts.route import REPORT_ONLY_RULES, Route, group_labels

#: Says that a receiver takes no messages; its label `receiver` names it.
DELIVERY_RULE = "delivery_failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What the configuration says of who is told."""

    root: Route
    inhibitions: tuple[InhibitRule, ...] = DEFAULT_INHIBITIONS
    mutes: Mapping[str, MuteInterval] = field(default_factory=dict)  #: by name
    owners: tuple[Route, ...] = ()  #: one for each owner and receiver, with a path of the owner: "owners[0]"

    def at(self, path: str, receiver: str) -> Route | None:
        """The route of that path that leads to the receiver: by itself, by escalation or as a fallback.

        A message of several routes bears the root's path: then it is the first that leads there.
        """
        routes = (*self.root.walk(), *self.owners)
        for route in routes:
            if route.path == path and receiver in (route.receiver, *route.escalate_to, *route.fallback):
                return route
        if path != self.root.path:
            return None
        return next((route for route in routes if route.receiver == receiver), None)

    def mutes_of(self, route: Route) -> tuple[MuteInterval, ...]:
        return tuple(self.mutes[name] for name in route.mute if name in self.mutes)


def owner_routes(root: Route, path: str, matchers: tuple[Matcher, ...], receivers: Sequence[str]) -> tuple[Route, ...]:
    """The routes by which an owner is told, grouped and timed as the root says. No mute of the tree holds for them."""
    return tuple(
        Route(
            path=path,
            receiver=receiver,
            matchers=matchers,
            group_by=root.group_by,
            group_wait=root.group_wait,
            group_interval=root.group_interval,
            repeat_interval=root.repeat_interval,
        )
        for receiver in receivers
    )


def receivers(routing: Routing, labels: Mapping[str, str]) -> tuple[Route, ...]:
    """The routes taken, one for each receiver: of two that lead to the same one the first counts, owners last."""
    taken: dict[str, Route] = {}
    for route in (*_tree(routing, labels), *_owners(routing, labels)):
        taken.setdefault(route.receiver, route)
    taken.pop(failing_receiver(labels), None)
    return tuple(taken.values())


def failing_receiver(labels: Mapping[str, str]) -> str:
    """The receiver that by this alert takes no messages, and so is not told of it; "" where it says no such thing."""
    return labels.get("receiver", "") if labels.get("rule") == DELIVERY_RULE else ""


def explain_routes(labels: Mapping[str, str], routing: Routing) -> list[tuple[str, str, dict[str, str]]]:
    """For each receiver that an alert with these labels reaches: the route's path, the receiver, the group's labels."""
    return [(route.path, route.receiver, group_labels(route, labels)) for route in receivers(routing, labels)]


def _tree(routing: Routing, labels: Mapping[str, str]) -> tuple[Route, ...]:
    routes = routing.root.match(labels)
    failing = failing_receiver(labels)
    if not failing or any(route.receiver != failing for route in routes):
        return routes
    return tuple(_instead(routes, failing)) or tuple(_any_other(routing, routes, failing))


def _instead(routes: Sequence[Route], failing: str) -> Iterator[Route]:
    for route in routes:
        for name in route.fallback:
            if name != failing:
                yield replace(route, receiver=name)


def _any_other(routing: Routing, routes: Sequence[Route], failing: str) -> Iterator[Route]:
    # By the times and mutes of the route that it took: those of the others are for other alerts.
    names = dict.fromkeys(route.receiver for route in routing.root.walk() if route.receiver != failing)
    return (replace(route, receiver=name) for route in routes[:1] for name in names)


def _owners(routing: Routing, labels: Mapping[str, str]) -> Iterator[Route]:
    rule = labels.get("rule", "")
    for route in routing.owners:
        if matches(route.matchers, labels) and (rule not in REPORT_ONLY_RULES or route.names_rule(rule)):
            yield route
