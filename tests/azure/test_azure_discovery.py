import pytest
from azure_factories import NOW, SUBSCRIPTION, FakeAzure, answer, make_client, raw_account, static_credentials

from watcher.azure.clouds import PUBLIC
from watcher.azure.discovery import DiscoverySettings, GivenAccount, discover
from watcher.azure.management import Management
from watcher.resources.snapshot import GapReason

OTHER = "99999999-2222-3333-4444-555555555555"
ACCOUNTS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/accounts"
OTHER_ACCOUNTS = f"/subscriptions/{OTHER}/providers/Microsoft.CognitiveServices/accounts"


def listing(*items):
    return answer({"value": list(items)})


async def find(replies, known=(), **settings):
    azure = FakeAzure(replies)
    management = Management(make_client(azure), PUBLIC, static_credentials().for_scope("s"))
    given = {"subscriptions": (SUBSCRIPTION,)} | settings
    return await discover(management, DiscoverySettings(**given), at=NOW, known=known), azure


def names(discovery):
    return [account.name for account in discovery.accounts]


async def test_keeps_the_kinds_that_can_fine_tune():
    kinds = ["OpenAI", "AIServices", "aiservices", "SpeechServices", "Bing.Search"]
    found, _ = await find({ACCOUNTS: listing(*(raw_account(f"a{n}", kind=kind) for n, kind in enumerate(kinds)))})
    assert names(found) == ["a0", "a1", "a2"]
    assert found.is_complete


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["prod-a", "Sandbox-b", "x"]),
        ({"exclude": ("sandbox-*",)}, ["prod-a", "x"]),
        ({"include": ("PROD-*", "x")}, ["prod-a", "x"]),
        ({"resource_groups": ("rg-two",)}, ["x"]),
        ({"resource_groups": ()}, []),
    ],
)
async def test_lets_names_and_groups_through_by_globs(settings, expected):
    raw = [raw_account("prod-a"), raw_account("Sandbox-b"), raw_account("x", group="RG-two")]
    found, _ = await find({ACCOUNTS: listing(*raw)}, **settings)
    assert sorted(names(found), key=str.lower) == sorted(expected, key=str.lower)


async def test_watches_all_that_the_credential_sees_where_nothing_is_named():
    subscriptions = listing(
        {"subscriptionId": SUBSCRIPTION}, {"subscriptionId": OTHER}, {"subscriptionId": "off", "state": "Disabled"}
    )
    replies = {
        "/subscriptions": subscriptions,
        ACCOUNTS: listing(raw_account("a")),
        OTHER_ACCOUNTS: listing(raw_account("b", subscription=OTHER)),
    }
    found, azure = await find(replies, subscriptions=None)
    assert names(found) == ["a", "b"]
    assert not azure.asked("off")


async def test_found_accounts_hold_the_texts_that_they_share_once():
    found, _ = await find({ACCOUNTS: listing(raw_account("a"), raw_account("b"))})
    one, other = found.accounts
    assert one.resource_group is other.resource_group


async def test_one_bad_subscription_spoils_no_other():
    replies = {
        ACCOUNTS: listing(raw_account("a")),
        OTHER_ACCOUNTS: answer({"error": {"code": "AuthorizationFailed"}}, 403),
    }
    found, _ = await find(replies, subscriptions=(SUBSCRIPTION, OTHER))
    assert names(found) == ["a"]
    assert not found.is_complete
    assert [(gap.subject, gap.reason) for gap in found.gaps] == [(f"/subscriptions/{OTHER}", GapReason.ROLE)]


async def test_a_bad_account_is_named_and_the_discovery_not_complete():
    found, _ = await find({ACCOUNTS: listing(raw_account("a"), {"id": "/odd"})})
    assert names(found) == ["a"]
    assert not found.is_complete
    assert found.gaps[0].subject == "/odd"


async def test_a_credential_that_sees_no_list_of_subscriptions_leaves_a_gap():
    found, _ = await find({"/subscriptions": answer("", 401)}, subscriptions=None)
    assert (found.accounts, found.is_complete, found.gaps[0].reason) == ((), False, GapReason.CREDENTIAL)


async def test_the_owner_comes_from_the_account_before_its_group_without_case():
    replies = {
        ACCOUNTS: listing(
            raw_account("a", tags={"OWNER": "team-a"}), raw_account("b", tags={}), raw_account("c", group="bare")
        ),
        "/resourcegroups": listing({"name": "RG-ML", "tags": {"Owner": "team-ml"}}, {"name": "bare"}),
    }
    found, azure = await find(replies)
    assert {account.name: account.owner for account in found.accounts} == {"a": "team-a", "b": "team-ml", "c": ""}
    assert {account.name: account.owner_source for account in found.accounts} == {
        "a": "tag of the account",
        "b": "tag of the resource group",
        "c": "",
    }
    assert len(azure.asked("/resourcegroups")) == 1


async def test_groups_are_not_asked_where_the_configuration_names_every_owner():
    given = GivenAccount(resource_id=raw_account("a")["id"], labels={"owner": "search"})
    found, azure = await find({ACCOUNTS: listing(raw_account("a"))}, accounts=(given,))
    assert (found.accounts[0].owner, found.accounts[0].owner_source) == ("search", "configuration")
    assert len(azure.requests) == 1


async def test_groups_are_not_asked_where_every_account_names_its_owner():
    found, azure = await find({ACCOUNTS: listing(raw_account("a", tags={"team": "x"}))}, owner_tag="Team")
    assert found.accounts[0].owner == "x"
    assert not azure.asked("/resourcegroups")


async def test_unreadable_groups_harm_nothing():
    found, _ = await find({ACCOUNTS: listing(raw_account("a")), "/resourcegroups": answer("", 403)})
    assert (names(found), found.is_complete, found.accounts[0].owner) == (["a"], True, "")


async def test_tags_become_labels_and_the_configuration_has_the_last_word():
    raw = raw_account("a", tags={"Environment": "dev", "cost-center": "41", "owner": "t", "other": "x"})
    given = GivenAccount(resource_id=raw["id"].upper(), labels={"owner": "search", "environment": "production"})
    found, azure = await find(
        {ACCOUNTS: listing(raw)}, tag_labels=("environment", "cost-center", "absent"), accounts=(given,)
    )
    account = found.accounts[0]
    assert account.owner == "search"
    assert account.labels == {"environment": "production", "cost-center": "41"}
    assert len(found.accounts) == 1
    assert len(azure.asked("/accounts/a")) == 0, "listed already"


async def test_an_account_given_by_hand_is_asked_for_and_needs_no_glob():
    raw = raw_account("hand", group="elsewhere")
    given = GivenAccount(resource_id=raw["id"], endpoint="https://proxy.example.com/")
    found, _ = await find({raw["id"]: answer(raw)}, is_enabled=False, include=(), accounts=(given,))
    assert (names(found), found.accounts[0].endpoint) == (["hand"], "https://proxy.example.com")
    assert found.accounts[0].location == "eastus2"


async def test_an_account_that_arm_does_not_show_is_watched_as_far_as_it_is_known():
    raw = raw_account("hand")
    with_address = GivenAccount(resource_id=raw["id"], endpoint="https://hand.openai.azure.com")
    found, _ = await find({raw["id"]: answer("", 403)}, is_enabled=False, accounts=(with_address,))
    assert (names(found), found.is_complete, found.gaps[0].subject) == (["hand"], False, raw["id"].lower())
    without = GivenAccount(resource_id=raw["id"])
    found, _ = await find({raw["id"]: answer("", 403)}, is_enabled=False, accounts=(without,))
    assert found.accounts == ()


async def test_equal_names_are_told_apart_by_their_group():
    raw = [
        raw_account("a", group="one"),
        raw_account("A", group="two"),
        raw_account("b"),
        raw_account("a", group="one", subscription=OTHER),
    ]
    found, _ = await find(
        {ACCOUNTS: listing(*raw[:3]), OTHER_ACCOUNTS: listing(raw[3])}, subscriptions=(SUBSCRIPTION, OTHER)
    )
    assert sorted(account.label for account in found.accounts) == [
        "A@two",
        f"a@one@{SUBSCRIPTION}",
        f"a@one@{OTHER}",
        "b",
    ]


@pytest.mark.parametrize(
    ("own_answer", "kept", "complete"),
    [
        pytest.param(answer({"error": {"code": "ResourceNotFound", "message": "gone"}}, 404), False, True, id="gone"),
        pytest.param(
            answer({"error": {"code": "AuthorizationFailed", "message": "no"}}, 403), True, False, id="hidden by role"
        ),
        pytest.param(answer(raw_account("b")), True, True, id="the list lies"),
    ],
)
async def test_an_account_that_no_list_names_any_more_leaves_only_if_its_own_address_says_so(
    own_answer, kept, complete
):
    before, _ = await find({ACCOUNTS: listing(raw_account("a"), raw_account("b"))})
    replies = {ACCOUNTS: listing(raw_account("a")), "/accounts/b": own_answer}
    found, _ = await find(replies, known=before.accounts)
    assert names(found) == (["a", "b"] if kept else ["a"])
    assert found.is_complete is complete


async def test_what_the_configuration_no_longer_wants_leaves_without_a_question():
    before, _ = await find({ACCOUNTS: listing(raw_account("a"), raw_account("b"))})
    found, azure = await find({ACCOUNTS: listing(raw_account("a"))}, known=before.accounts, exclude=("b",))
    assert (names(found), found.is_complete) == (["a"], True)
    assert not [request for request in azure.requests if request.url.path.endswith("/accounts/b")]


async def test_the_owner_stays_where_the_tags_of_its_group_cannot_be_read_just_now():
    groups = answer({"value": [{"name": "rg-one", "tags": {"owner": "search"}}]})
    raw = raw_account("a", group="rg-one")
    raw["tags"] = {}
    before, _ = await find({ACCOUNTS: listing(raw), "/resourcegroups": groups})
    assert (before.accounts[0].owner, before.accounts[0].owner_source) == ("search", "tag of the resource group")
    found, _ = await find({ACCOUNTS: listing(raw), "/resourcegroups": answer("", 500)}, known=before.accounts)
    assert (found.accounts[0].owner, found.accounts[0].owner_source) == ("search", "tag of the resource group")


async def _both_seen():
    """The accounts of two subscriptions, found where the configuration names none."""
    replies = {
        "/subscriptions": listing({"subscriptionId": SUBSCRIPTION}, {"subscriptionId": OTHER}),
        ACCOUNTS: listing(raw_account("a")),
        OTHER_ACCOUNTS: listing(raw_account("b", subscription=OTHER)),
    }
    found, _ = await find(replies, subscriptions=None)
    assert names(found) == ["a", "b"]
    return found.accounts


NO_ROLE = answer({"error": {"code": "AuthorizationFailed", "message": "no"}}, 403)


@pytest.mark.parametrize(
    ("own_answer", "kept", "reasons"),
    [
        pytest.param(answer({"error": {"code": "ResourceNotFound"}}, 404), False, [], id="gone"),
        pytest.param(NO_ROLE, True, [GapReason.ROLE], id="role lost"),
        pytest.param(answer("", 401), True, [GapReason.CREDENTIAL], id="credential refused"),
        pytest.param(answer("", 500), True, [GapReason.BROKEN], id="broken"),
        pytest.param(answer(raw_account("b", subscription=OTHER)), True, [], id="there"),
    ],
)
async def test_accounts_of_a_subscription_that_is_no_longer_seen_are_asked_for_themselves(own_answer, kept, reasons):
    """A credential that loses its role on a subscription sees a shorter list, and no error."""
    replies = {
        "/subscriptions": listing({"subscriptionId": SUBSCRIPTION}),
        ACCOUNTS: listing(raw_account("a")),
        "/accounts/b": own_answer,
    }
    found, _ = await find(replies, known=await _both_seen(), subscriptions=None)
    assert names(found) == (["a", "b"] if kept else ["a"])
    assert [key.rpartition("/")[2] for key in found.gone] == ([] if kept else ["b"])
    assert [gap.reason for gap in found.gaps] == reasons
    assert found.is_complete is not bool(reasons)


async def test_a_list_of_subscriptions_that_is_empty_takes_no_account_away():
    replies = {"/subscriptions": listing(), "/accounts/a": NO_ROLE, "/accounts/b": NO_ROLE}
    found, _ = await find(replies, known=await _both_seen(), subscriptions=None)
    assert (names(found), found.gone, found.is_complete) == (["a", "b"], frozenset(), False)


async def test_a_disabled_subscription_keeps_its_accounts_and_is_named():
    replies = {
        "/subscriptions": listing({"subscriptionId": SUBSCRIPTION}, {"subscriptionId": OTHER, "state": "Disabled"}),
        ACCOUNTS: listing(raw_account("a")),
        "/accounts/b": answer(raw_account("b", subscription=OTHER)),
    }
    found, _ = await find(replies, known=await _both_seen(), subscriptions=None)
    assert names(found) == ["a", "b"]
    assert [(gap.subject, gap.message) for gap in found.gaps] == [
        (f"/subscriptions/{OTHER}", "the subscription is disabled")
    ]


async def test_subscriptions_that_cannot_be_listed_are_no_reason_to_ask_for_each_account():
    found, azure = await find({"/subscriptions": answer("", 401)}, known=await _both_seen(), subscriptions=None)
    assert (found.gone, found.is_complete) == (frozenset(), False)
    assert not azure.asked("/accounts/")


async def test_what_the_configuration_no_longer_names_leaves_without_a_question():
    replies = {ACCOUNTS: listing(raw_account("a"))}
    found, azure = await find(replies, known=await _both_seen(), subscriptions=(SUBSCRIPTION,))
    assert (names(found), found.gone, found.is_complete) == (["a"], frozenset(), True)
    assert not azure.asked("/accounts/b")


async def test_an_account_once_given_by_hand_that_arm_never_showed_leaves_with_its_entry():
    raw = raw_account("hand", subscription=OTHER)
    by_hand = GivenAccount(resource_id=raw["id"], endpoint="https://hand.openai.azure.com")
    listed = {"/subscriptions": listing({"subscriptionId": SUBSCRIPTION}), ACCOUNTS: listing(raw_account("a"))}
    replies = listed | {"/accounts/hand": NO_ROLE}
    before, _ = await find(replies, subscriptions=None, accounts=(by_hand,))
    assert names(before) == ["a", "hand"]
    found, _ = await find(replies, known=before.accounts, subscriptions=None)
    assert (names(found), found.is_complete) == (["a"], True)
