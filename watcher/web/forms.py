"""Forms on pages of their own: they need no script, and nothing that is typed is lost to a refresh.

A form that cannot be taken comes back with what was typed and with the reason beside its field. One that was taken
answers with a redirect, so that a refresh does not send it again.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from watcher.errors import Refused
from watcher.rules.text import clean
from watcher.web.access import Person
from watcher.web.asking import BadQuestion, TooLong, local_path, moment_of, span_of
from watcher.web.pages import Room, get, post
from watcher.web.problem import ProblemError
from watcher.web.said import Said, leading

#: Of one field.
_LONGEST = 2_000
_LONGEST_NAME = 200
_FURTHEST = timedelta(days=3_660)
_TOO_FAR = "is more than ten years ahead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Something to fill in."""

    name: str
    label: str
    kind: str = "text"  #: text, area, date, check or hidden
    value: str = ""
    hint: str = ""
    error: str = ""
    suggestions: tuple[str, ...] = ()
    autocomplete: str = "off"
    is_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A page with a form."""

    title: str
    verb: str  #: on its button
    about: tuple[str, ...] = ()  #: what it is about and what it does, a line each
    items: tuple[str, ...] = ()  #: what it would touch
    fields: tuple[Field, ...]
    at: str  #: the page to which it belongs, as the navigation has it
    back: str  #: where to go without it
    error: str = ""
    is_grave: bool = False


class Wrong(Exception):
    """What was typed cannot be taken; by field why."""

    def __init__(self, **errors: str) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors


#: The form for an address, filled with what was typed.
Make = Callable[[Request, Person, QueryParams], Awaitable[Form]]
#: Does what was asked for. Raises `Wrong` or `Refused`.
Do = Callable[[Request, Person, QueryParams], Awaitable[Said]]


def routes_of(room: Room, path: str, make: Make, do: Do, *, blames: str = "") -> list[Route]:
    """A form that is looked at and sent at one address.

    Args:
        blames: The field beside which a refusal stands; "": above the form.
    """

    async def answer(
        request: Request, person: Person, typed: QueryParams, errors: Mapping[str, str], status: int = 200
    ) -> Response:
        form = await make(request, person, typed)
        fields = (*form.fields, *_author(person, typed), Field(name="back", label="", kind="hidden", value=form.back))
        named = {field.name for field in fields}
        form = replace(
            form,
            fields=tuple(replace(field, error=errors.get(field.name, "")) for field in fields),
            error="; ".join(text for name, text in errors.items() if name not in named),
        )
        return room.pages.page(
            "act.html", person, at=form.at, title=form.title, status=status, form=form, action=request.url.path
        )

    async def show(request: Request, person: Person) -> Response:
        if not person.may_write:
            raise ProblemError(403, f"{person.name} may look, and change nothing.")
        return await answer(request, person, request.query_params, {})

    async def act(request: Request, person: Person, typed: QueryParams) -> Response:
        try:
            said = await do(request, person, typed)
        except Wrong as exc:
            return await answer(request, person, typed, exc.errors, 422)
        except Refused as exc:
            return await answer(request, person, typed, {blames: str(exc)}, 422)
        room.site.wake()
        back = local_path(typed.get("back", ""))
        return RedirectResponse(leading(back, room.pages.board.note(said)), 303)

    return [get(room, path, show), post(room, path, act)]


def _author(person: Person, typed: QueryParams) -> tuple[Field, ...]:
    """Who acts is asked where no token says it; the browser remembers the answer."""
    if person.is_named:
        return ()
    hint = "stands in the audit and, of a silence or an acknowledgement, in messages"
    return (Field(name="author", label="Your name", value=typed.get("author", ""), hint=hint, autocomplete="name"),)


def author_of(person: Person, typed: QueryParams) -> str:
    """Who acts.

    Raises:
        Wrong: Nobody says.
    """
    if person.is_named:
        return person.name
    return said_in(typed, "author", "say who you are", longest=_LONGEST_NAME)


def said_in(typed: QueryParams, name: str, otherwise: str, *, longest: int = _LONGEST) -> str:
    """A text that must be there.

    Raises:
        Wrong: It is not, or is too long.
    """
    found = text_in(typed, name, longest=longest)
    if not found:
        raise Wrong(**{name: otherwise})
    return found


def text_in(typed: QueryParams, name: str, *, longest: int = _LONGEST) -> str:
    """A text, or "".

    Raises:
        Wrong: It is too long.
    """
    found = clean(typed.get(name, "")).strip()
    if len(found) > longest:
        raise Wrong(**{name: f"is longer than {longest} characters"})
    return found


def time_in(typed: QueryParams, name: str, *, now: datetime, zone: tzinfo) -> datetime:
    """A time ahead: a span from now, a date (to its end) or a time.

    Raises:
        Wrong: It is none, or past.
    """
    text = said_in(typed, name, 'say until when: "4h", "3d", "2026-12-31" or "2026-12-31T18:00"', longest=40)
    try:
        at = now + span_of(text, name=name)
    except TooLong:
        raise Wrong(**{name: _TOO_FAR}) from None
    except (BadQuestion, OverflowError):
        try:
            at = moment_of(text, name=name, zone=zone, is_end=True)
        except BadQuestion:
            raise Wrong(**{name: 'write "4h", "3d", "2026-12-31" or "2026-12-31T18:00"'}) from None
    if at <= now:
        raise Wrong(**{name: "is past"})
    if at - now > _FURTHEST:
        raise Wrong(**{name: _TOO_FAR})
    return at


def gather(*checks: Callable[[], object]) -> None:
    """Run them all, so that every mistake is told at once.

    Raises:
        Wrong: With the errors of all that failed.
    """
    errors: dict[str, str] = {}
    for check in checks:
        try:
            check()
        except Wrong as exc:
            errors |= exc.errors
    if errors:
        raise Wrong(**errors)
