"""The JSON of a report, against its schema: keys that other people's programs rest on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import watcher.report
from tests.factories import NOW
from tests.report.factories import (
    UNKNOWN,
    make_date,
    make_hosted,
    make_leftover,
    make_price,
    make_quiet,
    make_statement,
    make_trained,
    make_trickle,
    sum_of,
    usd,
)
from tests.report.render import samples
from watcher.costs.money import total
from watcher.report.render.statement_record import money_record, render, statement_record
from watcher.report.statement import Statement

SCHEMA = json.loads((Path(watcher.report.__file__).parent / "templates/report.schema.json").read_text())
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def faults(value: Any, schema: dict[str, Any], at: str = "$") -> Iterator[str]:
    """What of `value` is not as `schema` has it, as far as that uses JSON Schema; an unknown key is a fault too."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        if all(any(faults(value, each, at)) for each in schema["anyOf"]):
            yield f"{at}: none of several"
        return
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        yield f"{at}: {value!r}"
    kinds = schema.get("type", [])
    allowed = [kind for name in ([kinds] if isinstance(kinds, str) else kinds) for kind in _TYPES[name]]
    if allowed and (type(value) not in allowed):
        yield f"{at}: {value!r} is none of {kinds}"
    elif schema.get("format") == "date-time" and value is not None and not value.endswith("Z"):
        yield f"{at}: {value!r} is no time"
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from faults(each, schema.get("items", {}), f"{at}[{number}]")
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"{at}: {key} is missing" for key in schema["required"] if key not in value)
        yield from (f"{at}: {key} is not described" for key in value if key not in schema["properties"])
        for key, each in value.items():
            yield from faults(each, schema["properties"].get(key, {}), f"{at}.{key}")
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for key, each in value.items():
            yield from faults(each, schema["additionalProperties"], f"{at}.{key}")


def sparse() -> Statement:
    """As little known of each thing as may be."""
    return make_statement(
        (
            make_hosted(
                capacity=None, recipe=None, base="", kept_until=NOW, successor="x", idle=UNKNOWN, price=UNKNOWN
            ),
            make_hosted("open", deletion=(NOW, None), sku="", calls=None, last_call_at=None),
            make_trickle(price=make_price(1, high=2)),
        ),
        (make_trained(created_at=None, finished_at=None, made="", method="", training_type="", cost=UNKNOWN),),
        orphans=(make_leftover(since=None, bytes=None, note="seen"),),
        dates=(make_date(latest=None, text="", account="", owner=""),),
    )


@pytest.mark.parametrize(
    "make",
    [samples.rich, samples.unseen, make_quiet, sparse, lambda: samples.huge(40), lambda: samples.hostile("\x1b\u202e")],
    ids=["rich", "unseen", "quiet", "sparse", "huge", "hostile"],
)
def test_document_is_as_the_schema_has_it(make: Callable[[], Statement]) -> None:
    assert list(faults(json.loads(render(make())), SCHEMA)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("totals"),
        lambda record: record.update(version=2),
        lambda record: record.update(extra=1),
        lambda record: record["deployments"][0].update(cost="12.30"),
        lambda record: record["deployments"][0]["cost"].pop("unknown_because"),
        lambda record: record["deployments"][0].update(begin="2026-11-22 08:00"),
        lambda record: record["recommendations"][0].update(move="burn"),
    ],
)
def test_schema_refuses_another_document(spoil: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads(render(samples.rich()))
    spoil(record)
    assert list(faults(record, SCHEMA)) != []


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (usd(0.125), (0.12, 0.12, 0.12, None)),
        (usd(0.135), (0.14, 0.14, 0.14, None)),
        (usd(1, 2), (None, 1.0, 2.0, None)),
        # Bounds that are the same cents are one amount, as in every text.
        (usd(1, 1.001), (1.0, 1.0, 1.0, None)),
        (UNKNOWN, (None, None, None, "its price is not known")),
        (sum_of(usd(1), usd(2)), (3.0, 3.0, 3.0, None)),
        (sum_of(), (0.0, 0.0, 0.0, None)),
        (sum_of(usd(1), UNKNOWN), (None, 1.0, None, "1 of 2 parts unknown: its price is not known")),
        (total([UNKNOWN], "USD"), (None, None, None, "1 of 1 part unknown: its price is not known")),
    ],
)
def test_money_is_a_number_only_where_it_is_known(cost: Any, expected: tuple[object, ...]) -> None:
    record = money_record(cost)
    assert tuple(record[key] for key in ("amount", "low", "high", "unknown_because")) == expected


def test_times_are_utc_and_ids_verbatim() -> None:
    record = statement_record(samples.rich())
    assert record["period"] == {
        "name": "7d",
        "begin": "2026-11-14T23:00:00Z",
        "end": "2026-11-21T23:00:00Z",
        "zone": "Europe/Berlin",
    }
    line = make_hosted("Ünïcode|name")
    (found,) = statement_record(make_statement((line,), ()))["deployments"]
    assert (found["id"], found["name"]) == (line.id, "Ünïcode|name")


def test_document_may_be_inlined_nowhere_but_printed_anywhere() -> None:
    """What a terminal would obey is escaped, and read back as it was."""
    name = "a\x9b31mb\u202ec\x7f"
    document = render(samples.hostile(name))
    assert document.isprintable() or not [char for char in document if not char.isprintable() and char != "\n"]
    assert json.loads(document)["watcher"] == name
