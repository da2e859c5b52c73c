from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, NOW, SECOND, make_job, make_view
from watcher.resources.training import Estimates, PaceKey
from watcher.rules.pace import allowance, announced_end, moves, pace_key, percentile

SECONDS = st.lists(st.floats(1, 1e6), min_size=1, max_size=60).map(sorted)


def allowed(configured, *hours, least=8):
    seen = sorted(hour * 3600.0 for hour in hours)
    return allowance(configured, seen, least=least, span="from creation to start")


@pytest.mark.parametrize(
    ("hours", "limit", "grounds"),
    [
        pytest.param([], 6 * HOUR, "the 6 h allowed by the configuration", id="no history"),
        pytest.param([1] * 7, 6 * HOUR, "the 6 h allowed by the configuration", id="too few"),
        pytest.param([1] * 8, 2 * HOUR, "95 % of the 8 jobs of this kind that watcher saw (p95 1 h", id="quick"),
        pytest.param([0.05] * 8, 30 * MINUTE, "and over 30 min", id="very quick"),
        pytest.param([3] * 8, 6 * HOUR, "the 6 h allowed by the configuration", id="twice p95 is the configured limit"),
        pytest.param([4] * 8, 6 * HOUR, "the 6 h allowed by the configuration", id="slow, and just within it"),
        pytest.param([5] * 8, 10 * HOUR, "The configured 6 h is not applied", id="as slow as it"),
        pytest.param([20] * 8, 40 * HOUR, "The configured 6 h is not applied", id="slower"),
        pytest.param([1] * 19 + [90], 2 * HOUR, "95 % of the 20 jobs", id="one of twenty is no rule"),
        pytest.param([1] * 18 + [90] * 2, 180 * HOUR, "not applied", id="two of twenty are"),
    ],
)
def test_allowance(hours, limit, grounds):
    found = allowed(6 * HOUR, *hours)

    assert found.limit == limit
    assert grounds in found.grounds


def test_the_evidence_tells_of_history_whoever_won():
    assert allowed(6 * HOUR, *[4] * 8).seen == (
        "95 % of the 8 jobs of this kind that watcher saw took at most 4 h from creation to start"
    )
    assert allowed(6 * HOUR, *[1] * 7).seen == ""


def test_the_grounds_name_the_method():
    found = allowance(6 * HOUR, [60.0] * 8, least=8, span="from start to success", method="reinforcement")

    assert "95 % of the 8 reinforcement jobs of this kind" in found.grounds
    assert "95 % of the 8 reinforcement jobs of this kind" in found.seen


def test_history_may_be_left_out_or_wanted_sooner():
    assert allowed(6 * HOUR, *[1] * 50, least=0).limit == 6 * HOUR
    assert allowed(6 * HOUR, 1, least=1).limit == 2 * HOUR


@given(SECONDS, st.integers(60, 10**6))
def test_a_limit_is_the_configured_one_or_past_nearly_all_that_was_seen(seen, configured):
    limit = allowance(timedelta(seconds=configured), seen, least=1, span="").limit

    assert limit >= min(timedelta(seconds=configured), timedelta(minutes=30))
    beyond = [each for each in seen if timedelta(seconds=each) > limit]
    assert limit == timedelta(seconds=configured) or len(beyond) <= 0.05 * len(seen)


@given(SECONDS, st.integers(60, 10**6))
def test_where_longer_waits_are_normal_nobody_is_called_for_them(seen, configured):
    """The configured limit yields before ordinary days are told as late."""
    found = allowance(timedelta(seconds=configured), seen, least=1, span="")

    assert timedelta(seconds=percentile(seen, 0.95)) <= found.limit


@given(SECONDS, st.floats(0.01, 1))
def test_a_percentile_is_the_least_that_so_many_do_not_exceed(values, share):
    found = percentile(values, share)

    assert found in values
    assert sum(each <= found for each in values) >= share * len(values) - 1e-9
    assert sum(each < found for each in values) < share * len(values)


def test_jobs_of_one_kind():
    assert pace_key(ACCOUNT, make_job(training_type="GlobalStandard")) == PaceKey(
        model="gpt-4o-mini-2024-07-18", location="swedencentral", training_type="globalstandard", method="supervised"
    )
    assert pace_key(ACCOUNT, make_job(method="Reinforcement")) != pace_key(ACCOUNT, make_job())


def test_a_job_that_trains_a_custom_model_further_is_of_the_kind_of_its_base():
    base = pace_key(ACCOUNT, make_job())
    assert pace_key(ACCOUNT, make_job(model=f"gpt-4o-mini-2024-07-18.ft-{1:032x}-support")) == base
    assert pace_key(ACCOUNT, make_job(model=f"gpt-4o-mini-2024-07-18.ft-{1:032x}-support:ckpt-step-80")) == base
    assert pace_key(ACCOUNT, make_job(model="ftchkpt-1")) != pace_key(ACCOUNT, make_job(model="ftchkpt-2"))


def announced(*ends, estimate=NOW + HOUR):
    seen = tuple((NOW - DAY + index * HOUR, end) for index, end in enumerate(ends))
    job = make_job(estimated_finish_at=estimate)
    return make_view(jobs=[job], estimates={job.id: Estimates(seen=seen)} if seen else {}), job


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(announced(estimate=None), "", id="none"),
        pytest.param(
            announced(), "The service estimates its end at 2026-11-22 09:00 UTC, which may be wrong.", id="to come"
        ),
        pytest.param(
            announced(estimate=NOW - SECOND),
            "The service's estimate of its end, 2026-11-22 07:59 UTC, has passed and was wrong.",
            id="past",
        ),
        pytest.param(
            announced(NOW - HOUR, NOW + HOUR),
            "The service estimates its end at 2026-11-22 09:00 UTC, which may be wrong. It has moved its estimate "
            "once, from 2026-11-22 07:00 UTC to 2026-11-22 09:00 UTC.",
            id="moved",
        ),
        pytest.param(
            announced(NOW, NOW, NOW + HOUR, NOW, estimate=None),
            "It has moved its estimate 2 times, from 2026-11-22 08:00 UTC to 2026-11-22 08:00 UTC.",
            id="to and fro, and withdrawn",
        ),
        pytest.param(announced(NOW, NOW, estimate=None), "", id="said again is not moved"),
    ],
)
def test_announced_end(view, expected):
    assert announced_end(*view) == expected


def test_moves():
    assert moves(*announced()) == 0
    assert moves(*announced(NOW, NOW + HOUR, NOW + DAY)) == 2
