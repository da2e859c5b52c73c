"""The pages. Each file has `routes(room)`; a view is given who asks, and answers with a page or a redirect.

What changes something is a form that our own page has sent (`post`); it answers with a redirect, so that a refresh
does not send it again.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from watcher.answers.query import BadCursor
from watcher.errors import DatabaseUnavailableError, Refused
from watcher.web.access import Door, Person, Right
from watcher.web.asking import BadQuestion, form_of
from watcher.web.problem import ProblemError
from watcher.web.render import Pages
from watcher.web.site import Site

_TITLES = {400: "Not understood", 401: "Sign in", 403: "Not allowed", 500: "Something broke", 503: "Not now"}


@dataclass(frozen=True, slots=True)
class Room:
    """What every page works with."""

    site: Site
    door: Door
    pages: Pages


#: Answers a request of somebody who was let in.
View = Callable[[Request, Person], Awaitable[Response]]
#: Does what a form of ours asks for, for somebody who may; the form's fields come last.
Act = Callable[[Request, Person, QueryParams], Awaitable[Response]]


def guarded(room: Room, view: View) -> Callable[[Request], Awaitable[Response]]:
    """The view, for those who may see it; others are led to the door, and back here from there."""

    async def endpoint(request: Request) -> Response:
        person = room.door.who(request, room.site.clock())
        if person is None and request.method in ("GET", "HEAD"):
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?next={quote(here, safe='')}", 303)
        if person is None:
            return trouble(room, None, 401, "You are not signed in, or no longer: nothing was done.")
        try:
            return await view(request, person)
        except ProblemError as exc:
            return trouble(room, person, exc.status, exc.detail, headers=exc.headers)
        except (BadQuestion, BadCursor) as exc:
            return trouble(room, person, 400, str(exc))
        except Refused as exc:
            return trouble(room, person, 400 if exc.code == 2 else 404, str(exc))
        except DatabaseUnavailableError as exc:
            return trouble(room, person, 503, str(exc), headers={"retry-after": "5"})

    return endpoint


def trouble(
    room: Room, person: Person | None, status: int, text: str, *, headers: Mapping[str, str] | None = None
) -> Response:
    """A page that says why there is none."""
    title = _TITLES.get(status, "Not here")
    made = room.pages.page("trouble.html", person, at="", title=title, status=status, text=text)
    made.headers.update(headers or {})
    return made


def get(room: Room, path: str, view: View) -> Route:
    """A page that is looked at."""
    return Route(path, guarded(room, view), methods=["GET"])


def post(room: Room, path: str, act: Act, *, right: Right = Right.WRITE) -> Route:
    """A form that is sent: by somebody who may, from a page of ours, with `proof` among its fields."""

    async def view(request: Request, person: Person) -> Response:
        if right is Right.WRITE and not person.may_write:
            raise ProblemError(403, f"{person.name} may look, and change nothing.")
        form = await form_of(request)
        if not room.door.is_proven(person, request, form.get("proof", "")):
            raise ProblemError(403, "This form was not sent from a page of this watcher, or the page was too old.")
        return await act(request, person, form)

    return Route(path, guarded(room, view), methods=["POST"])
