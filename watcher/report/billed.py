"""What Azure itself billed, account by account, beside our estimate of the very same days; the two are never mixed.

A bill counts whole days in UTC and comes hours late, so compared are the days of the period that lie in it whole and of
which the bill had been read. Provisioned deployments are left out: their meters are none of those that are compared.
Where hosting or training alone is known whole, that part is compared by itself.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time

from watcher.costs import hosting
from watcher.costs.hosting import Period
from watcher.costs.money import Cost, Total, Unknown, total
from watcher.costs.reconcile import HOSTING, TRAINING, Reconciled, reconcile, whole_days
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
    parts = {
        meters: {key: total(costs.get((key, meters), ()), terms.book.currency) for key in own}
        for meters in (HOSTING, TRAINING)
    }
    estimates = {key: parts[HOSTING][key] + parts[TRAINING][key] for key in own}
    alone = {
        meters: {each.account: each for each in reconcile(of_part, actuals, compared, meters=meters)}
        for meters, of_part in parts.items()
    }
    for each in reconcile(estimates, actuals, compared):
        one = own.get(each.account)
        if one is None or each.estimate is None:
            continue  # another subscription's, or not watched
        if not each.estimate.parts and not any(amount.high for amount in (*each.actual, *each.other)):
            continue
        said = [_alone(what, alone[meters][each.account]) for meters, what in _PARTS if each.drift is None]
        yield _line(one, each, each.estimate, _span(one, actuals), said, without=one.account.key in without)


#: The parts of what is compared, with how they are called.
_PARTS = ((HOSTING, "hosting"), (TRAINING, "training"))


def _alone(what: str, found: Reconciled) -> str:
    """How one part agrees with the bill, where the whole cannot be compared; "" where that cannot be said either."""
    percent, estimate = found.drift_percent, found.estimate
    if percent is None or estimate is None or not estimate.parts:
        return ""
    return f"{what} alone: {found.actual[0].text} billed, {estimate.text} estimated, drift {percent:+.1f} %"


def _costs(
    worked: Worked, terms: ReportTerms, period: Period, own: Mapping[str, RecordedAccount]
) -> tuple[Mapping[tuple[str, re.Pattern[str]], list[Cost]], frozenset[str]]:
    """What is estimated for a part of the period, by account's key and meters, and where something was left out."""
    costs: defaultdict[tuple[str, re.Pattern[str]], list[Cost]] = defaultdict(list)
    without = set()
    for one in worked.hosted:
        key, tenancy = one.account.key, one.tenancy
        if key not in own or not tenancy.stood(period)[1]:
            continue
        if one.deployment.sku_kind is SkuKind.PROVISIONED:
            without.add(key)
            continue
        unseen = hosting.unseen(tenancy, terms.book, period)
        costs[key, HOSTING].extend([hosting.cost(tenancy, terms.book, period), *([unseen] if unseen else [])])
    for job in worked.trained:
        key, at = job.account.key, job.line.finished_at
        if key in own and at is not None and period.begin <= at < period.end:
            costs[key, TRAINING].append(job.line.cost)
    for key, each in own.items():
        read_at = ((HOSTING, "deployments", each.holding.deployments_at), (TRAINING, "jobs", each.holding.jobs_at))
        for meters, what, at in read_at if each.removed_at is None else ():
            if at is None:
                costs[key, meters].append(Unknown(because=f"the {what} of an account have never been read"))
    return costs, frozenset(without)


def _line(
    one: RecordedAccount,
    found: Reconciled,
    estimate: Total,
    span: BilledSpan | None,
    alone: Iterable[str],
    *,
    without: bool,
) -> Actual:
    notes = [found.why] if found.why else []
    if found.days < found.of_days or span is None:
        notes = ["no bill of these days is known"]
    notes.extend(filter(None, alone))
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
