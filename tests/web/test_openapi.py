"""The document of the API is true: each operation is driven from it alone, and nothing is missing in it."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from tests.cli.world import estate
from tests.conftest import SteppedClock
from tests.factories import NOW
from watcher.store.engine import Store, connect
from watcher.web.access import Door, Rules
from watcher.web.api import DESCRIPTION, PREFIX
from watcher.web.app import routes
from watcher.web.metrics import Figures, Metrics
from watcher.web.openapi import describe
from watcher.web.operations import OPERATIONS
from watcher.web.pages import Room
from watcher.web.render import Pages

from .rig import READER, WRITER, asking, make_app, make_site, with_keys

DOCUMENT = json.loads(json.dumps(describe()))
EACH = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
_PYTHON = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}


def violations(value: Any, schema: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """Where a value is not as its schema says; of JSON Schema no more than the document uses."""
    unknown = schema.keys() - {"$ref", "type", "required", "properties", "items", "const", "format", "description"}
    assert not unknown - {"minItems"}, f"{at}: {unknown} is not checked"
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].removeprefix("#/components/schemas/")]
    if "const" in schema and value != schema["const"]:
        yield f"{at} is {value!r}"
    if "type" in schema:
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if value is None and "null" in kinds:
            return
        if not any(_is(value, kind) for kind in kinds):
            yield f"{at} is {value!r}, not {kinds}"
            return
    if schema.get("format") == "date-time" and not (value.endswith("Z") and datetime.fromisoformat(value)):
        yield f"{at} is no time: {value!r}"
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{at}.{key} is missing"
    for key, inner in schema.get("properties", {}).items():
        if key in value:
            yield from violations(value[key], inner, f"{at}.{key}")
    if "items" in schema:
        for number, item in enumerate(value):
            yield from violations(item, schema["items"], f"{at}[{number}]")


def _is(value: Any, kind: str) -> bool:
    if kind == "null":
        return value is None
    return isinstance(value, _PYTHON[kind]) and not (isinstance(value, bool) and kind != "boolean")


@pytest.mark.parametrize(
    ("value", "schema", "is_good"),
    [
        ({"a": 1}, {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}, True),
        ({}, {"type": "object", "required": ["a"]}, False),
        (True, {"type": "integer"}, False),
        (None, {"type": ["string", "null"]}, True),
        (None, {"type": "string"}, False),
        (["a", 1], {"type": "array", "items": {"type": "string"}}, False),
        ("2026-11-22T08:00:00Z", {"type": "string", "format": "date-time"}, True),
        ("2026-11-22T08:00:00+00:00", {"type": "string", "format": "date-time"}, False),
        (2, {"const": 1}, False),
    ],
)
def test_the_check_itself_sees_what_is_wrong(value: Any, schema: dict[str, Any], is_good: bool) -> None:
    assert (list(violations(value, schema)) == []) == is_good


#: What a parameter may be, by its name, where its type alone does not say it.
VALUES = {"since": "30d", "as_of": "2026-11-20", "period": "30d", "cursor": None, "limit": 1}
BODIES: dict[str, dict[str, Any]] = {
    "matchers": {"value": ["rule=deployment_idle"]},
    "for": {"value": "3d"},
    "ends_at": {"value": None},
    "is_forced": {"value": False},
    "deployment": {"value": "contoso-ft/busy-bot"},
    "until": {"value": "2026-12-31"},
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return estate(tmp_path_factory.mktemp("estate")).database


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy: each test may change it."""
    opened = Store(connect(f"sqlite:///{shutil.copy(template, tmp_path)}"))
    yield opened
    opened.close()


@pytest.fixture
def app(store):
    return make_app(make_site(store, SteppedClock(NOW)), with_keys())


async def ids(client) -> dict[str, dict[str, str]]:
    """What stands in the path of each operation, found through the API itself."""

    async def first(name: str, **params: str) -> dict[str, Any]:
        return (await client.get(f"{PREFIX}/{name}", params=params)).json()[name][0]

    job, deployment = await first("jobs"), await first("deployments", status="*")
    alert = await first("alerts", status="deployment_idle")
    silence = {"matchers": ["rule=x"], "for": "1d", "comment": "first"}
    made = (await client.post(f"{PREFIX}/silences", json=silence)).json()["silence"]
    keep = {"deployment": f"{deployment['account']}/{deployment['name']}", "until": "2026-12-31", "reason": "first"}
    kept = (await client.post(f"{PREFIX}/keeps", json=keep)).json()["keep"]
    return {
        "/jobs/{account}/{job}": {"account": job["account"], "job": job["id"]},
        "/deployments/{account}/{name}": {"account": deployment["account"], "name": deployment["name"]},
        "/alerts/{id}": {"id": alert["id"]},
        "/alerts/{id}/ack": {"id": alert["id"]},
        "/silences/{id}": {"id": made["id"]},
        "/keeps/{account}/{deployment}": {"account": kept["account"], "deployment": kept["deployment"]},
        "/notifications/{id}/retry": {"id": (await first("notifications"))["id"]},
    }


@pytest.mark.parametrize(("path", "method"), EACH, ids=[f"{method} {path}" for path, method in EACH])
async def test_each_operation_answers_as_the_document_says(app, path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    async with asking(app, token=WRITER) as client:
        names = (await ids(client)).get(path.removeprefix(PREFIX), {})
        in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
        assert sorted(in_path) == sorted(re.findall(r"{(\w+)}", path)) == sorted(names)
        address = path.format(**names)
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        sent: dict[str, Any] = {}
        if body:
            given = {name: BODIES.get(name, {"value": "why"})["value"] for name in body["properties"]}
            sent = {"json": {name: value for name, value in given.items() if value is not None}}
            assert list(violations(sent["json"], body)) == []
        answer = await client.request(method, address, **sent)
        (status,) = [code for code in operation["responses"] if code != "default"]
        assert str(answer.status_code) == status, answer.text
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        assert list(violations(answer.json(), schema)) == []
        for one in operation["parameters"]:
            if one["in"] == "query" and (value := VALUES.get(one["name"], "*")) is not None:
                assert not one["required"]
                asked = await client.get(address, params={one["name"]: value})
                assert asked.status_code == 200, asked.text
                assert list(violations(asked.json(), schema)) == []


@pytest.mark.parametrize(("path", "method"), EACH, ids=[f"{method} {path}" for path, method in EACH])
async def test_each_operation_refuses_as_the_document_says(app, path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    problem = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
    address = re.sub(r"{\w+}", "nothing-of-the-kind", path)
    async with asking(app) as client:
        answers = [await client.request(method, address)]
        assert answers[0].status_code == 401
    if method != "get":
        async with asking(app, token=READER) as client:
            answers.append(await client.request(method, address, json={}))
            assert answers[-1].status_code == 403
    async with asking(app, token=WRITER) as client:
        answers.append(await client.request(method, address, params={"no_such_parameter": "1"}))
        assert answers[-1].status_code == 422
        if body := operation.get("requestBody"):
            schema = body["content"]["application/json"]["schema"]
            answers.append(await client.request(method, address, json={"no_such_member": 1}))
            assert answers[-1].status_code == 422
            for name in schema["required"]:
                whole = {one: BODIES.get(one, {"value": "why"})["value"] for one in schema["properties"]}
                sent = {one: value for one, value in whole.items() if value is not None and one != name}
                answers.append(await client.request(method, address, json=sent))
                assert answers[-1].status_code == 422
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        assert list(violations(answer.json(), problem)) == []
        assert answer.json()["status"] == answer.status_code


def test_no_route_is_missing_in_the_document(app, store) -> None:
    site = make_site(store, SteppedClock(NOW))
    every = routes(Room(site, Door(Rules()), Pages(site)), Metrics(Figures))
    served = {
        (route.path, method)
        for route in every
        if isinstance(route, Route) and route.path.startswith(PREFIX) and route.path != DESCRIPTION
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == {(path, method.upper()) for path, method in EACH}


async def test_the_document_is_served_as_it_is(app) -> None:
    async with asking(app, token=READER) as client:
        assert (await client.get(DESCRIPTION)).json() == DOCUMENT


async def test_the_document_names_each_key_of_each_record(app) -> None:
    """So that a key which a record gains is written down, too."""
    checked = set()
    async with asking(app, token=WRITER) as client:
        await ids(client)
        for one in OPERATIONS:
            if one.method != "GET" or "{" in one.path or one.result == "report":
                continue
            found = (await client.get(PREFIX + one.path)).json()[one.result]
            schema = DOCUMENT["components"]["schemas"][one.result]
            for record in found if one.is_list else [found]:
                assert list(record) == list(schema["properties"]) == schema["required"]
                checked.add(one.result)
    assert checked == {
        "status",
        "accounts",
        "jobs",
        "deployments",
        "transitions",
        "alerts",
        "silences",
        "keeps",
        "notifications",
    }
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)
