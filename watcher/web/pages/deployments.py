"""`/deployments`: all deployments and the time they have; and the page of one: its calls, clock, cost and lives."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from markupsafe import Markup
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watcher.answers import listings, sheets
from watcher.answers.happenings import RECENT
from watcher.answers.listings import DeploymentRow
from watcher.answers.money import Money, Rates, money_of
from watcher.answers.query import Frame, Query
from watcher.costs.idle import IdleMoney
from watcher.costs.prices import Price
from watcher.report.standing import Risk
from watcher.resources.model import base_of, suffix_of
from watcher.rules.labels import owner_of
from watcher.rules.sight import REASONS
from watcher.store import listings as stored
from watcher.store import prices
from watcher.store.gathered import Gathered
from watcher.web.access import Person
from watcher.web.kept import Kept
from watcher.web.pages import Room, get
from watcher.web.pages.deployment_words import deletion_bar, deletion_when, deployment_shown, risk_badge
from watcher.web.pages.listed import Asked, Kind, found
from watcher.web.pages.money import cost_words, grouped
from watcher.web.render import Words

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentLine:
    """A deployment's row."""

    row: DeploymentRow
    account: str
    owner: str
    money: Money | None  #: `None`: it has ended

    @property
    def name(self) -> str:
        return self.row.one.deployment.name

    @property
    def risk(self) -> str:
        return "ended" if self.row.standing is None else self.row.standing.risk.value

    @property
    def base(self) -> str:
        model = self.row.one.deployment.model
        return base_of(model) or model

    @property
    def suffix(self) -> str:
        return suffix_of(self.row.one.deployment.model)

    @property
    def last_call_at(self) -> datetime | None:
        usage = self.row.standing.usage if self.row.standing else None
        return usage.last_success_at if usage else None

    @property
    def urgency(self) -> tuple[int, datetime, str]:
        """What goes first, first."""
        standing = self.row.standing
        if standing is None:
            return 4, _END, self.row.one.deployment.key
        return _ORDER[standing.risk], standing.deletion_earliest or _END, self.row.one.deployment.key

    @property
    def idle_cost(self) -> Fraction:
        idle = self.money.idle if self.money else None
        return idle.so_far.low if isinstance(idle, IdleMoney) else Fraction(-1)

    @property
    def hourly(self) -> Fraction:
        price = self.money.price if self.money else None
        return price.rate.low if isinstance(price, Price) else Fraction(-1)


#: Deadlines come nearer though nothing happens.
_ANEW = timedelta(minutes=2)
_ORDER: Mapping[Risk, int] = {Risk.AT_RISK: 0, Risk.UNKNOWN: 1, Risk.SAFE: 2, Risk.EXEMPT: 3}


def line_of(row: DeploymentRow, frame: Frame, rates: Rates) -> DeploymentLine:
    """The row of a deployment."""
    account, deployment, standing = row.seen.account, row.one.deployment, row.standing
    return DeploymentLine(
        row=row,
        account=account.label,
        owner=owner_of(account, deployment=deployment, owner_tag=frame.owner_tag).name,
        money=None if standing is None else money_of(account, deployment, standing, rates, frame.now),
    )


KIND: Kind[DeploymentLine] = Kind(
    path="/deployments",
    state=lambda line: line.risk,
    shows={
        "standing": ("Standing", lambda risk: risk != "ended"),
        "at_risk": ("At risk", lambda risk: risk == Risk.AT_RISK),
        "unknown": ("Unknown", lambda risk: risk == Risk.UNKNOWN),
        "safe": ("Safe for now", lambda risk: risk == Risk.SAFE),
        "exempt": ("Not deleted", lambda risk: risk == Risk.EXEMPT),
        "ended": (f"Ended in {RECENT.days} d", lambda risk: risk == "ended"),
    },
    facets={
        "account": lambda line: line.account,
        "owner": lambda line: line.owner,
        "sku": lambda line: line.row.one.deployment.sku,
        "model": lambda line: line.base,
    },
    sorts={
        "deletion": (lambda line: line.urgency, False),
        "deployment": (lambda line: (line.name.lower(), line.urgency), False),
        "account": (lambda line: (line.account.lower(), line.name.lower()), False),
        "called": (lambda line: (line.last_call_at or _NEVER, line.name.lower()), False),
        "idle": (lambda line: (line.idle_cost, line.hourly), True),
        "model": (lambda line: (line.base, line.suffix, line.name.lower()), False),
        "owner": (lambda line: (line.owner.lower(), line.urgency), False),
    },
    searched=lambda line: f"{line.name}\n{line.row.one.deployment.model}\n{line.account}".lower(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowShown:
    """A row as it is drawn."""

    line: DeploymentLine
    kind: str
    word: str
    when: Markup
    picture: Markup
    cost: str
    note: str


def _shown(line: DeploymentLine, words: Words, now: datetime) -> RowShown:
    standing = line.row.standing
    if standing is None or line.money is None:
        ended = words.past(line.row.one.ended_at)
        return RowShown(
            line=line, kind="plain", word=line.row.one.outcome, when=ended, picture=Markup(""), cost="", note=""
        )
    kind, word = risk_badge(standing)
    is_exempt = standing.risk is Risk.EXEMPT
    return RowShown(
        line=line,
        kind=kind,
        word=word,
        when=deletion_when(standing, words),
        picture=Markup("") if is_exempt else deletion_bar(standing, now),
        cost="" if is_exempt and not standing.is_fine_tuned else cost_words(line.money),
        note=standing.unknown_because,
    )


def routes(room: Room) -> list[Route]:
    """`/deployments`, and one deployment."""
    site = room.site

    def load(tx: Connection, keys: Sequence[str]) -> Mapping[str, list[DeploymentLine]]:
        frame, rates = site.frame(), Rates(site.settings().book(tx))
        lines: dict[str, list[DeploymentLine]] = {}
        for row in listings.standing_in(tx, frame, keys, Query(since=frame.now - RECENT)):
            lines.setdefault(row.one.deployment.account, []).append(line_of(row, frame, rates))
        return lines

    gathered = Gathered(load, every=_ANEW)

    def make(tx: Connection) -> list[DeploymentLine]:
        base = site.settings(), prices.newest(tx)
        found = gathered.read(tx, stored.revisions(tx), now=site.clock(), base=base)
        return [line for lines in found for line in lines]

    kept = Kept(site.store, make, under=site.settings)

    async def listing(request: Request, person: Person) -> Response:
        asked = Asked.of(KIND, request.query_params)
        lines = await kept.get(is_live="x-live" in request.headers)

        def page() -> Response:
            now = site.clock()
            words = Words(now=now, zone=site.settings().zone)
            f = found(lines, asked)
            rows = [_shown(line, words, now) for line in f.rows]
            return room.pages.page(
                "deployments.html",
                person,
                at="/deployments",
                title="Deployments",
                said=room.pages.board.find(request),
                f=f,
                rows=rows,
            )

        return await asyncio.to_thread(page)

    async def one(request: Request, person: Person) -> Response:
        account, name = request.path_params["account"], request.path_params["name"]
        settings = site.settings()
        sheet = await site.store.read(
            sheets.deployment, site.frame(), account, name, routing=settings.routing, book_of=settings.book
        )

        def page() -> Response:
            now = site.clock()
            words = Words(now=now, zone=settings.zone)
            shown = deployment_shown(sheet, words, now=now, zone=settings.zone)
            return room.pages.page(
                "deployment.html",
                person,
                at="/deployments",
                title=shown.title,
                said=room.pages.board.find(request),
                sheet=sheet,
                shown=shown,
                reasons=REASONS,
                keep_of=f"{account}/{name}",
                kept=sheet.file.keep,
                grouped=grouped,
            )

        return await asyncio.to_thread(page)

    return [get(room, "/deployments", listing), get(room, "/deployments/{account}/{name}", one)]
