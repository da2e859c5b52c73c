"""What is costly to work out of the records of a period: once for all its editions, and beside the bill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.alerts.keep import Keep
from watcher.costs.hosting import Period
from watcher.costs.money import Unknown
from watcher.report.bills import Missing
from watcher.report.hosted import Hosted, Places, hosted
from watcher.report.leftovers import Lying, orphans, undeployed
from watcher.report.recorded import RecordedAccount, Records
from watcher.report.statement import Exemption
from watcher.report.terms import ReportTerms
from watcher.report.trained import Trained, trained
from watcher.rules.labels import account_labels, deployment_labels, owner_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What is common to all editions."""

    accounts: tuple[RecordedAccount, ...]
    hosted: tuple[Hosted, ...]
    trained: tuple[Trained, ...]
    undeployed: tuple[Lying, ...]
    orphans: tuple[Lying, ...]
    missing: tuple[tuple[Missing, Mapping[str, str]], ...]  #: with the labels of each
    exemptions: tuple[tuple[Exemption, Mapping[str, str]], ...]


def worked_out(records: Records, terms: ReportTerms, period: Period) -> Worked:
    known = records.worked_out.get("worked")
    if isinstance(known, tuple) and known[0] is terms and known[1] == period:
        found: Worked = known[2]
        return found
    lines = tuple(hosted(records, terms, period))
    worked = Worked(
        accounts=tuple(one for one in records.accounts if one.removed_at is None),
        hosted=lines,
        trained=tuple(trained(records, terms, period)),
        undeployed=undeployed(records, terms),
        orphans=orphans(records, terms),
        missing=tuple(_missing(records, terms)),
        exemptions=tuple(_exemptions(records, terms, lines, period)),
    )
    records.worked_out["worked"] = (terms, period, worked)
    return worked


def _missing(records: Records, terms: ReportTerms) -> list[tuple[Missing, Mapping[str, str]]]:
    """Accounts of which the deployments or the jobs were never read: what they cost is no zero."""
    places = Places(terms)
    never = "the {} of an account have never been read"
    return [
        (
            Missing(
                place=places.of(one.account, owner_of(one.account).name),
                hosting=Unknown(because=never.format("deployments")) if one.holding.deployments_at is None else None,
                training=Unknown(because=never.format("jobs")) if one.holding.jobs_at is None else None,
            ),
            account_labels(one.account),
        )
        for one in records.accounts
        if one.removed_at is None and (one.holding.deployments_at is None or one.holding.jobs_at is None)
    ]


def _exemptions(
    records: Records, terms: ReportTerms, lines: Sequence[Hosted], period: Period
) -> list[tuple[Exemption, Mapping[str, str]]]:
    """Who wants what kept, and what ran out in the period; the first to end first."""
    accounts = {name: one.account for one in records.accounts for name in (one.account.label.lower(), one.account.key)}
    standing = {(one.account.key, one.line.name.lower()): one for one in lines if one.line.end is None}
    keeps: dict[tuple[str, str, datetime], Keep] = {}
    for keep in (*records.keeps, *(one.keep for one in lines if one.keep is not None)):
        if (account := accounts.get(keep.account.lower())) is not None and keep.until > period.begin:
            keeps.setdefault((account.key, keep.deployment.lower(), keep.until), keep)
    places = Places(terms)
    found: list[tuple[Exemption, Mapping[str, str]]] = []
    for (key, name, until), keep in sorted(keeps.items(), key=lambda pair: (pair[0][2], pair[0][:2])):
        holder, account = standing.get((key, name)), accounts[key]
        place = holder.line.place if holder else places.of(account, owner_of(account).name)
        exemption = Exemption(
            place=place,
            name=holder.line.name if holder else keep.deployment,
            until=until,
            by=keep.author,
            reason=keep.reason,
            is_over=until <= records.as_of,
        )
        found.append((exemption, labels_in(holder, terms) if holder else account_labels(account)))
    return found


def labels_in(one: Hosted, terms: ReportTerms) -> Mapping[str, str]:
    """By which an edition holds it."""
    return {**deployment_labels(one.account, one.deployment, terms.owner_tag), **shown(one.line.place.labels)}


def shown(labels: Mapping[str, str]) -> dict[str, str]:
    """Those that are not missing."""
    return {name: value for name, value in labels.items() if value}
