"""`config.example.toml` holds every key, in the order of the schema, with the defaults that the code has."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from watcher.config import Config, json_schema, parse, parse_duration, warnings

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")
#: The same with every commented key and table in effect.
WHOLE = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE, flags=re.MULTILINE)
SCHEMA = json_schema()


def environ(text: str) -> dict[str, str]:
    return {name: "https://h.example.com/x" for name in re.findall(r'^\w+_env = "(\w+)"', text, re.MULTILINE)}


def sections() -> list[tuple[str, str]]:
    """Each table's path, the type of receiver included, with its text; commented ones too."""
    parts = re.split(r"^#?\[+([\w.]+)\]+", EXAMPLE, flags=re.MULTILINE)[1:]
    found = []
    for path, text in zip(parts[::2], parts[1::2], strict=True):
        kind = re.search(r'^#?type = "(\w+)"', text, re.MULTILINE) if path == "receivers" else None
        found.append((f"{path}.{kind[1]}" if kind else path, text))
    return found


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    schema = schema.get("items", schema)
    return SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def tables(schema: dict[str, Any], path: str) -> list[tuple[str, dict[str, Any]]]:
    """Every table of the schema, by its path in the file; a route's children once."""
    found = [(path, schema)]
    for key, value in schema["properties"].items():
        inner, place = resolve(value), f"{path}.{key}".lstrip(".")
        if "oneOf" in inner:
            for choice in map(resolve, inner["oneOf"]):
                found += tables(choice, f"{place}.{choice['properties']['type']['const']}")
        elif inner is not schema and "properties" in inner:
            found += tables(inner, place)
    return found


def test_loads_and_warns_of_nothing() -> None:
    config = parse(EXAMPLE, environ=environ(EXAMPLE))
    assert warnings(config) == []
    assert [receiver.name for receiver in config.receivers] == ["ml-slack", "finops-mail", "hook"]


def test_loads_with_everything_in_effect() -> None:
    config = parse(WHOLE, environ=environ(WHOLE))
    assert len({receiver.type for receiver in config.receivers}) == 8
    assert warnings(config) == []


def test_quick_start_is_a_whole_configuration() -> None:
    head = EXAMPLE.partition("# How to read this file")[0]
    quick = "\n".join(line[6:] for line in head.splitlines() if line.startswith("#     "))
    assert parse(quick, environ=environ(quick)).route is not None


@pytest.mark.parametrize(("path", "schema"), tables(SCHEMA, ""), ids=[path or "root" for path, _ in tables(SCHEMA, "")])
def test_holds_every_key(path: str, schema: dict[str, Any]) -> None:
    places = {path}
    if path.startswith("rules."):
        places.add("rules.job_succeeded")  # what every rule takes is shown at the first alone
    if path.startswith("route"):
        places = {"route", "route.routes"}  # and a child takes what the root takes
    text = "\n".join(text for place, text in sections() if place in places)
    for key, value in schema["properties"].items():
        if key == "rate_limit" and path != "receivers.slack":
            continue  # what every receiver takes is shown at the first alone
        if key == "routes":
            assert "route.routes" in dict(sections())
        elif "properties" in resolve(value) or "oneOf" in resolve(value):
            assert any(f"{place}.".startswith(f"{path}.{key}.".lstrip(".")) for place, _ in sections()), key
        else:
            assert re.search(rf"^(#|# )?{re.escape(key)} = ", text, re.MULTILINE), key


def test_shows_the_defaults_that_the_code_has() -> None:
    shown = 0
    texts = dict(sections())
    for path, schema in tables(SCHEMA, ""):
        for line in re.findall(r"^#(\w+ = .*)$", texts.get(path, ""), re.MULTILINE):
            ((key, value),) = tomllib.loads(line).items()
            default = schema["properties"][key].get("default")
            if default is not None and path not in ("pricing.table", "reports", "inhibit"):  # these are examples
                assert comparable(value) == comparable(default), f"{path}.{key}"
                shown += 1
    assert shown > 35


def comparable(value: Any) -> Any:
    try:
        return [parse_duration(step) for step in value] if isinstance(value, list) else parse_duration(value)
    except ValueError:
        return value


def test_follows_the_order_of_the_schema() -> None:
    seen = list(dict.fromkeys(path.partition(".")[0] for path, _ in sections()))
    assert seen == list(Config.model_fields)


def test_keys_stand_in_the_order_of_the_schema() -> None:
    rules = [path.partition(".")[2] for path, _ in sections() if path.startswith("rules.")]
    assert rules == list(SCHEMA["$defs"]["Rules"]["properties"])
