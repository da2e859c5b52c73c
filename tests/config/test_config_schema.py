"""The JSON Schema for editors: it takes what `load` takes, and refuses the plain mistakes."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from watcher.config import json_schema

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")
WHOLE = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE, flags=re.MULTILINE)
SCHEMA = json_schema()
KINDS = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list, "object": dict}
#: All keywords that `faults` knows; a new one in the schema fails the test rather than passing unseen.
KNOWN = {
    "$schema",
    "$defs",
    "title",
    "description",
    "default",
    "examples",
    "$ref",
    "anyOf",
    "oneOf",
    "type",
    "const",
    "enum",
}
KNOWN |= {
    "pattern",
    "minimum",
    "maximum",
    "items",
    "minItems",
    "properties",
    "required",
    "additionalProperties",
    "minLength",
}


def faults(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """A small validator: what of JSON Schema our schema uses."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        return faults(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], path)
    for word, fits in (("anyOf", lambda n: n >= 1), ("oneOf", lambda n: n == 1)):
        if word in schema and not fits(sum(not faults(value, choice, path) for choice in schema[word])):
            return [f"{path}: {word}"]
    found = []
    if "type" in schema and (
        not isinstance(value, KINDS[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean")
    ):
        return [f"{path}: type"]
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        found.append(f"{path}: choice")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{path}: pattern")
    if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{path}: range")
    if isinstance(value, list):
        found += [f"{path}: minItems"] * (len(value) < schema.get("minItems", 0))
        for number, item in enumerate(value):
            found += faults(item, schema.get("items", {}), f"{path}[{number}]")
    if isinstance(value, dict):
        found += [f"{path}.{key}: required" for key in schema.get("required", ()) if key not in value]
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
            if inner is False:
                found.append(f"{path}.{key}: unknown")
            elif isinstance(inner, dict):
                found += faults(item, inner, f"{path}.{key}")
    return found


@pytest.mark.parametrize("text", ["", EXAMPLE, WHOLE], ids=["empty", "example", "everything"])
def test_takes_what_load_takes(text: str) -> None:
    assert faults(tomllib.loads(text), SCHEMA) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[poll]\nactve = '1m'", ".poll.actve: unknown"),
        ("[poll]\nactive = '1 minute'", ".poll.active: pattern"),
        ("[poll]\nactive = 60", ".poll.active: type"),
        ("[rules.deployment_idel]", ".rules.deployment_idel: unknown"),
        ('[rules.deployment_idle.lifetimes]\n"*" = "nevr"', ".rules.deployment_idle.lifetimes.*: pattern"),
        ("[rules.deployment_idle]\nwarn_before = []", ".rules.deployment_idle.warn_before: minItems"),
        ("[[receivers]]\nname = 'x'\ntype = 'slack'\nurl = 'y'", ".receivers[0]: oneOf"),
        ("[azure]\ncloud = 'mars'", ".azure.cloud: choice"),
    ],
)
def test_refuses_plain_mistakes(text: str, fault: str) -> None:
    assert faults(tomllib.loads(text), SCHEMA) == [fault]


def test_every_table_refuses_unknown_keys() -> None:
    loose = [name for name, table in SCHEMA["$defs"].items() if table["additionalProperties"] is not False]
    assert loose == []
