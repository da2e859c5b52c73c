"""A deployment that a person makes: what ARM answers, and what stands afterwards."""

from datetime import timedelta

import pytest

from watcher.simulator import Account, Deployment, Job, Scenario
from watcher.simulator.jobs import model_name

CUSTOM = "gpt-4.1-2025-04-14.ft-0123456789abcdef0123456789abcdef"
SOURCE = Account(name="source", deployments=(Deployment(name="first", created=-timedelta(days=3), model=CUSTOM),))
PERSON = "a-person"
BODY = {"sku": {"name": "Standard", "capacity": 1}, "properties": {"model": {"format": "OpenAI", "name": "gpt-4.1"}}}


@pytest.fixture
def azure(build):
    made = build(Scenario(accounts=(Account(name="ft"), SOURCE)))
    made.world.writers.add(PERSON)
    return made


async def put(azure, body, name="bot", account="ft", token=PERSON):
    path = f"{azure.account_id(account)}/deployments/{name}"
    more = {"params": {"api-version": "2024-10-01"}, "headers": {"authorization": f"Bearer {token}"}}
    return await azure.client.put(path, json=body, **more)


async def test_answers_as_the_official_example_does(azure, example):
    made = await put(azure, BODY)
    assert made.status_code == 201
    official = example("arm-2024-10-01-PutDeployment", "201")
    assert set(made.json()) >= set(official)
    assert made.json()["properties"]["provisioningState"] == official["properties"]["provisioningState"] == "Accepted"
    azure.at(minutes=1)
    assert (await azure.deployments())["bot"]["properties"]["provisioningState"] == "Succeeded"
    changed = await put(azure, {**BODY, "sku": {"name": "Standard", "capacity": 7}}, name="BOT")
    assert (changed.status_code, changed.json()["sku"]["capacity"]) == (200, 7)
    assert changed.json()["systemData"]["createdAt"] == made.json()["systemData"]["createdAt"], "its life goes on"
    assert changed.json()["systemData"]["lastModifiedAt"] > made.json()["systemData"]["createdAt"]
    assert list(await azure.deployments()) == ["bot"]


async def test_keeps_all_that_was_set_and_takes_nothing_that_is_read_only(azure):
    body = {
        "sku": {"name": "GlobalProvisionedManaged", "capacity": 15, "tier": "Standard"},
        "properties": {
            "model": {"format": "OpenAI", "name": CUSTOM, "version": "2", "source": azure.account_id("source")},
            "raiPolicyName": "Strict",
            "versionUpgradeOption": "NoAutoUpgrade",
            "dynamicThrottlingEnabled": True,
            "spilloverDeploymentName": "overflow",
            "provisioningState": "Failed",
            "capabilities": {},
        },
        "tags": {"team": "it's"},
    }
    assert (await put(azure, body)).status_code == 201
    row = (await azure.deployments())["bot"]
    assert (row["sku"], row["tags"]) == (body["sku"], body["tags"])
    assert row["properties"] == {
        **body["properties"],
        "provisioningState": "Accepted",
        "capabilities": {"chatCompletion": "true"},
        "rateLimits": row["properties"]["rateLimits"],
    }


async def test_a_model_is_deployed_from_the_account_that_has_it(build):
    job = Job(name="train", created=-timedelta(days=1))
    late = Job(name="late", created=timedelta(days=1))
    azure = build(Scenario(accounts=(Account(name="ft", jobs=(job, late)), SOURCE)))
    azure.world.writers.add(PERSON)

    async def status(model, source=None):
        names = {"format": "OpenAI", "name": model} | ({"source": source} if source else {})
        return (await put(azure, {**BODY, "properties": {"model": names}})).status_code

    account = azure.world.scenario.accounts[0]
    made = model_name(account, job)
    assert await status(CUSTOM) == 400, "another account's, and not named as its source"
    assert await status(CUSTOM, azure.account_id("source").upper()) == 201
    assert await status(made) == 200
    assert await status(model_name(account, late)) == 400, "it is not trained yet"
    assert await status(made, f"{azure.account_id('source')}-gone") == 400
    assert await status("gpt-4.1") == 200


@pytest.mark.parametrize("body", [{}, {"sku": BODY["sku"]}, {**BODY, "sku": {}}, {**BODY, "properties": []}, []])
async def test_what_is_no_deployment_is_refused(azure, body):
    assert (await put(azure, body)).json()["error"]["code"] == "InvalidRequestContent"
    assert await azure.deployments() == {}


async def test_who_only_reads_writes_nothing_and_is_counted(azure):
    (reader,) = azure.world.tokens
    assert (await put(azure, BODY, token=reader)).status_code == 405
    assert (await put(azure, BODY, token="nobody")).status_code == 405
    log = azure.app.state.requests
    assert log.refused_writes == 2
    assert (await put(azure, BODY, account="ft", name="bot/x")).status_code == 405
    assert (await put(azure, BODY)).status_code == 201
    assert log.refused_writes == 3
    assert [(one.api, one.account) for one in log.matching(status=201)] == [("deployment_put", "ft")]


async def test_an_account_that_is_gone_takes_none(build):
    azure = build(Scenario(accounts=(Account(name="ft", deleted=timedelta(hours=1)),)))
    azure.world.writers.add(PERSON)
    azure.at(hours=2)
    assert (await put(azure, BODY)).json()["error"]["code"] == "ResourceNotFound"
