"""What a configuration of routes says that cannot be meant: routes that match nothing, receivers nobody uses. Pure.

A route is called unreachable only where that is certain. What a regular expression with operators of its own may match
is not worked out: it is taken to match something.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from watcher.alerts.inhibition import DEFAULT_INHIBITIONS
from watcher.alerts.matcher import Matcher, Operator
from watcher.alerts.route import Route
from watcher.alerts.routing import Routing
from watcher.errors import Problem
from watcher.rules.finding import Severity

#: Labels that alerts bear, beside tags and what the configuration adds.
LABELS = frozenset(
    {
        *("rule", "severity", "cloud", "account", "subscription", "resource_group", "location", "owner"),
        *("job", "deployment", "model", "sku", "plane", "cause", "harm_types", "host", "limit", "receiver"),
    }
)

#: Rules of which an alert may be critical where the configuration gives no severity.
CRITICAL_RULES = frozenset(
    {"deployment_idle", "deployment_gone", "credential_failing", "azure_unreachable", "delivery_failing"}
)

_SEVERITIES = tuple(severity.value for severity in Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What alerts can be like under a configuration."""

    rules: Collection[str]  #: names of all rules there are
    critical_rules: Collection[str] = CRITICAL_RULES
    labels: Collection[str] | None = LABELS  #: `None`: other people's rules may set any

    def domain(self, label: str) -> tuple[str, ...] | None:
        """All values that a label can have; `None`: any."""
        if label == "rule":
            return tuple(self.rules)
        if label == "severity":
            return _SEVERITIES
        return ("",) if self.labels is not None and label not in self.labels else None


def lint(
    routing: Routing, *, known: Known, receivers: Sequence[str], otherwise_used: Collection[str] = ()
) -> list[Problem]:
    """One warning for each thing that cannot be meant, in the order of the file.

    Args:
        receivers: Their names, in the order of the file.
        otherwise_used: Receivers that something other than routes and owners names, such as reports.
    """
    return [
        *_unused(routing, receivers, otherwise_used),
        *_alone(receivers),
        *_owners(routing, known),
        *_tree(routing, known),
        *_inhibitions(routing, known),
        *_idle_mutes(routing),
    ]


# Receivers and mutes


def _unused(routing: Routing, receivers: Sequence[str], otherwise_used: Collection[str]) -> Iterator[Problem]:
    routes = (*routing.root.walk(), *routing.owners)
    used = {name for route in routes for name in (route.receiver, *route.fallback, *route.escalate_to)}
    for number, name in enumerate(receivers):
        if name not in used and name not in otherwise_used:
            message = f"{name} is never used: no route, owner or report names it"
            yield Problem(f"receivers[{number}]", message, "name it in a route, or remove it")


def _alone(receivers: Sequence[str]) -> Iterator[Problem]:
    """A receiver whose death nobody would hear of."""
    if len(receivers) == 1:
        message = f"{receivers[0]} is the only one: if it takes no messages, nobody is told so"
        yield Problem("receivers", message, "configure a second one; it is told, whatever the routes say")


def _idle_mutes(routing: Routing) -> Iterator[Problem]:
    used = {name for route in routing.root.walk() for name in route.mute}
    for number, name in enumerate(routing.mutes):
        if name not in used:
            yield Problem(f"mute[{number}]", f"{name} mutes nothing: no route names it", f'write mute = ["{name}"]')


# Matchers by themselves


def _owners(routing: Routing, known: Known) -> Iterator[Problem]:
    seen = set()
    for owner in routing.owners:
        if owner.path in seen:  # one route for each of an owner's receivers
            continue
        seen.add(owner.path)
        found = list(_odd_matchers(f"{owner.path}.match", owner.matchers, known))
        yield from found
        if not found and (clash := _clash(owner.matchers, known)):
            yield Problem(
                f"{owner.path}.match", f"no alert can match {clash}", "mend the matchers, or remove the owner"
            )


def _inhibitions(routing: Routing, known: Known) -> Iterator[Problem]:
    if routing.inhibitions is DEFAULT_INHIBITIONS:  # not from the file
        return
    for number, rule in enumerate(routing.inhibitions):
        for side, matchers in (("source", rule.source), ("target", rule.target)):
            yield from _odd_matchers(f"inhibit[{number}].{side}", matchers, known)


def odd_matchers(matchers: Sequence[Matcher], known: Known, path: str = "matcher") -> list[Problem]:
    """What is odd in matchers by themselves, as those of a silence; the cure names what is nearest, if anything is."""
    return list(_odd_matchers(path, matchers, known))


def _odd_matchers(path: str, matchers: Sequence[Matcher], known: Known) -> Iterator[Problem]:
    """Labels that no alert bears, and rules and severities that do not exist."""
    for matcher in matchers:
        domain = known.domain(matcher.name)
        if domain == ("",):
            near = get_close_matches(matcher.name, sorted(known.labels or ()), n=1)
            hint = f"did you mean {near[0]}? Otherwise add it" if near else "add it"
            cure = f"{hint} to azure.discovery.tag_labels, or to the labels of a rule or an account"
            yield Problem(path, f"{matcher} names a label that no alert bears", cure)
        elif domain is not None:
            yield from _odd_values(path, matcher, domain)


def _odd_values(path: str, matcher: Matcher, domain: Sequence[str]) -> Iterator[Problem]:
    what = "rule" if matcher.name == "rule" else "severity"
    named = _literals(matcher)
    if named is None:
        positive = Matcher(matcher.name, Operator.REGEX, matcher.value)
        if not any(positive.matches({matcher.name: value}) for value in domain):
            yield Problem(path, f"{matcher} fits the name of no {what}", _known(domain, what))
        return
    for value in sorted(named - set(domain) - {""}):
        near = get_close_matches(value, domain, n=1)
        cure = f"did you mean {near[0]}?" if near else _known(domain, what)
        yield Problem(path, f"{matcher} names a {what} that does not exist: {value}", cure)


def _known(domain: Sequence[str], what: str) -> str:
    return (
        f"the severities are {', '.join(domain)}" if what == "severity" else "config.example.toml has a table for each"
    )


# The tree


@dataclass(frozen=True, slots=True)
class _Place:
    """A route, with what must hold for an alert to come by."""

    route: Route
    above: tuple[Matcher, ...] = ()
    taken: "tuple[Route, ...]" = ()  #: siblings before it, and before those above it, that let nothing through
    shared: "tuple[Route, ...]" = ()  #: siblings, and those of the ones above it, that are told beside it

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        return (*self.above, *self.route.matchers)

    def below(self) -> "Iterator[_Place]":
        routes = self.route.routes
        for number, child in enumerate(routes):
            earlier, later = routes[:number], routes[number + 1 :]
            told_too = [*(one for one in earlier if one.continue_), *(later if child.continue_ else ())]
            yield _Place(
                child,
                above=self.matchers,
                taken=(*self.taken, *(one for one in earlier if not one.continue_)),
                shared=(*self.shared, *told_too),
            )


def _tree(routing: Routing, known: Known) -> Iterator[Problem]:
    waiting = [_Place(routing.root)]
    while waiting:
        place = waiting.pop(0)
        odd = list(_odd_matchers(f"{place.route.path}.match", place.route.matchers, known))
        yield from odd
        found = None if odd else _unreachable(place, known)
        if found is not None:
            yield found
            continue  # of what stands below it nothing more need be said
        yield from _pointless(place.route)
        if not odd:
            yield from _hidden_criticals(place, routing, known)
        waiting[:0] = place.below()


def _unreachable(place: _Place, known: Known) -> Problem | None:
    route = place.route
    if clash := _clash(place.matchers, known):
        whose = "and those of the routes above it " if place.above and not _clash(route.matchers, known) else ""
        message = f"matches nothing: its matchers {whose}exclude one another: {clash}"
        return Problem(route.path, message, "mend the matchers, or remove the route")
    if _Search(known).can_hold(place.matchers, place.taken):
        return None
    alone = next((one for one in place.taken if not _Search(known).can_hold(place.matchers, (one,))), None)
    if alone is not None:
        message = f"matches nothing: {alone.path} takes all of it before"
        return Problem(route.path, message, f"move it above {alone.path}, or write continue = true there")
    before = ", ".join(one.path for one in place.taken)
    return Problem(route.path, f"matches nothing: {before} take all of it before", "move it above them, or remove it")


def _pointless(route: Route) -> Iterator[Problem]:
    if route.routes and route.routes[-1].continue_:
        last = route.routes[-1]
        message = "continue = true has no effect: no route beside it comes after"
        yield Problem(f"{last.path}.continue", message, "remove it, or move the route up")
    for key in ("fallback", "escalate_to"):
        # One that is taken over from above may well name the receiver of some route below.
        for child in (route, *route.routes):
            names: tuple[str, ...] = getattr(child, key)
            is_own = (child is not route and names != getattr(route, key)) or child.path == "route"
            if is_own and child.receiver in names:
                message = f"names {child.receiver}, the receiver of the route itself"
                does = "falls back on" if key == "fallback" else "escalates to"
                yield Problem(f"{child.path}.{key}", message, f"name another: nothing {does} itself")


def _hidden_criticals(place: _Place, routing: Routing, known: Known) -> Iterator[Problem]:
    """A mute that holds back critical alerts of which nobody else is told at once."""
    route = place.route
    hiding = [name for name in route.mute if name in routing.mutes and not _lets_critical_pass(routing, name)]
    if not hiding:
        return
    told = (*place.shared, *route.routes)  # a child that matches is told in its place, whatever it mutes itself
    others = [one for one in told if all(not _hides(routing, below) for below in one.walk()) or one in route.routes]
    critical = Matcher("severity", Operator.EQUAL, Severity.CRITICAL)
    search = _Search(Known(rules=known.critical_rules, labels=known.labels))
    if search.can_hold((*place.matchers, critical), (*place.taken, *others, *routing.owners)):
        message = f"{', '.join(hiding)} holds back critical alerts too, and nobody else is told of them meanwhile"
        cure = f'write except_severity = "critical" in the mute {hiding[0]}'
        yield Problem(f"{route.path}.mute", message, cure)


def _hides(routing: Routing, route: Route) -> bool:
    return any(name in routing.mutes and not _lets_critical_pass(routing, name) for name in route.mute)


def _lets_critical_pass(routing: Routing, mute: str) -> bool:
    return routing.mutes[mute].lets_pass(Severity.CRITICAL)


# What matchers can hold together

_OPPOSITE = {
    Operator.EQUAL: Operator.NOT_EQUAL,
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.REGEX: Operator.NOT_REGEX,
    Operator.NOT_REGEX: Operator.REGEX,
}

#: Regular expressions that match every label, and those that match every one that is there.
_ANY = frozenset({".*", "(.*)", "^.*$", "^.*", ".*$"})
_SOME = frozenset({".+", "(.+)", "^.+$", "^.+", ".+$"})

#: Of a regular expression: alternatives without any operator of their own.
_PLAIN = re.compile(r"[^\\.^$*+?{}\[\]()|]*(?:\|[^\\.^$*+?{}\[\]()|]*)*")

#: Steps of one search; a tree that asks for more is taken to match something.
_PATIENCE = 5_000


def _literals(matcher: Matcher) -> frozenset[str] | None:
    """The values that a matcher names, whether it wants or refuses them; `None`: they cannot be listed."""
    if matcher.operator in (Operator.EQUAL, Operator.NOT_EQUAL):
        return frozenset({matcher.value})
    pattern = matcher.value
    if pattern.startswith("(") and pattern.endswith(")"):
        pattern = pattern[1:-1].removeprefix("?:")
    return frozenset(pattern.split("|")) if _PLAIN.fullmatch(pattern) else None


def _clash(matchers: Sequence[Matcher], known: Known) -> str:
    """Matchers on one label that nothing fits, in words; "" where something may."""
    by_name: dict[str, list[Matcher]] = {}
    for matcher in matchers:
        by_name.setdefault(matcher.name, []).append(matcher)
    return next((" and ".join(map(str, some)) for some in by_name.values() if not _can_agree(some, known)), "")


def _can_agree(matchers: Sequence[Matcher], known: Known) -> bool:
    """Whether some value of the one label that all of them name may fit them all."""
    name = matchers[0].name
    candidates = known.domain(name)
    if candidates is None:
        wanted = [m for m in matchers if m.operator in (Operator.EQUAL, Operator.REGEX)]
        named = [literals for matcher in wanted if (literals := _literals(matcher)) is not None]
        if not named:
            return not any(_refuses_all(matcher) for matcher in matchers) and not _wants_and_refuses_some(matchers)
        fewest: frozenset[str] = min(named, key=len)
        candidates = tuple(fewest)
    return any(all(matcher.matches({name: value}) for matcher in matchers) for value in candidates)


def _refuses_all(matcher: Matcher) -> bool:
    return matcher.operator is Operator.NOT_REGEX and matcher.value in _ANY


def _wants_and_refuses_some(matchers: Sequence[Matcher]) -> bool:
    """Whether one leaves only the empty value, and another refuses that."""
    if not any(m.operator is Operator.NOT_REGEX and m.value in _SOME for m in matchers):
        return False
    return not all(matcher.matches({}) for matcher in matchers)


@dataclass(slots=True)
class _Search:
    """Looks for labels that some matchers fit, while each of some routes has a matcher that they do not."""

    known: Known
    steps: int = field(default=0)

    def can_hold(self, matchers: Sequence[Matcher], taken: Sequence[Route]) -> bool:
        """False only where that is certain."""
        by_name: dict[str, tuple[Matcher, ...]] = {}
        for matcher in matchers:
            by_name[matcher.name] = (*by_name.get(matcher.name, ()), matcher)
        if not all(_can_agree(some, self.known) for some in by_name.values()):
            return False
        return self._escapes(by_name, sorted(taken, key=lambda route: len(route.matchers)))

    def _escapes(self, held: Mapping[str, tuple[Matcher, ...]], taken: Sequence[Route]) -> bool:
        if not taken:
            return True
        for matcher in taken[0].matchers:
            self.steps += 1
            if self.steps > _PATIENCE:
                return True
            against = Matcher(matcher.name, _OPPOSITE[matcher.operator], matcher.value)
            some = (*held.get(matcher.name, ()), against)
            if _can_agree(some, self.known) and self._escapes({**held, matcher.name: some}, taken[1:]):
                return True
        return False
