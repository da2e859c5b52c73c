"""JSON Schema of the configuration, which `watcher schema` prints for editors."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pydantic.json_schema import GenerateJsonSchema

from watcher.config.models import Config
from watcher.config.times import format_duration


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `config.toml`; durations are texts with a pattern, unknown keys are refused."""
    schema = Config.model_json_schema(mode="validation", schema_generator=_Generator)
    for table in (schema, *schema["$defs"].values()):
        for key, value in table.get("properties", {}).items():
            value.pop("title", None)
            # A table's own schema tells its defaults, key by key.
            if "$ref" in value or value.get("default", "") is None:
                value.pop("default", None)
            if choices := [
                choice for choice in value.pop("anyOf", ()) if choice != {"type": "null"}
            ]:  # TOML has no null
                value.update(choices[0] if len(choices) == 1 else {"anyOf": choices})
            table["properties"][key] = value
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Configuration of watcher"}
    return {**schema, **head}


class _Generator(GenerateJsonSchema):
    """Writes defaults as they are written in the file."""

    def encode_default(self, dft: Any) -> Any:
        match dft:
            case timedelta():
                return format_duration(dft)
            case tuple():
                return [self.encode_default(item) for item in dft]
            case ZoneInfo():
                return str(dft)
            case Decimal():
                return float(dft)
        return super().encode_default(dft)
