"""Spoilt answers: the decoders of Azure's payloads, with official and recorded-looking ones to start from, and a way to
spoil them. Whoever wants more rounds than the tests here make takes `DECODERS` and `mutate`.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from azure_factories import (
    ACCOUNT_ID,
    KEY,
    NOW,
    SUBSCRIPTION,
    body_of,
    make_deployment,
    raw_checkpoint,
    raw_deployment,
    raw_entry,
    raw_event,
    raw_file,
    raw_job,
    raw_metrics,
    raw_model,
    raw_series,
)

from watcher.azure import metrics
from watcher.azure.clouds import PUBLIC
from watcher.azure.decode import decode_checkpoints, decode_events, decode_job, decode_jobs
from watcher.azure.decode_activity import decode_activity, departure_of
from watcher.azure.decode_actuals import decode_actuals
from watcher.azure.decode_arm import (
    decode_account,
    decode_accounts,
    decode_deployment,
    decode_deployments,
    decode_resource_groups,
    decode_subscriptions,
)
from watcher.azure.decode_catalogue import decode_location_models
from watcher.azure.decode_files import decode_files, decode_models
from watcher.azure.decode_prices import decode_prices
from watcher.azure.faults import fault_of, read_error
from watcher.azure.lenient import parse_object
from watcher.azure.results import decode_results, points_of
from watcher.costs.hosting import Period
from watcher.costs.money import money, total
from watcher.costs.prices import Price, PriceBook
from watcher.costs.reconcile import reconcile
from watcher.resources.left_out import left_out
from watcher.resources.price import Actuals, BilledSpan, RetailList

_SPAN = metrics.Span(start=NOW - metrics.FIRST_SPAN, end=NOW)


def _body(value: Any) -> bytes:
    return json.dumps(value).encode()


def _usage(body: bytes) -> object:
    return metrics.decode_usage(body, span=_SPAN, names=["d"], asked=())


def _batch(body: bytes) -> object:
    values = parse_object(body).get("values")
    found = [entry for entry in values if isinstance(entry, dict)] if isinstance(values, list) else []
    return [metrics.usage_of(entry, span=_SPAN, names=["d"], asked=()) for entry in found]


def _departure(body: bytes) -> object:
    return departure_of(make_deployment(), decode_activity(body).items, read_from=NOW)


def _book(body: bytes) -> object:
    """What a price is asked of rests on the list, whatever it holds."""
    prices = decode_prices(body, at=NOW).items
    book = PriceBook(retail=RetailList(prices=prices, read_at=NOW))
    asked = [book.hosting(model="gpt-4o-2024-08-06", sku=sku, location="eastus2") for sku in ("Standard", "DataZone")]
    asked.append(book.training(model="gpt-4o-2024-08-06", location="eastus2"))
    return [price.origin(NOW) + price.text() for price in asked if isinstance(price, Price)]


def _reconciled(body: bytes) -> object:
    """Held against an estimate."""
    lines = decode_actuals(body).items
    day = NOW.replace(hour=0, minute=0) - timedelta(days=1)
    span = BilledSpan(since=day.date(), until=NOW.date(), read_at=NOW)
    actuals = Actuals(lines=lines, spans={SUBSCRIPTION: span})
    period = Period(begin=day, end=day + timedelta(days=1))
    return reconcile({KEY: total([money(40, "USD")], "USD")}, actuals, period)


def _skipped(body: bytes) -> object:
    return left_out(decode_events(body).items)


def _curve(body: bytes) -> object:
    return points_of(decode_checkpoints(body).items)


def _error(body: bytes) -> object:
    return read_error(body), fault_of(403, {}, body, url="https://a.example.com", now=NOW)


_JOB = raw_job(
    error={"code": "x", "message": "y"},
    method={"type": "dpo", "dpo": {"hyperparameters": {"beta": "auto"}}},
    result_files=["file-1"],
    hyperparameters={"n_epochs": 3},
    metadata={"owner": "a"},
    trainingType="developerTier",
    estimated_finish=1756783104,
)
_ROW = {
    "currencyCode": "USD",
    "tierMinimumUnits": 0.0,
    "retailPrice": 1.7,
    "unitPrice": 1.7,
    "armRegionName": "eastus2",
    "effectiveStartDate": "2025-04-01T00:00:00Z",
    "meterName": "gpt-4o-FTuned Deployment Hosting Unit",
    "productName": "Azure OpenAI PP FT GPT4s",
    "skuName": "gpt-4o-FTuned",
    "serviceName": "Foundry Models",
    "unitOfMeasure": "1 Hour",
    "type": "Consumption",
}
_CALLED = raw_series("d", "200", ("2026-11-22T05:00:00Z", 1))
_RESULTS = (
    b"step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,full_valid_loss\r\n"
    b"1,1.5,0.5,1.6,0.4,\r\n2,1.25,0.55,,,\r\n3,1.0,0.6,1.2,0.5,1.3\r\n"
)

#: By name: what reads a body, and bodies that it reads. It may raise `MalformedError` (or `IncompleteError`, which is
#: one), and nothing else whatever the body.
DECODERS: Mapping[str, tuple[Callable[[bytes], object], tuple[bytes, ...]]] = {
    "jobs": (
        partial(decode_jobs, account=KEY),
        (
            body_of("ft-2024-10-21-list-jobs.json"),
            body_of("ft-2025-04-01-preview-list-jobs.json"),
            _body({"data": [_JOB], "has_more": False}),
        ),
    ),
    "job": (
        partial(decode_job, account=KEY),
        (body_of("ft-2024-10-21-get-job.json"), body_of("ft-2025-04-01-preview-pause-job.json"), _body(_JOB)),
    ),
    "events": (decode_events, (body_of("ft-2024-10-21-list-events.json"),)),
    "skipped": (_skipped, (_body({"data": [raw_event("e", "3 images were skipped.")]}),)),
    "checkpoints": (decode_checkpoints, (body_of("ft-2024-10-21-list-checkpoints.json"),)),
    "curve": (_curve, (_body({"data": [raw_checkpoint(80, train_loss=0.9, full_valid_loss=1.0)]}),)),
    "results": (decode_results, (_RESULTS, _RESULTS.replace(b",", b";").replace(b".", b","))),
    "files": (
        partial(decode_files, account=KEY),
        (body_of("ft-2024-10-21-list-files.json"), _body({"data": [raw_file(status="error", status_details="bad")]})),
    ),
    "models": (
        partial(decode_models, account=KEY),
        (body_of("ft-2024-10-21-list-models.json"), _body({"data": [raw_model(), {"id": "gpt.ft-1", "created": 1}]})),
    ),
    "accounts": (partial(decode_accounts, cloud=PUBLIC), (body_of("arm-2024-10-01-ListAccountsBySubscription.json"),)),
    "account": (
        partial(decode_account, cloud=PUBLIC),
        (_body({"id": ACCOUNT_ID, "tags": {"a": "b"}, "properties": {"endpoint": "https://ft.openai.azure.com"}}),),
    ),
    "deployments": (
        partial(decode_deployments, account=KEY),
        (body_of("arm-2024-10-01-ListDeployments.json"), _body({"value": [raw_deployment()]})),
    ),
    "deployment": (
        partial(decode_deployment, account=KEY),
        (body_of("arm-2024-10-01-GetDeployment.json"), body_of("arm-2025-10-01-preview-PauseDeployment.json")),
    ),
    "location models": (
        partial(decode_location_models, location="eastus2"),
        (body_of("arm-2024-10-01-ListLocationModels.json"),),
    ),
    "prices": (
        _book,
        (
            _body(
                {
                    "BillingCurrency": "USD",
                    "NextPageLink": "https://prices.azure.com:443/api/retail/prices?$skip=100",
                    "Items": [
                        _ROW,
                        {**_ROW, "meterName": "gpt-4o-FTuned Training Unit", "unitOfMeasure": "1K"},
                        {**_ROW, "effectiveEndDate": "2027-01-01T00:00:00Z", "type": None},
                    ],
                }
            ),
        ),
    ),
    "actuals": (
        _reconciled,
        (
            _body(
                {
                    "properties": {
                        "nextLink": None,
                        "columns": [
                            {"name": name, "type": "String"}
                            for name in ("Cost", "UsageDate", "ResourceId", "Meter", "Currency")
                        ],
                        "rows": [
                            [40.8, 20261121, ACCOUNT_ID, "gpt-4o-FTuned Deployment Hosting Unit", "USD"],
                            [-1e-7, 20261121, ACCOUNT_ID, "gpt-4o Tokens", "USD"],
                        ],
                    }
                }
            ),
        ),
    ),
    "activity": (
        _departure,
        (
            body_of("activitylog-2015-04-01-GetActivityLogsFiltered.json"),
            _body({"value": [raw_entry(make_deployment().id)]}),
        ),
    ),
    "metrics": (
        _usage,
        (
            body_of("monitor-2024-02-01-GetMetric.json"),
            _body(raw_metrics(_CALLED)),
        ),
    ),
    "batch": (
        _batch,
        (
            body_of("monitor-2024-02-01-MetricBatchExample2.json"),
            _body(
                {"values": [raw_metrics(raw_series("d", "200", ("2026-11-22T05:00:00Z", 1)), resourceid=ACCOUNT_ID)]}
            ),
        ),
    ),
    "groups": (decode_resource_groups, (_body({"value": [{"name": "rg", "tags": {"owner": "a"}}]}),)),
    "subscriptions": (decode_subscriptions, (_body({"value": [{"subscriptionId": "s", "state": "Enabled"}]}),)),
    "error": (
        _error,
        (body_of("monitor-2024-02-01-MetricBatchExample2.json", "default"), _body({"code": 403, "message": "no"})),
    ),
}

_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    1e308,
    -0.5,
    "",
    "x" * 3000,
    "\x00\ud7ff\u202e",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "nan",
    "٣",
    [],
    {},
    [[[]]],
    {"value": {"value": None}},
    {"message": 3},
)
_BYTES = (b"\x00", b"\xff", b"\xef\xbb\xbf", b"NaN", b"1e999", b"-", b'"', b"[", b"}", b",,", b"\r", b";", b"9" * 5000)


def mutate(random: Random, body: bytes) -> bytes:
    """`body`, spoilt once to four times: as JSON where it is some, else (and now and then) as bytes."""
    for _ in range(random.randint(1, 4)):
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            body = _spoilt_bytes(random, body)
            continue
        if random.random() < 0.25:
            body = _spoilt_bytes(random, body)
        else:
            body = json.dumps(_spoilt(random, value)).encode("utf-8", "replace")
    return body


def _spoilt_bytes(random: Random, body: bytes) -> bytes:
    start = random.randint(0, len(body))
    end = min(len(body), start + random.choice((0, 0, 1, 2, 10, 10_000)))
    put = random.choice((b"", *_BYTES, body[start:end] * 2))
    return body[:start] + put + body[end:]


def _spoilt(random: Random, value: Any) -> Any:
    """One place in `value` changed: left out, doubled, or of another type."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        rest = {name: entry for name, entry in value.items() if name != key}
        match random.randint(0, 5):
            case 0:
                return rest
            case 1:
                return {**rest, str(random.choice(list(value))): value[key]}
            case 2:
                return {**value, key: random.choice(_ODD)}
            case _:
                return {**value, key: _spoilt(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.9:
        place = random.randrange(len(value))
        match random.randint(0, 5):
            case 0:
                return value[:place] + value[place + 1 :]
            case 1:
                return [*value, value[place]]
            case 2:
                return [*value[:place], random.choice(_ODD), *value[place + 1 :]]
            case _:
                return [*value[:place], _spoilt(random, value[place]), *value[place + 1 :]]
    return random.choice(_ODD)
