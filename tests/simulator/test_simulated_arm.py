"""Accounts, resource groups, the catalogue; authorization; reads only."""

from datetime import timedelta

import pytest

from watcher.simulator import (
    AZURE_HOSTS,
    Account,
    Addresses,
    Calls,
    Deployment,
    ResourceGroup,
    Scenario,
    Subscription,
)

ONE, TWO = "11111111-0000-0000-0000-000000000000", "22222222-0000-0000-0000-000000000000"
WORLD = Scenario(
    subscriptions=(Subscription(id=ONE, name="one"), Subscription(id=TWO, name="two")),
    resource_groups=(ResourceGroup(name="rg-a", subscription=ONE, tags={"owner": "team-a"}),),
    accounts=(
        Account(name="a1", subscription=ONE, resource_group="rg-a", tags={"owner": "x"}),
        Account(name="a2", subscription=ONE, resource_group="rg-b", kind="AIServices", location="westus"),
        Account(name="bing", subscription=ONE, resource_group="rg-b", kind="Bing.Search.v7"),
        Account(name="a1", subscription=TWO, resource_group="rg-a", subdomain="a1-two"),
    ),
)
PROVIDER = "providers/Microsoft.CognitiveServices"


async def names(azure, path):
    answer = await azure.arm(path)
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()["value"]]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/subscriptions/{ONE}/{PROVIDER}/accounts", ["a1", "a2", "bing"]),
        (f"/subscriptions/{TWO}/{PROVIDER}/accounts", ["a1"]),
        (f"/subscriptions/{ONE}/resourceGroups/RG-B/{PROVIDER}/accounts", ["a2", "bing"]),
        (f"/SUBSCRIPTIONS/{ONE}/resourcegroups/rg-a/{PROVIDER.lower()}/ACCOUNTS", ["a1"]),
        (f"/subscriptions/{ONE}/resourcegroups", ["rg-a", "rg-b"]),
        (f"/subscriptions/{TWO}/resourceGroups", ["rg-a"]),
    ],
)
async def test_lists(build, path, expected):
    assert await names(build(WORLD), path) == expected


async def test_lists_subscriptions(build):
    rows = (await build(WORLD).arm("/subscriptions", "2022-12-01")).json()["value"]
    assert [(row["subscriptionId"], row["displayName"]) for row in rows] == [(ONE, "one"), (TWO, "two")]


async def test_resource_groups_have_tags(build):
    rows = (await build(WORLD).arm(f"/subscriptions/{ONE}/resourcegroups", "2021-04-01")).json()["value"]
    assert [row["tags"] for row in rows] == [{"owner": "team-a"}, {}]


async def test_accounts_are_served_like_the_official_examples(build, example):
    azure = build(WORLD)
    (row, *_) = (await azure.arm(f"/subscriptions/{ONE}/{PROVIDER}/accounts")).json()["value"]
    for official in example("arm-2024-10-01-ListAccountsBySubscription")["value"]:
        assert set(row) >= set(official)
        assert set(row["properties"]) >= set(official["properties"])
    assert (await azure.arm(row["id"])).json() == row


async def test_pages_follow_next_link_to_the_end(build):
    accounts = tuple(Account(name=f"n{i}") for i in range(7))
    azure = build(Scenario(accounts=accounts, page_size=3))
    subscription = azure.world.scenario.subscriptions[0].id
    url, seen, pages = f"/subscriptions/{subscription}/{PROVIDER}/accounts?api-version=2024-10-01", [], 0
    while url:
        page = (await azure.client.get(url)).json()
        seen += [row["name"] for row in page["value"]]
        url, pages = page.get("nextLink"), pages + 1
        assert url is None or url.startswith("https://management.azure.com/")
    assert seen == [f"n{i}" for i in range(7)] and pages == 3


@pytest.mark.parametrize(
    ("version", "status", "code"),
    [
        (None, 400, "MissingApiVersionParameter"),
        ("latest", 400, "InvalidApiVersionParameter"),
        ("2024-10-21", 400, "NoRegisteredProviderFound"),  # a data-plane version
        ("2024-10-01", 200, None),
        ("2025-06-01", 200, None),
    ],
)
async def test_insists_on_a_version_that_exists(build, version, status, code):
    parameters = {} if version is None else {"api-version": version}
    answer = await build(WORLD).client.get(f"/subscriptions/{ONE}/{PROVIDER}/accounts", params=parameters)
    assert answer.status_code == status
    assert code is None or answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/subscriptions/nope/{PROVIDER}/accounts", "SubscriptionNotFound"),
        (f"/subscriptions/{ONE}/resourceGroups/nope/{PROVIDER}/accounts", "ResourceGroupNotFound"),
        (f"/subscriptions/{ONE}/resourceGroups/rg-a/{PROVIDER}/accounts/nope", "ResourceNotFound"),
        (f"/subscriptions/{ONE}/resourceGroups/rg-a/{PROVIDER}/accounts/nope/deployments", "ResourceNotFound"),
        (f"/subscriptions/{ONE}/resourceGroups/rg-a/{PROVIDER}/accounts/a2", "ResourceNotFound"),
    ],
)
async def test_what_is_not_there_is_404(build, path, code):
    answer = await build(WORLD).arm(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


async def test_an_account_can_come_and_go(build):
    account = Account(name="ft", created=timedelta(days=1), deleted=timedelta(days=2))
    azure = build(Scenario(accounts=(account,)))
    subscription = azure.world.scenario.subscriptions[0].id
    seen = []
    for hours in (0, 24, 48):
        azure.at(hours=hours)
        seen.append(await names(azure, f"/subscriptions/{subscription}/{PROVIDER}/accounts"))
    assert seen == [[], ["ft"], []]


async def endpoint(azure, key):
    rows = []
    for subscription in (ONE, TWO):
        rows += (await azure.arm(f"/subscriptions/{subscription}/{PROVIDER}/accounts")).json()["value"]
    return next(r["properties"] for r in rows if r["properties"]["customSubDomainName"] == key)


@pytest.mark.parametrize(
    ("addresses", "key", "expected"),
    [
        (None, "a1", "https://management.azure.com/account/a1/"),
        (None, "a1-two", "https://management.azure.com/account/a1-two/"),
        (AZURE_HOSTS, "a1", "https://a1.openai.azure.com/"),
        (AZURE_HOSTS, "a2", "https://a2.cognitiveservices.azure.com/"),
        (Addresses(hosts={"a1": "127.1.0.1"}), "a1", "https://127.1.0.1:8443/"),
    ],
)
async def test_endpoints_lead_to_the_account(build, addresses, key, expected):
    azure = build(WORLD, addresses=addresses)
    if "127" in expected:
        azure.client.base_url = "https://127.0.0.1:8443"
    found = (await endpoint(azure, key))["endpoint"]
    assert found == expected
    answer = await azure.client.get(f"{found}openai/v1/fine_tuning/jobs")
    assert answer.status_code == 200
    (record,) = azure.app.state.requests.matching(api="jobs")
    assert record.account == "a1" if key != "a2" else "a2"


async def test_ai_services_have_a_map_of_endpoints(build):
    found = (await endpoint(build(WORLD, addresses=AZURE_HOSTS), "a2"))["endpoints"]
    assert "https://a2.openai.azure.com/" in found.values()
    assert "https://a2.services.ai.azure.com/" in found.values()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": ""}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Basic simulated-token"}, 401),
        ({"authorization": "bearer simulated-token"}, 200),
    ],
)
@pytest.mark.parametrize("path", [f"/subscriptions/{ONE}/{PROVIDER}/accounts", "/account/a1/openai/v1/models"])
async def test_wants_a_token_that_the_world_accepts(build, headers, status, path):
    answer = await build(WORLD).client.get(
        path, params={} if "v1" in path else {"api-version": "2024-10-01"}, headers=headers
    )
    assert answer.status_code == status
    if status == 401:
        assert {"code", "message"} <= set(answer.json()["error"])


@pytest.mark.parametrize(
    ("key", "disabled", "status"), [("k1", False, 200), ("k2", False, 401), ("k1", True, 403), ("k2", True, 403)]
)
async def test_keys_open_the_data_plane_unless_disabled(build, key, disabled, status):
    azure = build(api_keys=("k1",), disable_local_auth=disabled)
    del azure.client.headers["authorization"]
    answer = await azure.client.get("/account/ft/openai/v1/models", headers={"api-key": key})
    assert answer.status_code == status
    arm = await azure.client.get("/subscriptions?api-version=2022-12-01", headers={"api-key": key})
    assert arm.status_code == 401


async def test_tokens_can_be_revoked(build):
    azure = build(WORLD)
    azure.world.tokens.clear()
    assert (await azure.arm("/subscriptions")).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/account/ft/openai/v1/chat/completions", "/subscriptions", "/account/ft/openai/v1/fine_tuning/jobs"]
)
async def test_refuses_and_counts_whatever_is_not_a_read(build, method, path):
    azure = build()
    answer = await azure.client.request(method, path)
    assert answer.status_code == 405
    log = azure.app.state.requests
    assert (log.refused_writes, log.total) == (1, 1)


async def test_keeps_a_record_of_requests(build):
    azure = build(deployments=(Deployment(name="d", model="gpt-4.1"),))
    await azure.deployments()
    await azure.v1("/fine_tuning/jobs", limit="5")
    await azure.v1("/fine_tuning/jobs/none")
    log = azure.app.state.requests
    assert [(r.plane, r.api, r.account, r.status) for r in log] == [
        ("arm", "deployments", "ft", 200),
        ("data", "jobs", "ft", 200),
        ("data", "job", "ft", 404),
    ]
    assert log.matching(plane="data", status=200)[0].query == "limit=5"
    assert log.by_api["data", "job", 404] == 1
    log.clear()
    assert len(log) == log.total == 0


async def test_location_models_are_served_like_the_official_example(build, example):
    azure = build(WORLD)
    rows = (await azure.arm(f"/subscriptions/{ONE}/{PROVIDER}/locations/eastus2/models")).json()["value"]
    official = example("arm-2024-10-01-ListLocationModels")["value"][0]
    assert set(rows[0]) == set(official)
    assert set(rows[0]["model"]) <= set(official["model"])
    assert rows[0]["model"]["deprecation"]["fineTune"] == "2027-04-14T00:00:00Z"


@pytest.mark.parametrize(
    ("changes", "callers"),
    [
        pytest.param({"deleted": timedelta(days=2), "deleted_by": "ci@x"}, ["ci@x"], id="by a user"),
        pytest.param({"deleted": timedelta(days=2)}, [], id="unexplained"),
        pytest.param({}, [], id="idle, not logged"),
    ],
)
async def test_the_activity_log_explains_what_users_did(build, changes, callers):
    model = "gpt-4.1.ft-0123456789abcdef0123456789abcdef"
    azure = build(deployments=(Deployment(name="d", model=model, **changes),)).at(days=16)
    assert await deletions(azure, "2026-03-01T00:00:00Z") == callers
    assert await deletions(azure, "2026-03-05T00:00:00Z") == []


async def test_an_account_may_log_azures_own_deletions(build):
    model = "gpt-4.1.ft-0123456789abcdef0123456789abcdef"
    azure = build(deployments=(Deployment(name="d", model=model),), logs_platform_deletions=True).at(days=16)
    assert await deletions(azure, "2026-03-01T00:00:00Z") == ["Microsoft.CognitiveServices"]


async def deletions(azure, since):
    subscription = azure.world.scenario.subscriptions[0].id
    uri = f"{azure.account_id('ft')}/deployments/d"
    text = f"eventTimestamp ge '{since}' and eventTimestamp le '2026-04-01T00:00:00Z' and resourceUri eq '{uri}'"
    path = f"/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    answer = await azure.get(path, **{"api-version": "2015-04-01", "$filter": text})
    assert answer.status_code == 200, answer.text
    rows = answer.json()["value"]
    wanted = "Microsoft.CognitiveServices/accounts/deployments/delete"
    return [row["caller"] for row in rows if row["operationName"]["value"] == wanted]


async def test_the_activity_log_wants_its_time_bounded(build):
    azure = build()
    path = f"/subscriptions/{azure.world.scenario.subscriptions[0].id}"
    path += "/providers/Microsoft.Insights/eventtypes/management/values"
    assert (await azure.get(path, **{"api-version": "2015-04-01"})).status_code == 400
    bad = await azure.get(path, **{"api-version": "2015-04-01", "$filter": "eventTimestamp ge 'yesterday'"})
    assert bad.status_code in (200, 400)


def test_calls_are_part_of_the_public_face():
    assert Calls(from_=timedelta(0)).status == 200
