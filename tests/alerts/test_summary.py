"""How far the times of a summary are, as of when it is shown."""

from dataclasses import replace
from datetime import timedelta

import pytest

from watcher.alerts.summary import summary_at

from .factories import DAY, HOUR, NOW, make_alert

ENDS_AT = {"deletion_earliest": "2026-11-20T12:00:00Z"}
SINCE = {"since": "2026-11-18T06:00:00Z"}


@pytest.mark.parametrize(
    ("summary", "values", "now", "expected"),
    [
        (
            "chat will be deleted at 2026-11-20 12:00 UTC unless it is called",
            ENDS_AT,
            NOW,
            "chat will be deleted in 2 d, at 2026-11-20 12:00 UTC unless it is called",
        ),
        (
            "chat will be deleted at 2026-11-20 12:00 UTC unless it is called",
            ENDS_AT,
            NOW + 40 * HOUR,
            "chat will be deleted in 8 h, at 2026-11-20 12:00 UTC unless it is called",
        ),
        (
            "chat will be deleted at 2026-11-20 12:00 UTC",
            ENDS_AT,
            NOW + 2 * DAY,
            "chat will be deleted at 2026-11-20 12:00 UTC",
        ),
        (
            "chat may be deleted from 2026-11-20 12:00 UTC unless it is called",
            ENDS_AT,
            NOW,
            "chat may be deleted in 2 d, from 2026-11-20 12:00 UTC unless it is called",
        ),
        (
            "a job has been queued since 2026-11-18 06:00 UTC",
            SINCE,
            NOW,
            "a job has been queued for 6 h, since 2026-11-18 06:00 UTC",
        ),
        (
            "chat has had no call at least since 2026-11-18 06:00 UTC, and its fee runs",
            {"idle_since": "2026-11-18T06:00:00Z"},
            NOW + 2 * DAY,
            None,  # metrics rest for hours, and what they would tell now is not known
        ),
        ("chat failed to provision", ENDS_AT | SINCE, NOW, "chat failed to provision"),
        ("chat will be deleted at 2026-11-20 12:00 UTC", {}, NOW, "chat will be deleted at 2026-11-20 12:00 UTC"),
        ("chat will be deleted at 2026-11-20 12:00 UTC", {"deletion_earliest": None}, NOW, None),
    ],
    ids=["to come", "later", "over", "from then on", "since", "calls", "names no time", "no values", "unknown"],
)
def test_summary_at(summary, values, now, expected):
    assert summary_at(make_alert(summary=summary, values=values), now) == (expected or summary)


IDLE = {"idle_since": "2026-11-18T06:00:00Z"}


@pytest.mark.parametrize(
    ("summary", "values", "known_to", "expected"),
    [
        (
            "chat has had no call since 2026-11-18 06:00 UTC, and its fee runs",
            IDLE,
            NOW + DAY,
            "chat has had no call for 1 d 6 h, since 2026-11-18 06:00 UTC (known to 2026-11-19 12:00 UTC), and its fee "
            "runs",
        ),
        (
            "a job has been queued since 2026-11-18 06:00 UTC",
            SINCE,
            NOW,
            "a job has been queued for 6 h, since 2026-11-18 06:00 UTC (known to 2026-11-18 12:00 UTC)",
        ),
        ("chat has had no call since 2026-11-18 06:00 UTC", IDLE, NOW - DAY, None),
        ("chat has had no call since 2026-11-18 06:00 UTC", IDLE, None, None),
        (
            "chat has had no call since 2026-11-18 06:00 UTC",
            IDLE,
            NOW + 2 * DAY - timedelta(seconds=59),
            "chat has had no call for 2 d 5 h, since 2026-11-18 06:00 UTC",
        ),
        (
            "chat has had no call since 2026-11-18 06:00 UTC",
            IDLE,
            NOW + 3 * DAY,
            "chat has had no call for 2 d 6 h, since 2026-11-18 06:00 UTC",
        ),
        (
            "chat will be deleted at 2026-11-20 18:00 UTC",
            {"deletion_earliest": "2026-11-20T18:00:00Z"},
            NOW,
            "chat will be deleted in 6 h, at 2026-11-20 18:00 UTC",
        ),
    ],
    ids=[
        "calls",
        "a job",
        "nothing since",
        "nobody looked",
        "a moment ago",
        "ahead of our clock",
        "a deadline nears all the same",
    ],
)
def test_what_goes_on_is_counted_as_far_as_it_is_known(summary, values, known_to, expected):
    """Hours that nobody has read may be full of calls."""
    alert = replace(make_alert(summary=summary, values=values), unverified_since=known_to)
    assert summary_at(alert, NOW + 2 * DAY) == (expected or summary)


def test_metrics_tell_better_than_the_alert_until_when_calls_are_known():
    """Those of a verified alert may have rested for half a day; of another, other things may have stayed unread."""
    alert = make_alert(summary="chat has had no call at least since 2026-11-18 06:00 UTC", values=IDLE)
    for one in (alert, replace(alert, unverified_since=NOW)):
        assert summary_at(one, NOW + 2 * DAY, calls_known_to=NOW + 36 * HOUR) == (
            "chat has had no call at least for 1 d 18 h, since 2026-11-18 06:00 UTC (known to 2026-11-20 00:00 UTC)"
        )
    assert "for 2 d 6 h, since 2026-11-18 06:00 UTC" in summary_at(alert, NOW + 2 * DAY, calls_known_to=NOW + 3 * DAY)


def test_a_message_tells_the_time_left_when_it_is_sent_not_when_it_was_found():
    alert = make_alert(summary="chat will be deleted at 2026-11-20 12:00 UTC", values=ENDS_AT)
    told = [summary_at(alert, NOW + timedelta(hours=hours)) for hours in (36, 40)]
    assert ["in 12 h, " in told[0], "in 8 h, " in told[1]] == [True, True]
