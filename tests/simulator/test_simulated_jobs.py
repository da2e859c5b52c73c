"""Fine-tuning jobs on the data plane: statuses, dialects, safety texts, events, checkpoints, files, models."""

import re
from datetime import timedelta
from typing import Any

import pytest

from watcher.simulator import Account, ExtraEvent, File, Job, Pause, Scenario
from watcher.simulator.jobs import job_id

M, H = timedelta(minutes=1), timedelta(hours=1)
QUICK = {"validating_for": 2 * M, "queued_for": 10 * M, "running_for": 60 * M, "steps": 60, "epochs": 3}
DATA_TEXT = (
    "The provided training data failed RAI checks for harm types: [hate_fairness, violence]. "
    "Please fix the data and try again."
)
MODEL_TEXT = (
    "This model is unable to be deployed. Model evaluation identified that this fine tuned model scores above "
    "acceptable thresholds for [Violence, Self Harm]. Please review your training data set and resubmit the job."
)


def job(**changes: Any) -> Job:
    return Job(**({"name": "j"} | QUICK | changes))


async def only_job(azure: Any, dialect: str = "v1") -> dict[str, Any]:
    answer = await (azure.v1 if dialect == "v1" else azure.dated)("/fine_tuning/jobs")
    assert answer.status_code == 200
    (found,) = answer.json()["data"]
    return found


@pytest.mark.parametrize(
    ("minutes", "v1", "dated"),
    [
        (0, "validating_files", "pending"),
        (2, "queued", "pending"),
        (11.99, "queued", "pending"),
        (12, "running", "running"),
        (72, "running", "running"),  # trained, but the evaluation has not spoken
        (72.2, "succeeded", "succeeded"),
    ],
)
async def test_speaks_each_dialects_status_words(build, minutes, v1, dated):
    azure = build(jobs=(job(),)).at(minutes=minutes)
    assert (await only_job(azure))["status"] == v1
    assert (await only_job(azure, "dated"))["status"] == dated


async def test_a_v1_answer_may_keep_dated_words(build):
    azure = build(jobs=(job(words="dated"),))
    assert (await only_job(azure, "v1"))["status"] == "pending"


async def test_a_job_does_not_exist_before_it_is_created(build):
    azure = build(jobs=(job(created=H),))
    assert (await azure.v1("/fine_tuning/jobs")).json() == {"object": "list", "data": [], "has_more": False}
    azure.at(hours=1)
    assert (await only_job(azure))["created_at"] == azure.world.epoch + 3600


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("ftjob-hex", r"ftjob-[0-9a-f]{32}"),
        ("ft-hex", r"ft-[0-9a-f]{32}"),
        ("ftjob-short", r"ftjob-[0-9A-Za-z]{24}"),
    ],
)
async def test_id_forms(build, form, pattern):
    azure = build(jobs=(job(id_form=form, suffix="s-1"),)).at(hours=3)
    found = await only_job(azure)
    assert re.fullmatch(pattern, found["id"])
    assert re.fullmatch(r"gpt-4\.1-2025-04-14\.ft-[0-9a-f]{32}-s-1", found["fine_tuned_model"])


def keys(payload: dict[str, Any]) -> set[str]:
    return set(payload)


async def test_dated_jobs_have_the_keys_of_the_official_example(build, example):
    azure = build(jobs=(job(validation=False),)).at(hours=3)
    found = await only_job(azure, "dated")
    expected = keys(example("ft-2024-10-21-get-job"))
    assert keys(found) >= expected
    assert keys(found) - expected == {"seed"}


async def test_preview_jobs_have_the_keys_of_the_official_example(build, example):
    azure = build(jobs=(job(),)).at(hours=3)
    answer = await azure.dated("/fine_tuning/jobs", version="2025-04-01-preview")
    expected = keys(example("ft-2025-04-01-preview-list-jobs")["data"][0])
    assert keys(answer.json()["data"][0]) >= expected - {"integrations"}
    assert keys(answer.json()) == keys(example("ft-2025-04-01-preview-list-jobs"))


async def test_fields_that_do_not_apply_are_absent_null_or_empty(build):
    jobs = (job(name="a", blanks="absent"), job(name="n", blanks="null"), job(name="e", blanks="empty"))
    azure = build(jobs=jobs, job_order="oldest")
    rows = {j["id"]: j for j in (await azure.v1("/fine_tuning/jobs")).json()["data"]}
    account = azure.world.scenario.accounts[0]
    absent, null, empty = (rows[job_id(account, j)] for j in jobs)
    assert "error" not in absent and "result_files" not in absent
    assert null["error"] is None and null["result_files"] is None and null["finished_at"] is None
    assert empty["error"] == {} and empty["result_files"] == []


@pytest.mark.parametrize("where", ["error", "events", "both"])
@pytest.mark.parametrize(
    ("outcome", "harms", "text", "fails_at"),
    [
        ("rai_data", ("hate_fairness", "violence"), DATA_TEXT, timedelta(minutes=12)),
        ("rai_model", ("violence", "self_harm"), MODEL_TEXT, timedelta(minutes=72, seconds=8)),
    ],
)
async def test_safety_failures_stand_where_the_scenario_puts_them(build, where, outcome, harms, text, fails_at):
    azure = build(jobs=(job(outcome=outcome, harm_types=harms, text_in=where),))
    azure.clock.advance(fails_at - timedelta(seconds=1))
    assert (await only_job(azure))["status"] != "failed"
    azure.clock.advance(timedelta(seconds=1))
    found = await only_job(azure)
    assert found["status"] == "failed"
    assert found["finished_at"] == azure.world.epoch + fails_at.total_seconds()
    events = (await azure.v1(f"/fine_tuning/jobs/{found['id']}/events")).json()["data"]
    in_events = [event for event in events if event["message"] == text]
    assert bool(in_events) == (where != "error")
    assert all(event["level"] == "error" for event in in_events)
    assert ((found["error"] or {}).get("message") == text) == (where != "events")
    assert found["fine_tuned_model"] is None


async def test_refused_data_never_start_training(build):
    azure = build(jobs=(job(outcome="rai_data"),)).at(hours=5)
    found = await only_job(azure)
    messages = [e["message"] for e in (await azure.v1(f"/fine_tuning/jobs/{found['id']}/events")).json()["data"]]
    assert "Job started." not in messages


async def test_the_log_says_succeeded_before_the_evaluation_speaks(build):
    azure = build(jobs=(job(),)).at(minutes=72, seconds=4)
    found = await only_job(azure)
    assert found["status"] == "running"
    path = f"/fine_tuning/jobs/{found['id']}/events"
    assert (await azure.v1(path)).json()["data"][0]["message"] == "Job succeeded."
    azure.at(minutes=72, seconds=8)
    events = {e["message"]: e for e in (await azure.v1(path)).json()["data"]}
    assert events["Model Evaluation Passed."]["created_at"] - events["Job succeeded."]["created_at"] == 8
    assert (await only_job(azure))["finished_at"] == events["Model Evaluation Passed."]["created_at"]
    assert "Training tokens billed: 7830" in events


async def test_a_refused_model_is_first_called_a_success_by_its_log(build):
    azure = build(jobs=(job(outcome="rai_model"),)).at(hours=3)
    found = await only_job(azure)
    messages = [e["message"] for e in (await azure.v1(f"/fine_tuning/jobs/{found['id']}/events")).json()["data"]]
    assert found["status"] == "failed"
    assert "Job succeeded." in messages and "Model Evaluation Passed." not in messages


async def test_events_are_newest_first_and_paged(build, example):
    azure = build(jobs=(job(steps=400),)).at(hours=3)
    found = await only_job(azure)
    path = f"/fine_tuning/jobs/{found['id']}/events"
    seen: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    for _ in range(20):
        page = (await azure.v1(path, limit="7", **after)).json()
        seen += page["data"]
        if not page["has_more"]:
            break
        after = {"after": page["data"][-1]["id"]}
    assert len({event["id"] for event in seen}) == len(seen) == 6 + 40
    assert [e["created_at"] for e in seen] == sorted((e["created_at"] for e in seen), reverse=True)
    assert seen[-1]["message"] == "Job enqueued. Waiting for jobs ahead to complete."
    assert keys(seen[-1]) == keys(example("ft-2024-10-21-list-events")["data"][0])
    metrics = next(e for e in seen if e["type"] == "metrics")
    assert metrics["message"].startswith("Step ") and metrics["data"]["train_loss"] > 0
    assert len((await azure.v1(path)).json()["data"]) == 20  # the default page


async def test_event_ids_stay_the_same_as_the_log_grows(build):
    azure = build(jobs=(job(),)).at(minutes=40)
    found = await only_job(azure)
    path = f"/fine_tuning/jobs/{found['id']}/events"
    before = (await azure.v1(path, limit="100")).json()["data"]
    azure.at(minutes=60)
    after = (await azure.v1(path, limit="100")).json()["data"]
    assert after[-len(before) :] == before


async def test_an_unknown_cursor_is_refused(build):
    azure = build(jobs=(job(),))
    answer = await azure.v1("/fine_tuning/jobs", after="ftjob-nobody")
    assert answer.status_code == 400


async def test_warning_is_spelt_by_dialect(build):
    azure = build(jobs=(job(events=(ExtraEvent(at=M, message="careful", level="warning"),)),)).at(minutes=1)
    found = await only_job(azure)
    path = f"/fine_tuning/jobs/{found['id']}/events"
    assert (await azure.v1(path)).json()["data"][0]["level"] == "warn"
    assert (await azure.dated(path)).json()["data"][0]["level"] == "warning"


async def test_jobs_are_paged_by_twenty_unless_asked(build):
    jobs = tuple(job(name=f"j{n}", created=-n * H) for n in range(45))
    azure = build(jobs=jobs).at(hours=3)
    page = (await azure.dated("/fine_tuning/jobs")).json()
    assert len(page["data"]) == 20 and page["has_more"] is True
    created = [j["created_at"] for j in page["data"]]
    assert created == sorted(created, reverse=True)
    rest = (await azure.dated("/fine_tuning/jobs", after=page["data"][-1]["id"], limit="100")).json()
    assert len(rest["data"]) == 25 and rest["has_more"] is False
    assert keys(page) == {"object", "data", "has_more"}


@pytest.mark.parametrize("order", ["oldest", "shuffled"])
async def test_job_order_can_be_otherwise(build, order):
    jobs = tuple(job(name=f"j{n}", created=-n * H) for n in range(12))
    azure = build(jobs=jobs, job_order=order).at(hours=3)
    created = [j["created_at"] for j in (await azure.v1("/fine_tuning/jobs")).json()["data"]]
    assert created != sorted(created, reverse=True)
    assert (created == sorted(created)) == (order == "oldest")


@pytest.mark.parametrize(
    ("minutes", "status", "finished"),
    [
        (31, "running", False),
        (32, "pausing", False),
        (33, "paused", True),  # finished_at on a job that is not over
        (152, "paused", True),
        (153, "resuming", True),
        (154, "running", False),
        (194.2, "succeeded", True),
    ],
)
async def test_pauses_and_resumes(build, minutes, status, finished):
    azure = build(jobs=(job(pauses=(Pause(after=20 * M, lasts=2 * H),)),)).at(minutes=minutes)
    found = await only_job(azure)
    assert found["status"] == status
    assert (found["finished_at"] is not None) == finished


async def test_a_paused_job_has_the_keys_of_the_official_example(build, example):
    azure = build(jobs=(job(pauses=(Pause(after=20 * M),)),)).at(days=3)
    answer = await azure.dated("/fine_tuning/jobs", version="2025-04-01-preview")
    (found,) = answer.json()["data"]
    assert found["status"] == "paused"
    assert keys(found) >= keys(example("ft-2025-04-01-preview-pause-job")) - {"integrations"}


@pytest.mark.parametrize(("reason", "text"), [("preempted", "capacity"), ("cap", "spending limit")])
async def test_azure_pauses_jobs_itself(build, reason, text):
    azure = build(jobs=(job(pauses=(Pause(after=20 * M, reason=reason),)),)).at(minutes=33)
    found = await only_job(azure)
    events = (await azure.v1(f"/fine_tuning/jobs/{found['id']}/events")).json()["data"]
    assert found["status"] == "paused"
    assert text in events[0]["message"] and events[0]["level"] == "warn"


async def test_an_explicit_timeline_is_served_word_for_word(build):
    azure = build(jobs=(job(timeline=(("queued", 0 * M), ("brooding", 5 * M), ("cancelled", 9 * M))),))
    seen = []
    for minute in (0, 5, 9):
        azure.at(minutes=minute)
        seen.append((await only_job(azure))["status"])
    assert seen == ["queued", "brooding", "cancelled"]


@pytest.mark.parametrize(("outcome", "status"), [("cancelled", "cancelled"), ("failed", "failed"), ("none", "running")])
async def test_other_outcomes(build, outcome, status):
    azure = build(jobs=(job(outcome=outcome, error_message="Disk full."),)).at(days=30)
    found = await only_job(azure)
    assert found["status"] == status
    assert (found["finished_at"] is None) == (outcome == "none")
    if outcome == "failed":
        assert found["error"] == {"code": "internalFailure", "message": "Disk full.", "param": None}


async def test_keeps_the_last_three_checkpoints(build, example):
    azure = build(jobs=(job(epochs=5, steps=50),)).at(minutes=40)  # 28 of 60 minutes: two epochs are done
    found = await only_job(azure)
    path = f"/fine_tuning/jobs/{found['id']}/checkpoints"
    rows = (await azure.dated(path)).json()["data"]
    assert [row["step_number"] for row in rows] == [20, 10]
    assert rows[0]["fine_tuned_model_checkpoint"].endswith(":ckpt-step-20")
    azure.at(hours=2)
    answer = (await azure.v1(path)).json()
    assert [row["step_number"] for row in answer["data"]] == [50, 40, 30]
    assert answer["data"][0]["fine_tuned_model_checkpoint"] == (await only_job(azure))["fine_tuned_model"]
    assert answer["first_id"] == answer["data"][0]["id"] and answer["last_id"] == answer["data"][-1]["id"]
    official = example("ft-2024-10-21-list-checkpoints")["data"][0]
    assert keys(answer["data"][0]) == keys(official)
    assert keys(answer["data"][0]["metrics"]) == keys(official["metrics"])


async def test_result_file_can_be_found_and_read(build, example):
    azure = build(jobs=(job(overfits=True),)).at(hours=2)
    (file_id,) = (await only_job(azure))["result_files"]
    row = (await azure.dated(f"/files/{file_id}")).json()
    assert keys(row) == keys(example("ft-2024-10-21-list-files")["data"][0])
    assert row["purpose"] == "fine-tune-results"
    content = (await azure.dated(f"/files/{file_id}/content")).text
    lines = content.splitlines()
    assert len(content) == row["bytes"] and len(lines) == 1 + 60
    assert lines[0] == (
        "step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,"
        "full_valid_loss,full_valid_mean_token_accuracy"
    )
    valid = [float(line.split(",")[3]) for line in lines[1:]]
    assert min(valid) < valid[-1] - 0.3  # overfitting: validation loss rises again


async def test_lists_files_by_purpose_and_shows_a_refused_one(build):
    upload = File(filename="x.jsonl", status=(("pending", 0 * M), ("error", 4 * M)), status_details="Line 12")
    azure = build(jobs=(job(),), files=(upload,)).at(hours=2)
    rows = (await azure.dated("/files")).json()
    assert keys(rows) == {"object", "data"}  # dated lists of files are not paged
    assert {row["purpose"] for row in rows["data"]} == {"fine-tune", "fine-tune-results"}
    (refused,) = [row for row in rows["data"] if row["filename"] == "x.jsonl"]
    assert (refused["status"], refused["status_details"]) == ("error", "Line 12")
    only = (await azure.v1("/files", purpose="fine-tune-results")).json()["data"]
    assert [row["filename"] for row in only] == ["results.csv"]


async def test_models_hold_bases_and_completed_custom_models(build, example):
    azure = build(jobs=(job(), job(name="bad", outcome="failed"))).at(minutes=30)
    bases = (await azure.dated("/models")).json()["data"]
    assert all("fine_tune" not in row for row in bases)
    azure.at(hours=2)
    rows = (await azure.dated("/models")).json()["data"]
    (custom,) = [row for row in rows if "fine_tune" in row]
    official = example("ft-2024-10-21-list-models")["data"]
    assert keys(custom) == keys(official[1]) and keys(bases[0]) == keys(official[0])
    assert (await azure.dated(f"/models/{custom['id']}")).json() == custom
    v1 = (await azure.v1(f"/models/{custom['id']}")).json()
    assert keys(v1) == {"id", "object", "created", "owned_by"}


@pytest.mark.parametrize(
    ("dialects", "v1", "dated"), [(("v1",), 200, 404), (("dated",), 404, 200), (("v1", "dated"), 200, 200)]
)
async def test_an_account_serves_the_dialects_it_has(build, dialects, v1, dated):
    azure = build(jobs=(job(),), dialects=dialects)
    assert (await azure.v1("/fine_tuning/jobs")).status_code == v1
    assert (await azure.dated("/fine_tuning/jobs")).status_code == dated


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/account/ft/openai/fine_tuning/jobs", 404),  # dated without a version
        ("/account/ft/openai/fine_tuning/jobs?api-version=2019-01-01", 404),
        ("/account/ft/openai/v1/fine_tuning/jobs?api-version=preview", 200),
        ("/account/ft/openai/v1/fine_tuning/jobs?api-version=2024-10-21", 400),
        ("/account/ft/openai/v1/fine_tuning/jobs?limit=0", 400),
        ("/account/ft/openai/v1/fine_tuning/jobs/ftjob-none", 404),
        ("/account/ft/openai/v1/files/file-none", 404),
        ("/account/ft/openai/v1/models/none", 404),
        ("/account/nobody/openai/v1/models", 404),
        ("/account/speech/openai/v1/models", 404),  # not a kind that speaks this
        ("/openai/v1/models", 404),
    ],
)
async def test_refuses_what_does_not_exist(build, path, expected):
    accounts = (Account(name="ft", jobs=(job(),)), Account(name="speech", kind="SpeechServices"))
    azure = build(Scenario(accounts=accounts))
    answer = await azure.client.get(path)
    assert answer.status_code == expected
    if expected != 200:
        assert set(answer.json()["error"]) >= {"code", "message"}


async def test_error_shapes_differ_by_dialect(build):
    azure = build()
    v1 = (await azure.v1("/fine_tuning/jobs/none")).json()["error"]
    dated = (await azure.dated("/fine_tuning/jobs/none")).json()["error"]
    assert set(v1) == {"code", "message", "param", "type", "inner_error"}
    assert set(dated) == {"code", "message"}


async def test_the_same_scenario_gives_the_same_answers(build):
    first, second = build(jobs=(job(),)).at(hours=2), build(jobs=(job(),)).at(hours=2)
    assert (await first.v1("/fine_tuning/jobs")).content == (await second.v1("/fine_tuning/jobs")).content


async def test_jobs_can_be_added_and_changed_while_it_runs(build):
    azure = build()
    azure.world.add_job("ft", job(outcome="none"))
    azure.at(days=1)
    assert (await only_job(azure))["status"] == "running"
    azure.world.replace_job("ft", job(outcome="cancelled"))
    assert (await only_job(azure))["status"] == "cancelled"
