"""Scheduled reports in `outbox` and `status`: what waits or is dead, and what is done about it."""

from typing import Any

import pytest

from tests.cli.world import World
from tests.factories import DAY, HOUR, MINUTE, NOW
from watcher.store import operators, reports
from watcher.store.attempts import Attempt
from watcher.store.reports import Issue


def make_issue(receiver: str, edition: str = "all") -> Issue:
    return Issue(
        name="weekly",
        edition=edition,
        receiver=receiver,
        period_name="7d",
        begin=NOW - 8 * DAY,
        end=NOW - DAY,
        as_of=NOW - 2 * HOUR,
        due_at=NOW - 2 * HOUR,
        queued_at=NOW - 2 * HOUR,
    )


@pytest.fixture
def late(world: World) -> World:
    """One is dead, one waits for its next try, one was delivered."""
    dead, waiting, done = (make_issue("hook"), make_issue("screen"), make_issue("screen", "owner Search"))
    store = world.open()
    try:
        store.write_now(reports.add, (dead, waiting, done))
        store.write_now(reports.give_up, dead.id, because="auth: 401", now=NOW - HOUR)
        for issue, state in ((waiting, "pending"), (done, "delivered")):
            claimed = store.write_now(reports.claim, issue.id, "test", clock=lambda: NOW - HOUR)
            outcome, detail = ("retry", "timeout: no answer") if state == "pending" else (state, "taken")
            kind = "timeout" if state == "pending" else ""
            attempt = Attempt(at=NOW - HOUR, duration_s=1.25, outcome=outcome, kind=kind, detail=detail)
            store.write_now(
                reports.mark, claimed, attempt, state=state, due_at=NOW + 10 * MINUTE, is_uncertain=bool(kind)
            )
    finally:
        store.close()
    return world


def listed(world: World, *args: str) -> Any:
    return world.watcher("outbox", "list", "--json", *args).json["reports"]


def test_reports_stand_below_the_notifications(late: World) -> None:
    lines = late.watcher("outbox", "list").out.splitlines()
    at = lines.index("Reports")
    assert lines[at - 1] == ""
    assert lines[at + 1].split() == ["ID", "RECEIVER", "STATE", "SCHEDULED", "TRIES", "NEXT"]
    assert lines[at + 2].split() == [make_issue("hook").id, "hook", "dead", "2", "h", "ago", "0"]
    assert lines[at + 3] == "  weekly, all: 2026-11-14 08:00 to 2026-11-21 08:00 UTC"
    assert lines[at + 4].strip() == "auth: 401"
    assert lines[at + 5].split()[1:3] == ["screen", "waiting"]
    assert "it may have arrived all the same" in " ".join(lines[at + 6 :])
    assert all(len(line) <= 80 for line in lines)


def test_the_document_has_them_with_stable_keys(late: World) -> None:
    dead, waiting = listed(late)
    assert (dead["id"], dead["report"], dead["state"], dead["last_error"]) == (
        make_issue("hook").id,
        "weekly",
        "dead",
        "auth: 401",
    )
    assert (waiting["due_at"], waiting["attempts"]) == ("2026-11-22T08:10:00Z", 1)
    assert len(listed(late, "--all")) == 3
    assert [one["id"] for one in listed(late, dead["id"][:14])] == [dead["id"]]


def test_by_id_only_that_one_is_told(late: World) -> None:
    shown = late.watcher("outbox", "list", make_issue("hook").id).out.splitlines()
    assert shown[0] == "Reports"
    assert [line.strip() for line in shown[4:]] == ["not tried yet", "auth: 401"]
    done = late.watcher("outbox", "list", "rpt_0000")
    assert (done.code, done.out) == (1, "")
    assert done.err == "watcher: rpt_0000 is the id of no report: see `watcher outbox list --all`\n"
    assert late.watcher("outbox", "list", "rpt_").code == 2


def test_by_id_each_try_is_told(late: World) -> None:
    waiting, done = make_issue("screen").id, make_issue("screen", "owner Search").id
    text = late.watcher("outbox", "list", waiting).out
    assert "2026-11-22 07:00 UTC  after 1.2 s, failed: timeout: no answer" in " ".join(text.split("\n"))
    assert text.count("timeout: no answer") == 1
    assert "after 1.2 s, delivered: taken" in late.watcher("outbox", "list", done).out
    (one,) = listed(late, waiting)
    assert one["tries"] == [
        {
            "at": "2026-11-22T07:00:00Z",
            "duration_seconds": 1.25,
            "outcome": "retry",
            "kind": "timeout",
            "detail": "timeout: no answer",
        }
    ]


def test_retry_and_drop_take_them_and_keep_the_audit(late: World) -> None:
    hook, screen = make_issue("hook").id, make_issue("screen").id
    done = late.watcher("outbox", "retry", hook, "--comment", "mended", "--author", "ana")
    assert done.out == "0 notifications and 1 report made due at once\n"
    assert [one["state"] for one in listed(late)] == ["pending", "pending"]
    done = late.watcher("outbox", "drop", screen, "--author", "ana")
    assert done.out == "0 notifications and 1 report dropped\n"
    assert [one["id"] for one in listed(late)] == [hook]
    store = late.open()
    try:
        kept = [(one.action, one.subject, one.comment) for one in store.read_now(operators.audit)]
    finally:
        store.close()
    assert ("outbox.retry", hook, "mended") in kept
    assert ("outbox.drop", screen, "") in kept
    assert late.watcher("outbox", "drop", screen).code == 1


def test_by_default_all_are_meant(late: World) -> None:
    assert late.watcher("outbox", "retry").out == "1 notification and 2 reports made due at once\n"
    assert late.watcher("outbox", "drop", "--all").out == "1 notification and 2 reports dropped\n"
    assert listed(late) == []


def test_status_counts_them_among_the_undelivered(late: World) -> None:
    undelivered = late.watcher("status", "--json").json["status"]["undelivered"]
    assert [(one["reason"], one["state"]) for one in undelivered if one["reason"] == "report"] == [
        ("report", "dead"),
        ("report", "pending"),
    ]
    assert make_issue("hook").id[:12] in late.watcher("status").out
