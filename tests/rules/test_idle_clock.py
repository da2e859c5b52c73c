"""When a deletion is late, and when it may merely come at any moment."""

import pytest

from tests.factories import DAY, NOW, make_deployment, make_usage
from tests.rules.ask import the_finding
from tests.rules.test_idle import RULE, idle_view
from watcher.rules.idle_clock import idle_clock


@pytest.mark.parametrize(
    ("changes", "late"),
    [
        ({"modified_at": NOW - 10 * DAY}, False),
        ({"usage": {"last_failure_at": NOW - 10 * DAY}}, False),
        ({"usage": {"last_failure_at": NOW - 16 * DAY}}, True),
        ({"deployment_state": "Paused"}, False),
    ],
    ids=["edited later", "refused later", "refused too long ago", "paused: no latest time"],
)
def test_what_may_have_put_the_deletion_off_keeps_it_from_being_late(changes, late):
    usage = {"last_success_at": NOW - 17 * DAY, **changes.pop("usage", {})}
    finding = the_finding(RULE, idle_view(usage=usage, **changes))

    assert finding.step == ("overdue" if late else "6h")
    assert ("overdue" in finding.summary, "at any moment" in finding.summary) == (late, not late)


@pytest.mark.parametrize(
    ("created", "usage", "expected"),
    [
        pytest.param(9 * DAY, None, "created 2026-11-13 08:00 UTC; its calls are not known", id="no metrics"),
        pytest.param(
            9 * DAY,
            {"read_from": NOW - 5 * DAY},
            "no successful call in the metrics read, 2026-11-17 08:00 UTC to",
            id="older than the metrics",
        ),
        pytest.param(
            9 * DAY, {"read_from": NOW - 20 * DAY}, "and no successful call after that hour", id="never called"
        ),
        pytest.param(
            9 * DAY,
            {"last_success_at": NOW - 2 * DAY},
            "last successful call in the hour from 2026-11-20 08:00 UTC",
            id="called",
        ),
    ],
)
def test_the_basis_says_what_dates_it(created, usage, expected):
    deployment = make_deployment(created_at=NOW - created)
    clock = idle_clock(deployment, None if usage is None else make_usage(deployment.name, **usage))
    assert expected in clock.basis
    assert "created 2026-11-13 08:00 UTC" in clock.basis
