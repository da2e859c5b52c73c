"""`explain` of what stands beside a dossier: what mends what was not seen, who tells of it, and what a job cost."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_explain_more import explained, polls
from tests.cli.world import World, lock_out
from tests.factories import HOUR, MINUTE, NOW, make_deployment, make_event, make_gap, make_job, make_snapshot
from watcher.resources.snapshot import GapReason, Section


def test_what_was_not_seen_names_its_cure_and_the_alert_that_tells_of_it(tmp_path: Path) -> None:
    jobs, bots = [make_job("ftjob-now")], [make_deployment("bot")]
    gap = make_gap(Section.JOBS, GapReason.ROLE, at=NOW - MINUTE, message="needs a role")
    gaps = (make_gap(Section.METRICS, GapReason.ROLE, at=NOW - MINUTE), gap)
    seen = make_snapshot(at=NOW - HOUR, jobs=jobs, deployments=bots)
    world = polls(World(tmp_path), seen, make_snapshot(at=NOW - MINUTE, gaps=gaps))
    forbidden = [one for one in world.watcher("alerts", "--json").json["alerts"] if one["rule"] == "account_forbidden"]
    (alert,) = [one for one in forbidden if one["labels"]["plane"] == "data"]
    (other,) = [one for one in forbidden if one["labels"]["plane"] == "metrics"]
    (unread,) = world.watcher("explain", "bot", "--json").json["explanation"]["unread"]
    assert (unread["section"], unread["alert"]) == ("metrics", other["id"])
    out = explained(world, "ftjob-now")
    assert "a role is missing. Azure or the network says: needs a role. What helps: Grant the least role" in out
    assert "az role assignment create" in out
    assert f"Told by account_forbidden: watcher explain {alert['id']}" in out
    assert "There is no alert about it alone. That it could not be seen is told by account_forbidden (" in out
    assert f"account_forbidden ({alert['id'][:12]})." in out
    (unread,) = world.watcher("explain", "ftjob-now", "--json").json["explanation"]["unread"]
    assert (unread["section"], unread["alert"]) == ("jobs", alert["id"])
    assert unread["cure"].startswith("Grant the least role")
    own = explained(world, alert["id"])  # which says all of it itself
    assert f"explain {alert['id']}" not in own and f"explain {other['id']}" in own
    world.record(make_snapshot(at=NOW, jobs=jobs))
    assert "There is no alert about it." in explained(world, "ftjob-now")


@pytest.mark.parametrize(
    ("reason", "told"),
    [(GapReason.BLOCKED, "What helps: The service has blocked"), (GapReason.THROTTLED, "account_throttled")],
)
def test_what_cannot_be_mended_is_told_all_the_same(tmp_path: Path, reason: GapReason, told: str) -> None:
    gap = make_gap(Section.JOBS, reason, at=NOW)
    world = polls(
        World(tmp_path), make_snapshot(at=NOW - HOUR, jobs=[make_job("ftjob-now")]), make_snapshot(gaps=(gap,))
    )
    assert told in explained(world, "ftjob-now")
    assert ("What helps" in explained(world, "ftjob-now")) is (reason is GapReason.BLOCKED)


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ({"status": "failed", "error": "bad data"}, "Cost: 0.00 USD (jobs that fail, and those that the RAI checks"),
        ({"status": "queued"}, "Cost so far: 0.00 USD (it has not begun to train, and waiting is not billed)."),
        ({"status": "running"}, "Cost: unknown (how many tokens a job trains on is told at its end)."),
    ],
    ids=["failed", "queued", "running"],
)
def test_a_job_says_what_it_cost_and_how_that_is_known(tmp_path: Path, job: Any, told: str) -> None:
    world = polls(World(tmp_path), make_snapshot(at=NOW - HOUR, jobs=[make_job("ftjob-now", **job)]))
    assert told in explained(world, "ftjob-now")


def test_the_cost_of_a_job_is_the_one_that_its_page_and_the_report_tell(tmp_path: Path) -> None:
    done = make_job("ftjob-now", "succeeded", finished_at=NOW - MINUTE, trained_tokens=1_000_000)
    billed = {"ftjob-now": [make_event("Training tokens billed: 2000000", at=NOW - MINUTE)]}
    world = polls(
        World(tmp_path),
        make_snapshot(at=NOW - HOUR, jobs=[make_job("ftjob-now")]),
        make_snapshot(at=NOW - MINUTE, jobs=[done], events=billed),
    )
    table = '\n[[pricing.table]]\nmodel = "gpt-4o*"\nsku = "*"\ntraining_per_million = 2.00\n'
    world.config.write_text(world.config.read_text() + table)
    (line,) = json.loads(world.watcher("report", "--json").out)["jobs"]
    cost = world.watcher("explain", "ftjob-now", "--json").json["explanation"]["cost"]
    assert (cost["amount"], cost["basis"]) == (line["cost"]["amount"], line["basis"])
    assert cost["amount"] == 4
    assert "Cost: 4.00 USD (2,000,000 tokens billed, by the job's own log; " in explained(world, "ftjob-now")


def test_the_cost_of_a_job_that_was_lost_before_its_end_is_unknown(tmp_path: Path) -> None:
    world = polls(
        World(tmp_path),
        make_snapshot(at=NOW - HOUR, jobs=[make_job("ftjob-now", "queued"), make_job("ftjob-2")]),
        make_snapshot(at=NOW - MINUTE, jobs=[make_job("ftjob-2")]),
    )
    lost = "Cost: unknown (what became of a job is not known, as it is listed no longer)."
    assert lost in explained(world, "ftjob-now")


def test_what_one_cause_explains_is_told_by_that_cause(empty_world: World) -> None:
    """The account's own alert is told to nobody: the credential's is, in its place."""
    lock_out(empty_world)
    firing = empty_world.watcher("alerts", "--json").json["alerts"]
    (cause,) = [one["id"] for one in firing if one["rule"] == "credential_failing"]
    beside = [
        one["id"] for one in firing if one["rule"] == "account_forbidden" and one["labels"]["account"] == "northwind-ft"
    ]
    told = f"Told by credential_failing, which explains account_forbidden: watcher explain {cause}"
    out = explained(empty_world, "northwind-ft/support-bot")
    assert told in out and f"is told by credential_failing ({cause[:12]})." in out
    for one in beside:
        assert told in explained(empty_world, one)
    for one in empty_world.watcher("explain", "northwind-ft/support-bot", "--json").json["explanation"]["unread"]:
        assert (one["alert"] in beside, one["explained_by"]) == (True, cause)
