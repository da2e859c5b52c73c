"""Alerts: what fires, who looks after it, what is kept quiet and what is over; and one alert with all that was done."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup
from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from watcher.alerts.alert import Alert
from watcher.alerts.flapping import damped_because
from watcher.alerts.lifecycle import GONE_RULE
from watcher.alerts.notification import Told
from watcher.alerts.route import REPORT_ONLY_RULES
from watcher.alerts.summary import summary_at
from watcher.answers import acts
from watcher.answers.alert_file import AlertFile, alert_file
from watcher.answers.alert_lines import AlertBook, AlertLine, AlertLines
from watcher.answers.event_times import event_times
from watcher.notify.message import links_of, steps_of
from watcher.notify.wording import localise
from watcher.rules.step_words import step_name
from watcher.rules.text import clean, one_line
from watcher.store import known_calls
from watcher.store.attempts import Attempt
from watcher.store.outbox import Delivery
from watcher.web.access import Person
from watcher.web.asking import BadQuestion, query_of, span_of
from watcher.web.kept import Kept
from watcher.web.pages import Room, get
from watcher.web.pages.acts import matchers_for
from watcher.web.render import Words, address

#: What is shown: each alert stands under one of them.
SHOWN = ("firing", "acknowledged", "silenced", "events", "resolved")
#: Those of which there may be ever more, so that they are of a span.
_PAST = ("events", "resolved")
_SPANS = ("24h", "7d", "30d", "90d")
_USUAL_SPAN = "7d"
_ON_A_PAGE = 100
#: See `Kept`: it costs little, since only what has changed is read.
_PACE = 2
_SORTS = ("severity", "rule", "account", "owner", "since")
#: Filters by the labels of alerts.
_FACETS = ("severity", "rule", "account", "owner")


def routes(room: Room) -> list[Route]:
    """`/alerts`, and one alert."""

    site = room.site
    kept: dict[str, Kept[_Found]] = {}

    def of(span: str) -> Kept[_Found]:
        """What is shown of a span that many ask for; each is kept apart."""
        if span not in kept:
            book = AlertBook()
            kept[span] = Kept(
                site.store, lambda tx: _load(tx, book, site.clock(), span_of(span, name="since")), pace=_PACE
            )
        return kept[span]

    async def listing(request: Request, person: Person) -> Response:
        asked = Asked.of(request.query_params)
        zone = site.settings().zone
        span, now = asked.since or _USUAL_SPAN, site.clock()
        if span in _SPANS:
            found = await of(span).get(is_live=True)  # whoever was told of an alert looks for it here
        else:
            since = query_of(QueryParams({"since": span}), now=now, zone=zone).since
            found = await site.store.read(_load, AlertBook(), now, now - (since or now))
        shown = _shown(found, asked)
        rows = await site.store.read(found.alerts.rows, [line.id for line in shown["rows"]])
        known_to = await site.store.read(known_calls.known_to, [row.alert for row in rows])

        def page() -> Response:
            return room.pages.page(
                "alerts.html",
                person,
                at="/alerts",
                title="Alerts",
                said=room.pages.board.find(request),
                **{**shown, "rows": rows},
                words=lambda text: localise(one_line(text), zone),
                summary=lambda alert: (
                    alert.finding.summary
                    if alert.ends_at
                    else summary_at(alert, now, calls_known_to=known_to.get(alert.id))
                ),
            )

        return await asyncio.to_thread(page)

    async def one(request: Request, person: Person) -> Response:
        wanted = request.path_params["id"]
        settings, now = site.settings(), site.clock()
        file = await site.store.read(alert_file, wanted, routing=settings.routing, now=now)
        if file.alert.id != wanted:
            return RedirectResponse(f"/alerts/{quote(file.alert.id, safe='')}", 303)
        words = Words(now=now, zone=settings.zone)
        title = localise(one_line(summary_at(file.alert, now, calls_known_to=file.calls_known_to)), settings.zone)
        return room.pages.page(
            "alert.html",
            person,
            at="/alerts",
            title=title,
            said=room.pages.board.find(request),
            file=file,
            alert=file.alert,
            times=event_times(file.alert),
            reached=step_name(file.alert.finding.rule, file.alert.finding.step),
            steps=steps_of(file.alert.finding.action),
            figures=list(figures(file.alert.finding.values, words)),
            sendings=sendings(file),
            untold=_untold(file),
            links=links_of(file.alert, ""),
            subject=subject_of(file.alert),
            silence_address=address("/silences/new", {"alert": file.alert.id}),
            matchers=matchers_for(file.alert),
            text=lambda text: localise(clean(text), settings.zone),
        )

    return [get(room, "/alerts", listing), get(room, "/alerts/{id}", one)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an address of the listing asks for; each part of it can be shared as a link."""

    show: str = SHOWN[0]
    sort: str = _SORTS[0]
    since: str = ""
    page: int = 1
    facets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, params: QueryParams) -> "Asked":
        """Read an address.

        Raises:
            BadQuestion: It asks for what there is not.
        """
        show, sort, page = params.get("show", SHOWN[0]), params.get("sort", _SORTS[0]), params.get("page", "1")
        if show not in SHOWN:
            raise BadQuestion(f"show is one of {', '.join(SHOWN)}")
        if sort not in _SORTS:
            raise BadQuestion(f"sort is one of {', '.join(_SORTS)}")
        if not (page.isascii() and page.isdigit() and 0 < int(page[:6]) <= 100_000):
            raise BadQuestion("page is a number from 1")
        facets = {name: params[name] for name in _FACETS if name in params}
        return cls(show=show, sort=sort, since=params.get("since", ""), page=int(page), facets=facets)

    def address(self, **changes: object) -> str:
        """Of the same, with changes; the first page of it unless that is said. `None` takes a filter away."""
        params: dict[str, object] = {"show": self.show, "sort": self.sort, "since": self.since, **self.facets}
        params |= changes
        usual = {"show": SHOWN[0], "sort": _SORTS[0], "page": 1, "since": ""}
        # What is empty stays: it is a filter by what has no owner.
        kept = {name: value for name, value in params.items() if value is not None and usual.get(name) != value}
        return f"/alerts?{urlencode(kept)}" if kept else "/alerts"

    def fits(self, line: AlertLine) -> bool:
        return all(line.labels.get(name, "") == value for name, value in self.facets.items())


def state_of(line: AlertLine, silenced: Collection[str]) -> str:
    """Under which of `SHOWN` an alert stands.

    Args:
        silenced: Ids of those that are kept quiet.
    """
    if line.is_event:
        return "events"
    if line.ends_at is not None:
        return "resolved"
    if line.id in silenced:
        return "silenced"
    return "acknowledged" if line.is_acked else "firing"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the listing rests on."""

    alerts: AlertLines
    of_state: Mapping[str, Sequence[AlertLine]]
    keeps: Sequence[acts.KeepRow]


def _load(tx: Connection, book: AlertBook, now: datetime, span: timedelta) -> _Found:
    found = book.read(tx, since=now - span, now=now)
    of_state: dict[str, list[AlertLine]] = {}
    for line in found.lines:
        of_state.setdefault(state_of(line, found.silenced), []).append(line)
    return _Found(alerts=found, of_state=of_state, keeps=acts.keeps(tx, now))


def _shown(found: _Found, asked: Asked) -> dict[str, Any]:
    """What the listing's template is given."""
    of_state = found.of_state.get(asked.show, ())
    mine = [line for line in of_state if asked.fits(line)]
    first = (asked.page - 1) * _ON_A_PAGE
    return {
        "asked": asked,
        "tabs": [
            (name, sum(map(asked.fits, found.of_state.get(name, ()))), asked.address(show=name)) for name in SHOWN
        ],
        "rows": heapq.nsmallest(first + _ON_A_PAGE, mine, key=_order(asked.sort))[first:],
        "total": len(mine),
        "first": first,
        "on_a_page": _ON_A_PAGE,
        "facets": [(name, list(_choices(name, of_state, asked))) for name in _FACETS],
        "spans": [(span, asked.address(since=span)) for span in _SPANS] if asked.show in _PAST else [],
        "span": asked.since or _USUAL_SPAN,
        "silences": found.alerts.silences if asked.show in ("firing", "silenced") else (),
        "keeps": found.keeps if asked.show in ("firing", "silenced") else (),
        "report_only": REPORT_ONLY_RULES,
    }


def _choices(name: str, lines: Sequence[AlertLine], asked: Asked) -> Iterator[tuple[str, int, str, bool]]:
    """The values of a filter: each with how many it leaves beside the others, its address, and whether it holds."""
    others = {key: value for key, value in asked.facets.items() if key != name}
    beside = [line for line in lines if all(line.labels.get(key, "") == value for key, value in others.items())]
    counts = Counter(line.labels.get(name, "") for line in beside)
    chosen = asked.facets.get(name)
    if chosen is not None:
        counts.setdefault(chosen, 0)
    for value, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        yield value, count, asked.address(**{name: None if value == chosen else value}), value == chosen


def _order(sort: str) -> Callable[[AlertLine], tuple[Any, ...]]:
    def key(line: AlertLine) -> tuple[Any, ...]:
        newest = -(line.ends_at or line.starts_at).timestamp()
        if sort == "severity":
            # Of those that are as loud what is to be deleted soonest, as on the overview.
            return -line.severity.rank, not line.deletion_at, line.deletion_at, newest, line.id
        if sort == "since":
            return newest, -line.severity.rank, line.id
        return line.labels.get(sort, "").lower(), -line.severity.rank, newest, line.id

    return key


# One alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One telling of the alert, and what came of it."""

    at: datetime
    receiver: str
    what: str
    delivery: Delivery | None = None  #: `None`: the message of another alert stood for it
    attempts: tuple[Attempt, ...] = ()


def sendings(file: AlertFile) -> list[Sending]:
    """Who was told what, oldest first."""
    tries = {delivery.notification.id: (delivery, attempts) for delivery, attempts in file.deliveries}
    found = []
    for told in file.told:
        delivery, attempts = tries.pop(told.notification_id, (None, ()))
        found.append(
            Sending(at=told.at, receiver=told.receiver, what=_what(file, told), delivery=delivery, attempts=attempts)
        )
    for delivery, attempts in tries.values():
        notification = delivery.notification
        found.append(
            Sending(
                at=notification.created_at,
                receiver=notification.receiver,
                what=notification.reason.value.replace("_", " "),
                delivery=delivery,
                attempts=attempts,
            )
        )
    return found


def _what(file: AlertFile, told: Told) -> str:
    step = step_name(file.alert.finding.rule, told.step)
    return f"{told.status}, {told.severity}{f', {step}' if step else ''}"


def _untold(file: AlertFile) -> str:
    """Why nobody was told; "": somebody was."""
    if file.told or file.deliveries:
        return ""
    rule = file.alert.finding.rule
    if not file.routes and rule in REPORT_ONLY_RULES:
        return f"{rule} is for this page and for reports; nobody is told of it unless a route names it by rule"
    if not file.routes:
        return "no route takes it"
    return f"it {because}" if (because := damped_because(file.alert, file.told)) else "not yet"


def subject_of(alert: Alert) -> tuple[str, str, str]:
    """The page of what it is about and its name; and, of a deployment that may be kept, what a keep is asked for."""
    labels = alert.labels
    account = labels.get("account", "")
    for label, page in (("deployment", "deployments"), ("job", "jobs")):
        if account and (name := labels.get(label)):
            keep = f"{account}/{name}" if label == "deployment" and alert.finding.rule != GONE_RULE else ""
            return f"/{page}/{quote(account, safe='@')}/{quote(name, safe='')}", name, keep
    return "", "", ""


#: The values that are money, in the currency that stands among them.
_MONEY = frozenset(
    {
        *("budget", "cost", "cost_at_most", "cost_per_call", "cost_per_day", "cost_until_deletion"),
        *("hosting_per_hour", "idle_cost", "monthly_cost"),
    }
)


def figures(values: Mapping[str, object], words: Words) -> Iterator[tuple[str, str | Markup]]:
    """What the rule found, by name: times local, money with its currency."""
    for name, value in values.items():
        if value in ("", None) or name == "currency":
            continue
        shown: str | Markup = f"{value:,.2f}" if isinstance(value, float) else str(value)
        if isinstance(value, float) and 0 < abs(value) < 0.01:
            shown = f"{value:g}"
        if isinstance(value, str) and (at := _time(value)) is not None:
            shown = words.at(at)
        if name in _MONEY and values.get("currency"):
            shown = f"{shown} {values['currency']}"
        yield name.replace("_", " "), shown


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
