import json
from datetime import UTC, datetime

import pytest
from azure_factories import SUBSCRIPTION, FakeAzure, answer, body_of, make_account, make_client, static_credentials

from watcher.azure.catalogue import retirements
from watcher.azure.clouds import PUBLIC
from watcher.azure.decode_catalogue import decode_location_models
from watcher.azure.management import Management
from watcher.resources.model import Certainty, Retirement
from watcher.resources.retirements import DOCUMENTED

OTHER = "99999999-2222-3333-4444-555555555555"


def path(region, subscription=SUBSCRIPTION):
    return f"/subscriptions/{subscription}/providers/Microsoft.CognitiveServices/locations/{region}/models"


def raw(name="gpt-4.1", version="2025-04-14", lifecycle="GenerallyAvailable", **deprecation):
    return {
        "kind": "OpenAI",
        "model": {"name": name, "version": version, "lifecycleStatus": lifecycle, "deprecation": deprecation},
    }


DATES = {"fineTune": "2027-04-14T00:00:00Z", "inference": "2027-10-14T00:00:00Z"}


def listing(*models, **more):
    return answer({"value": list(models), **more})


async def read(replies, *accounts):
    azure = FakeAzure(replies)
    management = Management(make_client(azure), PUBLIC, static_credentials().for_scope("s"))
    return await retirements(management, accounts or (make_account(),)), azure


def test_decodes_the_official_catalogue():
    (model,) = decode_location_models(body_of("arm-2024-10-01-ListLocationModels.json"), location="westus").items
    assert model == Retirement(
        model="ada-1",
        location="westus",
        lifecycle="Preview",
        fine_tune_until=datetime(2024, 1, 1, tzinfo=UTC),
        inference_until=datetime(2024, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("word", "certainty"),
    [
        ("Planned", Certainty.PLANNED),
        ("tentative", Certainty.TENTATIVE),
        ("Likely", Certainty.UNSTATED),
        (None, Certainty.UNSTATED),
        ({}, Certainty.UNSTATED),
    ],
)
def test_says_how_firm_a_date_is(word, certainty):
    body = json.dumps({"value": [raw(**DATES, deprecationStatus=word)]}).encode()
    (model,) = decode_location_models(body, location="x").items
    assert (model.certainty, model.inference_until) == (certainty, datetime(2027, 10, 14, tzinfo=UTC))


async def test_reads_each_region_once_whatever_its_accounts():
    accounts = [make_account(location=place) for place in ("eastus2", "East US 2", "", "eastus2")]
    (found, regions), azure = await read({path("eastus2"): listing(raw(**DATES))}, *accounts)
    assert ([(one.model, one.location) for one in found], regions) == (
        [("gpt-4.1-2025-04-14", "eastus2")],
        frozenset({"eastus2"}),
    )
    assert len(azure.requests) == 1


async def test_only_what_something_is_said_of_is_kept_and_once():
    models = [raw("a"), raw("b", **DATES), raw("b"), raw("c", lifecycle="Deprecated"), {"model": {}}]
    (found, _), _ = await read({path("eastus2"): listing(*models)})
    assert [(one.model, bool(one.inference_until)) for one in found] == [
        ("b-2025-04-14", True),
        ("c-2025-04-14", False),
    ]


async def test_another_subscription_is_asked_where_one_is_refused():
    replies = {path("eastus2"): answer("", 403), path("eastus2", OTHER): listing(raw(**DATES))}
    accounts = [make_account(), make_account(subscription=OTHER)]
    (found, regions), azure = await read(replies, *accounts)
    assert (len(found), regions) == (1, frozenset({"eastus2"}))
    assert len(azure.requests) == 2


async def test_a_region_without_a_catalogue_is_read_and_one_that_fails_is_not():
    accounts = [make_account(location="nowhere"), make_account(location="broken")]
    (found, regions), _ = await read({path("broken"): answer("", 500)}, *accounts)
    assert (found, regions) == ((), frozenset({"nowhere"}))


async def test_the_documented_table_gives_each_model_both_dates_in_their_order():
    assert {one.model for one in DOCUMENTED} == {
        "gpt-4o-2024-08-06",
        "gpt-4o-mini-2024-07-18",
        "gpt-4.1-2025-04-14",
        "gpt-4.1-mini-2025-04-14",
        "gpt-4.1-nano-2025-04-14",
        "o4-mini-2025-04-16",
    }
    assert {one.certainty for one in DOCUMENTED} == {Certainty.TABLE}
    assert {one.location for one in DOCUMENTED} == {""}
    for one in DOCUMENTED:
        assert one.fine_tune_until.replace(month=10) == one.inference_until
    by_model = {one.model: one.fine_tune_until for one in DOCUMENTED}
    assert by_model["gpt-4o-2024-08-06"] == datetime(2027, 4, 1, tzinfo=UTC)
    assert by_model["gpt-4.1-nano-2025-04-14"] == datetime(2027, 4, 14, tzinfo=UTC)
    assert by_model["o4-mini-2025-04-16"] == datetime(2027, 4, 16, tzinfo=UTC)
