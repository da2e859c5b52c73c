"""How far the times of a summary are, as of when it is shown."""

from datetime import timedelta

import pytest

from watcher.alerts.summary import summary_at

from .factories import DAY, HOUR, NOW, make_finding

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
            "chat has had no call at least for 2 d 6 h, since 2026-11-18 06:00 UTC, and its fee runs",
        ),
        ("chat failed to provision", ENDS_AT | SINCE, NOW, "chat failed to provision"),
        ("chat will be deleted at 2026-11-20 12:00 UTC", {}, NOW, "chat will be deleted at 2026-11-20 12:00 UTC"),
        ("chat will be deleted at 2026-11-20 12:00 UTC", {"deletion_earliest": None}, NOW, None),
    ],
    ids=["to come", "later", "over", "from then on", "since", "idle since", "names no time", "no values", "unknown"],
)
def test_summary_at(summary, values, now, expected):
    assert summary_at(make_finding(summary=summary, values=values), now) == (expected or summary)


def test_a_message_tells_the_time_left_when_it_is_sent_not_when_it_was_found():
    finding = make_finding(summary="chat will be deleted at 2026-11-20 12:00 UTC", values=ENDS_AT)
    told = [summary_at(finding, NOW + timedelta(hours=hours)) for hours in (36, 40)]
    assert ["in 12 h, " in told[0], "in 8 h, " in told[1]] == [True, True]
