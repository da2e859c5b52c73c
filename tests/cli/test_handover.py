"""`status --since`: what whoever begins a shift must know, in the order in which they need it."""

from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import insert

from tests.alerts.factories import ended, make_alert
from tests.cli.world import World, good, lock_out
from tests.factories import DAY, HOUR, MINUTE, NOW, make_deployment, make_usage
from watcher.store import alerts, schema

PAGER = """
[[receivers]]
name = "pager"
type = "console"
"""
ESCALATES = """
match = ['rule="deployment_idle"']
escalate_after = "1h"
escalate_to = ["pager"]
"""


def handover(world: World, since: str = "12h") -> Any:
    return world.watcher("status", "--since", since, "--json").json["status"]["handover"]


def screen(world: World, since: str = "12h") -> list[str]:
    done = world.watcher("status", "--since", since)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def section(lines: list[str], title: str) -> list[str]:
    """The lines of one section, its title first."""
    start = next(number for number, line in enumerate(lines) if line.startswith(title))
    return lines[start : lines.index("", start)]


@pytest.fixture
def escalating(world: World) -> World:
    """The estate, where the countdown escalates to a pager."""
    text = world.config.read_text()
    world.config.write_text(text.replace("match = ['rule=\"deployment_idle\"']\n", ESCALATES.lstrip()) + PAGER)
    return world


def test_what_fires_comes_first_with_what_is_new_and_who_looks_after_it(world: World) -> None:
    idle = next(one for one in handover(world)["fired"] if one["rule"] == "deployment_idle")
    world.watcher("ack", idle["id"], "--comment", "on it", "--author", "night")
    world.watcher("silence", "add", "rule=deployment_idle", "--for", "10h", "--comment", "known", "--author", "night")
    lines = screen(world)
    titles = [line.partition(":")[0] for before, line in pairwise(lines) if not before]
    assert titles == [
        *("Coverage", "Fires now", "Comes until 2026-11-22 20", "Kept quiet", "Receivers told", "Happened", "Ended"),
        *("Done by hand", "Besides"),
    ]
    firing = section(lines, "Fires now")
    assert firing[0] == "Fires now: 3, all new"
    row = next(number for number, line in enumerate(firing) if "deployment_idle" in line)
    marks = ["new,", "silenced,", "acked", "by"]
    assert handover(world)["explained"] == []
    assert firing[row].split()[:9] == [idle["id"][:12], "warning", "1", "h", "deployment_idle", *marks]
    assert firing[row + 1].startswith("    Deployment support-bot in contoso-ft may be deleted in 2 d, from 2026-11-24")
    assert section(screen(world, "30m"), "Fires now")[0] == "Fires now: 3"


def test_what_fires_for_reports_alone_is_counted_apart(world: World) -> None:
    wasting = [make_alert("deployment_wasting", at=NOW - HOUR, name=name) for name in ("a", "b")]
    over = ended(make_alert("file_orphaned", at=NOW - HOUR, name="c"), NOW)
    store = world.open()
    store.write_now(alerts.save, [*wasting, over])
    store.close()
    found = handover(world)
    assert len(found["fired"]) == 3 and found["ended"] == []
    assert found["for_reports"] == {"deployment_wasting": 2}
    lines = screen(world)
    assert section(lines, "Fires now")[0] == "Fires now: 3, all new"
    assert "For reports alone: deployment_wasting 2: watcher alerts --status firing" in lines
    assert "For reports alone: deployment_wasting 2: watcher alerts --status firing" in world.watcher("status").out
    named = "match = ['rule=\"deployment_idle|deployment_wasting\"']".replace('="', '=~"')
    world.config.write_text(world.config.read_text().replace("match = ['rule=\"deployment_idle\"']", named))
    assert section(screen(world), "Fires now")[0] == "Fires now: 5, all new"  # a route asks for them by their rule
    assert handover(world)["for_reports"] == {}


def test_what_was_not_seen_is_said_before_it(world: World) -> None:
    lines = screen(world)
    assert lines[2] == "Coverage: 1 of 3 accounts seen whole"
    assert any("NOT SEEN anything of tailspin" in line for line in lines[:8])
    assert not any("the oldest reading" in line for line in lines)


def test_what_escalates_next_is_told_unless_somebody_acknowledges(escalating: World) -> None:
    (coming,) = handover(escalating)["coming"]
    assert (coming["at"], coming["what"]) == ("2026-11-22T08:55:00Z", "escalation")  # told five minutes ago
    assert coming["about"] == "escalates to pager: deployment_idle contoso-ft/support-bot"
    assert "  in 55 min  escalates to pager: deployment_idle contoso-ft/support-bot" in screen(escalating)
    escalating.watcher("ack", coming["alert"], "--comment", "on it")
    assert handover(escalating)["coming"] == []


def test_what_comes_is_sorted_by_time_and_reaches_as_far_as_the_look_back(world: World) -> None:
    world.watcher("silence", "add", "rule=deployment_idle", "--for", "10h", "--comment", "known")
    world.watcher("keep", "busy-bot", "--until", "8h", "--reason", "launch")
    assert [one["what"] for one in handover(world)["coming"]] == ["keep", "silence"]
    assert handover(world)["coming"][1]["about"].endswith("ends; it hides 1 alert")
    three_days = handover(world, "3d")
    assert three_days["ahead"] == "2026-11-25T08:00:00Z"
    assert [one["what"] for one in three_days["coming"]] == ["keep", "silence", "deletion"]
    assert three_days["coming"][2]["about"] == "Azure may delete contoso-ft/support-bot"


def test_what_was_told_and_what_did_not_arrive_is_counted_by_receiver(world: World) -> None:
    hook, screen_ = handover(world)["told"]
    assert (hook["receiver"], hook["delivered"], hook["waiting"], hook["dead"]) == ("hook", 0, 0, 1)
    assert hook["because"].endswith("410: gone for good")
    assert (screen_["delivered"], screen_["dead"], screen_["because"]) == (2, 0, None)
    (hook,) = handover(world, "1m")["told"]  # what has not arrived is told however old it is
    assert (hook["receiver"], hook["dead"]) == ("hook", 1)


def test_a_channel_that_fails_is_told_with_its_next_try(world: World) -> None:
    world.watcher("outbox", "retry")
    store = world.open()
    try:
        channel = {"receiver": "hook", "failing_since": NOW - 3 * HOUR, "retry_at": NOW + 10 * MINUTE}
        store.write_now(lambda tx: tx.execute(schema.channels.delete()))
        store.write_now(lambda tx: tx.execute(insert(schema.channels).values(**channel, kind="timeout", failures=4)))
    finally:
        store.close()
    found = handover(world)
    hook = found["told"][0]
    assert (hook["waiting"], hook["dead"], hook["failing_since"]) == (1, 0, "2026-11-22T05:00:00Z")
    assert [one["about"] for one in found["coming"]] == ["hook is tried again, with 1 waiting"]
    assert any("fails for 3 h" in line for line in section(screen(world), "Receivers told"))


def test_what_ended_is_told_with_how_long_and_why_and_whether_anybody_heard_of_it(world: World) -> None:
    usage = [make_usage("support-bot", last_success_at=NOW - MINUTE), make_usage("busy-bot", last_success_at=NOW)]
    world.record(good(at=NOW - MINUTE, job_status="failed", usage=usage))
    (ended,) = handover(world)["ended"]
    assert (ended["rule"], ended["lasted_seconds"], ended["untold_because"]) == ("deployment_idle", 59 * 60, None)
    row, why = section(screen(world), "Ended")[2:]
    assert row.split() == ["1", "min", "ago", "59", "min", "deployment_idle", "contoso-ft/support-bot"]
    assert why.startswith("    called again")


def test_what_was_over_before_anybody_heard_of_it_says_so(world: World) -> None:
    later = NOW + 13 * DAY
    for at, last in ((later, NOW - 2 * HOUR), (later + MINUTE, later)):
        usage = [make_usage(name, last_success_at=last, read_to=at) for name in ("support-bot", "busy-bot")]
        world.record(good(at=at, job_status="failed", usage=usage))
    world.now = later + HOUR
    untold = {one["labels"]["deployment"]: one["untold_because"] for one in handover(world, "2d")["ended"]}
    assert untold["busy-bot"] == "ended 1 min after it fired, before anyone was told"


def test_what_operators_did_names_who_why_and_to_what(world: World) -> None:
    idle = next(one for one in handover(world)["fired"] if one["rule"] == "deployment_idle")
    world.watcher("ack", idle["id"], "--comment", "on it", "--author", "night")
    world.watcher("keep", "busy-bot", "--until", "8h", "--reason", "launch", "--author", "ops")
    world.watcher("outbox", "drop", "--all", "--author", "ops")
    done = section(screen(world), "Done by hand")
    assert "acknowledged deployment_idle contoso-ft/support-bot" in " ".join(done)
    assert "    on it" in done
    assert "    until 2026-11-22 16:00 UTC: launch" in done
    assert "keeps contoso-ft/busy-bot" in " ".join(done)
    assert "    no reason given" in done
    assert [(one["action"], one["author"], one["comment"]) for one in handover(world)["done"]] == [
        ("outbox.drop", "ops", None),
        ("keep", "ops", "until 2026-11-22 16:00 UTC: launch"),
        ("ack", "night", "on it"),
    ]


def test_what_is_quiet_says_until_when_and_how_much_it_hides(world: World) -> None:
    world.watcher("silence", "add", "rule=deployment_idle", "--for", "1d", "--comment", "known", "--force")
    world.watcher("keep", "busy-bot", "--until", "2d", "--reason", "launch")
    quiet = section(screen(world), "Kept quiet")
    assert quiet[3] == '    hides 1 alert now, forced: rule="deployment_idle"'
    assert quiet[5] == "    contoso-ft/busy-bot"
    found = handover(world)
    assert [(one["is_forced"], one["matches_firing"]) for one in found["silences"]] == [(True, 1)]
    assert [one["deployment"] for one in found["keeps"]] == ["busy-bot"]


MUTED = """
[[route.routes]]
match = ['rule="job_failed"']
receiver = "screen"
mute = ["mornings"]
[[mute]]
name = "mornings"
times = ["08:00-10:00"]
"""


def muting(world: World, *, route: str = 'receiver = "hook"\n') -> None:
    """It is nine o'clock in Berlin."""
    text = world.config.read_text()
    world.config.write_text(text.replace(route, route + 'mute = ["mornings"]\n') + MUTED)


def test_what_a_mute_holds_back_is_quiet_until_it_ends(empty_world: World) -> None:
    muting(empty_world)
    empty_world.record(good())
    empty_world.record(good(at=NOW - 5 * MINUTE, job_status="failed"))
    (muted,) = handover(empty_world)["mutes"]
    fired = {one["rule"]: one["id"] for one in handover(empty_world)["fired"]}
    assert (muted["mute"], muted["until"]) == ("mornings", "2026-11-22T09:00:00Z")
    assert muted["receivers"] == ["hook", "screen"]
    assert len(muted["alerts"]) == 2 and fired["deployment_idle"] in muted["alerts"]
    coming = handover(empty_world)["coming"][0]
    assert (coming["at"], coming["what"]) == ("2026-11-22T09:00:00Z", "mute")
    assert coming["about"] == "mute mornings ends; it holds 2 alerts back from hook, screen"
    lines = screen(empty_world)
    quiet = section(lines, "Kept quiet")
    assert quiet[0] == "Kept quiet: 1"
    assert quiet[2].split() == ["mute", "in", "1", "h", "2", "alerts", "until", "09:00", "UTC", "by", "mornings"]
    assert quiet[3].startswith("    from hook, screen: ") and "deployment_idle c" in quiet[3]
    (idle,) = [line for line in section(lines, "Fires now") if "deployment_idle" in line]
    assert idle.endswith("new, muted until 09:00 UTC")
    assert max(map(len, lines)) <= 80


def test_a_mute_that_holds_nothing_back_is_not_told(world: World) -> None:
    muting(world)  # all of it was told before
    assert handover(world, "3d")["mutes"] == []


def test_a_mute_that_is_over_is_not_told(empty_world: World) -> None:
    muting(empty_world)
    empty_world.record(good())
    empty_world.now = NOW + 2 * HOUR
    assert handover(empty_world)["mutes"] == []
    assert "muted" not in " ".join(screen(empty_world))


def test_what_is_silenced_is_not_called_muted(empty_world: World) -> None:
    muting(empty_world)
    empty_world.record(good())
    empty_world.watcher("silence", "add", "rule=deployment_idle", "--for", "8h", "--comment", "known")
    assert handover(empty_world)["mutes"] == []


def test_what_one_cause_explains_is_kept_quiet_by_it(empty_world: World) -> None:
    lock_out(empty_world)
    found = handover(empty_world)
    (failing,) = [one for one in found["fired"] if one["rule"] == "credential_failing"]
    hidden = {one["id"] for one in found["fired"]} - {failing["id"]}
    assert [(one["by"], set(one["alerts"])) for one in found["explained"]] == [(failing["id"], hidden)]
    lines = screen(empty_world)
    firing = section(lines, "Fires now")
    assert firing[0] == "Fires now: 1, all new, and 6 that these explain"
    assert firing[2].endswith("credential_failing  new, explains 6 more")
    assert len(firing) == 4
    quiet = section(lines, "Kept quiet")
    assert quiet[0] == "Kept quiet: 1"
    assert quiet[2].split() == ["cause", "with", "it", "6", "alerts", "explained", "by", "credential_failing"]
    assert quiet[3] == f"    account_forbidden 6: {failing['id'][:12]} is told in their place"
    assert max(map(len, lines)) <= 80


def test_a_bad_shift_fits_two_screens_of_eighty_columns(empty_world: World) -> None:
    names = [f"a-deployment-with-quite-a-long-name-{number}" for number in range(30)]
    deployments = [make_deployment(name) for name in names]
    empty_world.record(
        good(deployments=deployments, usage=[make_usage(name, last_success_at=NOW - 13 * DAY) for name in names])
    )
    empty_world.record(good(at=NOW - 30 * MINUTE, job_status="failed", deployments=deployments[10:], usage=None))
    empty_world.dispatch_and_deliver()
    for number in range(8):
        rule, comment = f"rule=job_failed{number}", "a long story about why " * 5
        empty_world.watcher("silence", "add", rule, "--for", "5h", "--comment", comment, "--author", "night-shift")
    lines = screen(empty_world, "3d")
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 90
    assert "  … and 22 more: watcher alerts --status firing" in lines


def test_a_deletion_that_may_come_at_any_moment_is_not_late(world: World) -> None:
    """It is overdue past its latest time only, which a refused call puts off here."""
    world.now = later = NOW + 60 * HOUR
    called = {"last_success_at": NOW - 13 * DAY, "last_failure_at": NOW - 12 * DAY}
    usage = [make_usage("support-bot", read_to=later, **called)]
    world.record(good(at=later, deployments=[make_deployment("support-bot")], usage=usage))
    coming = section(screen(world), "Comes until")
    assert any(line.split()[:3] == ["at", "any", "moment"] and "support-bot" in line for line in coming)
    assert not any("overdue" in line for line in coming)
