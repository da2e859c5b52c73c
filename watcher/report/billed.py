"""What Azure itself billed, account by account, beside our estimate of the very same days; the two are never mixed.

A bill counts whole days in UTC and comes hours late, so compared are the days of the period that lie in it whole and of
which the bill had been read. Provisioned deployments are left out: their meters are none of those that are compared.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time

from watcher.costs import hosting
from watcher.costs.hosting import Period
from watcher.costs.money import Cost, Total, Unknown, total
from watcher.costs.reconcile import Reconciled, reconcile, whole_days
from watcher.report.recorded import RecordedAccount, Records
from watcher.report.statement import Actual
from watcher.report.terms import ReportTerms
from watcher.report.worked import Worked, worked_out
from watcher.resources.deployment import SkuKind
from watcher.resources.price import Actuals, BilledSpan
from watcher.rules.text import moment

_LEFT_OUT = "provisioned deployments are left out"


def billed(records: Records, terms: ReportTerms, actuals: Actuals, period: Period) -> tuple[Actual, ...]:
    """By account's label, each that was billed or estimated in the period, where any bill was read at all."""
    whole = whole_days(period)
    if whole is None or not actuals.spans:
        return ()
    parts: dict[Period | None, list[RecordedAccount]] = {}
    for one in records.accounts:
        parts.setdefault(_known(whole, _span(one, actuals)), []).append(one)
    worked = worked_out(records, terms, period)
    found = [line for known, some in parts.items() for line in _lines(worked, terms, actuals, known or whole, some)]
    return tuple(sorted(found, key=lambda line: line.account))


def _span(one: RecordedAccount, actuals: Actuals) -> BilledSpan | None:
    return actuals.spans.get(one.account.subscription.lower())


def _known(whole: Period, span: BilledSpan | None) -> Period | None:
    """The days of `whole` of which the bill was read; `None`: there is none."""
    if span is None:
        return None
    begin, end = max(_midnight(span.since), whole.begin), min(_midnight(span.until), whole.end)
    return Period(begin=begin, end=end) if begin < end else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _lines(
    worked: Worked, terms: ReportTerms, actuals: Actuals, compared: Period, accounts: Iterable[RecordedAccount]
) -> Iterator[Actual]:
    """Those of the accounts of which the bill is known for the same days."""
    own = {one.account.key: one for one in accounts}
    costs, without = _costs(worked, terms, compared, own)
    estimates = {key: total(costs.get(key, ()), terms.book.currency) for key in own}
    for each in reconcile(estimates, actuals, compared):
        one = own.get(each.account)
        if one is None or each.estimate is None:
            continue  # another subscription's, or not watched
        if not each.estimate.parts and not any(amount.high for amount in (*each.actual, *each.other)):
            continue
        yield _line(one, each, each.estimate, _span(one, actuals), without=one.account.key in without)


def _costs(
    worked: Worked, terms: ReportTerms, period: Period, own: Mapping[str, RecordedAccount]
) -> tuple[Mapping[str, list[Cost]], frozenset[str]]:
    """What is estimated for a part of the whole period, by account's key, and where something was left out."""
    costs: dict[str, list[Cost]] = {}
    without = set()
    for one in worked.hosted:
        key, tenancy = one.account.key, one.tenancy
        if key not in own or not tenancy.stood(period)[1]:
            continue
        if one.deployment.sku_kind is SkuKind.PROVISIONED:
            without.add(key)
            continue
        unseen = hosting.unseen(tenancy, terms.book, period)
        costs.setdefault(key, []).extend([hosting.cost(tenancy, terms.book, period), *([unseen] if unseen else [])])
    for job in worked.trained:
        key, at = job.account.key, job.line.finished_at
        if key in own and at is not None and period.begin <= at < period.end:
            costs.setdefault(key, []).append(job.line.cost)
    for key, each in own.items():
        if each.removed_at is None and None in (each.holding.deployments_at, each.holding.jobs_at):
            unread = Unknown(because="the deployments or the jobs of an account have never been read")
            costs.setdefault(key, []).append(unread)
    return costs, frozenset(without)


def _line(
    one: RecordedAccount, found: Reconciled, estimate: Total, span: BilledSpan | None, *, without: bool
) -> Actual:
    notes = [found.why] if found.why else []
    if found.days < found.of_days or span is None:
        notes = ["no bill of these days is known"]
    if without:
        notes.append(_LEFT_OUT)
    if other := " and ".join(amount.text for amount in found.other if amount.high):
        notes.append(f"{other} more was billed for other meters")
    if span is not None:
        notes.append(f"the bill as read {moment(span.read_at)}")
    percent = found.drift_percent
    return Actual(
        account=one.account.label,
        days=found.days,
        estimate=estimate,
        actual=found.actual[0] if len(found.actual) == 1 else Unknown(because=found.why or "several currencies"),
        drift_percent=None if percent is None else float(percent),
        note="; ".join(notes),
    )
