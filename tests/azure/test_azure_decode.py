import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from azure_factories import KEY, body_of, raw_event, raw_job
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.azure.decode import decode_checkpoints, decode_events, decode_job, decode_jobs
from watcher.errors import MalformedError
from watcher.resources.fine_tuning import Checkpoint, FineTuningJob, JobError, JobEvent, JobStatus

CURIE = FineTuningJob(
    id="ft-72a2792ef7d24ba7b82c7fe4a37e379f",
    account=KEY,
    status=JobStatus.SUCCEEDED,
    raw_status="succeeded",
    created_at=datetime(2022, 3, 1, 9, 15, 27, tzinfo=UTC),
    finished_at=datetime(2022, 3, 1, 9, 35, 11, tzinfo=UTC),
    model="curie",
    fine_tuned_model="curie.ft-72a2792ef7d24ba7b82c7fe4a37e379f",
    training_file="file-181a1cbdcdcf4677ada87f63a0928099",
    result_files=("file-181a1cbdcdcf4677ada87f63a0928099",),
    trained_tokens=2342,
    hyperparameters={"n_epochs": "-1"},
)


def jobs_body(*jobs, **more):
    return json.dumps({"object": "list", "data": list(jobs), "has_more": False, **more}).encode()


def one_job(**fields) -> FineTuningJob:
    page = decode_jobs(jobs_body(raw_job(**fields)), account=KEY)
    assert page.bad == ()
    return page.items[0]


def test_decodes_the_official_job_lists():
    page = decode_jobs(body_of("ft-2024-10-21-list-jobs.json"), account=KEY)
    assert (page.items, page.bad, page.has_more, page.last_id) == ((CURIE,), (), False, CURIE.id)
    preview = decode_jobs(body_of("ft-2025-04-01-preview-list-jobs.json"), account=KEY)
    assert [job.method for job in preview.items] == ["supervised"]


def test_decodes_the_official_jobs():
    assert decode_job(body_of("ft-2024-10-21-get-job.json"), account=KEY) == CURIE


def test_a_paused_job_keeps_its_finished_at_and_is_not_over():
    job = decode_job(body_of("ft-2025-04-01-preview-pause-job.json"), account=KEY)
    assert job.status is JobStatus.PAUSED
    assert job.finished_at is not None
    assert not job.status.has_ended


def test_decodes_the_official_events():
    page = decode_events(body_of("ft-2024-10-21-list-events.json"))
    assert [event.message for event in page.items] == [
        "Job enqueued. Waiting for jobs ahead to complete.",
        "Job started.",
        "Job succeeded.",
    ]
    assert page.items[0] == JobEvent(
        id="ftevent-363dcd7cb4c74539bc53293c1dceef05",
        created_at=datetime(2022, 3, 1, 9, 15, 27, tzinfo=UTC),
        level="info",
        message="Job enqueued. Waiting for jobs ahead to complete.",
        type="message",
    )


def test_decodes_the_official_checkpoints():
    page = decode_checkpoints(body_of("ft-2024-10-21-list-checkpoints.json"))
    assert page.items[0] == Checkpoint(
        id="ftckpt_qtZ5Gyk4BLq1SfLFWp3RtO3P",
        job_id="ftjob-72a2792ef7d24ba7b82c7fe4a37e379f",
        model="gpt-35-turbo-0613.ft-72a2792ef7d24ba7b82c7fe4a37e379f:ckpt-step-10",
        step=10,
        created_at=datetime(2022, 3, 1, 9, 15, 27, tzinfo=UTC),
        metrics={
            "step": 10.0,
            "train_loss": 0.478,
            "train_mean_token_accuracy": 0.924,
            "valid_loss": 10.112,
            "valid_mean_token_accuracy": 0.145,
            "full_valid_loss": 0.567,
            "full_valid_mean_token_accuracy": 0.944,
        },
    )
    assert [checkpoint.step for checkpoint in page.items] == [10, 20, 30]


def test_decodes_a_v1_job_with_all_that_the_service_adds():
    job = one_job(
        status="validating_files",
        estimated_finish=1756783104,
        user_provided_suffix="named",
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto", "batch_size": 2}}},
        hyperparameters={"n_epochs": 3, "learning_rate_multiplier": 0.1, "nested": {}},
        trainingType="globalStandard",
        metadata={"team": "search", "odd": None},
        organization_id=None,
        integrations=[],
        tomorrow={"x": [1]},
    )
    assert job.status is JobStatus.VALIDATING_FILES
    assert job.suffix == "named"
    assert job.hyperparameters == {"n_epochs": "3", "batch_size": "2", "learning_rate_multiplier": "0.1"}
    assert (job.method, job.training_type) == ("supervised", "globalStandard")
    assert job.metadata == {"team": "search"}
    assert job.estimated_finish_at == datetime.fromtimestamp(1756783104, UTC)


@pytest.mark.parametrize("word", ["Succeeded", "notRunning", "hibernating", "canceled", ""])
def test_unknown_words_stop_nothing(word):
    page = decode_jobs(jobs_body(raw_job(status=word), raw_job("ftjob-2")), account=KEY)
    assert page.items[-1].id == "ftjob-2"
    if not word:
        assert [bad.id for bad in page.bad] == ["ftjob-1"]
        return
    expected = {"Succeeded": JobStatus.SUCCEEDED, "canceled": JobStatus.CANCELLED}
    assert page.items[0].status is expected.get(word, JobStatus.UNKNOWN)
    assert page.items[0].raw_status == word


@pytest.mark.parametrize("nothing", [None, {}, []], ids=["null", "object", "array"])
@pytest.mark.parametrize(
    "field",
    ["error", "result_files", "method", "hyperparameters", "metadata", "suffix", "finished_at", "trained_tokens"],
)
def test_nothing_has_four_spellings(field, nothing):
    assert one_job(**{field: nothing}) == one_job()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": 400, "message": "m"}, JobError(code="400", message="m")),
        ({"code": None, "message": "m", "param": "training_file"}, JobError(message="m", param="training_file")),
        ("plain", JobError(message="plain")),
        ({"message": {"deep": 1}}, None),
        (7, None),
    ],
)
def test_reads_errors_of_every_form(error, expected):
    assert one_job(error=error).error == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1756781454, 1756781454),
        (1756781454.5, 1756781454.5),
        ("1756781454", 1756781454),
        ("2025-09-02T02:50:54Z", 1756781454),
        (1756781454000, None),
        (0, None),
        (-5, None),
        (True, None),
        ("soon", None),
        (None, None),
        ({}, None),
        (1e300, None),
    ],
)
def test_reads_times_and_refuses_nonsense(value, seconds):
    expected = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    assert one_job(finished_at=value).finished_at == expected


def test_a_wrong_type_costs_its_field_and_no_other():
    job = one_job(model=7, training_file=["x"], fine_tuned_model="kept", suffix={"a": 1}, trained_tokens="many")
    assert (job.model, job.training_file, job.suffix, job.trained_tokens) == ("", "", "", None)
    assert job.fine_tuned_model == "kept"


def test_a_bad_item_costs_itself_and_is_named():
    body = jobs_body(raw_job("a"), {"id": "b", "status": 7}, {"status": "running"}, "text", None, raw_job("c"))
    page = decode_jobs(body, account=KEY)
    assert [job.id for job in page.items] == ["a", "c"]
    assert [bad.id for bad in page.bad] == ["b", "", "", ""]
    assert page.last_id == "c"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"data": null}',
        b'{"data": {}}',
        b'{"data": [], "has_more": "yes"}',
        b"<html>",
        b"\xff",
        b'{"data": [' + b"[" * 100_000,
    ],
)
def test_what_is_no_list_is_malformed(body):
    with pytest.raises(MalformedError):
        decode_jobs(body, account=KEY)


def test_takes_a_byte_order_mark():
    assert len(decode_jobs(b"\xef\xbb\xbf" + jobs_body(raw_job()), account=KEY).items) == 1


def test_reads_both_spellings_of_a_warning():
    events = [raw_event("1", "a", level="warn"), raw_event("2", "b", level="warning"), raw_event("3", "c", level=None)]
    page = decode_events(jobs_body(*events))
    assert [event.level for event in page.items] == ["warning", "warning", "info"]


def test_an_event_without_a_time_takes_its_neighbours():
    events = [raw_event("1", "a", at=None), raw_event("2", "b", at=1756781454), raw_event("3", "c", at="?")]
    page = decode_events(jobs_body(*events))
    assert [event.created_at.timestamp() for event in page.items] == [1756781454] * 3
    assert decode_events(jobs_body(raw_event("1", "a", at=None))).bad[0].id == "1"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    mutations=st.dictionaries(
        st.sampled_from(
            [
                *raw_job(),
                "error",
                "method",
                "result_files",
                "metadata",
                "hyperparameters",
                "trainingType",
                "finished_at",
                "suffix",
            ]
        ),
        json_values,
        max_size=5,
    )
)
def test_no_mutation_of_one_job_touches_the_others(mutations):
    odd = raw_job("odd") | mutations
    page = decode_jobs(jobs_body(raw_job("a"), odd, raw_job("z")), account=KEY)
    assert [job.id for job in page.items if job.id in ("a", "z")][:1] == ["a"]
    assert page.items[-1].id == "z"
    assert len(page.items) + len(page.bad) == 3


@settings(max_examples=60, deadline=None)
@given(value=json_values)
def test_no_json_raises_anything_but_malformed(value):
    body = json.dumps(value).encode()
    for decode in (lambda b: decode_jobs(b, account=KEY), decode_events, decode_checkpoints):
        with suppress(MalformedError):
            decode(body)
            decode(json.dumps({"data": [value], "has_more": value}).encode())


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_malformed(body):
    for decode in (lambda b: decode_jobs(b, account=KEY), decode_events, decode_checkpoints):
        with suppress(MalformedError):
            decode(body)


def test_a_number_beyond_all_numbers_costs_that_metric():
    body = b'{"data": [{"id": "c", "step_number": 1, "metrics": {"train_loss": 1%s, "valid_loss": 2}}]}' % (b"0" * 400)
    assert decode_checkpoints(body).items[0].metrics == {"valid_loss": 2.0}
