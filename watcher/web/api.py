"""The JSON API: lets in who may, and answers with problem+json what cannot be answered otherwise."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watcher.answers.query import BadCursor
from watcher.errors import DatabaseUnavailableError, Refused
from watcher.web.access import Door, Person, Right
from watcher.web.asking import BadQuestion, known_alone
from watcher.web.operation import Call, Operation
from watcher.web.operations import OPERATIONS, PREFIX
from watcher.web.problem import ProblemError, problem
from watcher.web.site import Site

__all__ = ["OPERATIONS", "PREFIX", "routes"]

#: Where the OpenAPI document is found.
DESCRIPTION = f"{PREFIX}/openapi.json"


def routes(site: Site, door: Door, document: Mapping[str, Any]) -> list[Route]:
    """The API's routes.

    Args:
        document: The OpenAPI document, served beside them.
    """

    async def describe(request: Request) -> Response:
        if door.who(request, site.clock()) is None:
            return _unknown()
        return JSONResponse(dict(document))

    made = [Route(PREFIX + one.path, _endpoint(one, site, door), methods=[one.method]) for one in OPERATIONS]
    return [Route(DESCRIPTION, describe, methods=["GET"]), *made]


def _unknown() -> Response:
    return problem(401, "a bearer token is needed", headers={"www-authenticate": "Bearer"})


def _endpoint(operation: Operation, site: Site, door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        person = door.who(request, site.clock())
        if person is None:
            return _unknown()
        try:
            if operation.right is Right.WRITE:
                _must_write(person, request, door)
            known_alone(request.query_params, [field.name for field in operation.params])
            call = Call(
                request=request,
                site=site,
                person=person,
                frame=site.frame(),
                members=tuple(field.name for field in operation.body),
            )
            return await operation.answer(call)
        except ProblemError as exc:
            return problem(exc.status, exc.detail, headers=exc.headers)
        except (BadQuestion, BadCursor) as exc:
            return problem(422, str(exc))
        except Refused as exc:
            return problem(422 if exc.code == 2 else 404, str(exc))
        except DatabaseUnavailableError as exc:
            return problem(503, str(exc), headers={"retry-after": "5"})

    return endpoint


def _must_write(person: Person, request: Request, door: Door) -> None:
    if not person.may_write:
        raise ProblemError(403, f"{person.name} may only read")
    if _is_program(request, door) or door.is_proven(person, request, request.headers.get("x-csrf-token", "")):
        return
    raise ProblemError(403, "this request comes from another site's page, or lacks the page's own proof")


def _is_program(request: Request, door: Door) -> bool:
    """Whether a program on this machine asks, where all may: a browser would say where the request comes from."""
    return door.is_open and not any(name in request.headers for name in ("origin", "sec-fetch-site", "referer"))
