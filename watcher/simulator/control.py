"""Addresses under `/_simulator/` for those who drive a running simulator from outside. Closed unless asked for.

GET `state`; POST `faults` (a JSON list of tables in the shape of the scenario's `[[faults]]`), DELETE `faults`;
POST `advance` with `{"by": "1d"}` where the clock can be stepped; POST `calls` with `{"account", "deployment", "count",
"status"}`; GET and DELETE `requests`.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from watcher.simulator.clock import Clock, SteppedClock
from watcher.simulator.loading import parse_duration, parse_fault
from watcher.simulator.requests import RequestLog
from watcher.simulator.world import World

PREFIX = "/_simulator/"


def routes(clock: Clock) -> list[BaseRoute]:
    """The routes to add to the app."""

    async def state(request: Request) -> dict[str, object]:
        world, log = _world(request), _log(request)
        return {
            "now": clock().isoformat(),
            "start": world.start.isoformat(),
            "requests": log.total,
            "refused_writes": log.refused_writes,
            "by_api": {f"{plane}/{api}/{status}": n for (plane, api, status), n in sorted(log.by_api.items())},
            "faults": sum(1 for _ in world.faults),
        }

    async def add_faults(request: Request) -> dict[str, object]:
        tables = await request.json()
        faults = [parse_fault(table) for table in (tables if isinstance(tables, list) else [tables])]
        _world(request).faults.add(*faults)
        return {"added": len(faults)}

    async def clear_faults(request: Request) -> dict[str, object]:
        _world(request).faults.clear()
        return {}

    async def advance(request: Request) -> dict[str, object]:
        if not isinstance(clock, SteppedClock):
            raise ValueError("this clock runs by itself and cannot be stepped")
        return {"now": clock.advance(parse_duration((await request.json())["by"])).isoformat()}

    async def calls(request: Request) -> dict[str, object]:
        table = await request.json()
        count, status = int(table.get("count", 1)), int(table.get("status", 200))
        _world(request).call(table["account"], table["deployment"], at=clock(), count=count, status=status)
        return {}

    async def requests(request: Request) -> dict[str, object]:
        return {"requests": [_record(record) for record in _log(request)]}

    async def clear_requests(request: Request) -> dict[str, object]:
        _log(request).clear()
        return {}

    return [
        Route(f"{PREFIX}state", _answered(state)),
        Route(f"{PREFIX}faults", _answered(add_faults), methods=["POST"]),
        Route(f"{PREFIX}faults", _answered(clear_faults), methods=["DELETE"]),
        Route(f"{PREFIX}advance", _answered(advance), methods=["POST"]),
        Route(f"{PREFIX}calls", _answered(calls), methods=["POST"]),
        Route(f"{PREFIX}requests", _answered(requests)),
        Route(f"{PREFIX}requests", _answered(clear_requests), methods=["DELETE"]),
    ]


def _answered(act: Callable[[Request], Awaitable[dict[str, object]]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await act(request))
        except (ValueError, KeyError, TypeError) as exc:  # ScenarioError is a ValueError
            return JSONResponse({"error": str(exc)}, status_code=400)

    return endpoint


def _record(record: Any) -> dict[str, object]:
    table = dataclasses.asdict(record)
    return table | {"at": record.at.isoformat()}


def _world(request: Request) -> World:
    return cast(World, request.app.state.world)


def _log(request: Request) -> RequestLog:
    return cast(RequestLog, request.app.state.requests)
