"""What a configuration of routes says that cannot be meant; and never of a route that something reaches."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.alerts.factories import child, make_routing
from watcher.alerts.dispatch import Routing
from watcher.alerts.inhibition import InhibitRule
from watcher.alerts.interval import MuteInterval
from watcher.alerts.lint import LABELS, Known, lint, odd_matchers
from watcher.alerts.matcher import Matcher, Operator, matches, parse_matchers
from watcher.alerts.route import Route, RouteSpec, build_route
from watcher.rules.finding import Severity
from watcher.rules.registry import BUILTIN

KNOWN = Known(rules=sorted(BUILTIN), labels=LABELS | {"team"})
CRITICAL = 'severity="critical"'
NIGHTS = MuteInterval(name="nights")
NIGHTS_BUT = MuteInterval(name="nights", except_severity=Severity.CRITICAL)


def found(routing: Routing, *receivers: str, used: Sequence[str] = ()) -> dict[str, str]:
    """Path → message."""
    return {one.path: one.message for one in lint(routing, known=KNOWN, receivers=receivers, otherwise_used=used)}


# Routes that can match nothing


@pytest.mark.parametrize(
    ("routes", "wrong"),
    [
        pytest.param([child("a", 'severity="info"', 'severity="critical"')], 0, id="two values"),
        pytest.param([child("a", 'owner="x"', 'owner!~"x|y"')], 0, id="a value that is refused"),
        pytest.param([child("a", 'owner=~"x|y"', 'owner!="x"', 'owner!="y"')], 0, id="all values refused"),
        pytest.param([child("a", 'owner!~".*"')], 0, id="everything refused"),
        pytest.param([child("a", 'severity!~"info|warning|critical"')], 0, id="all severities refused"),
        pytest.param([child("a"), child("b", 'owner="x"')], 1, id="behind one that takes all"),
        pytest.param([child("a", 'severity=~".*"'), child("b", 'owner="x"')], 1, id="behind .*"),
        pytest.param([child("a", 'owner=~".+"'), child("b", 'owner!=""')], 1, id="behind the same in other words"),
        pytest.param([child("a", 'owner="x"'), child("b", 'owner="x"', 'rule="job_failed"')], 1, id="a wider one"),
        pytest.param(
            [child("a", 'severity=~"info|warning"'), child("b", 'severity="critical"'), child("c", 'owner="x"')],
            2,
            id="behind two that take all together",
        ),
        pytest.param(
            [child("a", 'rule=~"job_.*"'), child("b", 'rule!~"job_.*"'), child("c", 'rule="job_failed"')],
            2,
            id="behind an expression and its opposite",
        ),
    ],
)
def test_a_route_that_matches_nothing_is_named(routes: list[RouteSpec], wrong: int) -> None:
    assert list(found(make_routing(*routes))) == [f"route.routes[{wrong}]"]


@pytest.mark.parametrize(
    "routes",
    [
        pytest.param([child("a", continue_=True), child("b", 'owner="x"')], id="a wider one that goes on"),
        pytest.param([child("a", 'rule=~"job_.*"'), child("b", 'rule="deployment_idle"')], id="an expression"),
        pytest.param([child("a", 'owner="x"'), child("b", 'owner=~"x|y"')], id="a narrower one before"),
        pytest.param([child("a", 'owner=~"x.*"', 'owner=~"y.*"')], id="expressions that cannot be judged"),
        pytest.param([child("a", 'owner=""')], id="a label that is missing"),
        pytest.param([child("a", "team=x")], id="a label from a tag"),
    ],
)
def test_a_route_that_may_match_is_not(routes: list[RouteSpec]) -> None:
    assert found(make_routing(*routes)) == {}


def test_the_reason_names_what_is_in_the_way() -> None:
    inner = child(
        "b", 'severity="critical"', routes=(child("c", 'severity="info"', routes=(child("d", 'owner="x"'),)),)
    )
    messages = found(make_routing(child("a", 'rule="job_failed"'), inner, child("e", 'rule=~"job_failed|x"', "team=y")))
    assert messages == {
        "route.routes[1].routes[0]": "matches nothing: its matchers and those of the routes above it exclude one "
        'another: severity="critical" and severity="info"',
        "route.routes[2].match": 'rule=~"job_failed|x" names a rule that does not exist: x',
    }
    messages = found(make_routing(child("a", 'rule="job_failed"'), child("e", "rule=job_failed", "team=y")))
    assert messages == {"route.routes[1]": "matches nothing: route.routes[0] takes all of it before"}


def test_what_is_taken_above_never_comes_to_a_route_below() -> None:
    routing = make_routing(child("a", 'owner="x"'), child("b", routes=(child("c", 'owner="x"'), child("d", "team=y"))))
    assert found(routing) == {"route.routes[1].routes[0]": "matches nothing: route.routes[0] takes all of it before"}


_WORDS = {
    "rule": ["job_failed", "deployment_idle", "job_succeeded"],
    "severity": ["info", "warning", "critical"],
    "owner": ["", "x", "xy", "y"],
    "team": ["", "x", "1"],
}
_EXPRESSIONS = [
    "x|y",
    "x.*",
    ".*",
    ".+",
    "[a-z]+",
    "(x|xy)",
    "job_.*",
    "info|warning",
    "",
    "job_failed|deployment_idle",
]


@st.composite
def a_matcher(draw: st.DrawFn) -> Matcher:
    name = draw(st.sampled_from(sorted(_WORDS)))
    operator = draw(st.sampled_from(list(Operator)))
    is_plain = operator in (Operator.EQUAL, Operator.NOT_EQUAL)
    return Matcher(name, operator, draw(st.sampled_from(_WORDS[name] if is_plain else _EXPRESSIONS)))


def a_route(depth: int) -> st.SearchStrategy[RouteSpec]:
    return st.builds(
        RouteSpec,
        receiver=st.sampled_from(["a", "b"]),
        matchers=st.lists(a_matcher(), max_size=3).map(tuple),
        continue_=st.booleans(),
        routes=st.lists(a_route(depth - 1), max_size=3).map(tuple) if depth else st.just(()),
    )


def passed(route: Route, labels: dict[str, str]) -> set[str]:
    """Paths of the routes that an alert comes by, by the meaning of the tree, spelt out once more."""
    if not matches(route.matchers, labels):
        return set()
    seen = {route.path}
    for below in route.routes:
        inner = passed(below, labels)
        seen |= inner
        if inner and not below.continue_:
            break
    return seen


@given(st.lists(a_route(1), max_size=4))
@example([RouteSpec(receiver="a"), RouteSpec(receiver="b", continue_=True)])
def test_a_route_that_something_reaches_is_never_called_unreachable(routes: list[RouteSpec]) -> None:
    root = build_route(RouteSpec(receiver="a", routes=tuple(routes)))
    called = {path for path, message in found(Routing(root=root), "a").items() if message.startswith("matches nothing")}
    for values in product(*_WORDS.values()):
        reached = passed(root, dict(zip(_WORDS, values, strict=True)))
        assert not {path for path in reached if any(path.startswith(one) for one in called)}


# What stands beside


def test_rules_severities_and_labels_that_do_not_exist_are_named_with_their_cure() -> None:
    routing = make_routing(
        child("a", 'rule="deployment_idel"'),
        child("a", 'rule=~"job_failed|job_fialed"'),
        child("a", 'severity!="error"', continue_=True),
        child("a", 'rule=~"jobs_.*"'),
        child("a", 'tem="x"'),
    )
    odd = lint(routing, known=KNOWN, receivers=[])
    assert [(one.path, one.message) for one in odd] == [
        ("route.routes[0].match", 'rule="deployment_idel" names a rule that does not exist: deployment_idel'),
        ("route.routes[1].match", 'rule=~"job_failed|job_fialed" names a rule that does not exist: job_fialed'),
        ("route.routes[2].match", 'severity!="error" names a severity that does not exist: error'),
        ("route.routes[3].match", 'rule=~"jobs_.*" fits the name of no rule'),
        ("route.routes[4].match", 'tem="x" names a label that no alert bears'),
    ]
    assert odd[0].cure == "did you mean deployment_idle?"
    assert odd[4].cure.startswith("did you mean team? Otherwise add it to azure.discovery.tag_labels")
    anything = replace(KNOWN, labels=None)  # other people's rules may set any label
    assert len(lint(routing, known=anything, receivers=[])) == 4


def test_matchers_of_inhibitions_are_looked_at_where_they_are_the_file_s_own() -> None:
    assert found(make_routing()) == {}
    own = InhibitRule(source=parse_matchers(["rule=azure_gone"]), target=parse_matchers(["rule=metrics_stale"]))
    assert list(found(replace(make_routing(), inhibitions=(own,)))) == ["inhibit[0].source"]


def test_continue_needs_a_route_after_it() -> None:
    assert found(make_routing(child("a", continue_=True), child("b", "owner=x"))) == {}
    last = make_routing(child("a", "owner=x"), child("b", "owner=y", continue_=True))
    assert found(last) == {"route.routes[1].continue": "continue = true has no effect: no route beside it comes after"}


def test_receivers_are_used_by_routes_owners_reports_fallbacks_or_escalation() -> None:
    routing = make_routing(child("a", "owner=x", fallback=("b",), escalate_to=("c",)))
    assert found(routing, "slack", "a", "b", "c", "mail", used=["mail"]) == {}
    assert found(routing, "slack", "mail") == {"receivers[1]": "mail is never used: no route, owner or report names it"}


def test_a_receiver_is_no_fallback_for_itself() -> None:
    assert list(found(make_routing(fallback=("slack",)))) == ["route.fallback"]
    assert list(found(make_routing(child("a", "owner=x", escalate_to=("b", "a"))))) == ["route.routes[0].escalate_to"]
    # What is taken over from above may name it: the others of the list stand, and other routes need it.
    assert found(make_routing(child("mail", "owner=x"), fallback=("mail",))) == {}


def test_a_mute_that_no_route_names_mutes_nothing() -> None:
    assert list(found(make_routing(mutes=(NIGHTS,)))) == ["mute[0]"]


# Critical alerts that a mute hides


@pytest.mark.parametrize(
    ("routing", "hidden"),
    [
        pytest.param(make_routing(mutes=(NIGHTS,), mute=("nights",)), ["route.mute"], id="the root"),
        pytest.param(make_routing(mutes=(NIGHTS_BUT,), mute=("nights",)), [], id="critical ones pass"),
        pytest.param(
            make_routing(child("a", 'severity="critical"'), mutes=(NIGHTS,), mute=("nights",)),
            [],
            id="critical ones go elsewhere",
        ),
        pytest.param(
            make_routing(
                child("a", 'severity="critical"', continue_=True), child("b", mute=("nights",)), mutes=(NIGHTS,)
            ),
            [],
            id="critical ones are told elsewhere too",
        ),
        pytest.param(
            make_routing(
                child("b", mute=("nights",), continue_=True), child("a", "severity=critical"), mutes=(NIGHTS,)
            ),
            [],
            id="critical ones are told elsewhere after it",
        ),
        pytest.param(
            make_routing(
                child("a", 'severity="critical"', continue_=True, mute=("nights",)),
                child("b", mute=("nights",)),
                mutes=(NIGHTS,),
            ),
            ["route.routes[0].mute", "route.routes[1].mute"],
            id="muted at both",
        ),
        pytest.param(
            make_routing(child("b", 'severity=~"info|warning"', mute=("nights",)), mutes=(NIGHTS,)),
            [],
            id="never critical",
        ),
        pytest.param(
            make_routing(child("b", 'rule=~"job_.*"', mute=("nights",)), mutes=(NIGHTS,)), [], id="rules never critical"
        ),
        pytest.param(
            make_routing(child("b", 'rule=~"deployment_.*"', mute=("nights",)), mutes=(NIGHTS,)),
            ["route.routes[0].mute"],
            id="rules that may be critical",
        ),
    ],
)
def test_a_mute_that_hides_critical_alerts_is_named(routing: Routing, hidden: list[str]) -> None:
    assert list(found(routing)) == hidden


@pytest.mark.parametrize(
    ("matcher", "cure"),
    [
        pytest.param("rule=deployment_idel", "did you mean deployment_idle?", id="a rule"),
        pytest.param("deploymnt=chat", "did you mean deployment?", id="a label"),
        pytest.param("severity=critcal", "did you mean critical?", id="a severity"),
        pytest.param("rule=deployment_idle", "", id="nothing odd"),
    ],
)
def test_odd_matchers_of_a_silence_come_with_the_nearest_name(matcher: str, cure: str) -> None:
    cures = [one.cure for one in odd_matchers(parse_matchers([matcher]), KNOWN)]
    assert [one.partition(" Otherwise")[0] for one in cures] == ([cure] if cure else [])


def test_a_receiver_whose_death_nobody_would_hear_of() -> None:
    assert "receivers" in found(make_routing(), "slack")
    assert found(make_routing(child("mail", 'owner="x"')), "slack", "mail") == {}
