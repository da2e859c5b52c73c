"""What training cost in a period: the jobs that ended in it, and those under way at its end, which cost later."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from watcher.costs.hosting import Period
from watcher.costs.money import Amount, Unknown, nothing
from watcher.costs.prices import Price
from watcher.costs.training import Spent
from watcher.report.hosted import Places
from watcher.report.recorded import RecordedAccount, RecordedJob, Records
from watcher.report.statement import TrainingLine
from watcher.report.terms import ReportTerms
from watcher.resources.account import Account
from watcher.resources.fine_tuning import FineTuningJob, JobStatus
from watcher.rules.job_spent import JobSpent, is_charged_here, lost, spent_on
from watcher.rules.labels import owner_of
from watcher.rules.rai import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A line, and what else is known of its job."""

    line: TrainingLine
    account: Account
    job: FineTuningJob
    price: Price | Unknown | None  #: `None`: none was needed


def trained(records: Records, terms: ReportTerms, period: Period) -> Iterator[Trained]:
    """The jobs by account, the last to end first."""
    places = Places(terms)
    for recorded in records.accounts:
        ended = [one for one in recorded.jobs if one.ended_at is not None and _is_charged(recorded, one, period)]
        ended.sort(key=lambda one: (-one.ended_at.timestamp() if one.ended_at else 0.0, one.job.id))
        for one in ended:
            yield _ended(recorded, one, terms, places)
        for one in recorded.jobs:
            if (one.ended_at is None or one.ended_at >= period.end) and _had_begun(one, period):
                yield _under_way(recorded, one, records, terms, places)


def _is_charged(recorded: RecordedAccount, one: RecordedJob, period: Period) -> bool:
    """Whether it ended in the period, and under this id."""
    assert one.ended_at is not None
    is_within = period.begin <= one.ended_at < period.end
    return is_within and is_charged_here(recorded.account, one.ended_at, one.phases)


def _had_begun(one: RecordedJob, period: Period) -> bool:
    created_at = one.job.created_at
    return created_at is None or created_at < period.end


def _ended(recorded: RecordedAccount, one: RecordedJob, terms: ReportTerms, places: Places) -> Trained:
    known = _spent(recorded, one, terms)
    return _trained(recorded, one, terms, places, known.spending, known.refusal)


def _under_way(
    recorded: RecordedAccount, one: RecordedJob, records: Records, terms: ReportTerms, places: Places
) -> Trained:
    known: Amount | None = None
    if one.ended_at is not None:
        basis = "it ended after the period, and is billed when it ends"
    elif (nobody_knows := _lost(recorded, one)) is not None:
        return _trained(recorded, one, terms, places, nobody_knows, None)
    else:
        so_far = _spent(recorded, one, terms).spending
        known = so_far.cost if isinstance(so_far.cost, Amount) else None
        much = f": {known.text} so far ({so_far.basis})" if known else ""
        basis = f"it is under way, and is billed when it ends{much}"
    made = _trained(recorded, one, terms, places, Spent(cost=nothing(terms.book.currency), basis=basis), None)
    return replace(made, line=replace(made.line, is_under_way=True, so_far=known))


def _lost(recorded: RecordedAccount, one: RecordedJob) -> Spent | None:
    since = recorded.removed_at or one.left_at
    return lost(is_watched=recorded.removed_at is None, is_listed=one.left_at is None, since=since)


def _spent(recorded: RecordedAccount, one: RecordedJob, terms: ReportTerms) -> JobSpent:
    return spent_on(
        one.job,
        terms.book,
        location=recorded.account.location,
        phases=one.phases,
        events=one.events,
        until=one.ended_at or recorded.holding.jobs_at,
    )


def _trained(
    recorded: RecordedAccount,
    one: RecordedJob,
    terms: ReportTerms,
    places: Places,
    spending: Spent,
    refusal: Refusal | None,
) -> Trained:
    job, account = one.job, recorded.account
    owner = owner_of(account, job=job, owner_tag=terms.owner_tag).name
    has_failed = job.status is JobStatus.FAILED or refusal is not None
    said = job.error.message if job.error else ""
    return Trained(
        line=TrainingLine(
            place=places.of(account, owner, job.metadata),
            job=job.id,
            model=job.model,
            made=job.fine_tuned_model,
            method=job.method,
            training_type=job.training_type,
            status=job.raw_status or job.status.value,
            created_at=job.created_at,
            finished_at=one.ended_at,
            cost=spending.cost,
            basis=spending.basis,
            failure=(refusal.text if refusal else said) if has_failed else "",
            is_refused=refusal is not None,
            harm_types=refusal.harm_types if refusal else (),
            suffix=job.suffix,
            is_estimate=isinstance(spending.price, Price) and spending.price.is_estimate,
        ),
        account=account,
        job=job,
        price=spending.price,
    )
