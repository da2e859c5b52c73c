"""Accounts that come, go, come again and move, and what the activity log says of it."""

from datetime import timedelta

import pytest

from watcher.simulator import Account, Calls, Deployment, Fault, Job, Scenario, ScenarioError, World, ledger
from watcher.simulator.jobs import job_id
from watcher.simulator.traffic_shapes import refused_between

H, D, M = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
MODEL = "gpt-4.1.ft-0123456789abcdef0123456789abcdef"
DELETED = Deployment(name="d", model=MODEL, deleted=2 * D, deleted_by="ci")
CALLED = Deployment(name="d", model=MODEL, created=-5 * D, calls=(Calls(from_=-4 * D, until=3 * D),))


def moving(**changes: object) -> Scenario:
    """An account that moves to another group after two days."""
    inside = {"jobs": (Job(name="j", created=-9 * D),), "deployments": (CALLED,)}
    old = Account(name="ft", resource_group="old", deleted=2 * D, **inside, **changes)  # type: ignore[arg-type]
    return Scenario(accounts=(old, Account(name="ft", resource_group="new", created=2 * D, **inside)))  # type: ignore[arg-type]


async def listed(azure):
    subscription = azure.world.scenario.subscriptions[0].id
    rows = (await azure.arm(f"/subscriptions/{subscription}/providers/Microsoft.CognitiveServices/accounts")).json()
    return [row["id"].split("/")[4] for row in rows["value"]]


async def test_a_moved_account_changes_its_id_and_keeps_all_else(build):
    azure = build(moving())
    before, after = (azure.world.account_id(account) for account in azure.world.scenario.accounts)
    seen = []
    for days, here, gone in ((1, before, after), (3, after, before)):
        azure.at(days=days)
        assert (await azure.arm(gone)).status_code == 404
        assert (await azure.arm(f"{gone}/deployments")).status_code == 404
        (row,) = (await azure.arm(f"{here}/deployments")).json()["value"]
        (job,) = (await azure.v1("/fine_tuning/jobs")).json()["data"]
        seen.append((row["systemData"]["createdAt"], job["id"]))
    assert seen[0] == seen[1] and seen[0][1] == job_id(azure.world.scenario.accounts[0], Job(name="j"))
    assert await listed(azure) == ["new"]


def test_the_ledger_has_a_moved_account_twice():
    world = World(moving())
    truth = ledger(world)
    old, new = sorted(truth.lives, key=lambda life: life.appears)
    assert (old.ended, old.cause) == (world.start + 2 * D, "account")
    assert new.created == old.created and new.appears == world.start + 2 * D
    moved = world.start + 2 * D
    assert {(job.appears, job.vanished) for job in truth.jobs} == {
        (world.start - 9 * D, moved),
        (moved, None),
    }
    assert new.cause == "idle" and new.deadline(world.start + 10 * D) == new.ended


def test_a_name_is_free_again_once_its_account_is_gone():
    World(moving())
    with pytest.raises(ScenarioError, match="the subdomain ft is taken"):
        World(Scenario(accounts=(Account(name="ft", deleted=2 * D), Account(name="ft", created=D))))
    with pytest.raises(ScenarioError, match="the subdomain ft is taken"):
        World(Scenario(accounts=(Account(name="ft", created=D), Account(name="ft", created=-D))))


async def test_an_account_made_again_bears_its_old_id(build):
    deployments = (Deployment(name="first", model=MODEL),), (Deployment(name="second", model=MODEL, created=3 * D),)
    old = Account(name="ft", deployments=deployments[0], deleted=D)
    azure = build(Scenario(accounts=(old, Account(name="ft", deployments=deployments[1], created=2 * D))))
    names = []
    for hours in (23, 30, 49, 73):
        azure.at(hours=hours)
        answer = await azure.arm(f"{azure.account_id('ft')}/deployments")
        names.append([row["name"] for row in answer.json().get("value", ["absent"])] if answer.is_success else None)
    assert names == [["first"], None, [], ["second"]]


async def test_provisioning_has_words_as_it_goes(build):
    words = (("Accepted", 0 * M), ("Creating", 1 * M), ("Succeeded", 9 * M))
    azure = build(created=0 * H, provisioning=words)
    seen = []
    for minutes in (0, 8, 9):
        azure.at(minutes=minutes)
        seen.append((await azure.arm(azure.account_id("ft"))).json()["properties"]["provisioningState"])
    assert seen == ["Accepted", "Creating", "Succeeded"]


@pytest.mark.parametrize(
    ("begins", "ends", "parts"),
    [
        pytest.param(-2, -1, [(0, 9, 200)], id="before"),
        pytest.param(9, 10, [(0, 9, 200)], id="after"),
        pytest.param(-1, 10, [(0, 9, 423)], id="all"),
        pytest.param(3, 5, [(0, 3, 200), (3, 5, 423), (5, 9, 200)], id="amid"),
        pytest.param(3, None, [(0, 3, 200), (3, 9, 423)], id="for good"),
        pytest.param(-1, 5, [(0, 5, 423), (5, 9, 200)], id="from before"),
        pytest.param(3, 12, [(0, 3, 200), (3, 9, 423)], id="to the end"),
    ],
)
def test_calls_to_a_paused_deployment_are_refused(begins, ends, parts):
    calls = Calls(from_=0 * H, until=9 * H)
    held = refused_between(calls, begins * H, None if ends is None else ends * H)
    assert [(part.from_ / H, part.until / H, part.status) for part in held if part.until > part.from_] == parts


async def log(azure):
    """(last words of the resource, operation, caller) of all that is in the log."""
    subscription = azure.world.scenario.subscriptions[0].id
    path = f"/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    text = "eventTimestamp ge '2026-01-01T00:00:00Z' and eventTimestamp le '2027-01-01T00:00:00Z'"
    answer = await azure.get(path, **{"api-version": "2015-04-01", "$filter": text})
    if answer.status_code != 200:
        return answer.status_code
    rows = answer.json()["value"]
    return [
        (r["resourceId"].rpartition("/")[2], r["operationName"]["value"].rpartition("/")[2], r["caller"]) for r in rows
    ]


async def test_the_log_comes_late(build):
    azure = build(Scenario(accounts=(Account(name="ft", deployments=(DELETED,)),), activity_delay=15 * M))
    azure.at(days=2, minutes=14)
    assert [verb for _, verb, _ in await log(azure)] == ["write"]
    azure.at(days=2, minutes=15)
    assert await log(azure) == [("d", "delete", "ci"), ("d", "write", DELETED.created_by)]


async def test_the_log_may_be_refused(build):
    azure = build(deployments=(DELETED,)).at(days=3)
    azure.world.faults.add(Fault(plane="activity", status=403))
    assert await log(azure) == 403
    assert (await azure.arm(azure.account_id("ft"))).status_code == 200


async def test_an_accounts_deletion_is_logged_for_itself_alone(build):
    never = Deployment(name="too late", model=MODEL, created=D + H)
    azure = build(deployments=(CALLED, never), deleted=D, deleted_by="someone").at(days=2)
    assert await log(azure) == [("ft", "delete", "someone"), ("d", "write", CALLED.created_by)]


async def test_a_move_leaves_nothing_in_the_log(build):
    azure = build(moving()).at(days=3)
    assert await log(azure) == [("d", "write", CALLED.created_by)]
