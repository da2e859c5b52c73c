"""What is promised of `advance` and `plan` together, over any history: what each receiver was told is a faithful story.

Nothing lost, nothing twice, no end without its beginning, and nothing that a silence, a mute or a keep holds back.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.dispatch import NEWCOMER_NOTE, Plan
from watcher.alerts.flapping import WITHIN, flapping
from watcher.alerts.interval import MuteInterval, TimeRange
from watcher.alerts.keep import COUNTDOWN_RULES
from watcher.alerts.lifecycle import advance
from watcher.alerts.notification import Notification, NotifyReason, Told
from watcher.alerts.routing import failing_receiver, receivers
from watcher.alerts.silence import Silence
from watcher.alerts.step import is_nearer, time_before
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
    "delivery_failing",
    "deployment_wasting",
)
NIGHTS = MuteInterval(
    name="nights",
    times=(TimeRange(start=timedelta(hours=22), end=timedelta(hours=7)),),
    except_severity=Severity.CRITICAL,
)
ALL = 'rule=~".*"'
ROUTINGS = (
    make_routing(mutes=(NIGHTS,)),
    make_routing(child("hook", "severity=critical", continue_=True), child("slack", mute=("nights",)), mutes=(NIGHTS,)),
    make_routing(child("gone", "rule=deployment_gone"), group_by=("...",), mutes=(NIGHTS,)),
    make_routing(child("slack", continue_=True, group_by=()), child("mail", "owner=ads"), mutes=(NIGHTS,)),
    make_routing(owners={"owner=ads": ["mail", "hook"], "rule=deployment_wasting": ["mail"]}, mutes=(NIGHTS,)),
    make_routing(escalate_after=HOUR, escalate_to=("pager", "hook"), mute=("nights",), mutes=(NIGHTS,)),
    make_routing(
        child("hook", "severity=critical", continue_=True, escalate_after=MINUTE, escalate_to=("pager",)),
        child("mail", ALL, continue_=True, group_wait=HOUR),
        child("slack", ALL, escalate_after=5 * HOUR, escalate_to=("pager",)),
        fallback=("mail",),
        owners={"owner=ads": ["pager"]},
        mutes=(NIGHTS,),
    ),
)
FINDINGS = st.builds(
    lambda rule_, name, severity, step, owner: make_finding(
        rule_,
        name=name,
        severity=severity,
        step=step if rule_ == "deployment_idle" else "",
        labels={"owner": owner, "receiver": {"a": "slack", "b": "hook"}[name] if rule_ == "delivery_failing" else ""},
    ),
    st.sampled_from(RULES),
    st.sampled_from("ab"),
    st.sampled_from(Severity),
    st.sampled_from(["7d", "3d", "1d", "overdue"]),
    st.sampled_from(["search", "ads"]),
)


def newest(told: list[Told]) -> dict[tuple[str, str], Told]:
    """What each receiver knows of each alert."""
    return {(row.alert_id, row.receiver): row for row in told}


class Promises(RuleBasedStateMachine):
    """Polls and dispatches in any order, by a clock that may jump; some plans are lost before they are stored."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.alerts: dict[str, Alert] = {}
        self.silences: list[Silence] = []
        self.keeps = [make_keep(NOW + 2 * DAY, deployment="b")]
        self.desk = Desk(ROUTINGS[0])
        self.raises: Counter[str] = Counter()  # how often each alert's severity rose, or its step moved on
        self.ticks = 0

    @rule(
        findings=st.lists(FINDINGS, max_size=5),
        undecided=st.lists(st.sampled_from(RULES), max_size=2),
        first_sight=st.booleans(),
    )
    def poll(self, findings: list, undecided: list[str], first_sight: bool) -> None:
        self.tick()
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

    def tick(self) -> None:
        """No two polls at one moment, even where the clock was put back: an alert's id rests on that."""
        self.ticks += 1
        self.now = self.now.replace(microsecond=0) + SECOND + self.ticks * timedelta(microseconds=1)

    @rule(span=st.sampled_from([SECOND, MINUTE, 10 * MINUTE, 5 * HOUR, DAY]))
    def wait(self, span: timedelta) -> None:
        self.now += span

    @rule(span=st.sampled_from([MINUTE, HOUR, DAY]))
    def clock_is_put_back(self, span: timedelta) -> None:
        self.now -= span

    @rule(routing=st.sampled_from(ROUTINGS))
    def reload(self, routing: object) -> None:
        self.desk.routing = routing

    @rule(name=st.sampled_from(RULES), span=st.sampled_from([MINUTE, 5 * HOUR, 3 * DAY]), is_forced=st.booleans())
    def silence(self, name: str, span: timedelta, is_forced: bool) -> None:
        until = self.now + span
        self.silences.append(make_silence(f"rule={name}", starts_at=self.now, until=until, is_forced=is_forced))

    @rule(name=st.sampled_from(RULES))
    def acknowledge(self, name: str) -> None:
        for alert in self.alerts.values():
            if alert.finding.rule == name:
                self.alerts[alert.id] = replace(alert, acked_at=self.now)

    def stored(self) -> dict[str, object]:
        """What else a plan rests on."""
        lives: dict[str, list[datetime]] = {}
        for alert in self.alerts.values():
            if alert.ends_at is not None and alert.ends_at > self.now - DAY - WITHIN:
                lives.setdefault(alert.fingerprint, []).append(alert.starts_at)
        return {"silences": self.silences, "keeps": self.keeps, "lives": lives}

    @rule(immediate=st.booleans())
    def killed_before_it_is_stored(self, immediate: bool) -> None:
        alerts, options = list(self.alerts.values()), self.stored()
        lost = self.desk.plan(alerts, self.now, immediate=immediate, **options)
        assert lost == self.desk.plan(alerts[::-1], self.now, immediate=immediate, **options)

    @rule(immediate=st.booleans())
    def dispatch(self, immediate: bool) -> None:
        self.tick()
        alerts, options = list(self.alerts.values()), self.stored()
        known = newest(self.desk.told)
        planned = self.desk.dispatch(alerts, self.now, immediate=immediate, **options)
        assert planned.next_at is None or planned.next_at > self.now
        for notification in planned.notifications:
            self.may_be_told(notification, known)
        self.one_message_of_what_others_know(planned)
        self.told_what_is_urgent(planned)
        again = self.desk.plan(alerts, self.now, immediate=immediate, **options)
        assert again.notifications == (), "what was stored is not said again"
        if planned.next_at is None or planned.next_at - self.now > 2 * SECOND:
            later = self.desk.plan(alerts, self.now + SECOND, immediate=immediate, **options)
            assert later.notifications == (), "nothing is due before it says so"

    def may_be_told(self, notification: Notification, known: dict[tuple[str, str], Told]) -> None:
        for entry in notification.alerts:
            alert, reason = entry.alert, entry.reason
            before = known.get((alert.id, notification.receiver))
            if reason is NotifyReason.RESOLVED:
                continue
            assert notification.receiver != failing_receiver(alert.labels)
            hiding = [s for s in self.silences if s.is_active(self.now) and s.matches(alert.labels)]
            if hiding:
                assert alert.finding.rule in COUNTDOWN_RULES and time_before(alert.finding.step) <= DAY
                assert not any(silence.is_forced for silence in hiding)
                assert "comes through silence" in entry.note
            for keep in self.keeps:
                if keep.is_active(self.now) and keep.concerns(alert) and alert.finding.rule == "deployment_idle":
                    assert time_before(alert.finding.step) <= DAY
            if reason is NotifyReason.SEVERITY_RAISED:
                assert alert.severity.rank > before.severity.rank, "severity rose since"
            if reason is NotifyReason.REMINDER and not alert.finding.step:
                assert alert.acked_at is None, "an acknowledged alert does not remind"
            routed = {route.receiver for route in receivers(self.desk.routing, alert.labels)}
            if notification.receiver not in routed and before is None:
                assert entry.note.startswith("escalated") and alert.acked_at is None
            found = flapping(alert, self.stored()["lives"])
            if reason is NotifyReason.FIRING and found is not None:
                assert "comes and goes" in entry.note
                assert self.now >= found.stands_at or self.now < alert.starts_at, "stood, or the clock was put back"

    def one_message_of_what_others_know(self, planned: Plan) -> None:
        late = Counter(
            notification.receiver
            for notification in planned.notifications
            if NEWCOMER_NOTE in notification.notes or any(NEWCOMER_NOTE in one.note for one in notification.alerts)
        )
        assert all(count == 1 for count in late.values())

    def told_what_is_urgent(self, planned: Plan) -> None:
        known = newest(self.desk.told)
        for alert in self.alerts.values():
            if alert.status is AlertStatus.FIRING and not alert.is_event:
                for route in receivers(self.desk.routing, alert.labels):
                    row = known.get((alert.id, route.receiver))
                    is_held = any(h.receiver == route.receiver for h in planned.held.get(alert.id, ()))
                    if row is not None and not is_held:
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
                    is_untold = place in self.untold(notification)
                    assert bool(said[*place, NotifyReason.FIRING]) is not is_untold, "nothing comes before it fired"
                    assert not alert.is_event
                said[*place, reason] += 1
                if alert.finding.step and reason is not NotifyReason.RESOLVED:
                    news = sum(said[*place, one] for one in NotifyReason if one is not NotifyReason.RESOLVED)
                    assert news <= 1 + self.raises[alert.id], "each step and severity is told once each time it comes"

    def untold(self, notification: Notification) -> set[tuple[str, str]]:
        """What ended while its receiver was muted, and is told as such."""
        return {(entry.alert.id, notification.receiver) for entry in notification.alerts if entry.was_untold}

    def teardown(self) -> None:
        """When everything that holds back is over, everybody knows everything."""
        times = [time for alert in self.alerts.values() for time in (alert.starts_at, alert.updated_at)]
        times += [row.at for row in self.desk.told]
        self.now = max([self.now, *times, *(keep.until for keep in self.keeps), *(s.ends_at for s in self.silences)])
        self.now = self.now.replace(hour=12) + DAY
        active = [a for a in self.alerts.values() if not a.is_event and a.finding.rule == "azure_unreachable"]
        active = [a for a in active if a.status is AlertStatus.FIRING]
        for alert in advance(active, [], rules=RULES, account=ACCOUNT, now=self.now):
            self.alerts[alert.id] = alert
        alerts = list(self.alerts.values())
        for _ in range(4):
            self.now += 2 * HOUR
            self.desk.dispatch(alerts, self.now, **self.stored())
        self.nothing_is_said_twice()
        known = newest(self.desk.told)
        for alert in alerts:
            if alert.status is AlertStatus.FIRING:
                for route in receivers(self.desk.routing, alert.labels):
                    assert (alert.id, route.receiver) in known, "nothing is lost"
                    if alert.acked_at is None:
                        others = {*route.escalate_to} - {failing_receiver(alert.labels)}
                        assert all((alert.id, other) in known for other in others), "nobody acknowledged"
        ended = {alert.id for alert in alerts if alert.status is AlertStatus.RESOLVED}
        for row in known.values():
            assert (row.status is AlertStatus.RESOLVED) is (row.alert_id in ended), "all who were told know it is over"


Promises.TestCase.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestPromises = Promises.TestCase
