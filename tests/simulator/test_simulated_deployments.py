"""Deployments: how they are served, and when Azure takes them away."""

from datetime import timedelta
from typing import Any

import pytest

from watcher.simulator import Calls, Deployment, Job
from watcher.simulator.deployments import end_of
from watcher.simulator.traffic import calls_between, calls_in_buckets

H, D, S = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
MODEL = "gpt-4.1-2025-04-14.ft-0123456789abcdef0123456789abcdef-x"


def deployment(**changes: Any) -> Deployment:
    given = {"name": "d"} | changes
    return Deployment(**(given if "job" in given else {"model": MODEL} | given))


@pytest.mark.parametrize(
    ("changes", "end", "cause"),
    [
        pytest.param({}, 15 * D, "idle", id="never called"),
        pytest.param({"created": -3 * D}, 12 * D, "idle", id="created before"),
        pytest.param({"calls": (Calls(from_=2 * D, count=1),)}, 17 * D, "idle", id="one call"),
        pytest.param({"calls": (Calls(from_=15 * D, count=1),)}, 15 * D, "idle", id="a call that comes too late"),
        pytest.param({"calls": (Calls(from_=15 * D - S, count=1),)}, 30 * D - S, "idle", id="a call just in time"),
        pytest.param({"calls": (Calls(from_=-5 * D, until=-1 * D),)}, 15 * D, "idle", id="calls before creation"),
        pytest.param({"calls": (Calls(from_=D, until=3 * D),)}, 18 * D - H, "idle", id="last call of a span"),
        pytest.param({"calls": (Calls(from_=D),)}, None, None, id="calls without end"),
        pytest.param(
            {"calls": (Calls(from_=D, until=2 * D), Calls(from_=10 * D, until=11 * D), Calls(from_=27 * D))},
            26 * D - H,
            "idle",
            id="two spans, then one too late",
        ),
        pytest.param({"calls": (Calls(from_=D, per_hour=1 / 400),)}, 16 * D, "idle", id="calls too far apart"),
        pytest.param({"calls": (Calls(from_=D, per_hour=1 / 350, until=40 * D),)}, None, "idle", id="calls far apart"),
        pytest.param({"calls": (Calls(from_=D, status=429),)}, 15 * D, "idle", id="failed calls do not count"),
        pytest.param({"calls": (Calls(from_=2 * D, count=1, dimension="__Empty"),)}, 17 * D, "idle", id="__Empty"),
        pytest.param({"idle_after": 10 * D}, 10 * D, "idle", id="another rule"),
        pytest.param({"idle_deletion": False}, None, None, id="rule switched off"),
        pytest.param({"model": "gpt-4.1"}, None, None, id="base model"),
        pytest.param({"sku": "DeveloperTier"}, 24 * H, "expired", id="Developer"),
        pytest.param({"sku": "developer", "calls": (Calls(from_=H),)}, 24 * H, "expired", id="Developer, busy"),
        pytest.param({"sku": "developertier", "lifetime": 30 * H}, 30 * H, "expired", id="Developer, late"),
        pytest.param({"sku": "DeveloperTier", "expires": False}, 15 * D, "idle", id="Developer, kept"),
        pytest.param({"sku": "DeveloperTier", "model": "gpt-4.1"}, 24 * H, "expired", id="Developer, base model"),
        pytest.param({"deleted": 5 * D}, 5 * D, "user", id="deleted"),
        pytest.param({"deleted": 20 * D}, 15 * D, "idle", id="deleted when already gone"),
    ],
)
def test_end_of_a_life(changes, end, cause):
    found = end_of(deployment(**changes))
    if cause is None:
        assert found is None
    else:
        assert found is not None and found.cause == cause
        if end is not None:
            assert found.at == end


def test_failed_calls_may_be_made_to_count():
    called = deployment(calls=(Calls(from_=2 * D, count=1, status=429),))
    end = end_of(called, failed_calls_count=True)
    assert end is not None and end.at == 17 * D


def test_two_kinds_of_rare_calls_without_end_keep_it_for_ever():
    calls = (Calls(from_=D, per_hour=1 / 400), Calls(from_=9 * D, per_hour=1 / 400))
    assert end_of(deployment(calls=calls)) is None


@pytest.mark.parametrize(
    ("calls", "begin", "end", "expected"),
    [
        (Calls(from_=H, per_hour=60), 0 * H, 2 * H, 60),
        (Calls(from_=H, per_hour=60), H, H + timedelta(minutes=1), 1),
        (Calls(from_=H, per_hour=60, until=H + timedelta(minutes=30)), 0 * H, 9 * H, 30),
        (Calls(from_=H, per_hour=60, count=5), 0 * H, 9 * H, 5),
        (Calls(from_=H, per_hour=7), 0 * H, 101 * H, 700),
        (Calls(from_=H), 0 * H, H, 0),
        (Calls(from_=H), 5 * H, 5 * H, 0),
    ],
)
def test_counts_calls(calls, begin, end, expected):
    assert calls_between(calls, begin, end) == expected


def test_buckets_add_up_to_the_whole():
    calls = Calls(from_=timedelta(seconds=17), per_hour=333.3)
    whole = calls_between(calls, 3 * H, 50 * H)
    buckets = [calls_between(calls, n * H, (n + 1) * H) for n in range(60)]
    assert calls_in_buckets(calls, [n * 3_600_000_000 for n in range(61)], since=3 * H, until=50 * H) == (
        [0] * 3 + buckets[3:50] + [0] * 10
    )
    assert sum(buckets[3:50]) == whole


async def test_an_idle_deployment_stands_to_the_last_moment(build):
    azure = build(deployments=(deployment(created=-D, calls=(Calls(from_=0 * H, count=1),)),))
    path = f"{azure.account_id('ft')}/deployments/d"
    azure.clock.advance(15 * D - S)
    assert set(await azure.deployments()) == {"d"}
    assert (await azure.arm(path)).status_code == 200
    azure.clock.advance(S)
    assert await azure.deployments() == {}
    gone = await azure.arm(path)
    assert gone.status_code == 404
    assert set(gone.json()["error"]) == {"code", "message"}
    assert gone.json()["error"]["code"] == "ResourceNotFound"


async def test_a_developer_deployment_lives_24_hours(build):
    azure = build(deployments=(deployment(sku="DeveloperTier", calls=(Calls(from_=0 * H, per_hour=60),)),))
    azure.clock.advance(24 * H - S)
    assert set(await azure.deployments()) == {"d"}
    azure.clock.advance(S)
    assert await azure.deployments() == {}


async def test_a_name_can_live_twice(build):
    lives = (deployment(deleted=2 * D), deployment(created=4 * D, sku="GlobalStandard"))
    azure = build(deployments=lives)
    skus = []
    for day in (1, 3, 5):
        azure.at(days=day)
        skus.append([row["sku"]["name"] for row in (await azure.deployments()).values()])
    assert skus == [["Standard"], [], ["GlobalStandard"]]


async def test_a_later_life_replaces_an_earlier_one(build):
    azure = build(deployments=(deployment(), deployment(created=4 * D))).at(days=5)
    rows = await azure.deployments()
    assert rows["d"]["systemData"]["createdAt"] == "2026-03-06T08:00:00Z"


async def test_is_served_like_the_official_example(build, example):
    official = example("arm-2024-10-01-ListDeployments")["value"][0]
    azure = build(deployments=(deployment(system_data=False),)).at(hours=1)
    row = (await azure.deployments())["d"]
    assert set(row) >= set(official) and set(row["properties"]) >= set(official["properties"])
    assert set(row["properties"]["model"]) == set(official["properties"]["model"])
    assert "systemData" not in row
    assert row["id"].endswith("/accounts/ft/deployments/d")


@pytest.mark.parametrize(
    ("sku", "state"), [("standard", None), ("GlobalStandard", "Paused"), ("DataZoneStandard", "Running")]
)
async def test_spells_sku_and_state_as_the_scenario_does(build, sku, state):
    states = () if state is None else ((state, timedelta(0)),)
    azure = build(deployments=(deployment(sku=sku, deployment_state=states),))
    row = (await azure.deployments())["d"]
    assert row["sku"]["name"] == sku
    assert row["properties"].get("deploymentState") == state
    assert ("deploymentState" in row["properties"]) == (state is not None)


@pytest.mark.parametrize("last", ["Succeeded", "Failed"])
async def test_provisioning_takes_its_time(build, last):
    azure = build(deployments=(deployment(provisioning=(("Accepted", 0 * H), (last, H))),))
    assert (await azure.deployments())["d"]["properties"]["provisioningState"] == "Accepted"
    azure.at(hours=1)
    assert (await azure.deployments())["d"]["properties"]["provisioningState"] == last


async def test_an_edit_moves_last_modified_only(build):
    azure = build(deployments=(deployment(modified=3 * D),)).at(days=4)
    system = (await azure.deployments())["d"]["systemData"]
    assert (system["createdAt"], system["lastModifiedAt"]) == ("2026-03-02T08:00:00Z", "2026-03-05T08:00:00Z")


async def test_deploys_the_model_of_a_job_or_of_its_checkpoint(build):
    job = Job(name="j", created=-D, suffix="x")
    both = (deployment(name="final", job="j"), deployment(name="early", job="j", checkpoint=80))
    azure = build(jobs=(job,), deployments=both)
    rows = await azure.deployments()
    (found,) = (await azure.v1("/fine_tuning/jobs")).json()["data"]
    assert rows["final"]["properties"]["model"]["name"] == found["fine_tuned_model"]
    assert rows["early"]["properties"]["model"]["name"] == found["fine_tuned_model"] + ":ckpt-step-80"


async def test_a_call_keeps_a_deployment_and_a_person_can_delete_it(build):
    azure = build(deployments=(deployment(),)).at(days=14)
    azure.world.call("ft", "D", at=azure.clock())
    azure.at(days=20)
    assert set(await azure.deployments()) == {"d"}
    azure.world.delete_deployment("ft", "d", at=azure.clock(), by="someone@contoso.example")
    assert await azure.deployments() == {}
    with pytest.raises(KeyError):
        azure.world.call("ft", "d", at=azure.clock())
