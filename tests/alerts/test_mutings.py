"""Silences, inhibitions and keeps: each asked alone."""

from datetime import timedelta

import pytest

from watcher.alerts.alert import Alert
from watcher.alerts.inhibition import DEFAULT_INHIBITIONS, LINGER, Inhibitor, InhibitRule, lingers_until
from watcher.alerts.keep import Keep, kept_by
from watcher.alerts.matcher import parse_matchers
from watcher.alerts.silence import Hush, Silence, hushed, silenced_by
from watcher.alerts.step import is_nearer, time_before
from watcher.rules.finding import Severity

from .factories import ACCOUNT, DAY, HOUR, NOW, SECOND, ended, make_alert, make_keep, make_silence


@pytest.mark.parametrize(
    ("silence", "expected"),
    [
        pytest.param(make_silence("deployment=chat", until=NOW + HOUR), True, id="matches"),
        pytest.param(
            make_silence("rule=deployment_failed", 'severity=~"info|warning"', until=NOW + HOUR), True, id="two"
        ),
        pytest.param(make_silence("deployment=chat", "owner=other", until=NOW + HOUR), False, id="one of two"),
        pytest.param(make_silence("deployment=chat", until=NOW), False, id="ends now"),
        pytest.param(make_silence("deployment=chat", starts_at=NOW, until=NOW + HOUR), True, id="starts now"),
        pytest.param(make_silence("deployment=chat", starts_at=NOW + SECOND, until=NOW + HOUR), False, id="to come"),
        pytest.param(make_silence(until=NOW + HOUR), False, id="no matcher silences nothing"),
    ],
)
def test_silenced_by(silence: Silence, expected: bool) -> None:
    assert bool(silenced_by(make_alert(), [silence], NOW)) is expected


def test_the_longest_silence_comes_first() -> None:
    short, long = (make_silence("deployment=chat", until=NOW + span) for span in (HOUR, DAY))
    assert silenced_by(make_alert(), [short, long], NOW) == (long, short)


def countdown(step: str, *, left: timedelta | None = None, rule: str = "deployment_idle") -> Alert:
    values = {} if left is None else {"deletion_earliest": f"{NOW + left:%Y-%m-%dT%H:%M:%SZ}"}
    return make_alert(rule, step=step, values=values)


@pytest.mark.parametrize(
    ("alert", "comes_through"),
    [
        pytest.param(countdown("3d"), False, id="days before"),
        pytest.param(countdown("1d"), True, id="a day before"),
        pytest.param(countdown("24h"), True, id="in hours"),
        pytest.param(countdown("6h"), True, id="hours before"),
        pytest.param(countdown("overdue"), True, id="overdue"),
        pytest.param(countdown("4h", rule="deployment_expiring"), True, id="expiring"),
        pytest.param(countdown(""), False, id="no step, and no time known"),
        pytest.param(countdown("3d", left=2 * DAY), False, id="no step within the day, two days before"),
        pytest.param(countdown("3d", left=DAY), True, id="no step within the day, a day before"),
        pytest.param(make_alert("job_paused", step="1d"), False, id="no deletion"),
    ],
)
def test_the_last_day_comes_through_a_silence_that_is_not_forced(alert: Alert, comes_through: bool) -> None:
    end = NOW + 9 * DAY
    plain, forced = (make_silence("deployment=chat", until=end, is_forced=is_forced) for is_forced in (False, True))
    assert (hushed(alert, [plain], NOW).by is None) is comes_through
    assert hushed(alert, [plain, forced], NOW).by in (plain, forced)
    assert hushed(alert, [forced], NOW) == Hush(by=forced, until=end)
    assert (silenced_by(alert, [plain], NOW) == ()) is comes_through, "what is told is not shown as silenced"
    assert forced in silenced_by(alert, [plain, forced], NOW)


@pytest.mark.parametrize(
    ("alert", "why"),
    [
        pytest.param(countdown("6h"), "deletion is less than 24 h away", id="to come"),
        pytest.param(countdown("overdue"), "deletion is overdue", id="overdue"),
        pytest.param(countdown("6h", left=-HOUR), "deletion may come at any moment", id="from its earliest time on"),
    ],
)
def test_what_comes_through_says_which_silence_it_was(alert: Alert, why: str) -> None:
    silence = make_silence("deployment=chat", until=NOW + DAY)
    assert hushed(alert, [silence], NOW) == Hush(note=f"comes through silence sil_1 (by operator: known), since {why}")


def test_a_silenced_countdown_is_looked_at_again_when_its_last_day_begins() -> None:
    """Also where no step lies within the last day, nor has the countdown been looked at since."""
    alert = countdown("3d", left=3 * DAY)
    long = make_silence("deployment=chat", until=NOW + 9 * DAY)
    assert hushed(alert, [long], NOW).until == NOW + 2 * DAY
    assert hushed(alert, [make_silence("deployment=chat", until=NOW + DAY)], NOW).until == NOW + DAY
    forced = make_silence("deployment=chat", until=NOW + 60 * HOUR, is_forced=True)
    assert hushed(alert, [long, forced], NOW).until == NOW + 60 * HOUR


CLOUD = {"cloud": "public", "plane": "data", "location": "swedencentral"}


def outage(**labels: str) -> Alert:
    return make_alert("azure_unreachable", name="", account="", labels={**CLOUD, **labels})


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        pytest.param(outage(), make_alert("account_unreachable", labels=CLOUD), True, id="same region and plane"),
        pytest.param(outage(), make_alert("metrics_stale", labels={**CLOUD, "plane": "arm"}), False, id="other plane"),
        pytest.param(outage(), make_alert("account_throttled", labels={**CLOUD, "location": "x"}), False, id="region"),
        pytest.param(outage(location=""), make_alert("account_throttled", labels=CLOUD), True, id="all regions"),
        pytest.param(outage(cloud="china"), make_alert("account_throttled", labels=CLOUD), False, id="other cloud"),
        pytest.param(outage(), make_alert("deployment_idle", labels=CLOUD), False, id="not a target"),
        pytest.param(
            ended(outage(), NOW), make_alert("account_unreachable", labels=CLOUD), False, id="source has ended"
        ),
        pytest.param(
            make_alert("credential_failing", labels={"plane": ""}),
            make_alert("account_unreachable", labels=CLOUD),
            True,
            id="credential, any plane",
        ),
        pytest.param(
            make_alert("credential_failing", labels={"plane": "arm"}),
            make_alert("account_unreachable", labels=CLOUD),
            False,
            id="credential, other plane",
        ),
        pytest.param(
            make_alert("credential_failing", labels={"plane": "arm,data"}),
            make_alert("account_unreachable", labels=CLOUD),
            True,
            id="credential, several planes",
        ),
        pytest.param(
            make_alert("credential_failing", labels={"plane": "arm,data"}),
            make_alert("account_forbidden", labels=CLOUD | {"plane": "metrics", "cause": "credential"}),
            True,
            id="refused for the credential, on whatever plane",
        ),
        pytest.param(
            make_alert("credential_failing", labels={"plane": "arm,data"}),
            make_alert("account_forbidden", labels=CLOUD),
            False,
            id="refused for another cause",
        ),
        pytest.param(
            make_alert("credential_failing", labels={"plane": "arm,data", "cloud": "china"}),
            make_alert("account_forbidden", labels=CLOUD | {"cause": "credential"}),
            False,
            id="credential of another cloud",
        ),
        pytest.param(
            make_alert("credential_failing", labels=CLOUD),
            make_alert("account_throttled", labels=CLOUD),
            False,
            id="a failing credential explains no throttling",
        ),
        *(
            pytest.param(
                make_alert(rule, labels=CLOUD | {"plane": plane, "account": account}),
                make_alert("metrics_stale", labels=CLOUD | {"plane": "metrics", "account": "contoso-ft"}),
                expected,
                id=f"metrics unread: {rule} {plane} {account}",
            )
            for rule, plane, account, expected in (
                ("account_unreachable", "metrics", "contoso-ft", True),
                ("account_throttled", "metrics", "contoso-ft", True),
                ("account_unreachable", "data", "contoso-ft", False),
                ("account_unreachable", "metrics", "other", False),
            )
        ),
        *(
            pytest.param(
                make_alert("account_forbidden", name=plane, labels=CLOUD | {"plane": plane, "cause": "credential"}),
                make_alert(
                    "account_forbidden", name=other, labels=CLOUD | {"plane": other, "account": account} | cause
                ),
                expected,
                id=f"refused on {plane}: {other} {account} {cause}",
            )
            for plane, other, account, cause, expected in (
                ("arm", "data", "contoso-ft", {"cause": "credential"}, True),
                ("arm", "metrics", "contoso-ft", {"cause": "credential"}, True),
                ("arm", "data", "other", {"cause": "credential"}, False),
                ("arm", "data", "contoso-ft", {}, False),
                ("data", "arm", "contoso-ft", {"cause": "credential"}, False),
            )
        ),
    ],
)
def test_default_inhibitions(source: Alert, target: Alert, expected: bool) -> None:
    assert Inhibitor(DEFAULT_INHIBITIONS, [source, target]).inhibited_by(target) == (source if expected else None)


def test_an_alert_on_both_sides_is_inhibited_neither_by_itself_nor_by_its_like() -> None:
    rule = InhibitRule(source=parse_matchers(["severity=critical"]), target=parse_matchers(['rule=~".*"']))
    one, other = (make_alert(name=name, severity=Severity.CRITICAL) for name in ("a", "b"))
    assert Inhibitor([rule], [one]).inhibited_by(one) is None
    assert Inhibitor([rule], [one, other]).inhibited_by(one) is None


def test_what_ended_lingers_for_what_began_before_its_end() -> None:
    """Those that have not been looked at since would be told, and taken back at their next poll."""
    over = ended(outage(), NOW + HOUR)
    before = make_alert("account_unreachable", labels=CLOUD, at=NOW + HOUR)
    after = make_alert("account_unreachable", labels=CLOUD, at=NOW + HOUR + SECOND)
    inhibitor = Inhibitor(DEFAULT_INHIBITIONS, [before, after], [over])
    assert inhibitor.inhibited_by(before) == over
    assert inhibitor.inhibited_by(after) is None
    assert lingers_until(over, NOW + HOUR) == NOW + HOUR + LINGER
    assert lingers_until(over, NOW + HOUR + LINGER) is None
    assert lingers_until(outage(), NOW + HOUR) is None
    assert lingers_until(ended(before, NOW + HOUR), NOW + HOUR) is None  # an account's own, looked at in its own poll


def test_an_event_is_no_source() -> None:
    rule = InhibitRule(source=parse_matchers(["rule=job_failed"]), target=parse_matchers(["rule=deployment_failed"]))
    assert Inhibitor([rule], [make_alert("job_failed")]).inhibited_by(make_alert()) is None


def test_labels_that_both_lack_agree() -> None:
    rule = InhibitRule(source=parse_matchers(["rule=a"]), target=parse_matchers(["rule=b"]), equal=("plane", "cloud"))
    source = make_alert("a", labels={"plane": ""})
    assert Inhibitor([rule], [source]).inhibited_by(make_alert("b")) is source


@pytest.mark.parametrize(
    ("alert", "keep", "expected"),
    [
        pytest.param(make_alert("deployment_idle", step="7d"), make_keep(NOW + DAY), True, id="early step"),
        pytest.param(make_alert("deployment_idle", step="36h"), make_keep(NOW + DAY), True, id="more than a day"),
        pytest.param(make_alert("deployment_idle", step="1d"), make_keep(NOW + DAY), False, id="last day"),
        pytest.param(make_alert("deployment_idle", step="24h"), make_keep(NOW + DAY), False, id="last day in hours"),
        pytest.param(make_alert("deployment_idle", step="6h"), make_keep(NOW + DAY), False, id="last hours"),
        pytest.param(make_alert("deployment_idle", step="overdue"), make_keep(NOW + DAY), False, id="overdue"),
        pytest.param(make_alert("deployment_expiring", step="4h"), make_keep(NOW + DAY), False, id="expiring"),
        pytest.param(make_alert("deployment_idle", step="7d"), make_keep(NOW), False, id="keep is over"),
        pytest.param(make_alert("deployment_wasting"), make_keep(NOW + DAY), True, id="waste advice"),
        pytest.param(make_alert("deployment_failed"), make_keep(NOW + DAY), False, id="a failure is no advice"),
        pytest.param(make_alert("deployment_idle", step="7d"), make_keep(NOW + DAY, deployment="x"), False, id="other"),
        pytest.param(
            make_alert("deployment_idle", step="7d"), make_keep(NOW + DAY, deployment="CHAT"), True, id="case"
        ),
        pytest.param(
            make_alert("deployment_idle", step="7d"), make_keep(NOW + DAY, account="contoso-ft"), True, id="by label"
        ),
        pytest.param(
            make_alert("deployment_idle", step="7d"), make_keep(NOW + DAY, account=ACCOUNT + "2"), False, id="account"
        ),
        pytest.param(
            make_alert("deployment_superseded", account=""),
            make_keep(NOW + DAY),
            True,
            id="by a rule over all accounts",
        ),
        pytest.param(
            make_alert("deployment_superseded", account=""),
            make_keep(NOW + DAY, account=ACCOUNT + "2"),
            False,
            id="by such a rule, of another account",
        ),
    ],
)
def test_kept_by(alert: Alert, keep: Keep, expected: bool) -> None:
    assert (kept_by(alert, [keep], NOW) is keep) is expected


@pytest.mark.parametrize(
    ("step", "before"),
    [
        pytest.param("7d", timedelta(days=7), id="days"),
        pytest.param("1h30m", timedelta(minutes=90), id="two units"),
        pytest.param("2w", timedelta(days=14), id="weeks"),
        pytest.param("", timedelta(), id="none"),
        pytest.param("soon", timedelta(), id="no duration"),
        pytest.param("overdue", timedelta(seconds=-1), id="past the end"),
    ],
)
def test_time_before(step: str, before: timedelta) -> None:
    assert time_before(step) == before


@pytest.mark.parametrize(
    ("step", "than", "expected"),
    [
        pytest.param("3d", "7d", True, id="on"),
        pytest.param("7d", "3d", False, id="back"),
        pytest.param("3d", "3d", False, id="same"),
        pytest.param("24h", "1d", False, id="same length"),
        pytest.param("7d", "", True, id="first"),
        pytest.param("", "7d", False, id="left"),
        pytest.param("overdue", "6h", True, id="past the end"),
    ],
)
def test_is_nearer(step: str, than: str, expected: bool) -> None:
    assert is_nearer(step, than) is expected
