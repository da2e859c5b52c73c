"""What an operation of the API is, and one request to it; the operations themselves stand in `operations.py`."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from watcher.answers.query import Frame, Query
from watcher.web.access import ANYBODY, Person, Right
from watcher.web.asking import body_of, known_alone, query_of
from watcher.web.problem import ProblemError
from watcher.web.site import Site

Answer = Callable[["Call"], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to the API, let in."""

    request: Request
    site: Site
    person: Person
    frame: Frame
    members: tuple[str, ...] = ()  #: that a body may have

    @property
    def now(self) -> datetime:
        return self.frame.now

    def query(self) -> Query:
        return query_of(self.request.query_params, now=self.now, zone=self.site.settings().zone)

    async def body(self) -> Mapping[str, Any]:
        """The JSON object that was sent.

        Raises:
            ProblemError: There is none, or too much, or it came too slowly.
            BadQuestion: It has a member that nobody heeds.
        """
        if self.request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ProblemError(415, "send application/json")
        received = await body_of(self.request)
        try:
            found = json.loads(received)
        except (ValueError, RecursionError):
            raise ProblemError(400, "the body is no JSON") from None
        if not isinstance(found, dict):
            raise ProblemError(400, "the body is no JSON object")
        known_alone(found, self.members, what="member of this body")
        return found

    def author(self, body: Mapping[str, Any]) -> str:
        """Who acts: whom the token or the proxy names, else whom the body names; else whoever holds the token."""
        if self.person.is_named or (self.person.name != ANYBODY and "author" not in body):
            return self.person.name
        return text_in(body, "author")


def text_in(body: Mapping[str, Any], name: str) -> str:
    """A text that must be there.

    Raises:
        ProblemError: It is not, or is empty, or is something else.
    """
    found = body.get(name)
    if not isinstance(found, str) or not found.strip():
        raise ProblemError(422, f"{name} is missing: a text that is not empty")
    return found.strip()


def texts_in(body: Mapping[str, Any], name: str) -> list[str]:
    found = body.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        raise ProblemError(422, f"{name} is missing: a list of texts")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A member of a body, or a parameter of an address."""

    name: str
    text: str
    kind: str = "string"  #: of JSON Schema; `array` is one of strings
    is_required: bool = False
    is_repeated: bool = False  #: a parameter that may stand there several times: any of them fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that the API does."""

    name: str
    path: str
    method: str
    text: str
    answer: Answer
    params: tuple[Field, ...] = ()  #: of the query
    body: tuple[Field, ...] = ()
    result: str  #: the member of the answer that holds it
    is_list: bool = False
    status: int = 200

    @property
    def right(self) -> Right:
        return Right.READ if self.method == "GET" else Right.WRITE
