"""The page of one job or one deployment: its dossier, with what only a page shows: its money, its calls, its lives."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.dispatch import Routing
from watcher.answers import dossier, money
from watcher.answers.dossier import Dossier
from watcher.answers.money import Money, Rates, ToDate
from watcher.answers.query import Frame
from watcher.answers.unread import Unread, unread
from watcher.costs.prices import PriceBook
from watcher.costs.training import Spent
from watcher.errors import Refused
from watcher.resources.account import Account
from watcher.resources.calls import HOUR, Calls, Coverage
from watcher.rules.job_spent import lost
from watcher.store import calls, listings
from watcher.store.listings import RecordedDeployment

#: So far back calls are shown.
DAYS = timedelta(days=30)

BookOf = Callable[[Connection], PriceBook]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSheet:
    """All of one job."""

    file: Dossier
    unread: tuple[Unread, ...]  #: one for each of its gaps
    cost: Spent
    price_words: str


def job(tx: Connection, frame: Frame, account: str, id_: str, *, routing: Routing | None, book_of: BookOf) -> JobSheet:
    """The sheet of a job.

    Raises:
        Refused: there is none, or more than one.
    """
    found = _find(tx, frame, account, id_, routing)
    if found.job is None or found.account is None:
        raise Refused(f"no job of {account} has the id {id_}")
    book = book_of(tx)
    unseen = tuple(unread(tx, found, routing))
    return JobSheet(file=found, unread=unseen, cost=cost_of(tx, found, book), price_words=book.words)


def cost_of(tx: Connection, found: Dossier, book: PriceBook) -> Spent:
    """What the training of a dossier's job has cost, as far as is known."""
    assert found.job is not None and found.account is not None
    one, account = found.job, found.account
    has_ended = one.job.status.has_ended
    if not has_ended:
        place = listings.places(tx, with_removed=True, keys=[account.key])[account.key]
        if (nobody_knows := lost(is_watched=place.is_watched, is_listed=one.is_listed)) is not None:
            return nobody_knows
    return money.training_cost(
        account,
        one.job,
        book,
        events=found.events,
        changes=found.transitions,
        ended_at=one.status_since if has_ended else None,
        jobs_at=found.reading.jobs_at if found.reading else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of a deployment's name."""

    one: RecordedDeployment
    cost: ToDate


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSheet:
    """All of one deployment, in all of its lives."""

    file: Dossier
    unread: tuple[Unread, ...]  #: one for each of its gaps
    money: Money | None  #: `None`: it has ended
    lives: tuple[Life, ...]  #: newest first
    calls: Calls  #: of the last `DAYS`, by the hour, under its name
    coverage: Coverage
    begin: datetime  #: of `calls`: the start of an hour
    now: datetime
    price_words: str

    @property
    def life(self) -> Life:
        """The one that the dossier tells of."""
        mine = self.file.deployment
        return next((life for life in self.lives if life.one == mine), self.lives[0])


def deployment(
    tx: Connection, frame: Frame, account: str, name: str, *, routing: Routing | None, book_of: BookOf
) -> DeploymentSheet:
    """The sheet of a deployment.

    Raises:
        Refused: there is none, or more than one.
    """
    found = _find(tx, frame, account, name, routing)
    if found.deployment is None or found.account is None:
        raise Refused(f"no deployment of {account} is called {name}")
    place, book, now = found.account, book_of(tx), frame.now
    one = found.deployment.deployment
    begin = now - DAYS - timedelta(seconds=(now - DAYS).timestamp() % HOUR.total_seconds())
    by_name = calls.load(tx, place.key, begin, now + HOUR)
    lives = [life for life in listings.deployments(tx, name=one.name) if life.deployment.key == one.key]
    return DeploymentSheet(
        file=found,
        unread=tuple(unread(tx, found, routing)),
        money=money.money_of(place, one, found.standing, Rates(book), now) if found.standing is not None else None,
        lives=tuple(_life(place, life, book, found, now) for life in lives),
        calls=by_name.get(one.name.lower(), Calls(deployment=one.name.lower(), hours={})),
        coverage=calls.coverage(tx, place.key),
        begin=begin,
        now=now,
        price_words=book.words,
    )


def _life(account: Account, one: RecordedDeployment, book: PriceBook, found: Dossier, now: datetime) -> Life:
    log = found.departure if one == found.deployment else None
    stood_at = log.stood_at if log else None
    return Life(one=one, cost=money.to_date(account, one, book, last_seen_at=stood_at, now=now))


def _find(tx: Connection, frame: Frame, account: str, name: str, routing: Routing | None) -> Dossier:
    wanted = f"{account}/{name}"
    return dossier.find(tx, wanted, frame, routing=routing)
