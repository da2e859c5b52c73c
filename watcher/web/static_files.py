"""The pages' sheet, script and icon: a fixed set, held in memory and open to anyone, as the door needs them."""

import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
#: How long a browser may use what it has; after an upgrade it asks again soon.
_MAX_AGE_S = 300


def routes() -> list[Route]:
    """`/static/…`, each file by its own route."""
    folder = files("watcher.web").joinpath("static")
    found = [one for one in folder.iterdir() if one.is_file() and _suffix(one.name) in _TYPES]
    return [_route(one.name, one.read_bytes()) for one in sorted(found, key=lambda one: one.name)]


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


def _route(name: str, content: bytes) -> Route:
    mark = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": mark, "cache-control": f"max-age={_MAX_AGE_S}"}

    async def give(request: Request) -> Response:
        had = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
        if mark in had or "*" in had:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=_TYPES[_suffix(name)], headers=headers)

    return Route(f"/static/{name}", give, methods=["GET"])
