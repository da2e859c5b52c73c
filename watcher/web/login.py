"""The door of the pages: a form that takes a token and gives a cookie, and the way out.

Guesses are slowed for all together: whoever has many addresses has no more of them. A program sends its token with each
request and meets no form.
"""

from collections import deque
from datetime import datetime, timedelta

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from watcher.web.access import Person, Right
from watcher.web.asking import form_of
from watcher.web.pages import Room, post, trouble
from watcher.web.problem import ProblemError

log = structlog.get_logger()

#: Wrong tokens in `_WINDOW`; the next is not even looked at.
MOST_FAILURES = 10
_WINDOW = timedelta(minutes=1)
_WRONG = (
    "That is none of this watcher's tokens. They stand in the files or variables that [web] of its configuration names."
)


class Patience:
    """How many wrong tokens came lately, from everybody."""

    def __init__(self) -> None:
        self._failures: deque[datetime] = deque(maxlen=MOST_FAILURES)

    def left_until(self, now: datetime) -> datetime | None:
        """When the next token is looked at; `None`: now."""
        if len(self._failures) < MOST_FAILURES or not timedelta() <= now - self._failures[0] < _WINDOW:
            return None
        return self._failures[0] + _WINDOW

    def note(self, now: datetime) -> None:
        self._failures.append(now)


def routes(room: Room) -> list[Route]:
    """`/login` and `/logout`."""
    patience = Patience()

    def form(status: int, wanted: str, problem: str = "") -> Response:
        return room.pages.page(
            "login.html",
            None,
            at="",
            title="Sign in",
            status=status,
            wanted=wanted,
            problem=problem,
            has_keys=room.door.has_keys,
        )

    async def show(request: Request) -> Response:
        wanted = local_path(request.query_params.get("next", ""))
        person = room.door.who(request, room.site.clock())
        return RedirectResponse(wanted, 303) if person is not None else form(200, wanted)

    async def enter(request: Request) -> Response:
        now = room.site.clock()
        if not room.door.is_from_here(request):
            return trouble(room, None, 403, "This form was not sent from a page of this watcher.")
        try:
            sent = await form_of(request)
        except ProblemError as exc:
            return trouble(room, None, exc.status, exc.detail, headers=exc.headers)
        wanted = local_path(sent.get("next", ""))
        if (until := patience.left_until(now)) is not None:
            wait = max(1, round((until - now).total_seconds()))
            answer = form(429, wanted, f"Too many wrong tokens: try again in {wait} seconds.")
            answer.headers["retry-after"] = str(wait)
            return answer
        key = room.door.key_of(sent.get("token", "").strip().encode())
        if key is None:
            patience.note(now)
            log.warning("login.refused", client=request.client.host if request.client else "")
            return form(401, wanted, _WRONG)
        log.info("login.accepted", name=key.name)
        made = RedirectResponse(wanted, 303)
        room.door.remember(made, key, now)
        return made

    async def leave(request: Request, person: Person, _: object) -> Response:
        made = RedirectResponse("/login", 303)
        room.door.forget(made)
        return made

    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", enter, methods=["POST"]),
        post(room, "/logout", leave, right=Right.READ),
    ]


def local_path(text: str) -> str:
    """`text` if it leads to a page of ours, else the overview: an address elsewhere would make us somebody's decoy."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable() or " " in text:
        return "/"
    return "/" if text.split("?")[0] in ("/login", "/logout") else text
