"""When a deletion is late, and when it may merely come at any moment."""

import pytest

from tests.factories import DAY, NOW
from tests.rules.ask import the_finding
from tests.rules.test_idle import RULE, idle_view


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
