"""Deliveries: what waits or is dead and why, how each channel does, and what was delivered; retry and drop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watcher.answers import deliveries
from watcher.answers.deliveries import ChannelRow, DeliveryRow, Done, IssueRow
from watcher.errors import Refused
from watcher.notify.wording import localise
from watcher.rules.text import counted, one_line
from watcher.store import outbox, reports
from watcher.store.outbox import Delivery
from watcher.store.reports import Issue
from watcher.web.access import Person
from watcher.web.asking import BadQuestion, local_path, span_of
from watcher.web.forms import Field, Form, author_of, gather, routes_of, text_in
from watcher.web.pages import Room, get
from watcher.web.render import address
from watcher.web.said import Said

#: What is shown, and the states that stand under it.
SHOWN = {
    "undelivered": ("pending", "dead"),
    "delivered": ("delivered",),
    "dropped": ("dropped",),
    "merged": ("merged",),
}
_SPANS = ("24h", "7d", "30d")
_ON_A_PAGE = 100
#: In place of an id: all that are dead.
_DEAD = "dead"


def routes(room: Room) -> list[Route]:
    """`/deliveries`, one delivery, and what is done about it."""

    async def listing(request: Request, person: Person) -> Response:
        show, since, page = _asked(request.query_params)
        site, now = room.site, room.site.clock()
        settings = site.settings()
        receivers = settings.routing.receivers if settings.routing else ()
        begin = None if show == "undelivered" else now - span_of(since, name="since")
        found = await site.store.read(_load, SHOWN[show], begin, receivers, page)
        return room.pages.page(
            "deliveries.html",
            person,
            at="/deliveries",
            title="Deliveries",
            said=room.pages.board.find(request),
            show=show,
            tabs=[(name, address("/deliveries", {"show": name if name != "undelivered" else ""})) for name in SHOWN],
            spans=[(one, address("/deliveries", {"show": show, "since": one})) for one in _SPANS],
            span=since,
            found=found,
            page=page,
            on_a_page=_ON_A_PAGE,
            page_address=lambda number: address("/deliveries", {"show": show, "since": since, "page": number}),
            text=lambda text: localise(one_line(text), settings.zone),
        )

    async def one(request: Request, person: Person) -> Response:
        site = room.site
        found = await site.store.read(deliveries.find, request.path_params["id"])
        zone = site.settings().zone
        return room.pages.page(
            "delivery.html",
            person,
            at="/deliveries",
            title="A report" if isinstance(found, IssueRow) else "A notification",
            said=room.pages.board.find(request),
            issue=found.one if isinstance(found, IssueRow) else None,
            row=found,
            text=lambda text: localise(one_line(text), zone),
        )

    retry, drop = _Redelivery(room, "retry"), _Redelivery(room, "drop")
    return [
        get(room, "/deliveries", listing),
        get(room, "/deliveries/{id}", one),
        *routes_of(room, "/deliveries/{id}/retry", retry.form, retry.do),
        *routes_of(room, "/deliveries/{id}/drop", drop.form, drop.do),
    ]


def _asked(params: QueryParams) -> tuple[str, str, int]:
    show, since, page = params.get("show", "undelivered"), params.get("since", "7d"), params.get("page", "1")
    if show not in SHOWN:
        raise BadQuestion(f"show is one of {', '.join(SHOWN)}")
    if not (page.isascii() and page.isdigit() and 0 < int(page[:6]) <= 100_000):
        raise BadQuestion("page is a number from 1")
    span_of(since, name="since")
    return show, since, int(page)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the listing rests on."""

    rows: Sequence[DeliveryRow]
    total: int
    issues: Sequence[Issue]
    channels: Sequence[ChannelRow]
    dead: int  #: of all, reports too


def _load(tx: Connection, states: Sequence[str], since: datetime | None, receivers: Sequence[str], page: int) -> _Found:
    listed = list(outbox.listed(tx, states=states, since=since))
    if since is not None:
        listed.reverse()  # of what is over the newest first
    shown = listed[(page - 1) * _ON_A_PAGE : page * _ON_A_PAGE]
    issues = reports.listed(tx, states=states)
    channels = deliveries.channel_rows(tx, receivers)
    return _Found(
        rows=list(deliveries.delivery_rows(tx, shown)),
        total=len(listed),
        issues=[one for one in issues if since is None or one.as_of >= since],
        channels=channels,
        dead=sum(row.dead for row in channels),
    )


@dataclass(frozen=True, slots=True)
class _Redelivery:
    """Trying again at once, or giving up."""

    room: Room
    action: str

    async def form(self, request: Request, person: Person, typed: QueryParams) -> Form:
        wanted = request.path_params["id"]
        about, items = await self.room.site.store.read(_about, wanted, self._words)
        is_retry = self.action == "retry"
        does = (
            "It is due at once, with all its tries anew, and its channel is tried at once too. Of what is dead only "
            "what is still the newest word is sent: nothing that was told since is denied."
            if is_retry
            else "It is never sent. Nobody hears of it by this message; reminders and the end are told as ever."
        )
        return Form(
            title=f"{'Retry' if is_retry else 'Drop'} {about}",
            verb="Try again now" if is_retry else "Drop it for good",
            about=(does,),
            items=tuple(items),
            fields=(Field(name="comment", label="Why", value=typed.get("comment", ""), is_required=False),),
            at="/deliveries",
            back=local_path(typed.get("back", "") or "/deliveries"),
            is_grave=not is_retry,
        )

    def _words(self, text: str) -> str:
        return localise(one_line(text), self.room.site.settings().zone)

    async def do(self, request: Request, person: Person, typed: QueryParams) -> Said:
        gather(lambda: author_of(person, typed), lambda: text_in(typed, "comment"))
        act: Callable[..., Done] = deliveries.retry if self.action == "retry" else deliveries.drop
        done: Done = await self.room.site.store.write(
            _act,
            act,
            request.path_params["id"],
            author=author_of(person, typed),
            comment=text_in(typed, "comment"),
            now=self.room.site.clock(),
        )
        count = done.count
        if self.action == "drop":
            return Said(text=f"{counted(count, 'message')} dropped.")
        if not count:
            return Said(text="Nothing is left to send: later news was told to that receiver.")
        return Said(text=f"{counted(count, 'message')} {'is' if count == 1 else 'are'} tried again now.")


def _act(tx: Connection, /, act: Callable[..., Done], wanted: str, **about: Any) -> Done:
    return act(tx, _ids(tx) if wanted == _DEAD else [wanted], **about)


def _ids(tx: Connection) -> list[str]:
    """All that are dead."""
    found = [one.notification.id for one in outbox.listed(tx, states=["dead"])]
    found += [one.id for one in reports.listed(tx, states=["dead"])]
    if not found:
        raise Refused("nothing is dead any more")
    return found


def _about(tx: Connection, wanted: str, words: Callable[[str], str]) -> tuple[str, list[str]]:
    """What would be touched, in a few words, and its contents."""
    if wanted == _DEAD:
        count = len(_ids(tx))
        return ("what is dead" if count == 1 else f"all {count} that are dead"), []
    found = deliveries.find(tx, wanted)
    if found.one.state not in deliveries.UNDELIVERED:
        raise Refused(f"{wanted} is {found.one.state}: there is nothing to retry or to drop", code=2)
    if isinstance(found, IssueRow):
        return f"a report to {found.one.receiver}", [words(f"{found.one.name}, {found.one.edition}")]
    told = found.one.notification.alerts
    items = [words(f"{one.alert.severity}: {one.alert.finding.summary}") for one in told[:6]]
    return f"a message to {found.one.notification.receiver}", [
        *items,
        *([f"and {len(told) - 6} more"] if told[6:] else []),
    ]


def page_of(one: Delivery) -> str:
    """The address of a notification."""
    return f"/deliveries/{quote(one.notification.id, safe='')}"
