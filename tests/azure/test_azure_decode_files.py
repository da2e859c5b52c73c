import json
from datetime import UTC, datetime

import pytest
from azure_factories import KEY, body_of, raw_file, raw_model

from watcher.azure.decode_files import decode_files, decode_models
from watcher.errors import MalformedError
from watcher.resources.file import File, FileStatus
from watcher.resources.model import CustomModel


def page(*items, **more):
    return json.dumps({"object": "list", "data": list(items), **more}).encode()


def one_file(**fields) -> File:
    (file,) = decode_files(page(raw_file(**fields)), account=KEY).items
    return file


def test_decodes_the_official_files():
    read = decode_files(body_of("ft-2024-10-21-list-files.json"), account=KEY)
    assert read.bad == ()
    assert read.items[0] == File(
        id="file-181a1cbdcdcf4677ada87f63a0928099",
        account=KEY,
        filename="puppy.jsonl",
        purpose="fine-tune",
        bytes=140,
        status=FileStatus.PROCESSED,
        raw_status="processed",
        created_at=datetime(2022, 3, 1, 9, 15, 27, tzinfo=UTC),
    )
    assert [file.is_input for file in read.items] == [True, False]


@pytest.mark.parametrize(
    ("word", "status"),
    [(status.value, status) for status in FileStatus if status is not FileStatus.UNKNOWN]
    + [("Processed", FileStatus.PROCESSED), ("quarantined", FileStatus.UNKNOWN), (None, FileStatus.UNKNOWN)],
)
def test_keeps_the_service_s_word_for_a_status(word, status):
    file = one_file(status=word)
    assert (file.status, file.raw_status) == (status, word or "")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"status_details": None}, ""),
        ({"status_details": "line 3 is no JSON"}, "line 3 is no JSON"),
        ({"status_details": {"message": "line 3"}}, "line 3"),
        ({"status_details": {"code": "jsonlValidationFailed"}}, "jsonlValidationFailed"),
        ({"status_details": [], "error": {"code": "c", "message": "too large"}}, "too large"),
        ({"status_details": 7}, ""),
    ],
)
def test_reads_why_a_file_was_refused_wherever_it_stands(fields, reason):
    assert one_file(status="error", **fields).reason == reason


@pytest.mark.parametrize(("given", "size"), [(None, None), (0, 0), (5.0, 5), (-1, None), ("many", None), (True, None)])
def test_a_size_is_a_number_or_unknown(given, size):
    assert one_file(bytes=given).bytes == size


def test_reads_when_a_file_expires():
    assert one_file(expires_at=1756781454).expires_at == datetime(2025, 9, 2, 2, 50, 54, tzinfo=UTC)
    assert one_file().expires_at is None


def test_a_file_without_an_id_costs_that_file():
    read = decode_files(page(raw_file("a"), raw_file(""), {"filename": "x"}, None, raw_file("b")), account=KEY)
    assert [file.id for file in read.items] == ["a", "b"]
    assert len(read.bad) == 3


def test_decodes_the_official_models_without_the_base_models():
    read = decode_models(body_of("ft-2024-10-21-list-models.json"), account=KEY)
    assert read.items == (
        CustomModel(
            id="curie.ft-72a2792ef7d24ba7b82c7fe4a37e379f",
            account=KEY,
            base="curie",
            job="ft-72a2792ef7d24ba7b82c7fe4a37e379f",
            created_at=datetime(2022, 3, 1, 9, 15, 27, tzinfo=UTC),
            raw_status="succeeded",
            inference_until=datetime(2024, 3, 1, 9, 15, 27, tzinfo=UTC),
        ),
    )


def test_a_model_of_v1_is_told_by_its_name():
    names = ["gpt-4.1-2025-04-14", "gpt-4.1-2025-04-14.ft-0123-x", "ft:gpt-4o:org", "text-embedding-3-small"]
    body = page(*({"id": name, "object": "model", "created": 1756781454, "owned_by": "x"} for name in names))
    read = decode_models(body, account=KEY).items
    assert [model.id for model in read] == names[1:3]
    assert read[0].created_at == datetime(2025, 9, 2, 2, 50, 54, tzinfo=UTC)
    assert (read[0].base, read[0].job) == ("", "")


def test_a_model_that_names_its_job_is_custom_whatever_its_name():
    (model,) = decode_models(page(raw_model("Phi-4-mine", fine_tune="ftjob-1")), account=KEY).items
    assert (model.id, model.job) == ("Phi-4-mine", "ftjob-1")


@pytest.mark.parametrize("deprecation", [None, {}, [], {"inference": "soon"}, {"inference": None}])
def test_a_retirement_that_is_not_told_is_unknown(deprecation):
    (model,) = decode_models(page(raw_model(deprecation=deprecation)), account=KEY).items
    assert model.inference_until is None


@pytest.mark.parametrize("decode", [decode_files, decode_models])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": 1}', b"<html>"])
def test_what_is_no_list_is_malformed(decode, body):
    with pytest.raises(MalformedError):
        decode(body, account=KEY)
