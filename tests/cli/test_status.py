"""`status`: what could not be seen is said before anything else."""

from tests.cli.world import World, good
from tests.factories import MINUTE, NOW, make_deployment, make_gap, make_usage
from watcher.resources.snapshot import Section

KEYS = [
    "name",
    "last_complete_cycle_at",
    "since",
    "coverage",
    "jobs",
    "jobs_unknown_in",
    "deployments_at_risk",
    "deployments_unknown",
    "alerts",
    "undelivered",
    "happened",
]


def test_the_screen(world: World) -> None:
    """A golden screen: whoever changes it should mean to."""
    lines = world.watcher("status").out.splitlines()
    assert lines[:12] == [
        "watcher prod · last complete cycle 5 min ago",
        "",
        "Coverage: 1 of 3 accounts seen whole",
        "  jobs: seen in 1, the oldest reading 5 min ago",
        "  deployments: seen in 2, the oldest reading 1 h ago",
        "  metrics: seen in 1, the oldest reading 5 min ago",
        "  NOT SEEN jobs of fabrikam-a-rather-long-account-name-ft: a firewall or private",
        "  endpoint keeps watcher out, since 1 h ago; never read",
        "  NOT SEEN metrics of fabrikam-a-rather-long-account-name-ft: a role is missing,",
        "  since 1 h ago; never read",
        "  NOT SEEN anything of tailspin: not read yet",
        "",
    ]
    assert "  contoso-ft  support-bot  in 2 d    last call 13 d ago" in lines
    assert any("night-bot" in line and "the metrics could not be read" in line for line in lines)
    assert any("hook" in line and "dead" in line and "410: gone for good" in line for line in lines)
    assert lines[-1]


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


def test_since_tells_what_happened_and_what_was_done(world: World) -> None:
    world.watcher("silence", "add", "rule=deployment_idle", "--for", "1h", "--comment", "known", "--author", "ops")
    usage = [make_usage("support-bot", last_success_at=NOW - MINUTE), make_usage("busy-bot", last_success_at=NOW)]
    world.record(good(at=NOW - MINUTE, job_status="failed", usage=usage))
    happened = world.watcher("status", "--since", "12h", "--json").json["status"]["happened"]
    assert {each["what"] for each in happened} == {"fired", "happened", "resolved", "silenced"}
    assert [each["at"] for each in happened] == sorted((each["at"] for each in happened), reverse=True)
    assert "Since 12 h ago" in world.watcher("status", "--since", "12h").out
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
