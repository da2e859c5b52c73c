"""Why deployments are gone: what is asked of the activity log, and what is said where it keeps silent."""

from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from azure_factories import (
    ACCOUNT_ID,
    NOW,
    SUBSCRIPTION,
    FakeAzure,
    answer,
    make_account,
    make_collector,
    make_deployment,
    raw_deployment,
    raw_entry,
)

from watcher.azure.client import Allowance
from watcher.azure.departures import Departures
from watcher.resources.account import GONE
from watcher.resources.snapshot import Known, Section
from watcher.transport import ConnectError

LOG = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/values"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
A, B, C = (make_deployment(name, created_at=NOW - 200 * DAY) for name in ("a", "b", "c"))


def azure_with(*standing, **replies):
    listing = answer({"value": [raw_deployment(name) for name in standing]})
    return FakeAzure({"/accounts/ft/deployments": listing, LOG: answer({"value": []})} | replies)


def log(*entries, **more):
    return answer({"value": list(entries), **more})


async def poll(azure, known, *, at=NOW, account=None, collector=None):
    collector = collector or make_collector(azure)
    sections = frozenset({Section.DEPLOYMENTS})
    return await collector.collect(account or make_account(), known, at=at, sections=sections)


def filters(azure):
    return [parse_qs(request.url.query.decode())["$filter"][0] for request in azure.asked(LOG)]


def known_of(*deployments, **more):
    return Known(**{"deployments": deployments, "deployments_at": NOW - HOUR / 6} | more)


async def test_an_account_that_lost_nothing_is_not_asked_for_its_log():
    azure = azure_with("a")
    snapshot = await poll(azure, known_of(A))
    assert (snapshot.departures, azure.asked(LOG)) == ({}, [])


async def test_one_that_is_gone_is_looked_up_by_its_id_from_before_it_was_last_seen():
    azure = azure_with("a", **{LOG: log(raw_entry(B.id))})
    snapshot = await poll(azure, known_of(A, B))
    assert snapshot.absent == {B.key}
    (departure,) = snapshot.departures.values()
    assert list(snapshot.departures) == [B.key]
    assert (departure.is_read, departure.deleted_by) == (True, "ann@contoso.example")
    assert filters(azure) == [
        "eventTimestamp ge '2026-11-22T07:00:00Z' and eventTimestamp le '2026-11-22T08:10:00Z' and "
        f"resourceUri eq '{B.id}'"
    ]
    assert departure.read_from == NOW - HOUR / 6 - HOUR


async def test_one_that_could_not_be_read_is_looked_up_from_before_that():
    """Its listing was read all the while, and lacked it without a word: it may have gone at any time since."""
    azure = azure_with("a", **{LOG: log(raw_entry(B.id))})
    snapshot = await poll(azure, known_of(A, B, doubted={B.key: NOW - 30 * HOUR}))
    assert snapshot.departures[B.key].stood_at == NOW - 30 * HOUR
    assert "2026-11-21T01:10:00Z" in filters(azure)[0]


async def test_several_are_looked_up_by_one_question_about_their_group():
    azure = azure_with("a", **{LOG: log(raw_entry(B.id), raw_entry(f"{C.id}x"))})
    account = make_account(resource_group="rg-o'neil")
    snapshot = await poll(azure, known_of(A, B, C), account=account)
    assert {key: one.deleted_by for key, one in snapshot.departures.items()} == {
        B.key: "ann@contoso.example",
        C.key: "",
    }
    assert [one.partition("and resource")[2] for one in filters(azure)] == ["GroupName eq 'rg-o''neil'"]


async def test_an_account_younger_than_its_deployments_was_deleted_itself():
    azure = azure_with(**{LOG: log(raw_entry(ACCOUNT_ID, operation="accounts/delete"))})
    snapshot = await poll(azure, known_of(A), account=make_account(created_at=NOW - HOUR))
    assert snapshot.departures[A.key].account_deleted
    assert filters(azure)[0].endswith("resourceGroupName eq 'rg-ml'")


async def test_of_an_account_that_is_gone_its_own_deletion_is_looked_for():
    azure = azure_with(**{LOG: log(raw_entry(ACCOUNT_ID, operation="accounts/delete"))})
    departures = Departures(make_collector(azure).management)
    account = make_account(provisioning_state=GONE)
    found = await departures.read(account, [A], [], since=NOW - HOUR, at=NOW, allowance=Allowance(30.0))
    assert (found[A.key].account_deleted, found[A.key].deleted_by) == (True, "ann@contoso.example")
    assert filters(azure)[0].endswith("resourceGroupName eq 'rg-ml'")


async def test_all_pages_of_the_log_are_read():
    first = log(raw_entry(C.id), nextLink=f"https://management.azure.com{LOG}/2")
    azure = azure_with(**{LOG: first, f"{LOG}/2": log(raw_entry(A.id))})
    snapshot = await poll(azure, known_of(A))
    assert snapshot.departures[A.key].deleted_at is not None


@pytest.mark.parametrize(
    ("reply", "because"),
    [
        (answer({"error": {"code": "AuthorizationFailed"}}, 403), "the role Monitoring Reader on the subscription"),
        (answer("", 401), "the credential was refused"),
        (answer("", 429, retry_after="600"), "Azure throttled the request"),
        (answer("", 500), "made no sense"),
        (answer("<html>"), "made no sense"),
        (answer({"error": {"message": "s3cret of the service"}}, 400), "made no sense"),
        (ConnectError("x"), "Azure gave no answer"),
        (log(raw_entry(A.id, eventTimestamp="?")), "could not be read whole"),
        (log(nextLink=f"https://management.azure.com{LOG}"), "could not be read whole"),
    ],
    ids=["role", "401", "429", "500", "garbage", "400", "no answer", "bad entry", "circle"],
)
async def test_a_log_that_cannot_be_read_is_no_gap_and_says_why(reply, because):
    snapshot = await poll(azure_with(**{LOG: reply}), known_of(A))
    departure = snapshot.departures[A.key]
    assert (departure.is_read, departure.deleted_by, snapshot.gaps) == (False, "", ())
    assert because in departure.because
    assert "s3cret" not in departure.because
    assert snapshot.absent == {A.key}


async def test_a_long_absence_is_asked_for_as_far_back_as_the_log_goes():
    azure = azure_with()
    snapshot = await poll(azure, known_of(A, deployments_at=NOW - 100 * DAY))
    assert "ge '2026-08-25T08:10:00Z'" in filters(azure)[0]
    assert (snapshot.departures[A.key].is_read, "90 days" in snapshot.departures[A.key].because) == (False, True)
    found = await poll(azure_with(**{LOG: log(raw_entry(A.id))}), known_of(A, deployments_at=NOW - 100 * DAY))
    assert found.departures[A.key].is_read


async def test_one_that_the_log_knew_nothing_of_is_asked_for_again_from_where_it_stood():
    azure = azure_with("b")
    collector = make_collector(azure)
    first = await poll(azure, known_of(A, B, deployments_at=NOW - 3 * DAY), collector=collector)
    assert not first.departures[A.key].deleted_by
    azure.replies[LOG] = [log(raw_entry(A.id))]
    known = known_of(B, departed=(A,), deployments_at=NOW, deployments_digest=first.deployments.digest)
    again = await poll(azure, known, at=NOW + HOUR, collector=collector)
    assert again.deployments.items is None
    assert again.departures[A.key].deleted_by == "ann@contoso.example"
    assert ["ge '2026-11-19T07:10:00Z'" in one for one in filters(azure)] == [True, True]
    assert {one.departures[A.key].stood_at for one in (first, again)} == {NOW - 3 * DAY}
    assert (await poll(azure, known_of(B), collector=collector)).departures == {}
    assert collector._departures._stood == {}


async def test_without_a_memory_the_whole_log_is_read():
    """The daemon was started anew meanwhile: what it claims of the log must hold all the same."""
    azure = azure_with("b")
    snapshot = await poll(azure, known_of(B, departed=(A,)))
    assert snapshot.departures[A.key].stood_at is None
    assert "ge '2026-08-25T08:10:00Z'" in filters(azure)[0]
    young = make_deployment("y", created_at=NOW - 2 * DAY)
    await poll(azure, known_of(B, departed=(young,)))
    assert "ge '2026-11-20T07:10:00Z'" in filters(azure)[1]


async def test_one_that_is_back_is_not_asked_for():
    azure = azure_with("a")
    snapshot = await poll(azure, known_of(departed=(A,)))
    assert (snapshot.departures, azure.asked(LOG)) == ({}, [])


async def test_where_the_list_cannot_be_read_nothing_is_asked():
    azure = azure_with(**{"/accounts/ft/deployments": answer("", 403)})
    snapshot = await poll(azure, known_of(A, departed=(B,)))
    assert (snapshot.departures, azure.asked(LOG), len(snapshot.gaps)) == ({}, [], 1)
