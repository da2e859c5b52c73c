from typing import Any

import pytest

from tests.costs.factories import make_book
from tests.factories import DAY, HOUR, MODEL, NOW
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
