"""What Azure billed: the question, and how its answer is read."""

import json
from datetime import date
from decimal import Decimal

import pytest
from azure_factories import (
    ACCOUNT_ID,
    KEY,
    NOW,
    SUBSCRIPTION,
    FakeAzure,
    Sleeps,
    answer,
    make_client,
    static_credentials,
)

from watcher.azure.actuals import Bills
from watcher.azure.clouds import PUBLIC
from watcher.azure.decode_actuals import decode_actuals
from watcher.azure.faults import retry_after
from watcher.errors import ForbiddenError, MalformedError, ThrottledError
from watcher.resources.price import Actual

PATH = "/providers/Microsoft.CostManagement/query"
METER = "gpt-4o-FTuned Deployment Hosting Unit"
COLUMNS = ("Cost", "UsageDate", "ResourceId", "Meter", "Currency")
DAY = date(2026, 11, 21)


def raw(*rows, columns=COLUMNS, **more):
    named = [{"name": name, "type": "String"} for name in columns]
    return {"properties": {"nextLink": None, "columns": named, "rows": list(rows), **more}}


def row(cost=40.8, day=20261121, account=ACCOUNT_ID, meter=METER, currency="USD"):
    return [cost, day, account, meter, currency]


def decode(*rows, **more):
    return decode_actuals(json.dumps(raw(*rows, **more)).encode()).items


def line(cost="40.8", **more):
    given = {"account": KEY, "meter": METER, "day": DAY, "cost": Decimal(cost), "currency": "USD"}
    return Actual(**(given | more))


async def read(replies, **options):
    azure = FakeAzure({PATH: replies})
    bills = Bills(make_client(azure, **options), PUBLIC, static_credentials().for_scope("s"))
    return await bills.read(SUBSCRIPTION, since=date(2026, 10, 1), last=date(2026, 11, 22)), azure


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        (COLUMNS, row()),
        (COLUMNS[::-1], row()[::-1]),
        (("PreTaxCost", "usagedate", "ResourceID", "METER", "currency"), row()),
        ((*COLUMNS, "Color"), [*row(), "red"]),
    ],
    ids=["as documented", "in another order", "by other spellings", "with more of them"],
)
def test_rows_are_read_through_their_columns(columns, values):
    assert decode(values, columns=columns) == (line(),)


@pytest.mark.parametrize(
    "day", [20261121, 20261121.0, "20261121", "2026-11-21", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00"]
)
def test_a_day_may_be_a_number_or_a_text(day):
    assert decode(row(day=day)) == (line(),)


@pytest.mark.parametrize(("cost", "exact"), [(0.1, "0.1"), (-5, "-5"), (1e-300, "0"), (123456789.123, "123456789.123")])
def test_a_cost_is_what_was_written(cost, exact):
    assert decode(row(cost=cost))[0].cost == Decimal(exact)


def test_without_a_body_nothing_was_billed():
    assert decode_actuals(b"").items == ()
    assert decode() == ()


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"properties": {"rows": []}},
        raw(row(), columns=COLUMNS[:4]),
        raw(row(), columns=COLUMNS[1:]),
        raw(row()[:4]),
        raw("row"),
        raw(row(cost="40")),
        raw(row(cost=True)),
        raw(row(cost=1e300)),
        raw(row(day=20261341)),
        raw(row(day=None)),
        raw(row(account=None)),
        raw(row(currency="")),
        raw(row(), nextLink=7),
        raw(row(), row(cost=None)),
    ],
    ids=str,
)
def test_what_cannot_be_read_whole_is_no_bill(body):
    with pytest.raises(MalformedError):
        decode_actuals(json.dumps(body).encode())


async def test_the_question_names_days_accounts_and_meters():
    found, azure = await read(answer(raw(row())))
    (request,) = azure.requests
    assert found == (line(),)
    assert (request.method, request.url.path) == ("POST", f"/subscriptions/{SUBSCRIPTION}{PATH}")
    assert dict(request.url.params) == {"api-version": "2023-11-01"}
    assert request.headers["authorization"] == "Bearer t0ken"
    asked = json.loads(request.content)
    assert asked["timePeriod"] == {"from": "2026-10-01T00:00:00Z", "to": "2026-11-22T23:59:59Z"}
    assert (asked["type"], asked["dataset"]["granularity"]) == ("ActualCost", "Daily")
    assert [one["name"] for one in asked["dataset"]["grouping"]] == ["ResourceId", "Meter"]
    assert asked["dataset"]["filter"]["dimensions"]["values"] == ["microsoft.cognitiveservices/accounts"]


async def test_pages_are_asked_with_the_same_question_and_lines_of_one_meter_are_one():
    link = f"https://management.azure.com:443/subscriptions/{SUBSCRIPTION}{PATH}?api-version=2023-11-01&$skiptoken=a"
    more = [row(cost=0.2), row(cost=1, account=ACCOUNT_ID.upper()), row(currency="EUR")]
    found, azure = await read([answer(raw(row(cost=0.1), nextLink=link)), answer(raw(*more))])
    assert found == (line(currency="EUR"), line("1.3"))
    first, second = azure.requests
    assert second.content == first.content
    assert second.url.params["$skiptoken"] == "a"


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (f"https://evil.example/subscriptions/{SUBSCRIPTION}{PATH}?a=1", "leads elsewhere"),
        (f"http://management.azure.com/subscriptions/{SUBSCRIPTION}{PATH}?a=1", "leads elsewhere"),
        (
            f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/x?a=1",
            "leads elsewhere",
        ),
        ("/relative?a=1", "leads elsewhere"),
        (f"https://management.azure.com/subscriptions/{SUBSCRIPTION}{PATH}?api-version=2023-11-01", "come to an end"),
    ],
    ids=["another host", "plain http", "another address", "no host", "a circle"],
)
async def test_a_link_elsewhere_is_not_followed(link, words):
    """It would be a POST: to no address but the one that reads."""
    with pytest.raises(MalformedError, match=words):
        await read(answer(raw(row(), nextLink=link)))


async def test_a_lost_permission_and_a_throttle_are_our_errors():
    with pytest.raises(ForbiddenError):
        await read(answer({"error": {"code": "AuthorizationFailed", "message": "no"}}, 403))
    named = {f"x-ms-ratelimit-microsoft.costmanagement-{one}-retry-after": "60" for one in ("qpu", "entity")}
    with pytest.raises(ThrottledError) as raised:
        await read(answer("", 429, **named), sleep=Sleeps())
    assert raised.value.retry_after.total_seconds() == 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"entity": "5", "client": "40"}, 40),
        ({"qpu": "7", "tenant": "nonsense"}, 7),
        ({"entity": "5", "": "90"}, 90),
        ({"entity": "nonsense", "": "9"}, 9),
        ({}, None),
    ],
    ids=str,
)
def test_the_longest_of_the_waits_counts(headers, seconds):
    prefix = "x-ms-ratelimit-microsoft.costmanagement-"
    given = {f"{prefix}{name}-retry-after" if name else "retry-after": value for name, value in headers.items()}
    wait = retry_after(given, NOW)
    assert (None if wait is None else wait.total_seconds()) == seconds
