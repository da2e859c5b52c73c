import json
from datetime import UTC, datetime, timedelta

import pytest
from azure_factories import ACCOUNT_ID, NOW, SUBSCRIPTION, body_of, make_deployment, raw_entry
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.azure.decode_activity import decode_activity, departure_of
from watcher.resources.departure import Departure

D = make_deployment("d", created_at=NOW - timedelta(days=5))
FROM = NOW - timedelta(hours=2)
DELETED_AT = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)


def departure(*entries, of=D) -> Departure:
    page = decode_activity(json.dumps({"value": list(entries)}).encode())
    assert page.bad == ()
    return departure_of(of, page.items, read_from=FROM)


def test_reads_the_official_entry():
    (entry,) = decode_activity(body_of("activitylog-2015-04-01-GetActivityLogsFiltered.json")).items
    assert entry.resource.endswith("/supporttickets/115012112305841")
    assert (entry.operation, entry.status) == ("microsoft.support/supporttickets/write", "succeeded")
    assert (entry.caller, entry.at.replace(microsecond=0)) == (
        "admin@contoso.com",
        datetime(2015, 1, 21, 22, 14, 26, tzinfo=UTC),
    )


def test_names_who_deleted_it_and_when():
    assert departure(raw_entry(D.id.upper())) == Departure(
        is_read=True,
        deleted_by="ann@contoso.example",
        deleted_at=DELETED_AT,
        correlation_id="c-1",
        read_from=FROM,
    )


def test_a_log_without_its_deletion_says_nothing():
    entries = [
        raw_entry(D.id, operation="accounts/deployments/write"),
        raw_entry(f"{D.id}2"),
        raw_entry(f"{ACCOUNT_ID}2", operation="accounts/delete"),
    ]
    assert departure(*entries) == Departure(is_read=True, read_from=FROM)
    assert departure() == Departure(is_read=True, read_from=FROM)


@pytest.mark.parametrize(
    ("statuses", "is_deletion"),
    [
        (("Succeeded",), True),
        (("Started", "Succeeded"), True),
        (("Accepted",), True),
        (("Started",), True),
        (("Started", "Failed"), False),
        (("Canceled",), False),
        ((None,), True),
    ],
)
def test_an_operation_counts_unless_it_failed(statuses, is_deletion):
    entries = [raw_entry(D.id, status=None if word is None else {"value": word}) for word in statuses]
    assert (departure(*entries).deleted_at is not None) is is_deletion


def test_a_failed_attempt_does_not_undo_another():
    entries = [
        raw_entry(D.id, status={"value": "Failed"}, correlationId="c-0", caller="bob@contoso.example"),
        raw_entry(D.id),
    ]
    assert departure(*entries).deleted_by == "ann@contoso.example"


def test_the_last_deletion_counts():
    earlier = raw_entry(D.id, eventTimestamp="2026-11-20T07:30:00Z", caller="bob", correlationId="c-0")
    assert departure(raw_entry(D.id), earlier).deleted_by == "ann@contoso.example"


def test_a_deletion_before_its_creation_belongs_to_an_earlier_life():
    reborn = make_deployment("d", created_at=DELETED_AT + timedelta(minutes=1))
    assert departure(raw_entry(reborn.id), of=reborn).deleted_at is None


@pytest.mark.parametrize(
    ("resource", "operation"),
    [
        (ACCOUNT_ID, {"value": "Microsoft.CognitiveServices/accounts/delete"}),
        (
            f"/subscriptions/{SUBSCRIPTION}/resourcegroups/RG-ml",
            "Microsoft.Resources/subscriptions/resourcegroups/delete",
        ),
    ],
    ids=["account", "group"],
)
def test_what_held_it_may_have_been_deleted(resource, operation):
    told = departure(raw_entry(resource, operationName=operation))
    assert (told.account_deleted, told.deleted_by) == (True, "ann@contoso.example")


def test_of_one_moment_its_own_deletion_is_told():
    whole = raw_entry(ACCOUNT_ID, operation="accounts/delete")
    assert not departure(whole, raw_entry(D.id)).account_deleted


def test_a_deletion_without_a_caller_is_one_all_the_same():
    told = departure(raw_entry(D.id, caller=None))
    assert (told.deleted_at, told.deleted_by) == (DELETED_AT, "")
    started = raw_entry(D.id, status={"value": "Started"}, eventTimestamp="2026-11-22T07:29:00Z")
    assert departure(raw_entry(D.id, caller=""), started).deleted_by == "ann@contoso.example"


def test_the_resource_may_stand_in_the_scope():
    entry = raw_entry(D.id) | {"resourceId": None, "authorization": {"scope": D.id}}
    assert departure(entry).deleted_at == DELETED_AT


def test_an_entry_without_a_time_is_bad():
    page = decode_activity(json.dumps({"value": [raw_entry(D.id, eventTimestamp="?"), raw_entry(D.id)]}).encode())
    assert (len(page.items), len(page.bad)) == (1, 1)


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(4)))
def test_the_order_of_the_log_makes_no_difference(order):
    entries = [
        raw_entry(D.id, status={"value": "Started"}, caller="", eventTimestamp="2026-11-22T07:29:00Z"),
        raw_entry(D.id),
        raw_entry(D.id, correlationId="c-0", eventTimestamp="2026-11-21T07:29:00Z", caller="bob"),
        raw_entry(ACCOUNT_ID, operation="accounts/write"),
    ]
    assert departure(*(entries[place] for place in order)) == departure(*entries)
