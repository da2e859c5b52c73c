"""Findings, alerts and routes with sane defaults, for the tests of this room."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from watcher.alerts.alert import Alert, end, open_alert
from watcher.alerts.dispatch import Groups, Plan, plan, told_rows
from watcher.alerts.interval import MuteInterval
from watcher.alerts.keep import Keep
from watcher.alerts.matcher import parse_matchers
from watcher.alerts.notification import Notification, Told
from watcher.alerts.route import RouteSpec, build_route
from watcher.alerts.routing import Routing, owner_routes
from watcher.alerts.silence import Silence
from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Finding, FindingKind, Severity, Subject

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
ACCOUNT = "/subscriptions/s1/resourcegroups/rg/providers/microsoft.cognitiveservices/accounts/contoso-ft"
EVENTS = {"job_succeeded", "job_failed", "deployment_gone", "file_failed"}

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def make_subject(name: str = "chat", *, incarnation: str = "life-1", account: str = ACCOUNT) -> Subject:
    return Subject(id=f"{account}/deployments/{name}", kind=ResourceKind.DEPLOYMENT, incarnation=incarnation)


def make_finding(
    rule: str = "deployment_failed",
    *,
    name: str = "chat",
    severity: Severity = Severity.WARNING,
    labels: Mapping[str, str] | None = None,
    **changes: Any,
) -> Finding:
    finding = Finding(
        rule=rule,
        kind=FindingKind.EVENT if rule in EVENTS else FindingKind.CONDITION,
        severity=severity,
        subject=make_subject(name),
        labels={"account": "contoso-ft", "cloud": "public", "owner": "search", "deployment": name, **(labels or {})},
        summary=f"{rule} of {name}",
    )
    return replace(finding, **changes)


def make_alert(
    rule: str = "deployment_failed",
    *,
    at: datetime = NOW,
    first_sight: bool = False,
    account: str = ACCOUNT,
    **finding: Any,
) -> Alert:
    return open_alert(make_finding(rule, **finding), account=account, now=at, is_first_sight=first_sight)


def raised(alert: Alert, at: datetime, **changes: Any) -> Alert:
    return replace(alert, finding=replace(alert.finding, **changes), updated_at=at, raised_at=at)


def ended(alert: Alert, at: datetime, because: str = "called again") -> Alert:
    return end(alert, now=at, because=because)


def make_routing(
    *routes: RouteSpec,
    mutes: tuple[MuteInterval, ...] = (),
    owners: Mapping[str, Sequence[str]] | None = None,
    names: tuple[str, ...] = (),
    **root: Any,
) -> Routing:
    """`owners`: the receivers of each, by the one matcher of it. `names`: of all receivers that are configured."""
    spec = RouteSpec(**{"receiver": "slack", "group_by": ("rule", "owner"), "routes": routes, **root})
    tree = build_route(spec)
    beside = [
        route
        for number, (match, names) in enumerate((owners or {}).items())
        for route in owner_routes(tree, f"owners[{number}]", parse_matchers([match]), names)
    ]
    by_name = {mute.name: mute for mute in mutes}
    return Routing(root=tree, mutes=by_name, owners=tuple(beside), receivers=names)


def child(receiver: str | None, *match: str, **options: Any) -> RouteSpec:
    return RouteSpec(receiver=receiver, matchers=parse_matchers(match), **options)


def make_silence(*match: str, until: datetime, starts_at: datetime = NOW - DAY, is_forced: bool = False) -> Silence:
    return Silence(
        id="sil_1",
        matchers=parse_matchers(match),
        starts_at=starts_at,
        ends_at=until,
        author="operator",
        comment="known",
        is_forced=is_forced,
    )


def make_keep(until: datetime, *, deployment: str = "chat", account: str = ACCOUNT) -> Keep:
    return Keep(account=account, deployment=deployment, until=until, author="operator", reason="demo next week")


class Desk:
    """What a store keeps of dispatch: who was told what, and when each group was last notified."""

    def __init__(self, routing: Routing, **options: Any) -> None:
        self.routing = routing
        self.options = options
        self.told: list[Told] = []
        self.groups: dict[tuple[str, str], datetime] = {}
        self.sent: list[Notification] = []

    def plan(self, alerts: list[Alert], now: datetime, **options: Any) -> Plan:
        groups: Groups = self.groups
        return plan(alerts, routing=self.routing, told=self.told, groups=groups, now=now, **{**self.options, **options})

    def dispatch(self, alerts: list[Alert], now: datetime, **options: Any) -> Plan:
        """Plan and store."""
        planned = self.plan(alerts, now, **options)
        for notification in planned.notifications:
            self.told.extend(told_rows(notification))
            self.groups[notification.receiver, notification.group_key] = now
            self.sent.append(notification)
        return planned


def brief(planned: Plan) -> list[tuple[str, str, list[str]]]:
    """Receiver, reason and the subjects' names of each notification."""
    return [
        (n.receiver, n.reason.value, [entry.alert.labels.get("deployment", "") for entry in n.alerts])
        for n in planned.notifications
    ]


def notes(planned: Plan) -> list[tuple[str, tuple[str, ...], list[str]]]:
    """Receiver, notes of the whole and notes of each alert, of each notification."""
    return [(n.receiver, n.notes, [entry.note for entry in n.alerts]) for n in planned.notifications]


def held(planned: Plan, alert: Alert) -> list[tuple[str, str]]:
    """Who is not told of an alert, and why."""
    return [(one.receiver, str(one)) for one in planned.held.get(alert.id, ())]
