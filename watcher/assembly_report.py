"""Configuration → what reports are made by: a part of assembly with a subject of its own."""

from datetime import datetime, timedelta

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
from watcher.rules.metrics_pace import SELDOM, stale_after
from watcher.rules.text import moment
from watcher.settings import lifetimes_of
from watcher.store import reports


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
) -> Statement:
    """One statement that somebody asks for.

    Args:
        is_past: `as_of` was said, and so must lie in what is on record.

    Raises:
        Refused: Nothing is on record of then.
    """
    first = reports.first_record_at(tx)
    if is_past and (first is None or as_of < first):
        begins = "nothing is on record yet" if first is None else f"the record begins at {moment(first)}"
        raise Refused(f"nothing is known as of {moment(as_of)}: {begins}", code=2)
    found = statements(
        tx, {"": edition}, period=period, period_name=period_name, as_of=as_of, terms=terms, tariff=tariff
    )
    return found[""]
