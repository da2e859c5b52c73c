"""The door of the pages: a form that takes a token and gives a cookie, and the way out.

Guesses are slowed for all together: whoever has many addresses has no more of them. Right tokens never are, or whoever
guesses would lock everybody out. A program sends its token with each request and meets no form; of its wrong ones each
address has so many.
"""

from collections import deque
from datetime import datetime, timedelta

import structlog
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.clock import Clock
from watcher.web.access import Door, Person, Right, bearer_of
from watcher.web.asking import form_of, local_path
from watcher.web.pages import Room, post, trouble
from watcher.web.problem import ProblemError

log = structlog.get_logger()

#: Wrong tokens in `_WINDOW`; the next wrong one is told to wait.
MOST_FAILURES = 10
_WINDOW = timedelta(minutes=1)
#: Addresses of which wrong tokens are counted; the one that tried least lately makes room.
_MOST_PEERS = 1_000
_WRONG = (
    "That is none of this watcher's tokens. They stand in the files or variables that [web] of its configuration names."
)


class Patience:
    """How many wrong tokens came lately, from everybody."""

    def __init__(self) -> None:
        self._failures: deque[datetime] = deque(maxlen=MOST_FAILURES)

    def wait_s(self, now: datetime) -> int:
        """Seconds until a wrong token is heard again; 0: it is."""
        if len(self._failures) < MOST_FAILURES or not timedelta() <= now - self._failures[0] < _WINDOW:
            return 0
        return max(1, round((self._failures[0] + _WINDOW - now).total_seconds()))

    def note(self, now: datetime) -> None:
        self._failures.append(now)


class Guesses:
    """Answers 429 to an address from which many wrong tokens came with requests."""

    def __init__(self, app: ASGIApp, *, door: Door, clock: Clock) -> None:
        self._app, self._door, self._clock = app, door, clock
        self._peers: dict[str, Patience] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._door.has_keys:
            request = HTTPConnection(scope)
            given = bearer_of(request)
            if given is not None and self._door.key_of(given) is None and (wait := self._note(request)):
                text = f"Too many wrong tokens: try again in {wait} seconds.\n"
                headers = {"retry-after": str(wait), "www-authenticate": "Bearer"}
                await PlainTextResponse(text, 429, headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _note(self, request: HTTPConnection) -> int:
        """Count one more wrong token; returns how long its sender has to wait."""
        peer, now = request.client.host if request.client else "", self._clock()
        patience = self._peers.pop(peer, None) or Patience()
        self._peers[peer] = patience  # the last to have tried stands last
        if len(self._peers) > _MOST_PEERS:
            self._peers.pop(next(iter(self._peers)))
        if wait := patience.wait_s(now):
            return wait
        patience.note(now)
        if patience.wait_s(now):
            log.warning("bearer.refused", client=peer, failures=MOST_FAILURES)
        return 0


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
        key = room.door.key_of(sent.get("token", "").strip().encode())
        if key is None:
            if wait := patience.wait_s(now):
                answer = form(429, wanted, f"That token is wrong, as many before: try again in {wait} seconds.")
                answer.headers["retry-after"] = str(wait)
                return answer
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
