"""The statement of a period, compiled from its records: for all, for finance, or for one owner.

What is costly is worked out once for all editions of a period; an edition is a selection, and its sums are its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from msgspec import structs

from watcher.costs.advice import Advice, advise_all
from watcher.costs.hosting import Period
from watcher.costs.money import Cost, Unknown, total
from watcher.costs.savings import saved, saving
from watcher.costs.uses import State
from watcher.report.bills import bills, by_day, costs_of, in_state, prices_used, until_deletion
from watcher.report.dates import dates
from watcher.report.hosted import Hosted, labels_of
from watcher.report.recorded import Records
from watcher.report.statement import Actual, Edition, HostedLine, Realised, Statement
from watcher.report.terms import ReportTerms
from watcher.report.unseen import begins, has_read, is_seen, lacks_dates, remarks, undated, unseen
from watcher.report.worked import Worked, labels_in, shown, worked_out
from watcher.resources.lineage import Lineage
from watcher.rules.labels import account_labels, job_labels

__all__ = ["ReportTerms", "compile_statement"]

#: Whether something with these labels belongs to an edition.
Matches = Callable[[Mapping[str, str]], bool]

_NOTHING_READ = Unknown(because="no account has been read yet")
_CALLS_UNREAD = Unknown(because="the latest calls were not read, so nobody knows what is used")
_ANOTHERS = "another owner's deployment"


def compile_statement(
    records: Records,
    *,
    period: Period,
    period_name: str,
    as_of: datetime,
    terms: ReportTerms,
    edition: Edition | None = None,
    matches: Matches | None = None,
    actuals: Sequence[Actual] = (),
) -> Statement:
    """The statement of a period.

    Args:
        as_of: As of the records; where it lies before the period's end, the period is counted to then.
        matches: Selects by the labels that an alert about it would bear; `None`: all.
    """
    period = Period(begin=min(period.begin, as_of), end=min(period.end, as_of))
    worked = worked_out(records, terms, period)
    chosen = worked if matches is None else _selected(worked, matches, terms, records.inventory.lineage)
    lines = tuple(one.line for one in chosen.hosted)
    jobs = tuple(one.line for one in chosen.trained)
    currency = terms.book.currency
    advice = advise_all((one.case for one in chosen.hosted if one.case is not None), as_of)
    deletions = [one.deletion for one in chosen.hosted if one.deletion is not None]
    exemptions = tuple(exemption for exemption, _ in chosen.exemptions)
    realised = _realised(chosen.hosted)
    nothing = () if chosen.missing or has_read(records) else (_NOTHING_READ,)
    return Statement(
        watcher=terms.watcher,
        edition=edition or Edition(),
        period=period,
        period_name=period_name,
        zone=terms.zone.key,
        as_of=as_of,
        currency=currency,
        price_words=terms.book.words,
        accounts=len(chosen.accounts),
        accounts_seen=sum(is_seen(one, as_of, terms) for one in chosen.accounts),
        watched=len(worked.accounts),
        hosting=total(
            (
                *(cost for line in lines for cost in costs_of(line)),
                *(one.hosting for one, _ in chosen.missing if one.hosting),
                *nothing,
            ),
            currency,
        ),
        training=total(
            (*(job.cost for job in jobs), *(one.training for one, _ in chosen.missing if one.training), *nothing),
            currency,
        ),
        idle=in_state(lines, State.IDLE, currency),
        trickle=in_state(lines, State.TRICKLE, currency),
        unread=in_state(lines, State.UNKNOWN, currency),
        saving_per_month=total(_savings(advice, chosen.hosted), currency),
        idle_until_deletion=until_deletion(lines, currency),
        bills=bills(lines, jobs, [one for one, _ in chosen.missing], labels=terms.tag_labels, currency=currency),
        hosted=tuple(sorted(lines, key=_dearest)),
        trained=tuple(sorted(jobs, key=lambda job: (-_high(job.cost), job.place.account, job.job))),
        undeployed=tuple(one.leftover for one in chosen.undeployed),
        orphans=tuple(one.leftover for one in chosen.orphans),
        dates=dates(records, terms, chosen.hosted, exemptions, silences=matches is None),
        exceptions=exemptions,
        advice=advice,
        saved=saved(deletions, currency),
        realised=realised,
        days=by_day(lines, currency),
        prices=prices_used(chosen.hosted, chosen.trained, as_of),
        # A bill is that of a whole account, in which others may have things too.
        actuals=tuple(actuals) if matches is None else (),
        undated=undated(chosen.hosted),
        lacks_dates=lacks_dates(records, chosen.accounts, chosen.hosted, terms),
        unseen=tuple(unseen(records, chosen.accounts, chosen.hosted, period, terms, is_whole=matches is None)),
        begins=begins(records, period),
        remarks=tuple(remarks(records, chosen.hosted, terms.book, has_trained=bool(jobs), has_saved=bool(realised))),
    )


def _selected(worked: Worked, matches: Matches, terms: ReportTerms, lineage: Lineage) -> Worked:
    """What an edition holds, with the accounts in which it is."""
    chosen = replace(
        worked,
        hosted=tuple(_unnamed(one, matches, terms) for one in worked.hosted if matches(labels_in(one, terms))),
        trained=tuple(
            one
            for one in worked.trained
            if matches({**job_labels(one.account, one.job, terms.owner_tag), **shown(one.line.place.labels)})
        ),
        undeployed=tuple(one for one in worked.undeployed if matches(one.labels(lineage))),
        orphans=tuple(one for one in worked.orphans if matches(one.labels(lineage))),
        missing=tuple(pair for pair in worked.missing if matches(pair[1])),
        exemptions=tuple(pair for pair in worked.exemptions if matches(pair[1])),
    )
    held = {one.account.key for one in chosen.hosted} | {one.account.key for one in chosen.trained}
    held |= {lying.leftover.place.account_id.lower() for lying in (*chosen.undeployed, *chosen.orphans)}
    accounts = tuple(one for one in worked.accounts if one.account.key in held or matches(account_labels(one.account)))
    return replace(chosen, accounts=accounts)


def _unnamed(one: Hosted, matches: Matches, terms: ReportTerms) -> Hosted:
    """Without the name of what serves in its place where that is no part of the edition."""
    newer = one.successor
    if newer is None or matches(labels_of(newer.holding.account, newer.deployment, terms)):
        return one
    case = None if one.case is None else structs.replace(one.case, successor=_ANOTHERS)
    return structs.replace(one, line=structs.replace(one.line, successor=_ANOTHERS), case=case)


def _savings(advice: Iterable[Advice], lines: Iterable[Hosted]) -> Sequence[Cost]:
    """What the advice saves; where none does, and of nothing that stands the latest calls were read, nobody can say."""
    savings = [one.saving_per_month for one in advice if one.saving_per_month is not None]
    standing = [one for one in lines if one.line.end is None and not one.expires]
    if savings or not standing or any(one.read_to and one.line.called_until is None for one in standing):
        return savings
    return (_CALLS_UNREAD,)


def _realised(lines: Sequence[Hosted]) -> tuple[Realised, ...]:
    """The greatest saving first."""
    found = [
        Realised(
            account=one.line.place.account,
            name=one.line.name,
            owner=one.line.place.owner,
            ended_at=one.deletion.end[1],
            by=one.deletion.by,
            saving=cost,
        )
        for one in lines
        if one.deletion is not None and (cost := saving(one.deletion)) is not None
    ]
    return tuple(sorted(found, key=lambda one: (-_high(one.saving), one.account, one.name, one.ended_at)))


def _dearest(line: HostedLine) -> tuple[float, str, str, datetime]:
    return -_high(line.cost), line.place.account, line.name, line.begin


def _high(cost: Cost) -> float:
    """What it may come to, to sort by; the unknown comes last."""
    return -1.0 if isinstance(cost, Unknown) else float(cost.high)
