from fractions import Fraction
from typing import Any

import pytest

from tests.costs.factories import make_book
from tests.factories import DAY, HOUR, MODEL, NOW, SECOND
from watcher.costs.money import Unknown
from watcher.costs.savings import METHOD, Deletion, saved, saving

PRICE = make_book().hosting(model=MODEL, sku="Standard")


def deletion(**changes: Any) -> Deletion:
    """Told of, deleted a day later, ten days before Azure would have done so."""
    defaults: dict[str, Any] = {
        "account": "contoso-ft",
        "name": "support-bot",
        "told_at": NOW - DAY,
        "end": (NOW, NOW),
        "deadline": (NOW + 10 * DAY, NOW + 10 * DAY),
        "price": PRICE,
    }
    return Deletion(**{**defaults, **changes})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({}, "408.00 USD", id="ten days"),
        pytest.param({"end": (NOW - HOUR, NOW)}, "408.00 to 409.70 USD", id="its end is not exact"),
        pytest.param({"deadline": (NOW + 10 * DAY, NOW + 11 * DAY)}, "408.00 to 448.80 USD", id="nor the deadline"),
        pytest.param({"deadline": (NOW + 10 * DAY, None)}, "408.00 USD", id="no latest time: the earliest is claimed"),
        pytest.param({"told_at": NOW + HOUR}, None, id="told only afterwards"),
        pytest.param({"told_at": NOW - HOUR, "end": (NOW - 2 * HOUR, NOW)}, None, id="perhaps told only afterwards"),
        pytest.param({"deadline": (NOW - HOUR, NOW + DAY)}, None, id="Azure may have done it"),
        pytest.param({"deadline": None}, None, id="Azure would not have deleted it"),
    ],
)
def test_what_a_deletion_saved(changes, text):
    found = saving(deletion(**changes))
    assert (found and found.text) == text


def test_the_sum_says_what_is_missing():
    found = saved([deletion(), deletion(price=Unknown(because="no price")), deletion(deadline=None)], "USD")
    assert (found.text, found.why) == ("at least 408.00 USD", "1 of 2 parts unknown: no price")
    assert "Nobody" not in METHOD and METHOD.endswith("nobody knows.")


END = (NOW - HOUR, NOW)


@pytest.mark.parametrize(
    ("told", "counts"),
    [(END[0] - SECOND, True), (END[0], True), (END[0] + SECOND, False), (END[1], False)],
    ids=["before", "when it was last seen", "after that", "when it was gone"],
)
def test_it_counts_if_somebody_was_told_while_it_stood(told, counts):
    assert (saving(deletion(end=END, told_at=told)) is not None) is counts


@pytest.mark.parametrize(
    ("deadline", "counts"),
    [(END[1] + SECOND, True), (END[1], False), (END[0], False)],
    ids=["after it was gone", "as it was", "before"],
)
def test_it_counts_if_it_was_gone_before_azure_would_have_deleted_it(deadline, counts):
    assert (saving(deletion(end=END, deadline=(deadline, deadline + 9 * DAY))) is not None) is counts


def test_the_least_is_from_the_sight_that_it_was_gone_to_the_earliest_time():
    found = saving(deletion(end=END, deadline=(END[1] + DAY, END[1] + 2 * DAY)))
    rate = found.high / Fraction((END[1] + 2 * DAY - END[0]) / HOUR)
    assert found.low == rate * 24
