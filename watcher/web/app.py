"""The application: pages, the API, `/metrics`, the calendar, and the probes.

Health and readiness are open to anyone who may connect, since probes carry no token; so are the door and what it looks
like. All else needs a token where one is set.
"""

from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, ExceptionHandler

from watcher.errors import DatabaseUnavailableError, Refused
from watcher.rules.text import rfc3339
from watcher.web import api, live, login, static_files
from watcher.web.access import Door, Rules
from watcher.web.metrics import Metrics
from watcher.web.openapi import describe
from watcher.web.pages import Room, acts, alerts, deliveries, deployments, jobs, overview, report, trouble
from watcher.web.problem import ProblemError, problem
from watcher.web.render import Pages
from watcher.web.shield import Crowd, KnownHosts, OwnSite, SecurityHeaders
from watcher.web.site import Site

#: Of programs: they get a line of text in place of a page.
_PROGRAMS = frozenset({"/metrics", "/calendar.ics", "/healthz", "/readyz", "/events"})
_PAGES = (overview, jobs, deployments, alerts, acts, deliveries, report)


def create_app(site: Site, *, metrics: Metrics, rules: Rules, hosts: Sequence[str] = ("*",)) -> ASGIApp:
    """The application.

    Args:
        rules: Who may see and do what.
        hosts: Names and addresses under which we may be asked for; "*": any.
    """
    room = Room(site, Door(rules), Pages(site))
    app = Starlette(
        routes=routes(room, metrics),
        exception_handlers={HTTPException: _refused(room), Exception: _broken(room)},
    )
    app.router.redirect_slashes = False
    guarded = login.Guesses(Crowd(app), door=room.door, clock=site.clock)
    return SecurityHeaders(KnownHosts(OwnSite(guarded), hosts=hosts), is_tls=rules.is_tls)


def routes(room: Room, metrics: Metrics) -> list[BaseRoute]:
    """Every address that there is."""
    return [
        *_probes(room.site),
        *_guarded(room, metrics),
        *static_files.routes(),
        *login.routes(room),
        *api.routes(room.site, room.door, describe()),
        *live.routes(room),
        *(route for page in _PAGES for route in page.routes(room)),
    ]


def _probes(site: Site) -> list[Route]:
    async def healthz(request: Request) -> Response:
        now = site.health()
        return JSONResponse(
            {
                "status": "ok" if now.is_alive else "stuck",
                "last_progress_at": rfc3339(now.last_progress_at),
                "last_complete_cycle_at": rfc3339(now.last_complete_cycle_at),
            },
            status_code=200 if now.is_alive else 503,
        )

    async def readyz(request: Request) -> Response:
        now = site.health()
        return JSONResponse(
            {"status": "not ready" if now.not_ready else "ready", "reasons": list(now.not_ready)},
            status_code=503 if now.not_ready else 200,
        )

    return [Route("/healthz", healthz, methods=["GET"]), Route("/readyz", readyz, methods=["GET"])]


def _guarded(room: Room, metrics: Metrics) -> list[Route]:
    """What programs fetch: they get a plain refusal in place of a form."""
    site = room.site

    async def exposition(request: Request) -> Response:
        if room.door.who(request, site.clock()) is None:
            return _unknown()
        text, media_type = await run_in_threadpool(metrics.exposition, request.headers.get("accept", ""))
        return Response(text, media_type=media_type)

    async def calendar(request: Request) -> Response:
        if room.door.who(request, site.clock()) is None:
            return _unknown()
        try:
            made = await site.calendar(request.query_params.get("owner", ""))
        except Refused as exc:
            return PlainTextResponse(f"{exc}\n", 404)
        except ProblemError as exc:
            return PlainTextResponse(f"{exc}\n", exc.status, dict(exc.headers or {}))
        except DatabaseUnavailableError as exc:
            return PlainTextResponse(f"{exc}\n", 503, {"retry-after": "5"})
        return Response(made, media_type="text/calendar; charset=utf-8")

    return [Route("/metrics", exposition, methods=["GET"]), Route("/calendar.ics", calendar, methods=["GET"])]


def _unknown() -> Response:
    return PlainTextResponse("a bearer token is needed\n", 401, {"www-authenticate": "Bearer"})


#: What a refusal says, where Starlette's own words would say less.
_TEXTS = {404: "There is nothing at this address.", 405: "This address is not asked in this way"}


def _refused(room: Room) -> ExceptionHandler:
    """An address that is none, or is asked otherwise."""

    async def answer(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        text = _TEXTS.get(exc.status_code, exc.detail)
        headers = {name.lower(): value for name, value in (exc.headers or {}).items()}
        if exc.status_code == 405:
            headers["allow"] = ", ".join(_allowed(request))
            text += f": it takes {headers['allow']}."
        return _say(room, request, exc.status_code, text, headers)

    return answer


def _allowed(request: Request) -> list[str]:
    """The methods of all routes at an address; a route knows its own alone."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)


def _broken(room: Room) -> ExceptionHandler:
    """A defect of ours; the server logs it with its traceback."""

    async def answer(request: Request, exc: Exception) -> Response:
        return _say(room, request, 500, "Something broke in this watcher; its log says what.", {})

    return answer


def _say(room: Room, request: Request, status: int, text: str, headers: Mapping[str, str]) -> Response:
    """As a page, as problem+json or as a line of text: whatever is usual at the address."""
    path = request.url.path
    if path == api.PREFIX or path.startswith(f"{api.PREFIX}/"):
        return problem(status, text, headers=headers)
    if path in _PROGRAMS or path.startswith("/static/"):
        return PlainTextResponse(f"{text}\n", status, dict(headers))
    return trouble(room, room.door.who(request, room.site.clock()), status, text, headers=headers)
