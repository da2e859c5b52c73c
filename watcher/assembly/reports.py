"""Which reports are made when, for whom, and by which terms."""

from collections.abc import Collection
from datetime import datetime, timedelta
from difflib import get_close_matches

from sqlalchemy import Connection

from watcher.alerts.matcher import parse_matchers
from watcher.config import Config, format_duration
from watcher.costs.hosting import Period
from watcher.costs.idle import Trickle
from watcher.costs.prices import Terms, book_of
from watcher.cycles import Tariff
from watcher.cycles.editions import Concerns, concerning, statements
from watcher.cycles.timetables import OwnEdition, Reporting, Scheduled
from watcher.errors import Refused
from watcher.report.schedule import Timetable
from watcher.report.statement import Audience, Edition, Statement
from watcher.report.terms import ReportTerms
from watcher.rules.labels import UNOWNED
from watcher.rules.metrics_pace import SELDOM, stale_after
from watcher.rules.text import few, moment, one_line
from watcher.settings import lifetimes_of
from watcher.store import owners as owned
from watcher.store import reports

#: So many names that are near are offered, and so many others where none is.
_NEAREST, _NAMED = 3, 8


def reporting_of(config: Config, pricing: Terms, tariff: Tariff) -> Reporting:
    """Which reports are made when, and who gets them."""
    return Reporting(
        scheduled=tuple(
            Scheduled(
                name=one.name,
                timetable=Timetable(
                    weekday=one.schedule.weekday,
                    day=one.schedule.day,
                    at=one.schedule.at,
                    zone=config.watcher.timezone,
                ),
                length=one.period,
                period_name="month" if one.period == "month" else format_duration(one.period),
                audience=Audience(one.edition),
                receivers=one.receivers,
            )
            for one in config.reports
        ),
        owners=tuple(
            OwnEdition(owner=owner.name, matchers=parse_matchers(owner.match), receivers=owner.receivers)
            for owner in config.owners
        ),
        terms=report_terms_of(config, pricing),
        tariff=tariff,
        link=f"{config.watcher.public_url}/report" if config.watcher.public_url else "",
    )


def report_terms_of(config: Config, pricing: Terms) -> ReportTerms:
    """What the operator says of prices, limits and labels, as reports go by it."""
    rules, discovery = config.rules, config.azure.discovery
    return ReportTerms(
        watcher=config.watcher.name,
        zone=config.watcher.timezone,
        book=book_of(pricing),
        lifetimes=lifetimes_of(config),
        trickle=Trickle(max_calls=rules.deployment_trickle.max_calls, window=rules.deployment_trickle.window),
        wasting_after=rules.deployment_wasting.after,
        undeployed_after=rules.model_undeployed.after,
        orphaned_after=rules.file_orphaned.after,
        tag_labels=discovery.tag_labels,
        critical_environments=frozenset(config.watcher.critical_environments),
        owner_tag=discovery.owner_tag,
        # Where nothing is near its end they rest for so long, and end an hour before they are read.
        metrics_stale_after=max(timedelta(hours=13), SELDOM * config.poll.metrics + timedelta(hours=1)),
        near_stale_after=stale_after(config.poll.metrics),
        deployments_stale_after=max(timedelta(hours=3), 2 * config.poll.deployments),
        jobs_stale_after=max(timedelta(hours=3), 2 * config.poll.active, 2 * config.poll.quiet),
    )


def edition_of(config: Config, owner: str | None, audience: str = "all") -> tuple[Edition, Concerns]:
    """Whose things a report that somebody asks for holds.

    An owner is whoever bears the label, and what `[[owners]]` of that name match.
    """
    if owner is None:
        return Edition(audience=Audience(audience)), None
    tables = [parse_matchers(one.match) for one in config.owners if one.name == owner]
    return Edition(audience=Audience.OWNER, owner=owner), concerning(owner, tables)


def statement_of(
    tx: Connection,
    edition: tuple[Edition, Concerns],
    *,
    period: Period,
    period_name: str,
    as_of: datetime,
    is_past: bool,
    terms: ReportTerms,
    tariff: Tariff,
    owners: Collection[str] = (),
) -> Statement:
    """One statement that somebody asks for.

    Args:
        is_past: `as_of` was said, and so must lie in what is on record.
        owners: The names of `[[owners]]`, which exist whatever they hold.

    Raises:
        Refused: Nothing is on record of then, or the edition is of an owner of whom nothing ever was.
    """
    first = reports.first_record_at(tx)
    if is_past and (first is None or as_of < first):
        begins = "nothing is on record yet" if first is None else f"the record begins at {moment(first)}"
        raise Refused(f"nothing is known as of {moment(as_of)}: {begins}", code=2)
    found = statements(
        tx, {"": edition}, period=period, period_name=period_name, as_of=as_of, terms=terms, tariff=tariff
    )
    statement = found[""]
    owner = statement.edition.owner
    if owner and not _holds_anything(statement):
        _refuse_strangers(tx, owner, owners, terms.owner_tag)
    return statement


def _holds_anything(statement: Statement) -> bool:
    return bool(
        statement.accounts
        or statement.hosted
        or statement.trained
        or statement.undeployed
        or statement.orphans
        or statement.exceptions
    )


def _refuse_strangers(tx: Connection, owner: str, configured: Collection[str], owner_tag: str) -> None:
    """A name with a slip in it must not read as one who owns nothing.

    Raises:
        Refused: Nobody of the name is on record; with those whose names are near.
    """
    known = {*configured, *owned.owners(tx, owner_tag)}
    if owner in known or owner == UNOWNED:
        return
    by_fold = {name.casefold(): name for name in sorted(known)}
    near = [one_line(by_fold[fold]) for fold in get_close_matches(owner.casefold(), by_fold, n=_NEAREST)]
    cure = f"did you mean {' or '.join(near)}?" if near else f"known are {few(sorted(map(one_line, known)), _NAMED)}"
    raise Refused(
        f"no owner is named {one_line(owner)}: nothing on record is theirs, and no [[owners]] of the configuration "
        f"has that name; {cure if known else 'nothing has been recorded yet'}",
        code=2,
    )
