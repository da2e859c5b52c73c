"""How a deployment stands: never idle from absence, and dated only by what was read."""

from datetime import datetime
from typing import Any

import pytest

from tests.alerts.factories import ended, make_alert
from tests.factories import DAY, HOUR, NOW, SECOND, make_deployment, make_gap, make_reading, make_usage
from tests.rules.ask import found
from watcher.report.standing import NEAR, Deadline, Risk, Standing, countdowns, stand
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.idle import DeploymentIdle
from watcher.rules.metrics_pace import stale_after
from watcher.rules.rule import View
from watcher.rules.text import rfc3339


def standing(deployment: Any, usage: Any = (), gaps: Any = (), at: datetime = NOW, **changes: Any) -> Standing:
    reading = make_reading(deployments=[deployment], usage=usage, gaps=gaps, at=at)
    return stand(deployment, reading, **{"alert": None, "custom_models": (), "now": NOW, **changes})


METRICS_GAP = make_gap(Section.METRICS, GapReason.ROLE)


@pytest.mark.parametrize(
    ("deployment", "usage", "gaps", "risk"),
    [
        pytest.param({}, [make_usage(last_success_at=NOW - HOUR)], (), Risk.SAFE, id="called"),
        pytest.param({}, [make_usage(last_success_at=NOW - 10 * DAY)], (), Risk.AT_RISK, id="near"),
        pytest.param({}, [make_usage()], (), Risk.AT_RISK, id="never called in the metrics"),
        pytest.param({}, (), (), Risk.UNKNOWN, id="no usage of it"),
        pytest.param({}, None, (), Risk.UNKNOWN, id="metrics never read"),
        pytest.param({}, None, (METRICS_GAP,), Risk.UNKNOWN, id="metrics refused"),
        pytest.param(
            {}, [make_usage(last_success_at=NOW - HOUR)], (METRICS_GAP,), Risk.SAFE, id="safe on the last evidence"
        ),
        pytest.param(
            {}, [make_usage(last_success_at=NOW - 10 * DAY)], (METRICS_GAP,), Risk.UNKNOWN, id="near on old evidence"
        ),
        pytest.param({"created_at": NOW - DAY}, None, (), Risk.SAFE, id="young: its creation alone says so"),
        pytest.param({"created_at": None}, (), (), Risk.UNKNOWN, id="nothing dates it"),
        pytest.param({"model": "gpt-4o-mini"}, None, (), Risk.EXEMPT, id="base model"),
        pytest.param({"sku": "DeveloperTier", "created_at": NOW - HOUR}, None, (), Risk.AT_RISK, id="developer"),
        pytest.param({"sku": "DeveloperTier", "created_at": None}, None, (), Risk.UNKNOWN, id="developer, undated"),
    ],
)
def test_risk(deployment: dict[str, Any], usage: Any, gaps: Any, risk: Risk) -> None:
    found = standing(make_deployment(**deployment), usage, gaps)
    assert found.risk is risk
    if risk is Risk.UNKNOWN:
        assert (found.deletion_earliest, found.left, found.idle_since) == (None, None, None)
        assert found.unknown_because


def test_where_metrics_are_read_seldom_they_are_not_missed_soon() -> None:
    """An interval of half a day is the operator's choice, as for the rule that warns and for reports."""
    read_to = NOW - 20 * HOUR
    usage = [make_usage(read_to=read_to, last_success_at=NOW - 10 * DAY)]
    assert standing(make_deployment(), usage).risk is Risk.UNKNOWN
    assert standing(make_deployment(), usage, stale_after=stale_after(12 * HOUR)).risk is Risk.AT_RISK
    assert standing(make_deployment(), usage, stale_after=stale_after(HOUR)).risk is Risk.UNKNOWN


def test_a_model_that_a_job_made_is_fine_tuned_whatever_its_name() -> None:
    deployment = make_deployment(model="my-own-name")
    assert standing(deployment, [make_usage()], custom_models={"my-own-name"}).is_fine_tuned


def test_one_that_runs_again_after_a_pause_is_dated_as_the_alert_dates_it() -> None:
    """The rule puts the latest time off to the end of the pause; so do the listings."""
    usage, since = make_usage(last_success_at=NOW - 14 * DAY), NOW - 3 * DAY
    deployment = make_deployment()
    reading = make_reading(deployments=[deployment], usage=[usage])
    (alert,) = found(DeploymentIdle(), View(now=NOW, reading=reading, deployment_state_since={deployment.key: since}))
    paused_before = standing(deployment, [usage], running_since=since)
    assert paused_before.deletion_latest == NOW + 12 * DAY
    assert rfc3339(paused_before.deletion_latest) == alert.values["deletion_latest"]
    assert rfc3339(paused_before.deletion_earliest) == alert.values["deletion_earliest"]
    assert standing(deployment, [usage]).deletion_latest != paused_before.deletion_latest


def test_between_the_two_times_it_may_come_at_any_moment_and_is_overdue_past_the_later() -> None:
    failed = {"last_failure_at": NOW - DAY}
    between = standing(make_deployment(), [make_usage(last_success_at=NOW - 16 * DAY + HOUR, **failed)])
    past = standing(make_deployment(), [make_usage(last_success_at=NOW - 16 * DAY + HOUR)])
    assert between.left is not None and past.left is not None
    assert between.left == 0 * DAY
    assert past.left < 0 * DAY


def test_usage_is_found_by_a_name_in_whatever_case() -> None:
    usage = make_usage("support-bot", last_success_at=NOW - 10 * DAY)
    assert standing(make_deployment("Support-Bot"), [usage]).usage == usage


def test_a_pause_that_goes_on_ends_nothing() -> None:
    """That it ran again before says nothing of now."""
    paused = make_deployment(deployment_state="Paused")
    usage = [make_usage(last_success_at=NOW - 14 * DAY)]
    assert standing(paused, usage, running_since=NOW - 3 * DAY) == standing(paused, usage)


@pytest.mark.parametrize(
    ("earliest", "expires", "is_near"),
    [
        (NOW + NEAR, False, True),
        (NOW + NEAR + SECOND, False, False),
        (NOW + NEAR + SECOND, True, False),
        (None, True, True),
        (None, False, False),
    ],
)
def test_an_end_is_near_from_some_time_before_it_on(earliest: datetime | None, expires: bool, is_near: bool) -> None:
    """Where nothing dates the age of what does not grow old, it may be any moment."""
    end = Deadline(lifetime=DAY, created_at=None, expires=expires, earliest=earliest)
    assert end.is_near(NOW) is is_near


def test_only_what_fires_counts_down() -> None:
    idle, other = make_alert("deployment_idle", name="a"), make_alert("deployment_failed", name="b")
    over = ended(make_alert("deployment_idle", name="c"), NOW)
    assert list(countdowns([idle, other, over]).values()) == [idle]
