"""The OpenAPI document of the API, made from the operations themselves."""

import re
from typing import Any

from watcher import __version__
from watcher.web.operation import Field, Operation
from watcher.web.operations import OPERATIONS, PREFIX
from watcher.web.schemas import record_schema

_PARAMETER = re.compile(r"{(\w+)}")
_PROBLEM = {
    "description": "What went wrong, and what to do",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def describe() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "watcher",
            "version": __version__,
            "description": "Fine-tuning jobs and deployments on Azure OpenAI, what is wrong with them, who was told. "
            "A value that is not known is null. Times are RFC 3339 in UTC.",
        },
        "paths": paths,
        "security": [{"token": []}, {}],
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **{name: record_schema(name) for name in sorted({one.result for one in OPERATIONS})},
                "Problem": {
                    "type": "object",
                    "required": ["type", "title", "status", "detail"],
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                    },
                },
            },
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(one.path)
    ]
    made: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.text,
        "parameters": [*in_path, *map(_parameter, one.params)],
        "responses": {str(one.status): _answer(one), "default": _PROBLEM},
    }
    if one.body:
        made["requestBody"] = {
            "required": any(field.is_required for field in one.body),
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": [field.name for field in one.body if field.is_required],
                        "properties": {field.name: _schema(field) for field in one.body},
                    }
                }
            },
        }
    return made


def _parameter(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "in": "query",
        "required": field.is_required,
        "description": field.text,
        "schema": {"type": "array", "items": {"type": field.kind}} if field.is_repeated else {"type": field.kind},
    }


def _schema(field: Field) -> dict[str, Any]:
    if field.kind == "array":
        return {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": field.text}
    return {"type": field.kind, "description": field.text}


def _answer(one: Operation) -> dict[str, Any]:
    record = {"$ref": f"#/components/schemas/{one.result}"}
    properties: dict[str, Any] = {
        "version": {"const": 1},
        "as_of": {"type": "string", "format": "date-time"},
        one.result: {"type": "array", "items": record} if one.is_list else record,
    }
    if one.is_list:
        properties["cursor"] = {"type": ["string", "null"], "description": "of the next page; null: there is none"}
    return {
        "description": one.text,
        "content": {
            "application/json": {"schema": {"type": "object", "required": list(properties), "properties": properties}}
        },
    }
