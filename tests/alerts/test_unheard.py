"""A mute defers and does not drop: what began and ended while it held is told when it ends, once, as over."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.interval import MuteInterval, TimeRange
from watcher.alerts.notification import Told
from watcher.rules.finding import Severity

from .factories import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Desk,
    brief,
    child,
    ended,
    held,
    make_alert,
    make_keep,
    make_routing,
    make_silence,
)

EVENING = datetime(2026, 11, 18, 21, tzinfo=UTC)
NIGHT, MORNING = EVENING + 2 * HOUR, EVENING + 10 * HOUR
NIGHTS = MuteInterval(
    name="nights",
    times=(TimeRange(start=timedelta(hours=22), end=timedelta(hours=7)),),
    except_severity=Severity.CRITICAL,
)
MUTED = make_routing(mute=("nights",), mutes=(NIGHTS,), group_wait=30 * SECOND)
BEGAN_AND_ENDED = "began and ended while this receiver was muted"


def over(length: timedelta = HOUR, *, at: datetime = NIGHT, rule: str = "deployment_failed", **finding) -> Alert:
    return ended(make_alert(rule, at=at, **finding), at + length)


def test_what_began_and_ended_in_a_mute_is_told_when_the_mute_ends() -> None:
    desk, alert = Desk(MUTED), over()
    night = desk.dispatch([alert], NIGHT + HOUR)
    assert (night.notifications, night.next_at) == ((), MORNING)
    assert held(night, alert) == [("slack", "muted by nights until 2026-11-19T07:00:00Z")]
    morning = desk.dispatch([alert], MORNING)
    assert brief(morning) == [("slack", "resolved", ["chat"])]
    (entry,) = morning.notifications[0].alerts
    assert (entry.was_untold, entry.note) == (True, BEGAN_AND_ENDED)
    assert desk.dispatch([alert], MORNING + HOUR).notifications == ()


def test_what_began_before_the_mute_and_was_not_told_says_only_what_is_so() -> None:
    alert = over(2 * HOUR, at=EVENING + HOUR - 10 * SECOND)
    (message,) = Desk(MUTED).dispatch([alert], MORNING).notifications
    assert message.alerts[0].note == "ended while this receiver was muted, before it was told"


@pytest.mark.parametrize(
    "alert",
    [
        pytest.param(over(30 * SECOND), id="over before its group had waited"),
        pytest.param(over(at=EVENING - HOUR), id="over before the mute"),
        pytest.param(over(9 * HOUR), id="over after the mute"),
        pytest.param(over(severity=Severity.CRITICAL), id="not muted"),
        pytest.param(make_alert("job_failed", at=NIGHT), id="an event, which goes on waiting"),
    ],
)
def test_what_no_mute_kept_from_being_told_is_not_told_so(alert: Alert) -> None:
    for at in (NIGHT + 2 * HOUR, MORNING + DAY):
        for message in Desk(MUTED).dispatch([alert], at).notifications:
            assert not any(entry.was_untold for entry in message.alerts)


def test_whom_another_route_told_hears_it_by_that_one() -> None:
    routing = make_routing(
        child("hook", 'rule=~".*"', continue_=True),
        child("slack", 'rule=~".*"', mute=("nights",)),
        mutes=(NIGHTS,),
    )
    desk, alert = Desk(routing), make_alert(at=NIGHT)
    assert brief(desk.dispatch([alert], NIGHT + MINUTE)) == [("hook", "firing", ["chat"])]
    gone = ended(alert, NIGHT + HOUR)
    assert brief(desk.dispatch([gone], NIGHT + HOUR)) == [("hook", "resolved", ["chat"])]
    assert brief(desk.dispatch([gone], MORNING)) == [("slack", "resolved", ["chat"])]
    assert [entry.was_untold for one in desk.sent for entry in one.alerts] == [False, False, True]


OUTAGE = {"cloud": "public", "plane": "data", "location": "swedencentral"}


@pytest.mark.parametrize(
    ("alert", "options"),
    [
        pytest.param(over(), {"silences": [make_silence("deployment=chat", until=NIGHT + 2 * HOUR)]}, id="silenced"),
        pytest.param(
            over(rule="account_unreachable", labels=OUTAGE),
            {"ended": [over(2 * HOUR, rule="azure_unreachable", name="", labels=OUTAGE)]},
            id="inhibited",
        ),
        pytest.param(
            over(rule="deployment_wasting", labels={"owner": "ads"}), {"keeps": [make_keep(MORNING)]}, id="kept"
        ),
        pytest.param(
            over(9 * MINUTE),
            {"lives": {over().fingerprint: [NIGHT - HOUR, NIGHT - 2 * HOUR]}},
            id="came and went",
        ),
    ],
)
def test_what_would_have_been_kept_quiet_all_the_same_is_not_told(alert: Alert, options: dict) -> None:
    routing = make_routing(
        child("mail", "rule=deployment_wasting", mute=("nights",)), mute=("nights",), mutes=(NIGHTS,)
    )
    desk = Desk(routing)
    night = desk.dispatch([alert], NIGHT + HOUR, **options)
    assert (night.notifications, held(night, alert)) == ((), []), "and nothing waits for it"
    assert desk.dispatch([alert], MORNING + HOUR, **options).notifications == ()
    assert len(desk.dispatch([alert], MORNING + HOUR).notifications) == 1, "it was for that alone"


def test_what_was_silenced_only_for_a_part_of_its_time_is_told() -> None:
    silence = make_silence("deployment=chat", until=NIGHT + HOUR - MINUTE)
    assert brief(Desk(MUTED, silences=[silence]).dispatch([over()], MORNING)) == [("slack", "resolved", ["chat"])]


def test_the_news_that_it_is_gone_says_it_all() -> None:
    idle = over(rule="deployment_idle", step="3d")
    gone = make_alert("deployment_gone", at=NIGHT + HOUR)
    desk = Desk(MUTED)
    assert held(desk.dispatch([idle, gone], NIGHT + HOUR), idle) == []
    morning = desk.dispatch([gone], MORNING)
    assert (brief(morning), morning.notifications[0].covers) == ([("slack", "firing", ["chat"])], ())


LIVES = st.lists(
    st.tuples(
        st.integers(0, 36 * 60),
        st.one_of(st.integers(1, 40), st.integers(1, 20 * 60).map(lambda minutes: 60 * minutes)),
        st.sampled_from([Severity.WARNING, Severity.CRITICAL]),
    ),
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(lives=LIVES)
def test_nothing_that_stood_for_longer_than_its_group_waits_is_lost(lives: list[tuple[int, int, Severity]]) -> None:
    """And nothing else is told; each is told to be over once. Dispatch runs at each change and when it said so."""
    routing = make_routing(mute=("nights",), mutes=(NIGHTS,), group_wait=30 * SECOND, group_by=("...",))
    desk = Desk(routing)
    whole = [
        over(length * SECOND, at=EVENING + start * MINUTE, name=f"d{number}", severity=severity)
        for number, (start, length, severity) in enumerate(lives)
    ]
    due = {at for alert in whole for at in (alert.starts_at, alert.ends_at) if at is not None}
    settled: set[str] = set()
    while due:
        now = min(due)
        due.remove(now)
        planned = desk.dispatch([a for one in whole if (a := as_of(one, now)) and a.id not in settled], now)
        for alert in whole:
            is_waiting = any(one.receiver for one in planned.held.get(alert.id, ()))
            if as_of(alert, now) == alert and not is_waiting:
                settled.add(alert.id)
        if planned.next_at is not None:
            due.add(planned.next_at)
        if now > EVENING + 5 * DAY:
            break
    lasting = {alert.id for alert in whole if alert.ends_at - alert.starts_at > 30 * SECOND}
    assert {row.alert_id for row in desk.told} == lasting
    ends = [row.alert_id for row in desk.told if row.status is AlertStatus.RESOLVED]
    assert sorted(ends) == sorted(lasting)
    untold = {entry.alert.id for one in desk.sent for entry in one.alerts if entry.was_untold}
    assert untold.isdisjoint({row.alert_id for row in desk.told if is_start(row)})


def is_start(row: Told) -> bool:
    return row.status is AlertStatus.FIRING


def as_of(alert: Alert, now: datetime) -> Alert | None:
    """What is stored of it at that time."""
    if now < alert.starts_at:
        return None
    if alert.ends_at is not None and now >= alert.ends_at:
        return alert
    return make_alert(alert.finding.rule, at=alert.starts_at, name=alert.labels["deployment"], severity=alert.severity)
