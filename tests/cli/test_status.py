"""`status`: what could not be seen is said before anything else."""

from datetime import timedelta

from tests.cli.world import World, good, lock_out
from tests.factories import HOUR, MINUTE, NOW, make_deployment, make_gap, make_job, make_usage
from watcher.resources.snapshot import GapReason, Listing, Section
from watcher.rules.rule import HostClock
from watcher.store import state

KEYS = [
    "name",
    "last_complete_cycle_at",
    "counts",
    "since",
    "coverage",
    "jobs",
    "jobs_unknown_in",
    "deployments_at_risk",
    "deployments_unknown",
    "alerts",
    "undelivered",
    "happened",
    "clock_skew_seconds",
    "clock_skew_at",
    "clock_host",
    "handover",
]


def test_the_screen(world: World) -> None:
    """A golden screen: whoever changes it should mean to."""
    lines = world.watcher("status").out.splitlines()
    assert lines[:15] == [
        "watcher prod · last complete cycle 5 min ago",
        "",
        "Coverage: 1 of 3 accounts seen whole",
        "  jobs: seen in 1, the oldest reading 5 min ago",
        "  deployments: seen in 2, the oldest reading 1 h ago",
        "  metrics: seen in 1, the oldest reading 5 min ago",
        "  files: seen in 0; not read yet in 3",
        "  models: seen in 0; not read yet in 3",
        "  clock against the service's: unknown, not measured yet",
        "  NOT SEEN jobs of fabrikam-a-rather-long-account-name-ft: a firewall or private",
        "  endpoint keeps watcher out for 1 h; never read",
        "  NOT SEEN metrics of fabrikam-a-rather-long-account-name-ft: a role is missing",
        "  for 1 h; never read",
        "  NOT SEEN anything of tailspin: not read yet",
        "",
    ]
    assert "  contoso-ft  support-bot  in 2 d    last call 13 d ago" in lines
    assert any("night-bot" in line and "the metrics could not be read" in line for line in lines)
    undelivered = next(number for number, line in enumerate(lines) if "  hook  " in line and "  dead  " in line)
    assert lines[undelivered + 1].endswith("410: gone for good")
    assert lines[-1]


def test_a_watcher_that_stands_still_is_said_to(world: World) -> None:
    """Its gaps are as old as its readings, and none of them tells that nothing is read any more."""
    world.now += timedelta(minutes=20)
    for screen in ("status", "jobs", "deployments", "accounts"):
        assert "NOTHING" not in world.watcher(screen).out
    world.now += timedelta(hours=18)
    words = (
        "Coverage: NOTHING was read for 18 h Does watcher run? Nothing below is newer than 2026-11-22 07:55 UTC; until "
        "then 1 of 3 accounts had been seen whole"
    )
    for options in ((), ("--since", "1h")):
        out = " ".join(world.watcher("status", *options).out.split())
        assert words in out and "accounts seen whole" not in out
    old = "NOTHING was read since 2026-11-22 07:55 UTC, 18 h 25 min ago: does watcher run? Nothing above is newer"
    for listing in ("jobs", "deployments", "accounts"):
        assert old in " ".join(world.watcher(listing).out.split())


def test_the_document(world: World) -> None:
    status = world.watcher("status", "--json").json["status"]
    assert list(status) == KEYS
    assert (status["coverage"]["accounts"], status["coverage"]["whole"]) == (3, 1)
    assert {(each["section"], each["reason"]) for each in status["coverage"]["unseen"]} == {
        ("jobs", "network"),
        ("metrics", "role"),
        (None, None),
    }
    assert [job["id"] for job in status["jobs"]] == ["ftjob-under-way"]
    assert status["jobs_unknown_in"] == 2
    (near,) = status["deployments_at_risk"]
    assert (near["name"], near["deletion_earliest"]) == ("support-bot", "2026-11-24T08:00:00Z")
    assert near["seconds_until_deletion"] == 2 * 86_400
    assert [each["name"] for each in status["deployments_unknown"]] == ["night-bot"]
    assert [(each["receiver"], each["state"]) for each in status["undelivered"]] == [("hook", "dead")]
    assert status["happened"] == []


def test_what_did_not_arrive_is_named_by_an_id_that_retry_takes(world: World) -> None:
    (dead,) = world.watcher("status", "--json").json["status"]["undelivered"]
    lines = world.watcher("status").out.splitlines()
    start = lines.index("Undelivered notifications: 1")
    assert lines[start + 2].split()[:3] == [dead["id"][:12], "hook", "dead"]
    assert lines[start + 3].startswith("    ")
    assert max(map(len, lines)) <= 80
    assert world.watcher("outbox", "retry", dead["id"][:12]).out == "1 notification made due at once\n"


def test_since_tells_what_happened_and_what_was_done(world: World) -> None:
    world.watcher("silence", "add", "rule=deployment_idle", "--for", "1h", "--comment", "known", "--author", "ops")
    usage = [make_usage("support-bot", last_success_at=NOW - MINUTE), make_usage("busy-bot", last_success_at=NOW)]
    world.record(good(at=NOW - MINUTE, job_status="failed", usage=usage))
    happened = world.watcher("status", "--since", "12h", "--json").json["status"]["happened"]
    assert {each["what"] for each in happened} == {"fired", "happened", "resolved", "silenced"}
    assert [each["at"] for each in happened] == sorted((each["at"] for each in happened), reverse=True)
    assert world.watcher("status", "--since", "12h").out.startswith("watcher prod · the last 12 h · ")
    assert world.watcher("status", "--json").json["status"]["handover"] is None
    assert world.watcher("status", "--since", "30s", "--json").json["status"]["happened"][0]["what"] == "silenced"


def test_a_countdown_whose_inputs_are_old_is_marked(world: World) -> None:
    gap = make_gap(Section.METRICS, at=NOW - MINUTE)
    world.record(good(at=NOW - MINUTE, job_status="failed", usage=None, gaps=(gap,)))
    line = next(line for line in world.watcher("status").out.splitlines() if "support-bot" in line)
    assert "not verified" in line


def test_many_rows_are_counted(empty_world: World) -> None:
    names = [f"bot-{number}" for number in range(20)]
    empty_world.record(
        good(
            deployments=[make_deployment(name) for name in names],
            usage=[make_usage(name) for name in names],
        )
    )
    out = empty_world.watcher("status").out
    assert "Deployments at risk: 20" in out
    assert "… and 8 more: watcher deployments --status at_risk" in out


def test_the_clock_is_told(world: World) -> None:
    store = world.open()
    try:
        for seconds, said in ((3, "right"), (150, "2 min 30 s ahead"), (-3600, "1 h behind")):
            clock = HostClock(host=f"host-{said[0]}", skew=timedelta(seconds=seconds), at=NOW - 5 * MINUTE)
            store.write_now(state.put_clock, clock)  # of several the one that is furthest off is told
            out = world.watcher("status").out
            assert f"  clock of {clock.host} against the service's: {said}, measured 5 min ago\n" in out
    finally:
        store.close()
    assert world.watcher("status", "--json").json["status"]["clock_skew_seconds"] == -3600


def test_a_job_s_expected_end_is_told(world: World) -> None:
    job = make_job("ftjob-now", estimated_finish_at=NOW + 3 * HOUR)
    late = make_job("ftjob-late", estimated_finish_at=NOW - 2 * HOUR)
    world.record(good(at=NOW - MINUTE, jobs=[job, late]))
    for command in ("status", "jobs"):
        rows = {line.split()[1]: line for line in world.watcher(command).out.splitlines() if "ftjob-" in line}
        assert rows["ftjob-now"].endswith("in 3 h")
        assert rows["ftjob-late"].endswith("was 2 h ago")
    shown = {one["id"]: one for one in world.watcher("status", "--json").json["status"]["jobs"]}
    assert shown["ftjob-now"]["estimated_finish_at"] == "2026-11-22T11:00:00Z"


def test_how_long_a_status_lasts_is_a_bound_where_it_was_only_first_seen(world: World) -> None:
    waits = make_job("ftjob-queued", "queued", created_at=NOW - 2 * HOUR)
    world.record(good(at=NOW - MINUTE, jobs=[make_job("ftjob-under-way"), waits]))
    for command in ("status", "jobs"):
        lines = world.watcher(command).out.splitlines()
        cells = {line.split()[1]: " ".join(line.split()[4:7]) for line in lines if "ftjob-" in line}
        assert cells["ftjob-under-way"] == ">= 1 h"
        assert cells["ftjob-queued"].startswith("2 h ")
        assert max(map(len, lines)) <= 80
    for listed in (world.watcher("status", "--json").json["status"], world.watcher("jobs", "--json").json):
        dated = {one["id"]: one["is_status_dated"] for one in listed["jobs"]}
        assert (dated["ftjob-under-way"], dated["ftjob-queued"]) == (False, True)


def test_what_one_cause_explains_is_one_line_under_it(empty_world: World) -> None:
    lock_out(empty_world)
    lines = empty_world.watcher("status").out.splitlines()
    start = lines.index("Firing alerts: 1, and 6 that these explain")
    cause, explained, after = lines[start + 2 : start + 5]
    assert cause.split()[1:4] == ["critical", "1", "min"] and "The credential of cloud public" in cause
    assert (explained, after) == ("    and 6 alerts that it explains (account_forbidden 6)", "")
    status = empty_world.watcher("status", "--json").json["status"]
    assert (status["counts"]["alerts"], status["counts"]["alerts_explained"]) == (7, 6)
    (failing,) = [one for one in status["alerts"] if one["rule"] == "credential_failing"]
    assert {one["explained_by"] for one in status["alerts"] if one is not failing} == {failing["id"]}
    assert failing["explained_by"] is None
    alone = """
[[inhibit]]
source = ['rule="azure_unreachable"']
target = ['rule="account_throttled"']
equal = ["cloud"]
"""
    empty_world.config.write_text(empty_world.config.read_text() + alone)
    out = empty_world.watcher("status").out
    assert "Firing alerts: 7\n" in out and "explain" not in out


def test_the_one_that_is_unread_is_named_and_the_rest_was_seen(empty_world: World) -> None:
    bots = [make_deployment("support-bot"), make_deployment("busy-bot")]
    usage = [make_usage(bot.name, last_success_at=NOW - HOUR) for bot in bots]
    gap = make_gap(Section.DEPLOYMENTS, GapReason.FORBIDDEN, at=NOW - MINUTE, subject=bots[0].key)
    empty_world.record(good(deployments=bots, usage=usage))
    empty_world.record(good(at=NOW - MINUTE, deployments=bots, usage=usage, gaps=(gap,)))
    lines = empty_world.watcher("status").out.splitlines()
    assert "Coverage: 0 of 1 account seen whole" in lines
    said = " ".join(" ".join(lines).split())
    assert "deployments: seen in 1, but for contoso-ft/support-bot, the oldest reading 1 min ago" in said
    last = "for 1 min; the rest was last read 1 min ago"
    assert f"NOT SEEN contoso-ft/support-bot (deployments): access was refused {last}" in said
    coverage = empty_world.watcher("status", "--json").json["status"]["coverage"]
    (seen,) = [one for one in coverage["sections"] if one["section"] == "deployments"]
    assert (seen["whole"], seen["partly"], seen["missing"]) == (0, 1, ["contoso-ft/support-bot"])
    assert [one["subjects"] for one in coverage["unseen"]] == [["contoso-ft/support-bot"]]
    whole = make_gap(Section.DEPLOYMENTS, GapReason.FORBIDDEN, at=NOW)
    empty_world.record(good(at=NOW, deployments=None, usage=usage, gaps=(whole, gap)))
    out = " ".join(empty_world.watcher("status").out.split())
    assert "deployments: seen in 0 " in out and "NOT SEEN deployments of contoso-ft: access was refused" in out
    assert "support-bot (deployments)" not in out


def test_what_is_read_seldom_is_told_with_its_age_and_leaves_no_account_unseen(world: World) -> None:
    sections = frozenset(Section)
    files, models = Listing(digest="f", items=()), Listing(digest="m", items=())
    world.record(good(at=NOW - 3 * MINUTE, asked=sections, files=files, models=models))
    lines = world.watcher("status").out.splitlines()
    assert "  files: seen in 1, the oldest reading 3 min ago; not read yet in 2" in lines
    assert "Coverage: 1 of 3 accounts seen whole" in lines
    world.record(good(at=NOW, asked=sections, gaps=(make_gap(Section.FILES),)))
    out = world.watcher("status").out
    assert "NOT SEEN files of contoso-ft: no answer came" in out
    assert "Coverage: 0 of 3 accounts seen whole" in out
