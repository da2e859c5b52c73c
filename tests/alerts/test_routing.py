"""Owners beside the tree, and what says that a receiver itself has failed."""

import pytest

from watcher.alerts.alert import Alert
from watcher.alerts.dispatch import explain_routes
from watcher.alerts.routing import receivers
from watcher.rules.finding import Severity

from .factories import (
    DAY,
    HOUR,
    NOW,
    SECOND,
    Desk,
    brief,
    child,
    ended,
    held,
    make_alert,
    make_routing,
)

WAIT = 30 * SECOND


def reached(routing, **labels: str) -> list[tuple[str, str]]:
    return [(route.receiver, route.path) for route in receivers(routing, labels)]


def test_owners_are_told_beside_the_routes() -> None:
    routing = make_routing(owners={"owner=search": ["search-mail", "search-slack"], "owner=ads": ["ads-mail"]})
    assert reached(routing, rule="job_failed", owner="search") == [
        ("slack", "route"),
        ("search-mail", "owners[0]"),
        ("search-slack", "owners[0]"),
    ]
    assert reached(routing, rule="job_failed", owner="ads") == [("slack", "route"), ("ads-mail", "owners[1]")]
    assert reached(routing, rule="job_failed", owner="") == [("slack", "route")]


def test_whom_the_tree_reaches_is_told_by_the_tree_alone() -> None:
    routing = make_routing(owners={"owner=search": ["slack"], 'owner=~"s.*"': ["slack", "mail"]})
    assert reached(routing, rule="job_failed", owner="search") == [("slack", "route"), ("mail", "owners[1]")]
    desk = Desk(routing)
    assert brief(desk.dispatch([make_alert()], NOW + WAIT)) == [
        ("mail", "firing", ["chat"]),
        ("slack", "firing", ["chat"]),
    ]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        pytest.param("owner=search", [], id="by the owner"),
        pytest.param('rule=~".*"', [], id="by any rule"),
        pytest.param('rule=~"deployment_w.*"', [("mail", "owners[0]")], id="by its name"),
    ],
)
def test_what_is_for_reports_is_told_to_owners_who_name_it(match: str, expected: list[tuple[str, str]]) -> None:
    routing = make_routing(owners={match: ["mail"]})
    assert reached(routing, rule="deployment_wasting", owner="search") == expected


def test_owners_are_grouped_and_timed_as_the_root_says() -> None:
    routing = make_routing(
        child("hook", "severity=warning", group_wait=HOUR, group_by=()),
        owners={"owner=search": ["mail"]},
        group_by=("account",),
        group_wait=WAIT,
        repeat_interval=2 * DAY,
    )
    desk = Desk(routing)
    assert brief(desk.dispatch([make_alert()], NOW + WAIT)) == [("mail", "firing", ["chat"])]
    (message,) = desk.sent
    assert (message.route, message.group_labels) == ("owners[0]", {"account": "contoso-ft"})
    assert brief(desk.dispatch([make_alert()], NOW + WAIT + 2 * DAY)) == [
        ("hook", "firing", ["chat"]),
        ("mail", "reminder", ["chat"]),
    ]


def test_an_owner_who_is_struck_off_still_hears_that_it_is_over() -> None:
    desk, alert = Desk(make_routing(owners={"owner=search": ["mail"]})), make_alert()
    desk.dispatch([alert], NOW + WAIT)
    desk.routing = make_routing()
    assert brief(desk.dispatch([ended(alert, NOW + HOUR)], NOW + HOUR)) == [
        ("mail", "resolved", ["chat"]),
        ("slack", "resolved", ["chat"]),
    ]


def test_gone_stands_for_the_resolve_at_an_owner_too() -> None:
    desk = Desk(make_routing(owners={"owner=search": ["mail"]}))
    idle = make_alert("deployment_idle", step="1d")
    desk.dispatch([idle], NOW + WAIT)
    over, gone = ended(idle, NOW + HOUR), make_alert("deployment_gone", at=NOW + HOUR)
    planned = desk.dispatch([over, gone], NOW + HOUR)
    assert brief(planned) == [("mail", "firing", ["chat"]), ("slack", "firing", ["chat"])]
    assert [one.covers for one in planned.notifications] == [(over,), (over,)]


def test_explain_names_owners() -> None:
    routing = make_routing(owners={"owner=search": ["mail"]})
    assert explain_routes({"rule": "job_failed", "owner": "search"}, routing) == [
        ("route", "slack", {"owner": "search", "rule": "job_failed"}),
        ("owners[0]", "mail", {"owner": "search", "rule": "job_failed"}),
    ]


@pytest.mark.parametrize(
    ("path", "receiver", "expected"),
    [
        pytest.param("route", "slack", "route", id="by itself"),
        pytest.param("route.routes[0]", "pager", "route.routes[0]", id="by escalation"),
        pytest.param("route.routes[0]", "mail", "route.routes[0]", id="as a fallback"),
        pytest.param("owners[0]", "search-mail", "owners[0]", id="an owner"),
        pytest.param("route.routes[0]", "slack", None, id="it leads elsewhere now"),
        pytest.param("route.routes[7]", "slack", None, id="it is gone"),
        pytest.param("route", "hook", "route.routes[0]", id="of several routes, the first"),
    ],
)
def test_the_route_by_which_a_receiver_was_told(path: str, receiver: str, expected: str | None) -> None:
    hook = child("hook", "severity=critical", escalate_after=HOUR, escalate_to=("pager",), fallback=("mail",))
    routing = make_routing(hook, child("hook", "severity=info"), owners={"owner=search": ["search-mail"]})
    found = routing.at(path, receiver)
    assert (None if found is None else found.path) == expected


def test_a_message_of_several_routes_bears_the_roots_path() -> None:
    desk = Desk(make_routing(child("hook", "severity=critical"), child("hook", "severity=warning")))
    one, other = make_alert(first_sight=True), make_alert("job_stalled", first_sight=True, severity=Severity.CRITICAL)
    assert [n.route for n in desk.plan([one], NOW + WAIT).notifications] == ["route.routes[1]"]
    assert [n.route for n in desk.plan([one, other], NOW + WAIT).notifications] == ["route"]


# A receiver that takes no messages


def failing(receiver: str, **changes) -> Alert:
    labels = {"receiver": receiver}
    return make_alert("delivery_failing", name="", account="", severity=Severity.CRITICAL, labels=labels, **changes)


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        pytest.param(
            make_routing(child("mail", "severity=critical", continue_=True), child("slack")),
            [("mail", "route.routes[0]")],
            id="the others that the tree reaches",
        ),
        pytest.param(
            make_routing(child("mail", "severity=info"), fallback=("slack", "pager", "phone")),
            [("pager", "route"), ("phone", "route"), ("mail", "route")],
            id="the others of the tree and the fallback, without itself",
        ),
        pytest.param(
            make_routing(child("mail", "severity=info"), child("hook", "rule=job_failed"), fallback=("slack",)),
            [("mail", "route"), ("hook", "route")],
            id="all others of the tree",
        ),
        pytest.param(
            make_routing(
                child("mail", "severity=critical", continue_=True),
                child("hook", "rule=job_failed", escalate_after=HOUR, escalate_to=("pager",), fallback=("phone",)),
                child("slack"),
            ),
            [(name, "route.routes[0]") for name in ("mail", "hook", "phone", "pager")],
            id="whoever hears of anything, though another route takes it",
        ),
        pytest.param(
            make_routing(owners={"owner=search": ["slack", "mail"], "owner=ads": ["hook", "mail"]}, names=("console",)),
            [("mail", "route"), ("hook", "route")],
            id="owners, where the tree has no other",
        ),
        pytest.param(
            make_routing(names=("slack", "mail", "console")),
            [("mail", "route"), ("console", "route")],
            id="whoever is configured, where nothing names another",
        ),
        pytest.param(make_routing(names=("slack",)), [], id="there is no other"),
        pytest.param(
            make_routing(owners={"rule=delivery_failing": ["slack", "ops-mail"]}, fallback=("pager",)),
            [("pager", "route"), ("ops-mail", "owners[0]")],
            id="an owner who asks for it, beside the fallback",
        ),
    ],
)
def test_who_is_told_that_a_receiver_fails(routing, expected: list[tuple[str, str]]) -> None:
    assert reached(routing, **failing("slack").labels) == expected


def test_the_failing_receiver_is_never_told_and_the_others_hear_the_end() -> None:
    desk = Desk(make_routing(child("mail", "severity=info"), escalate_after=HOUR, escalate_to=("slack",)))
    alert = failing("slack")
    assert brief(desk.dispatch([alert], NOW + WAIT)) == [("mail", "firing", [""])]
    assert desk.dispatch([alert], NOW + 2 * HOUR).notifications == ()
    assert brief(desk.dispatch([ended(alert, NOW + 3 * HOUR)], NOW + 3 * HOUR)) == [("mail", "resolved", [""])]


def test_where_nobody_is_left_that_is_said() -> None:
    alert = failing("slack")
    planned = Desk(make_routing()).dispatch([alert], NOW + HOUR)
    assert (planned.notifications, held(planned, alert)) == ((), [("", "no receiver is left but slack")])


def test_another_rule_with_that_label_goes_its_way() -> None:
    assert reached(make_routing(), rule="job_failed", receiver="slack") == [("slack", "route")]
