"""What is promised of `advance` and `plan` together, over any history: nothing lost, nothing twice."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.interval import MuteInterval, TimeRange
from watcher.alerts.lifecycle import advance
from watcher.alerts.notification import NotifyReason
from watcher.alerts.silence import Silence
from watcher.alerts.step import is_nearer
from watcher.alerts.telling import latest, receivers
from watcher.rules.finding import Severity, Undecided

from .factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Desk,
    child,
    make_finding,
    make_keep,
    make_routing,
    make_silence,
)

RULES = (
    "deployment_idle",
    "deployment_failed",
    "deployment_gone",
    "job_failed",
    "azure_unreachable",
    "account_unreachable",
)
NIGHTS = MuteInterval(
    name="nights",
    times=(TimeRange(start=timedelta(hours=22), end=timedelta(hours=7)),),
    except_severity=Severity.CRITICAL,
)
ROUTINGS = (
    make_routing(mutes=(NIGHTS,)),
    make_routing(child("hook", "severity=critical", continue_=True), child("slack", mute=("nights",)), mutes=(NIGHTS,)),
    make_routing(child("gone", "rule=deployment_gone"), group_by=("...",), mutes=(NIGHTS,)),
    make_routing(child("slack", continue_=True, group_by=()), child("mail", "owner=ads"), mutes=(NIGHTS,)),
)
FINDINGS = st.builds(
    lambda rule_, name, severity, step, owner: make_finding(
        rule_, name=name, severity=severity, step=step if rule_ == "deployment_idle" else "", labels={"owner": owner}
    ),
    st.sampled_from(RULES),
    st.sampled_from("ab"),
    st.sampled_from(Severity),
    st.sampled_from(["7d", "3d", "1d", "overdue"]),
    st.sampled_from(["search", "ads"]),
)


class Promises(RuleBasedStateMachine):
    """Polls and dispatches in any order; some plans are lost before they are stored."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.alerts: dict[str, Alert] = {}
        self.silences: list[Silence] = []
        self.keeps = [make_keep(NOW + 2 * DAY, deployment="b")]
        self.desk = Desk(ROUTINGS[0])
        self.raises: Counter[str] = Counter()  # how often each alert's severity rose, or its step moved on

    @rule(
        findings=st.lists(FINDINGS, max_size=5),
        undecided=st.lists(st.sampled_from(RULES), max_size=2),
        first_sight=st.booleans(),
    )
    def poll(self, findings: list, undecided: list[str], first_sight: bool) -> None:
        self.now += SECOND
        doubts = [Undecided(rule=name, subject=None, because="not read", since=NOW) for name in undecided]
        active = [a for a in self.alerts.values() if a.status is AlertStatus.FIRING]
        events = {a.fingerprint for a in self.alerts.values() if a.is_event}
        kinds = {finding.subject.kind for finding in findings if first_sight}
        arguments = {"rules": RULES, "account": ACCOUNT, "now": self.now, "known_events": events, "first_sight": kinds}
        changed = advance(active, findings, doubts, **arguments)
        for alert in changed:
            before = self.alerts.get(alert.id, alert)
            is_louder = alert.severity.rank > before.severity.rank
            self.raises[alert.id] += is_louder or is_nearer(alert.finding.step, before.finding.step)
        self.alerts.update((alert.id, alert) for alert in changed)
        active = [a for a in self.alerts.values() if a.status is AlertStatus.FIRING]
        events = {a.fingerprint for a in self.alerts.values() if a.is_event}
        assert advance(active, findings, doubts, **{**arguments, "known_events": events}) == ()

    @rule(span=st.sampled_from([SECOND, MINUTE, 10 * MINUTE, 5 * HOUR, DAY]))
    def wait(self, span: timedelta) -> None:
        self.now += span

    @rule(routing=st.sampled_from(ROUTINGS))
    def reload(self, routing: object) -> None:
        self.desk.routing = routing

    @rule(name=st.sampled_from(RULES), span=st.sampled_from([MINUTE, 5 * HOUR]))
    def silence(self, name: str, span: timedelta) -> None:
        self.silences.append(make_silence(f"rule={name}", starts_at=self.now, until=self.now + span))

    @rule()
    def acknowledge(self) -> None:
        for alert in self.alerts.values():
            self.alerts[alert.id] = replace(alert, acked_at=self.now)

    @rule(immediate=st.booleans())
    def killed_before_it_is_stored(self, immediate: bool) -> None:
        alerts, options = list(self.alerts.values()), {"silences": self.silences, "keeps": self.keeps}
        lost = self.desk.plan(alerts, self.now, immediate=immediate, **options)
        assert lost == self.desk.plan(alerts[::-1], self.now, immediate=immediate, **options)

    @rule(immediate=st.booleans())
    def dispatch(self, immediate: bool) -> None:
        self.now += SECOND
        alerts, options = list(self.alerts.values()), {"silences": self.silences, "keeps": self.keeps}
        planned = self.desk.dispatch(alerts, self.now, immediate=immediate, **options)
        assert planned.next_at is None or planned.next_at > self.now
        self.told_what_is_urgent(planned.held)
        again = self.desk.plan(alerts, self.now, immediate=immediate, **options)
        assert again.notifications == (), "what was stored is not said again"
        if planned.next_at is None or planned.next_at - self.now > 2 * SECOND:
            later = self.desk.plan(alerts, self.now + SECOND, immediate=immediate, **options)
            assert later.notifications == (), "nothing is due before it says so"

    def told_what_is_urgent(self, held: object) -> None:
        known = latest(self.desk.told)
        for alert in self.alerts.values():
            if alert.status is AlertStatus.FIRING and not alert.is_event:
                for route in receivers(self.desk.routing.root, alert.labels):
                    row = known.get((alert.id, route.receiver))
                    if row is not None and not any(h.receiver == route.receiver for h in held.get(alert.id, ())):
                        assert not is_nearer(alert.finding.step, row.step)
                        assert alert.severity.rank <= row.severity.rank
                        assert not alert.finding.step or alert.raised_at <= row.at + HOUR

    @invariant()
    def nothing_is_said_twice(self) -> None:
        said: Counter[tuple[str, str, NotifyReason]] = Counter()
        ids = [n.id for n in self.desk.sent]
        assert len(ids) == len(set(ids))
        for notification in self.desk.sent:
            told = [(entry.alert, entry.reason) for entry in notification.alerts]
            told += [(alert, NotifyReason.RESOLVED) for alert in notification.covers]
            for alert, reason in told:
                place = (alert.id, notification.receiver)
                assert not said[*place, NotifyReason.RESOLVED], "nothing follows a resolve"
                if reason is NotifyReason.FIRING:
                    assert not said[*place, reason], "fired once"
                else:
                    assert said[*place, NotifyReason.FIRING], "nothing comes before it fired"
                    assert not alert.is_event
                said[*place, reason] += 1
                if alert.finding.step and reason is not NotifyReason.RESOLVED:
                    news = sum(said[*place, one] for one in NotifyReason if one is not NotifyReason.RESOLVED)
                    assert news <= 1 + self.raises[alert.id], "each step and severity is told once each time it comes"

    def teardown(self) -> None:
        """When everything that holds back is over, everybody knows everything."""
        self.now = max([self.now, *(keep.until for keep in self.keeps), *(s.ends_at for s in self.silences)])
        self.now = self.now.replace(hour=12) + DAY
        active = [a for a in self.alerts.values() if not a.is_event and a.finding.rule == "azure_unreachable"]
        active = [a for a in active if a.status is AlertStatus.FIRING]
        for alert in advance(active, [], rules=RULES, account=ACCOUNT, now=self.now):
            self.alerts[alert.id] = alert
        alerts = list(self.alerts.values())
        for _ in range(3):
            self.now += 10 * MINUTE
            self.desk.dispatch(alerts, self.now, silences=self.silences, keeps=self.keeps)
        self.nothing_is_said_twice()
        known = latest(self.desk.told)
        for alert in alerts:
            if alert.status is AlertStatus.FIRING:
                for route in receivers(self.desk.routing.root, alert.labels):
                    assert (alert.id, route.receiver) in known, "nothing is lost"
        ended = {alert.id for alert in alerts if alert.status is AlertStatus.RESOLVED}
        for row in known.values():
            assert (row.status is AlertStatus.RESOLVED) is (row.alert_id in ended), "all who were told know it is over"


Promises.TestCase.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestPromises = Promises.TestCase
