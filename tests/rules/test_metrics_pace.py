from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import DAY, HOUR, MINUTE, NOW, make_deployment, make_gap, make_usage, make_view
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.idle import DeploymentIdle
from watcher.rules.metrics_pace import SELDOM, metrics_wait

STEPS = DeploymentIdle().warn_before


def wait(view, every=HOUR, **options):
    return metrics_wait(view, every=every, warn_before=STEPS, **options)


def account(*, left=15 * DAY, gaps=(), usage=True, **changes):
    """One deployment, last called so long ago that `left` remains."""
    known = [make_usage(last_success_at=NOW + left - 15 * DAY, read_from=NOW - 40 * DAY)] if usage else []
    deployment = make_deployment(**{"created_at": NOW - 60 * DAY, **changes})
    return make_view(deployments=[deployment], usage=known, gaps=gaps)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(make_view(), 12 * HOUR, id="no deployment"),
        pytest.param(account(), 12 * HOUR, id="just called"),
        pytest.param(account(left=8 * DAY + 12 * HOUR), 12 * HOUR, id="half a day from the zone"),
        pytest.param(account(left=8 * DAY + 5 * HOUR), 5 * HOUR, id="hours from the zone"),
        pytest.param(account(left=8 * DAY + 5 * MINUTE), HOUR, id="minutes from the zone"),
        pytest.param(account(left=8 * DAY), HOUR, id="in the zone"),
        pytest.param(account(left=HOUR), HOUR, id="near its deletion"),
        pytest.param(account(left=-DAY), HOUR, id="overdue"),
        pytest.param(account(usage=False), HOUR, id="no calls read yet"),
        pytest.param(account(usage=False, created_at=NOW - DAY), HOUR, id="new, and no calls read yet"),
        pytest.param(account(created_at=None, left=-90 * DAY), HOUR, id="long out of the rule"),
        pytest.param(account(left=HOUR, model="gpt-4o-mini"), 12 * HOUR, id="base model"),
        pytest.param(account(left=HOUR, sku="DeveloperTier"), 12 * HOUR, id="Developer"),
        pytest.param(account(gaps=[make_gap(Section.METRICS)]), HOUR, id="metrics gap"),
        pytest.param(account(gaps=[make_gap(Section.METRICS, subject="support-bot")]), HOUR, id="its own gap"),
        pytest.param(account(gaps=[make_gap(Section.METRICS, subject="other")]), 12 * HOUR, id="another's gap"),
        pytest.param(
            account(gaps=[make_gap(Section.DEPLOYMENTS, GapReason.ROLE)]), 12 * HOUR, id="a gap of something else"
        ),
    ],
)
def test_waits_for_as_long_as_nothing_can_happen(view, expected):
    assert wait(view) == expected


def test_the_first_of_several_counts():
    far, near = make_deployment("far"), make_deployment("near")
    usage = [
        make_usage("far", last_success_at=NOW - HOUR),
        make_usage("near", last_success_at=NOW - 7 * DAY + 3 * HOUR),
    ]

    assert wait(make_view(deployments=[far, near], usage=usage)) == 3 * HOUR


def test_the_wait_counts_from_the_reading_whenever_it_is_asked_for():
    view = account(left=8 * DAY + 10 * HOUR)

    assert wait(view) == wait(replace(view, now=NOW + 5 * HOUR)) == 10 * HOUR


def test_follows_the_lifetimes_of_the_rule():
    view = account(left=HOUR, sku="ProvisionedManaged")

    assert wait(view) == HOUR
    assert wait(view, lifetimes={"provisioned*": None}) == 12 * HOUR
    assert wait(view, lifetimes={"provisioned*": 40 * DAY}) == 12 * HOUR
    assert wait(view, lifetime=30 * DAY) == 12 * HOUR


def test_a_pace_slower_than_the_zone_is_kept():
    assert wait(account(left=8 * DAY + HOUR), every=2 * DAY) == 2 * DAY


def quarters(days):
    return st.integers(0, days * 96).map(lambda count: count * 15 * MINUTE)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(quarters(20), st.none() | quarters(16)), min_size=1, max_size=4),
    st.sampled_from([15 * MINUTE, HOUR, 6 * HOUR]),
)
def test_no_step_is_ever_met_with_calls_that_are_too_old(deployments, every):
    """Read at this pace, with nobody calling any more, the rule can decide at any time, up to the next reading."""
    names = [f"d{number}" for number in range(len(deployments))]
    living = [make_deployment(name, created_at=NOW - age) for name, (age, _) in zip(names, deployments, strict=True)]
    calls = {name: None if ago is None else NOW - ago for name, (_, ago) in zip(names, deployments, strict=True)}
    rule = DeploymentIdle(stale_after=max(3 * HOUR, 2 * every))
    read_at = next_at = NOW
    for _ in range(200):
        usage = [
            make_usage(
                name,
                read_from=NOW - 30 * DAY,
                read_to=read_at - timedelta(minutes=75),
                last_success_at=at,
            )
            for name, at in calls.items()
        ]
        view = make_view(now=next_at, deployments=living, usage=usage, at=read_at)
        assert not [answer for answer in rule.evaluate(view) if hasattr(answer, "on_last_evidence")]
        read_at = next_at
        view = make_view(now=read_at, deployments=living, usage=usage, at=read_at)
        assert every <= wait(view, every) <= SELDOM * every
        next_at = read_at + wait(view, every)
        if read_at > NOW + 20 * DAY:
            break


def test_an_account_that_is_called_daily_asks_twice_a_day():
    asked, at = 0, NOW
    while at < NOW + 10 * DAY:
        called = NOW + ((at - NOW) // DAY) * DAY
        view = make_view(now=at, deployments=[make_deployment()], usage=[make_usage(last_success_at=called)])
        at += wait(view)
        asked += 1

    assert asked == 20
