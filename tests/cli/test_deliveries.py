"""`outbox`: what is waiting or dead, what is in it, each attempt, and what is done about it."""

from typing import Any

from sqlalchemy import insert, update

from tests.cli.world import World
from tests.factories import HOUR, MINUTE, NOW
from watcher.store import operators, schema
from watcher.store.operators import AuditEntry


def notifications(world: World, *args: str) -> Any:
    return world.watcher("outbox", "list", *args, "--json").json["notifications"]


def audit(world: World) -> list[AuditEntry]:
    store = world.open()
    try:
        return list(store.read_now(operators.audit))
    finally:
        store.close()


def write(world: World, statement: Any) -> None:
    store = world.open()
    try:
        store.write_now(lambda tx: tx.execute(statement))
    finally:
        store.close()


def test_what_is_undelivered_is_listed_with_what_is_in_it_and_why(world: World) -> None:
    (dead,) = notifications(world)
    lines = world.watcher("outbox", "list").out.splitlines()
    assert lines[0].split() == ["ID", "RECEIVER", "STATE", "CREATED", "TRIES"]
    assert lines[1].split() == [dead["id"], "hook", "dead", "5", "min", "ago", "1"]
    assert lines[2].startswith("  firing: deployment_idle, Deployment support-bot in contoso-ft may be deleted …")
    assert lines[3].strip().endswith("410: gone for good")
    assert all(len(line) <= 80 for line in lines)
    (content,) = dead["contents"]
    assert (content["rule"], content["reason"], content["alert"]) == ("deployment_idle", "firing", dead["alerts"][0])
    (attempt,) = dead["tries"]
    assert (attempt["outcome"], attempt["kind"], attempt["at"]) == ("dead", "bad_request", "2026-11-22T07:55:00Z")
    assert "410: gone for good" in attempt["detail"]


def test_by_its_id_or_the_beginning_of_it_each_attempt_is_told(world: World) -> None:
    (dead,) = notifications(world)
    shown = world.watcher("outbox", "list", dead["id"]).out
    assert shown == world.watcher("outbox", "list", dead["id"][:12]).out
    lines = shown.splitlines()
    assert lines[0] == f"{dead['id']} to hook: dead"
    group = ", ".join(f"{name}={value}" for name, value in dead["group"].items()) or "one for all"
    decided = f"decided 2026-11-22 07:55 UTC (5 min ago) by {dead['route']}; group: {group}"
    assert decided in " ".join(line.strip() for line in lines)
    assert any(line.startswith("  firing: deployment_idle, warning, alr_") for line in lines)
    assert any("07:55 UTC  after 0." in line and "s, failed for good: bad_request: 410:" in line for line in lines)
    assert lines[-2:] == ["  given up at 2026-11-22 07:55 UTC; to try again:", f"  watcher outbox retry {dead['id']}"]
    delivered = next(one for one in notifications(world, "--all") if one["state"] == "delivered")
    assert "delivered: written" in world.watcher("outbox", "list", delivered["id"]).out
    assert notifications(world, delivered["id"])[0]["id"] == delivered["id"]
    nothing = world.watcher("outbox", "list", "ntf_nothing")
    assert (nothing.code, "is the id of no such notification" in nothing.err) == (1, True)


def test_dead_notifications_are_tried_again(world: World) -> None:
    (dead,) = notifications(world)
    assert (dead["state"], dead["attempts"], dead["due_at"]) == ("dead", 1, None)
    done = world.watcher("outbox", "retry", dead["id"][:12], "--author", "ops", "--comment", "mended")
    assert (done.code, done.out) == (0, "1 notification made due at once\n")
    (waiting,) = notifications(world)
    assert (waiting["state"], waiting["due_at"]) == ("pending", "2026-11-22T08:00:00Z")
    assert len(notifications(world, "--all")) > 1
    assert world.watcher("outbox", "list").out.splitlines()[1].split()[2] == "waiting"
    entry = audit(world)[0]
    assert (entry.author, entry.action, entry.subject, entry.comment) == ("ops", "outbox.retry", dead["id"], "mended")


def test_what_is_dropped_is_named(world: World) -> None:
    assert world.watcher("outbox", "drop").code == 2
    assert world.watcher("outbox", "drop", "ntf_nothing").code == 1
    assert world.watcher("outbox", "drop", "ntf_x", "--all").code == 2
    (dead,) = notifications(world)
    assert world.watcher("outbox", "drop", "--all").code == 0
    assert notifications(world) == []
    assert world.watcher("outbox", "list").out == "nothing is waiting, and nothing is dead\n"
    assert world.watcher("outbox", "retry").out == "0 notifications made due at once\n"
    assert next(one for one in notifications(world, "--all") if one["id"] == dead["id"])["state"] == "dropped"
    assert "dropped at 2026-11-22 08:00 UTC: it is never sent" in world.watcher("outbox", "list", dead["id"]).out


def test_a_beginning_that_several_have_changes_nothing(world: World) -> None:
    every = [one["id"] for one in notifications(world, "--all")]
    c = schema.notifications.c
    write(world, update(schema.notifications).where(c.id.in_(every)).values(state="dead"))
    done = world.watcher("outbox", "drop", "ntf_")
    assert (done.code, "is the beginning of ntf_" in done.err) == (2, True)
    assert {one["state"] for one in notifications(world)} == {"dead"}


def test_merged_and_uncertain_ones_say_so(world: World) -> None:
    (dead,) = notifications(world)
    c = schema.notifications.c
    values = {"state": "merged", "merged_into": "ntf_other", "is_uncertain": True}
    write(world, update(schema.notifications).where(c.id == dead["id"]).values(values))
    assert notifications(world) == []
    (merged,) = notifications(world, dead["id"])
    assert (merged["state"], merged["merged_into"], merged["may_have_arrived"]) == ("merged", "ntf_other", True)
    text = world.watcher("outbox", "list", dead["id"]).out
    assert "merged: ntf_other says it" in text
    assert "it may have arrived all the same" in text


def test_a_channel_that_fails_is_shown_with_its_next_try(world: World) -> None:
    channel = {"receiver": "mail", "failing_since": NOW - 3 * HOUR, "failures": 5, "retry_at": NOW + 10 * MINUTE}
    write(world, insert(schema.channels).values(**channel, kind="timeout", detail="no answer in 20 s"))
    lines = world.watcher("outbox", "list").out.splitlines()
    assert lines[-3:] == [
        "Channels that fail",
        "RECEIVER  SINCE    FAILURES  NEXT TRY   WHY",
        "mail      3 h ago         5  in 10 min  timeout: no answer in 20 s",
    ]
    (mail,) = [one for one in world.watcher("outbox", "list", "--json").json["channels"] if one["receiver"] == "mail"]
    assert mail == {
        "receiver": "mail",
        "status": "failing",
        "failing_since": "2026-11-22T05:00:00Z",
        "failures": 5,
        "next_try_at": "2026-11-22T08:10:00Z",
        "last_ok_at": None,
        "kind": "timeout",
        "detail": "no answer in 20 s",
    }
