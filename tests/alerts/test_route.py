from datetime import timedelta

import pytest

from watcher.alerts.route import REPORT_ONLY_RULES, RouteSpec, build_route, group_key, group_labels, labels_of_key

from .factories import child, make_routing

LABELS = {"rule": "deployment_idle", "severity": "critical", "owner": "search", "account": "a", "plane": ""}


def reached(labels: dict[str, str], *routes: RouteSpec) -> list[str]:
    return [route.receiver for route in make_routing(*routes).root.match(labels)]


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        pytest.param([], ["slack"], id="root alone"),
        pytest.param([child("hook", "severity=info")], ["slack"], id="no child matches"),
        pytest.param([child("hook", "severity=critical")], ["hook"], id="child replaces its parent"),
        pytest.param([child("a", "owner=search"), child("b", "severity=critical")], ["a"], id="first child wins"),
        pytest.param(
            [child("a", "owner=search", continue_=True), child("b", "severity=critical")], ["a", "b"], id="continue"
        ),
        pytest.param(
            [child("a", "owner=search", continue_=True), child("b", "severity=info")],
            ["a"],
            id="continue, and no other matches: still no parent",
        ),
        pytest.param(
            [child("a", "owner=search", routes=(child("b", "severity=critical"),))],
            ["b"],
            id="grandchild replaces both",
        ),
        pytest.param(
            [child("a", "owner=search", routes=(child("b", "severity=info"),))], ["a"], id="grandchild does not match"
        ),
        pytest.param(
            [child(None, "owner=search", routes=(child(None, "severity=critical"),))],
            ["slack"],
            id="receiver inherited twice",
        ),
        pytest.param(
            [child("a", "owner=search", routes=(child("b", "severity=critical", continue_=True),)), child("c")],
            ["b"],
            id="continue of a grandchild does not leave its parent",
        ),
    ],
)
def test_alertmanagers_tree(routes: list[RouteSpec], expected: list[str]) -> None:
    assert reached(LABELS, *routes) == expected


def test_children_take_over_what_they_leave_unset() -> None:
    spec = RouteSpec(
        receiver="slack",
        group_by=("owner",),
        group_wait=timedelta(seconds=1),
        repeat_interval=timedelta(hours=1),
        fallback=("mail",),
        mute=("nights",),
        routes=(child(None, "a=b", group_wait=timedelta(0), group_by=(), routes=(child("pager", "c=d"),)),),
    )
    root = build_route(spec)
    (first,) = root.routes
    (second,) = first.routes
    assert (first.receiver, first.group_by, first.group_wait) == ("slack", (), timedelta(0))
    assert first.group_interval == timedelta(minutes=5)
    assert (second.receiver, second.group_by, second.group_wait) == ("pager", (), timedelta(0))
    assert (second.repeat_interval, second.fallback) == (timedelta(hours=1), ("mail",))
    assert (root.mute, first.mute, second.mute) == (("nights",), (), ())
    assert [route.path for route in root.walk()] == ["route", "route.routes[0]", "route.routes[0].routes[0]"]
    assert root.at("route.routes[0].routes[0]") is second
    assert root.at("route.routes[7]") is None


def test_root_needs_a_receiver() -> None:
    with pytest.raises(ValueError, match=r"route\.receiver is not set"):
        build_route(RouteSpec())


@pytest.mark.parametrize("rule", sorted(REPORT_ONLY_RULES))
@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        pytest.param([], [], id="root"),
        pytest.param([child("a", "owner=search")], [], id="a route on another label"),
        pytest.param([child("a", "rule=RULE")], ["a"], id="named"),
        pytest.param([child("a", 'rule=~"RULE|job_failed"')], ["a"], id="named among others"),
        pytest.param([child("a", 'rule=~".*"')], [], id="a regex that takes anything names nothing"),
        pytest.param([child("a", 'rule=~".+"')], [], id="nor one that takes any word"),
        pytest.param([child("a", 'rule!="job_failed"')], [], id="leaving another out names nothing"),
        pytest.param([child("a", 'rule!~"job_.*"')], [], id="nor leaving many out"),
        pytest.param([child("a", "rule=RULE", routes=(child("b", "owner=search"),))], ["b"], id="named by the parent"),
        pytest.param([child("a", "owner=search", continue_=True), child("b", "rule=RULE")], ["b"], id="one of two"),
        pytest.param([child("a", "owner=search"), child("b", "rule=RULE")], [], id="another route came first"),
    ],
)
def test_report_only_rules_go_where_a_route_names_them(rule: str, routes: list[RouteSpec], expected: list[str]) -> None:
    named = [_with_rule(spec, rule) for spec in routes]
    assert reached({"rule": rule, "owner": "search"}, *named) == expected


def _with_rule(spec: RouteSpec, rule: str) -> RouteSpec:
    return child(
        spec.receiver,
        *(str(matcher).replace("RULE", rule) for matcher in spec.matchers),
        continue_=spec.continue_,
        routes=tuple(_with_rule(below, rule) for below in spec.routes),
    )


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        pytest.param((), {}, id="none: one group"),
        pytest.param(("rule", "owner"), {"rule": "deployment_idle", "owner": "search"}, id="two"),
        pytest.param(("owner", "job"), {"owner": "search"}, id="a label it lacks"),
        pytest.param(("plane",), {}, id="an empty label is a missing one"),
        pytest.param(("...",), {k: v for k, v in LABELS.items() if v}, id="all"),
    ],
)
def test_group_labels_are_a_subset_and_read_back_from_the_key(
    group_by: tuple[str, ...], expected: dict[str, str]
) -> None:
    root = make_routing(group_by=group_by).root
    assert group_labels(root, LABELS) == expected
    assert labels_of_key(group_key(root, LABELS)) == expected


def test_group_key_ignores_the_order_of_labels_and_tells_routes_apart() -> None:
    root = make_routing(child("hook", "severity=critical")).root
    assert group_key(root, LABELS) == group_key(root, dict(reversed(LABELS.items())))
    assert group_key(root, LABELS) != group_key(root.routes[0], LABELS)
    assert labels_of_key("first-sight") == {}
