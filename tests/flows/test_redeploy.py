"""A deployment that is lost and made again by the very command that is handed out for it, and seen as a new life."""

import json
import shlex
from datetime import timedelta

import httpx
import pytest

from tests.flows.conftest import ft
from tests.flows.machine import stepped
from watcher.answers import dossier
from watcher.answers.query import Frame
from watcher.costs.hosting import Period
from watcher.cycles.editions import statements
from watcher.report.render import FORMATS
from watcher.report.statement import Edition
from watcher.resources.changes import Change
from watcher.simulator import TOKEN, Account, Deployment
from watcher.store import history

PERSON = "a-person"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MODEL = "gpt-4.1-2025-04-14.ft-0123456789abcdef0123456789abcdef"
SOURCE = Account(name="source", resource_group="rg-source", deployments=(Deployment(name="first", model=MODEL),))
SOURCE_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-source"
    "/providers/Microsoft.CognitiveServices/accounts/source"
)
#: All that can be set of a deployment, on its way through the listing, the database and the command.
SET = {
    "source": SOURCE_ID,
    "sku": "GlobalStandard",
    "capacity": 35,
    "sku_more": {"tier": "Standard"},
    "tags": {"team": 'it\'s "ours"', "owner": "ann"},
    "properties": {
        "raiPolicyName": "Contoso.Strict",
        "versionUpgradeOption": "NoAutoUpgrade",
        "dynamicThrottlingEnabled": True,
        "spilloverDeploymentName": "overflow",
    },
}


def bot(**more) -> Deployment:
    return ft("bot", HOUR, model=MODEL, **{**SET, **more})


async def explained(flow) -> dossier.Dossier:
    return await flow.machine.store.read(dossier.find, "ft/bot", Frame(now=flow.clock()), routing=None)


async def run(flow, command: str) -> httpx.Response:
    """Does what `az rest` does with these words."""
    flow.world.writers.add(PERSON)
    words = shlex.split(command)
    assert words[:3] == ["az", "rest", "--method"]
    url, body = words[words.index("--url") + 1], words[words.index("--body") + 1]
    async with httpx.AsyncClient(base_url=flow.azure.url, headers={"authorization": f"Bearer {PERSON}"}) as client:
        return await client.request(words[3].upper(), url, json=json.loads(body))


async def listed(flow, account: str = "ft") -> dict:
    """What can be set of the deployment `bot`, as ARM lists it."""
    path = f"{flow.world.account_id(flow.world.account(account, flow.world.moment(flow.clock())))}/deployments/bot"
    async with httpx.AsyncClient(base_url=flow.azure.url, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        row = (await client.get(path, params={"api-version": "2024-10-01"})).json()
    del row["etag"], row["systemData"], row["properties"]["provisioningState"]
    return row


async def changes(flow) -> list[Change]:
    """What became of the deployment, oldest first; that it is provisioned is no news here."""
    said = await flow.machine.store.read(history.transitions, name="bot")
    return [one.change for one in reversed(said) if one.change is not Change.CHANGED]


@pytest.mark.parametrize("more", [{}, {"sku": "DeveloperTier"}, {"source": None, "source_account": SOURCE_ID}])
async def test_what_was_deleted_comes_back_as_it_was_and_is_a_new_life(tmp_path, more):
    async with stepped(tmp_path, Account(name="ft", deployments=(bot(**more, created_by="x"),)), SOURCE) as flow:
        before = await listed(flow)
        flow.world.delete_deployment("ft", "bot", at=flow.clock() + HOUR, by="ann@contoso.example")
        await flow.step(2 * HOUR)
        lost = await explained(flow)
        assert (lost.deployment.outcome, lost.recipe.missing, lost.recipe.obstacle) == ("gone", (), "")
        answer = await run(flow, lost.recipe.command)
        assert answer.status_code == 201, answer.text
        assert await listed(flow) == before
        await flow.step(2 * HOUR)
        found = await explained(flow)
        assert found.standing is not None
        assert found.deployment.deployment.incarnation != lost.deployment.deployment.incarnation
        assert found.recipe.command == lost.recipe.command
        assert await changes(flow) == [Change.DISCOVERED, Change.GONE, Change.DISCOVERED]


async def test_what_was_made_again_between_two_polls_was_replaced(tmp_path):
    async with stepped(tmp_path, Account(name="ft", deployments=(bot(),)), SOURCE) as flow:
        first = await explained(flow)
        flow.world.delete_deployment("ft", "bot", at=flow.clock() + timedelta(minutes=10), by="ann@contoso.example")
        flow.clock.advance(timedelta(minutes=20))
        assert (await run(flow, first.recipe.command)).status_code == 201
        await flow.step(HOUR)
        assert await changes(flow) == [Change.DISCOVERED, Change.REPLACED]
        assert flow.sink.of("deployment_gone") == []
        now = await explained(flow)
        assert now.deployment.deployment.created_at > first.deployment.deployment.created_at
        assert "Another deployment bears its name now" in await reported(flow)


async def reported(flow) -> str:
    """The text of a report of the last two days."""
    made = await flow.machine.store.read(
        statements,
        {"": (Edition(), None)},
        period=Period(begin=flow.clock() - 2 * DAY, end=flow.clock()),
        period_name="2d",
        as_of=flow.clock(),
        terms=flow.machine.reporting.terms,
        tariff=flow.machine.judgement.tariff,
    )
    return " ".join(FORMATS["text"](made[""]).split())


@pytest.mark.parametrize("by", ["ann@contoso.example", None])
async def test_where_the_account_is_gone_nothing_is_promised_and_what_helps_is_said(tmp_path, by):
    """Whoever deleted it; where the log says nothing, it may have been moved too."""
    lost = Account(name="ft", deployments=(bot(),), deleted=HOUR, deleted_by=by)
    async with stepped(tmp_path, lost, SOURCE, Account(name="third")) as flow:
        before = await listed(flow)
        flow.clock.advance(HOUR)
        await flow.discover()
        await flow.step()
        gone = await explained(flow)
        for said in (gone.recipe.obstacle, await reported(flow)):
            assert "The account ft is gone" in said
            assert "Its model comes from the account source; whether it is still there is not known." in said
            assert "the content filter Contoso.Strict and the deployment overflow" in said
        assert (await run(flow, gone.recipe.command)).status_code == 404, "the command as it stands"
        answer = await run(flow, gone.recipe.command.replace("/accounts/ft/", "/accounts/third/"))
        assert answer.status_code == 201, answer.text
        assert await listed(flow, "third") == {
            **before,
            "id": before["id"].replace("/accounts/ft/", "/accounts/third/"),
        }


async def test_a_model_that_went_with_its_account_is_not_said_to_be_there(tmp_path):
    lost = Account(name="ft", deployments=(bot(source=None),), deleted=HOUR, deleted_by="ann@contoso.example")
    async with stepped(tmp_path, lost, Account(name="third")) as flow:
        flow.clock.advance(HOUR)
        await flow.discover()
        await flow.step()
        gone = await explained(flow)
        (alert,) = flow.sink.of("deployment_gone")
        for said in (gone.recipe.obstacle, await reported(flow), alert["annotations"]["description"]):
            assert "the model is gone with the account unless the account can be recovered" in said
        answer = await run(flow, gone.recipe.command.replace("/accounts/ft/", "/accounts/third/"))
        assert answer.json()["error"]["code"] == "DeploymentModelNotSupported"


async def test_an_account_of_the_same_id_that_came_later_does_not_have_the_model(tmp_path):
    lost = Account(name="ft", deployments=(bot(source=None),), deleted=HOUR, deleted_by="ann@contoso.example")
    async with stepped(tmp_path, lost) as flow:
        flow.clock.advance(HOUR)
        await flow.discover()
        flow.world.add_account(Account(name="ft", created=2 * HOUR))
        flow.clock.advance(2 * HOUR)
        await flow.discover()
        await flow.step()
        gone = await explained(flow)
        for said in (gone.recipe.obstacle, await reported(flow)):
            assert "The account ft was deleted, and one of the same name is there now" in said
        assert (await run(flow, gone.recipe.command)).json()["error"]["code"] == "DeploymentModelNotSupported"
