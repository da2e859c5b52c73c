"""What a training run leaves behind: estimates that slip, older result files, rewards, lines about the data."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watcher.simulator import BaseModel, Deployment, Job, Scenario
from watcher.simulator.jobs import model_name

M, H = timedelta(minutes=1), timedelta(hours=1)
QUICK = {"name": "j", "validating_for": 2 * M, "queued_for": 10 * M, "running_for": 60 * M, "steps": 60, "epochs": 3}


def job(**changes: Any) -> Job:
    return Job(**QUICK | changes)


async def only_job(azure: Any) -> dict[str, Any]:
    (found,) = (await azure.v1("/fine_tuning/jobs")).json()["data"]
    return found


async def test_an_estimate_slips(build):
    azure = build(jobs=(job(estimated=H, estimates=((20 * M, 2 * H), (50 * M, 5 * H))),))
    seen = []
    for minutes in (0, 19, 20, 55, 600):  # it stays, wrong, once the job is over
        azure.at(minutes=minutes)
        seen.append((await only_job(azure))["estimated_finish"] - azure.world.epoch)
    assert seen == [3600, 3600, 7200, 18000, 18000]


async def results(azure: Any) -> list[str]:
    (name,) = (await only_job(azure))["result_files"]
    return (await azure.v1(f"/files/{name}/content")).text.splitlines()


async def test_results_have_the_columns_of_their_time(build):
    newer = await results(build(jobs=(job(),)).at(hours=3))
    older = await results(build(jobs=(job(older_results=True),)).at(hours=3))
    assert newer[0].split(",")[2:5] == ["train_mean_token_accuracy", "valid_loss", "validation_mean_token_accuracy"]
    assert older[0] == "step,train_loss,training_accuracy,valid_loss,valid_accuracy"
    assert [line.split(",")[:5] for line in newer[1:]] == [line.split(",") for line in older[1:]]
    assert len(older) == 61


async def test_reinforcement_jobs_measure_rewards(build):
    azure = build(jobs=(job(method="reinforcement"),)).at(hours=3)
    name = (await only_job(azure))["id"]
    rows = (await azure.v1(f"/fine_tuning/jobs/{name}/checkpoints")).json()["data"]
    assert set(rows[0]["metrics"]) >= {
        "train_mean_reward",
        "full_valid_mean_reward",
        "completion_tokens_mean",
        "reasoning_tokens_mean",
        "mean_unresponsive_rewards",
        "train_sample_parse_error_count",
        "train_other_error_count",
    }
    supervised = build(jobs=(job(),)).at(hours=3)
    rows = (await supervised.v1(f"/fine_tuning/jobs/{(await only_job(supervised))['id']}/checkpoints")).json()["data"]
    assert not any("reward" in key for key in rows[0]["metrics"])


async def test_the_log_tells_of_images_that_were_skipped(build):
    azure = build(jobs=(job(skipped_images=12),)).at(minutes=1)
    path = f"/fine_tuning/jobs/{(await only_job(azure))['id']}/events"
    assert not any("skipped" in row["message"] for row in (await azure.v1(path)).json()["data"])
    azure.at(minutes=2)
    (row,) = [row for row in (await azure.v1(path)).json()["data"] if "skipped" in row["message"]]
    assert row["message"].startswith("12 images were skipped") and row["level"] == "warn"


@pytest.mark.parametrize(
    ("form", "field"), [("name", "fine_tuned_model_checkpoint"), ("id", "id")], ids=["by name", "by id"]
)
async def test_a_checkpoint_is_deployed_by_its_name_or_by_its_id(build, form, field):
    deployment = Deployment(name="d", job="j", checkpoint=40, checkpoint_form=form, created=2 * H)
    azure = build(jobs=(job(),), deployments=(deployment,)).at(hours=3)
    path = f"/fine_tuning/jobs/{(await only_job(azure))['id']}/checkpoints"
    (row,) = [row for row in (await azure.v1(path)).json()["data"] if row["step_number"] == 40]
    assert (await azure.deployments())["d"]["properties"]["model"]["name"] == row[field]


async def test_custom_models_carry_their_job_and_their_retirement(build):
    until = datetime(2027, 1, 1, tzinfo=UTC)
    base = BaseModel(name="gpt-4.1", version="2025-04-14", inference_until=until)
    azure = build(Scenario(models=(base,), accounts=build(jobs=(job(),)).world.scenario.accounts)).at(hours=3)
    account = azure.world.scenario.accounts[0]
    rows = {row["id"]: row for row in (await azure.dated("/models")).json()["data"]}
    custom = rows[model_name(account, account.jobs[0])]
    assert custom["fine_tune"] == (await only_job(azure))["id"] and custom["model"] == base.full_name
    assert custom["deprecation"] == {"inference": int(until.timestamp())}
    assert "fine_tune" not in rows[base.full_name]


async def test_the_catalogue_says_how_sure_a_retirement_is(build):
    until = datetime(2027, 1, 1, tzinfo=UTC)
    models = (
        BaseModel(
            name="a", version="1", inference_until=until, lifecycle="Deprecating", deprecation_status="Tentative"
        ),
        BaseModel(name="b", version="1", deprecation_status="Planned"),  # of no date, so nothing is planned
    )
    azure = build(Scenario(models=models))
    subscription = azure.world.scenario.subscriptions[0].id
    path = f"/subscriptions/{subscription}/providers/Microsoft.CognitiveServices/locations/eastus2/models"
    rows = [row["model"] for row in (await azure.arm(path)).json()["value"]]
    assert [(row["lifecycleStatus"], row["deprecation"]) for row in rows] == [
        ("Deprecating", {"inference": "2027-01-01T00:00:00Z", "deprecationStatus": "Tentative"}),
        ("GenerallyAvailable", {}),
    ]
