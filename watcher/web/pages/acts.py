"""What people do from the pages: silence, expire, acknowledge, keep, and keep no longer; each a page with a form.

Who and why stand in the audit. What they do takes effect at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.routing import Route

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.matcher import Matcher, Operator
from watcher.alerts.silence import Silence, silenced_by
from watcher.alerts.summary import summary_at
from watcher.answers import acts
from watcher.errors import Refused
from watcher.notify.wording import localise, spell_time
from watcher.rules.text import counted, one_line
from watcher.store import alerts, operators
from watcher.web.access import Person
from watcher.web.asking import local_path
from watcher.web.forms import Field, Form, Wrong, author_of, gather, routes_of, said_in, text_in, time_in
from watcher.web.pages import Room
from watcher.web.said import Said

#: Labels that say what an alert is about, in the order in which a silence names them.
_ABOUT = ("account", "deployment", "job", "plane", "model", "cause", "host", "receiver")
_SPANS = ("1h", "4h", "1d", "3d", "7d")
#: So many alerts are named; of the others only how many there are.
_NAMED = 6
_MOST_MATCHERS = 20


def routes(room: Room) -> list[Route]:
    """Their addresses."""
    silences, acks, keeps = _Silences(room), _Acknowledgements(room), _Keeps(room)
    return [
        *routes_of(room, "/silences/new", silences.form, silences.do, blames="matchers"),
        *routes_of(room, "/silences/{id}/expire", silences.form_of_end, silences.do_end),
        *routes_of(room, "/alerts/{id}/acknowledge", acks.form, acks.do),
        *routes_of(room, "/keep", keeps.form, keeps.do, blames="deployment"),
        *routes_of(room, "/keep/end", keeps.form_of_end, keeps.do_end, blames="deployment"),
    ]


def matchers_for(alert: Alert) -> tuple[str, ...]:
    """What silences this alert, and nothing of another subject."""
    labels = alert.labels
    if labels.get("deployment") or labels.get("job"):
        labels.pop("model", None)  # it says no more
    return tuple(str(Matcher(name, Operator.EQUAL, labels[name])) for name in ("rule", *_ABOUT) if labels.get(name))


def _back(typed: QueryParams, otherwise: str) -> str:
    back = typed.get("back", "")
    return local_path(back) if back else otherwise


@dataclass(frozen=True, slots=True)
class _Acting:
    """What all of them work with."""

    room: Room

    @property
    def now(self) -> datetime:
        return self.room.site.clock()

    def when(self, at: datetime) -> str:
        return spell_time(at, self.room.site.settings().zone)

    def words(self, text: str) -> str:
        return localise(one_line(text), self.room.site.settings().zone)

    def named(self, found: Sequence[Alert]) -> tuple[str, ...]:
        named = [f"{one.severity}: {self.words(summary_at(one, self.now))}" for one in found[:_NAMED]]
        return tuple(named + ([f"and {len(found) - _NAMED} more"] if len(found) > _NAMED else []))

    async def write(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self.room.site.store.write(fn, *args, **kwargs)


class _Silences(_Acting):
    """Keeping alerts quiet until a time."""

    async def form(self, request: Request, person: Person, typed: QueryParams) -> Form:
        text, back = typed.get("matchers", ""), "/alerts"
        if wanted := typed.get("alert", ""):
            alert = await self.room.site.store.read(alerts.find, wanted)
            if alert is None:
                raise Refused(f"no alert has the id {wanted}")
            back = f"/alerts/{quote(alert.id, safe='')}"
            text = text or "\n".join(matchers_for(alert))
        found = await self.room.site.store.read(_matched, _lines(text), with_patterns=request.method == "POST")
        return Form(
            title="Silence alerts",
            verb="Silence",
            about=(
                "Alerts that all the matchers match are not told of until it ends; they go on firing, and stand on the "
                "page. A deletion that is less than 24 h away is told all the same.",
                *([f"These would be quiet now ({counted(len(found), 'alert')} that fires):"] if found else ()),
            ),
            items=self.named(found),
            fields=(
                Field(
                    name="matchers",
                    label="Matchers, one a line",
                    kind="area",
                    value=text,
                    hint='label="value", with = != =~ !~ as Alertmanager has them; without a line about deployment or '
                    "job it holds for all of them",
                ),
                Field(
                    name="for",
                    label="For, or until",
                    value=typed.get("for", "1d"),
                    suggestions=_SPANS,
                    hint='"4h", "3d", "2026-12-31" (to its end) or "2026-12-31T18:00"',
                ),
                Field(name="comment", label="Why", value=typed.get("comment", "")),
                Field(
                    name="is_forced",
                    label="Also hide the last 24 h before a deletion",
                    kind="check",
                    value=typed.get("is_forced", ""),
                    is_required=False,
                ),
                Field(name="alert", label="", kind="hidden", value=wanted),
            ),
            at="/alerts",
            back=_back(typed, back),
        )

    async def do(self, request: Request, person: Person, typed: QueryParams) -> Said:
        now, zone = self.now, self.room.site.settings().zone
        gather(
            lambda: _matchers(typed),
            lambda: time_in(typed, "for", now=now, zone=zone),
            lambda: said_in(typed, "comment", "say why: it stands in the audit"),
            lambda: author_of(person, typed),
        )
        done: acts.Silenced = await self.write(
            acts.silence,
            _lines(typed.get("matchers", "")),
            ends_at=time_in(typed, "for", now=now, zone=zone),
            author=author_of(person, typed),
            comment=text_in(typed, "comment"),
            is_forced=bool(typed.get("is_forced")),
            known=self.room.site.settings().known,
            now=now,
        )
        quiet, through = len(done.quiets), len(done.comes_through)
        text = f"Silenced until {self.when(done.silence.ends_at)}: of what fires now it keeps "
        text += f"{counted(quiet, 'alert')} quiet" if quiet else "nothing quiet"
        if through:
            comes = "comes" if through == 1 else "come"
            text += f"; {counted(through, 'alert')} {comes} through, a deletion being less than 24 h away"
        return Said(text=f"{text}.", warnings=tuple(map(self.words, done.warnings)))

    async def form_of_end(self, request: Request, person: Person, typed: QueryParams) -> Form:
        wanted = request.path_params["id"]
        found = await self.room.site.store.read(_active, wanted, self.now)
        if found is None:
            raise Refused(f"no silence {wanted} is active: it has ended, or never was")
        silence, quiets = found
        return Form(
            title="End a silence",
            verb="End it now",
            about=(
                " ".join(map(str, silence.matchers)),
                f"By {silence.author} until {self.when(silence.ends_at)}: {silence.comment}",
                "What it keeps quiet and still fires is told:" if quiets else "It keeps nothing quiet at present.",
            ),
            items=self.named(quiets),
            fields=(Field(name="comment", label="Why", value=typed.get("comment", ""), is_required=False),),
            at="/alerts",
            back=_back(typed, "/alerts?show=silenced"),
        )

    async def do_end(self, request: Request, person: Person, typed: QueryParams) -> Said:
        author = author_of(person, typed)
        comment = text_in(typed, "comment")
        wanted = request.path_params["id"]
        (silence,) = await self.write(acts.expire, [wanted], author=author, comment=comment, now=self.now)
        return Said(text=f"The silence of {' '.join(map(str, silence.matchers))} has ended.")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()][: _MOST_MATCHERS + 1]


def _matchers(typed: QueryParams) -> None:
    lines = _lines(typed.get("matchers", ""))
    if not lines:
        raise Wrong(matchers='say what is to be quiet, as rule="deployment_idle"')
    if len(lines) > _MOST_MATCHERS:
        raise Wrong(matchers=f"more than {_MOST_MATCHERS} matchers")
    try:
        acts.matchers_of(lines)
    except Refused as exc:
        raise Wrong(matchers=str(exc)) from None


def _matched(tx: Connection, lines: Sequence[str], *, with_patterns: bool) -> list[Alert]:
    """What fires and would be quiet, the loudest first; nothing where the matchers cannot be used.

    Args:
        with_patterns: Also for regular expressions: a form that was sent proves that somebody typed them here, and
            an address, which anybody may have written, does not.
    """
    try:
        matchers = acts.matchers_of(lines) if len(lines) <= _MOST_MATCHERS and lines else ()
    except Refused:
        return []
    if not with_patterns and any(one.is_pattern for one in matchers):
        return []
    found = [one for one in alerts.listed(tx, firing_only=True) if matchers and _fits(matchers, one.labels)]
    return sorted(found, key=lambda alert: (-alert.severity.rank, alert.starts_at, alert.id))


def _fits(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


def _active(tx: Connection, wanted: str, now: datetime) -> tuple[Silence, list[Alert]] | None:
    found = next((one for one in operators.silences(tx, since=now) if one.id == wanted), None)
    if found is None:
        return None
    return found, [one for one in alerts.listed(tx, firing_only=True) if silenced_by(one, [found], now)]


class _Acknowledgements(_Acting):
    """Saying that somebody looks after an alert."""

    async def form(self, request: Request, person: Person, typed: QueryParams) -> Form:
        wanted = request.path_params["id"]
        alert = await self.room.site.store.read(alerts.find, wanted)
        if alert is None:
            raise Refused(f"no alert has the id {wanted}")
        if alert.status is AlertStatus.RESOLVED:
            raise Refused("this alert is resolved: there is nothing to acknowledge", code=2)
        earlier = f"{alert.acked_by} acknowledged it at {self.when(alert.acked_at)}." if alert.acked_at else ""
        return Form(
            title="Acknowledge an alert",
            verb="Acknowledge",
            about=(
                self.words(summary_at(alert, self.now)),
                "Says that somebody looks after it: reminders and the escalation stop. Each step of a countdown, a "
                "raised severity and the end are told all the same.",
                *((earlier,) if earlier else ()),
            ),
            fields=(Field(name="comment", label="What is done about it", value=typed.get("comment", "")),),
            at="/alerts",
            back=_back(typed, f"/alerts/{quote(alert.id, safe='')}"),
        )

    async def do(self, request: Request, person: Person, typed: QueryParams) -> Said:
        gather(
            lambda: said_in(typed, "comment", "say what is done about it: it stands in the audit"),
            lambda: author_of(person, typed),
        )
        wanted = [request.path_params["id"]]
        (done,) = await self.write(
            acts.acknowledge, wanted, author=author_of(person, typed), comment=text_in(typed, "comment"), now=self.now
        )
        before = f"{done.earlier.author} had done so before." if done.earlier else ""
        return Said(text="Acknowledged: no more reminders, and no escalation.", warnings=(before,) if before else ())


class _Keeps(_Acting):
    """Keeping a deployment, and no longer."""

    async def form(self, request: Request, person: Person, typed: QueryParams) -> Form:
        wanted = typed.get("deployment", "")
        return Form(
            title="Keep a deployment",
            verb="Keep it",
            about=(
                "Until then there is no advice to delete it and no early warning; the warnings 1 d and 6 h before its "
                "deletion still come. Azure knows nothing of it: only a call puts a deletion off.",
            ),
            fields=(
                Field(
                    name="deployment", label="Deployment", value=wanted, hint="ACCOUNT/DEPLOYMENT, as the pages have it"
                ),
                Field(
                    name="until",
                    label="Until",
                    value=typed.get("until", ""),
                    suggestions=("7d", "30d", "90d"),
                    hint='"30d", or "2026-12-31" (to its end)',
                ),
                Field(name="reason", label="Why", value=typed.get("reason", "")),
            ),
            at="/deployments",
            back=_back(typed, _page_of(wanted)),
        )

    async def do(self, request: Request, person: Person, typed: QueryParams) -> Said:
        now, zone = self.now, self.room.site.settings().zone
        gather(
            lambda: said_in(typed, "deployment", "say which: ACCOUNT/DEPLOYMENT"),
            lambda: time_in(typed, "until", now=now, zone=zone),
            lambda: said_in(typed, "reason", "say why: it stands in the audit"),
            lambda: author_of(person, typed),
        )
        done: acts.Kept = await self.write(
            acts.keep,
            self.room.site.settings().frame(now),
            text_in(typed, "deployment"),
            until=time_in(typed, "until", now=now, zone=zone),
            author=author_of(person, typed),
            reason=text_in(typed, "reason"),
        )
        warnings = [self.words(text) for text in done.warnings]
        if done.earlier:
            by = f" by {done.earlier.author}" if done.earlier.author else ""
            warnings.append(f"it was kept{by} until {self.when(done.earlier.until)}; that is replaced")
        return Said(
            text=f"{done.row.one.deployment.name} is kept until {self.when(done.keep.until)}.", warnings=tuple(warnings)
        )

    async def form_of_end(self, request: Request, person: Person, typed: QueryParams) -> Form:
        wanted = typed.get("deployment", "")
        return Form(
            title="Keep a deployment no longer",
            verb="Keep it no longer",
            about=("Advice about it and early warnings of its deletion are given again.",),
            fields=(
                Field(name="deployment", label="Deployment", value=wanted, hint="ACCOUNT/DEPLOYMENT"),
                Field(name="reason", label="Why", value=typed.get("reason", "")),
            ),
            at="/deployments",
            back=_back(typed, _page_of(wanted)),
        )

    async def do_end(self, request: Request, person: Person, typed: QueryParams) -> Said:
        gather(
            lambda: said_in(typed, "deployment", "say which: ACCOUNT/DEPLOYMENT"),
            lambda: said_in(typed, "reason", "say why: it stands in the audit"),
            lambda: author_of(person, typed),
        )
        row, warnings = await self.write(
            acts.drop,
            text_in(typed, "deployment"),
            author=author_of(person, typed),
            reason=text_in(typed, "reason"),
            now=self.now,
        )
        return Said(text=f"{row.label}/{row.name} is kept no longer.", warnings=tuple(warnings))


def _page_of(wanted: str) -> str:
    place, _, name = wanted.rpartition("/")
    return f"/deployments/{quote(place, safe='@')}/{quote(name, safe='')}" if place and name else "/deployments"
