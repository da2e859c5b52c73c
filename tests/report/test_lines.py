"""What lines, bills and dates hold beside their money, so that whoever shows them need not guess."""

from datetime import timedelta

import pytest

from tests.factories import DAY, HOUR, NOW, make_account, make_deployment
from tests.report.recorded import WEEK, make_life, make_recorded, stated
from tests.report.test_dates import EAST, WEST, retirements, row, serving
from watcher.resources.calls import Coverage
from watcher.rules.text import sentence

END = (NOW - 2 * DAY, NOW - 2 * DAY + HOUR)


@pytest.mark.parametrize(("is_gone", "expected"), [(True, True), (False, False)], ids=["deleted", "watched no longer"])
def test_a_line_says_whether_the_account_of_its_recipe_is_gone(is_gone: bool, expected: bool) -> None:
    life = make_life(make_deployment("bot", created_at=NOW - 30 * DAY), end=END, outcome="gone")
    (line,) = stated(make_recorded(life, removed_at=NOW - DAY, is_gone=is_gone)).hosted
    assert line.is_account_gone is expected


def test_a_bill_parts_what_was_not_read_from_what_was_idle() -> None:
    """Of one account the calls of two days were read, of the other all of the week's."""
    dark, bright = make_account("dark"), make_account("bright")
    read = Coverage(spans=((WEEK.begin, WEEK.begin + 2 * DAY),))
    lives = [make_life(make_deployment("bot", account=each, created_at=NOW - 30 * DAY)) for each in (dark, bright)]
    statement = stated(make_recorded(lives[0], account=dark, coverage=read), make_recorded(lives[1], account=bright))
    found = {line.value: (line.hosting.text, line.idle.text, line.unread.text) for line in statement.bills[0].lines}
    assert found == {
        "dark": ("285.60 USD", "81.60 USD", "204.00 USD"),
        "bright": ("285.60 USD", "285.60 USD", "0.00 USD"),
    }
    for bill in statement.bills:
        assert sum(line.unread.known.high for line in bill.lines) == statement.unread.known.high


@pytest.mark.parametrize("ends", ["inference_until", "fine_tune_until"])
def test_a_retirement_names_whom_it_concerns_and_says_it_in_a_plain_sentence(ends: str) -> None:
    until = {"inference_until": None, "fine_tune_until": None, ends: NOW + timedelta(days=20)}
    (date,) = retirements(serving(EAST), serving(WEST), rows=[row("swedencentral", **until)])
    assert date.subjects == ("east/bot-east",)
    assert date.plain and date.plain == sentence(date.plain)
    assert not any(word in date.plain for word in ("410", "ARM", "catalogue"))
