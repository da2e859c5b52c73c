"""Who an alert reaches: the tree of routes, the owners beside it, and the others where a receiver itself has failed.

That a receiver takes no messages is told to every other that may hear of anything: whoever else is dead, or reads
seldom, one of them may. Only where the tree names no other do owners hear of it, and then whoever is configured at all.
"""

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
    receivers: tuple[str, ...] = ()  #: the names of all that are configured, in the order of the file

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
    routes, failing = routing.root.match(labels), failing_receiver(labels)
    for route in (*routes, *(_others(routing, routes, failing) if failing else ()), *_owners(routing, labels)):
        taken.setdefault(route.receiver, route)
    taken.pop(failing, None)
    return tuple(taken.values())


def failing_receiver(labels: Mapping[str, str]) -> str:
    """The receiver that by this alert takes no messages, and so is not told of it; "" where it says no such thing."""
    return labels.get("receiver", "") if labels.get("rule") == DELIVERY_RULE else ""


def explain_routes(labels: Mapping[str, str], routing: Routing) -> list[tuple[str, str, dict[str, str]]]:
    """For each receiver that an alert with these labels reaches: the route's path, the receiver, the group's labels."""
    return [(route.path, route.receiver, group_labels(route, labels)) for route in receivers(routing, labels)]


def _others(routing: Routing, routes: Sequence[Route], failing: str) -> Iterator[Route]:
    """The others that hear of a receiver's failure, by the times and mutes of the route that it took.

    Those of their own routes are for other alerts.
    """
    base = routes[0] if routes else routing.root
    for name in _names_beside(routing, failing):
        yield replace(base, receiver=name)


def _names_beside(routing: Routing, failing: str) -> Sequence[str]:
    tree = [
        name
        for route in routing.root.walk()
        for name in (route.receiver, *route.fallback, *route.escalate_to)
        if name != failing
    ]
    owners = [route.receiver for route in routing.owners if route.receiver != failing]
    any_at_all = [name for name in routing.receivers if name != failing]
    return tuple(dict.fromkeys(tree or owners or any_at_all))


def _owners(routing: Routing, labels: Mapping[str, str]) -> Iterator[Route]:
    rule = labels.get("rule", "")
    for route in routing.owners:
        if matches(route.matchers, labels) and (rule not in REPORT_ONLY_RULES or route.names_rule(rule)):
            yield route
