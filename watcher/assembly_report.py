"""Configuration → what reports are made by: a part of assembly with a subject of its own."""

from datetime import timedelta

from watcher.alerts.matcher import parse_matchers
from watcher.config import Config, format_duration
from watcher.costs.idle import Trickle
from watcher.costs.prices import Terms, book_of
from watcher.cycles import Tariff
from watcher.cycles.reporting import OwnEdition, Reporting, Scheduled
from watcher.report.schedule import Timetable
from watcher.report.statement import Audience
from watcher.report.terms import ReportTerms
from watcher.settings import lifetimes_of


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
        link="",  # until there is a page to open
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
        # They may rest for half a day, and for longer only where they are read that seldom.
        metrics_stale_after=max(timedelta(hours=13), 2 * config.poll.metrics),
        deployments_stale_after=max(timedelta(hours=3), 2 * config.poll.deployments),
    )
