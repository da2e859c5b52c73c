"""What was said of pauses, files, training and models that nobody deployed, held against how these really stood."""

from collections.abc import Iterator
from datetime import timedelta

from watcher.alerts.alert import Alert
from watcher.resources.snapshot import Section
from watcher.simulator import Account, jobs
from watcher.simulator.files import StoredFile, files_of
from watcher.simulator.ledger import LifeTruth

from .idle import is_looked_up
from .record import (
    Record,
    Step,
    Violation,
    first,
    is_blurred,
    is_open,
    is_resolved,
    life_of,
    provisioning,
    stands,
    when,
)

PAUSED, REFUSED, OVERFITTING = "deployment_paused", "file_failed", "job_overfitting"
UNDEPLOYED, SUPERSEDED = "model_undeployed", "deployment_superseded"

_PAUSED_AFTER = timedelta(days=1)
_UNDEPLOYED_AFTER = timedelta(days=14)


def check(record: Record) -> Iterator[Violation]:
    yield from false_pauses(record)
    yield from missed_pauses(record)
    yield from refused_files(record)
    yield from overfitting(record)
    yield from undeployed(record)
    yield from superseded(record)


def false_pauses(record: Record) -> Iterator[Violation]:
    """What is said to have been paused for a day has been."""
    for step, alert in record.said(PAUSED):
        life = life_of(record, alert, step.at)
        if life is None or not life.is_fine_tuned:
            yield record.violation(step.at, f"{alert.finding.summary}: no such deployment is subject to it")
        elif not is_resolved(alert) and _is_clear(record, step, life) and not _is_paused(life, step, _PAUSED_AFTER):
            yield record.violation(step.at, f"{alert.finding.summary}: it was paused {life.paused}")


def _is_clear(record: Record, step: Step, life: LifeTruth) -> bool:
    return record.is_clear(step, life.account, "arm") and not is_blurred(record, life)


def _is_paused(life: LifeTruth, step: Step, since: timedelta = timedelta()) -> bool:
    return any(begins <= step.at - since and (end is None or step.at < end) for begins, end in life.paused)


def missed_pauses(record: Record) -> Iterator[Violation]:
    """A pause is told once it has been seen for a day, and is over when the deployment is seen to run, or is gone."""
    for life in record.ledger.lives:
        if not life.is_fine_tuned or not life.paused or is_blurred(record, life):
            continue
        name, steps = f"{PAUSED} for {life.name} in {life.label}", record.clear_steps(life.account, "arm")
        incarnation = life.created.isoformat() if life.shows_created else None
        for step in steps:
            alert = is_open(step, PAUSED, life.deployment, incarnation)
            if not stands(life, step.at):
                if life.ended is not None and life.ended <= step.at:
                    if alert is not None and not is_looked_up(step, alert):
                        yield record.violation(step.at, f"{name} fires on after its end, {life.ended}")
                    break
                continue
            begins = next((at for at, end in life.paused if at <= step.at and (end is None or step.at < end)), None)
            if begins is None or provisioning(record, life, step.at) == "Deleting":
                if alert is not None:
                    yield record.violation(step.at, f"{name} fires on, and it is not paused")
                continue
            seen = first(one for one in steps if one.at >= max(begins, life.appears))
            if alert is None and seen is not None and step.at - seen.at > _PAUSED_AFTER:
                yield record.violation(step.at, f"no {name}, which is paused since {begins}")


def refused_files(record: Record) -> Iterator[Violation]:
    """Each uploaded file that the service refused after it was first seen is told once, and no other."""
    told: dict[tuple[str, str], Step] = {}
    for step, alert in record.said(REFUSED):
        subject = alert.finding.subject
        file = next((one for _, one in files_at(record, step, subject.id) if one.id == subject.incarnation), None)
        if file is None or file.status != "error":
            yield record.violation(step.at, f"{alert.finding.summary}: it is {file.status if file else 'not there'}")
        if (subject.id, subject.incarnation) in told:
            yield record.violation(step.at, f"{alert.finding.summary}: told before")
        told[subject.id, subject.incarnation] = step
    for key in sorted(record.accounts):
        yield from _missed_files(record, key, told)


def _missed_files(record: Record, key: str, told: dict[tuple[str, str], Step]) -> Iterator[Violation]:
    readings = [step for step in record.clear_steps(key, "data") if Section.FILES in step.asked[key]]
    if len(record.accounts[key]) > 1 or not readings:
        return  # what an account that came back holds is new to it in another way
    known = {file.id for _, file in files_at(record, readings[0], key) if file.status == "error"}
    for step in readings[1:]:
        for _, file in files_at(record, step, key):
            if file.status == "error" and file.id not in known:
                known.add(file.id)
                said = told.get((key, file.id))
                if said is None or said.at > step.at:
                    late = "never" if said is None else f"not before {said.at}"
                    yield record.violation(step.at, f"{file.filename} was refused, which was told {late}")


def files_at(record: Record, step: Step, key: str) -> Iterator[tuple[Account, StoredFile]]:
    """What an account holds at a step."""
    world = record.world
    moment = step.at - world.start
    for account in world.scenario.accounts:
        lives = account.created <= moment and (account.deleted is None or moment < account.deleted)
        if lives and world.account_id(account).lower() == key:
            yield from ((account, file) for file in files_of(account, moment))


def overfitting(record: Record) -> Iterator[Violation]:
    """Only jobs whose validation really parts from their training are said to overfit."""
    world = record.world
    truly = {
        (world.account_id(account).lower(), jobs.job_id(account, job))
        for account in world.scenario.accounts
        for job in account.jobs
        if job.overfits and job.validation
    }
    for step, alert in record.said(OVERFITTING):
        if (alert.finding.subject.id, alert.finding.subject.incarnation) not in truly:
            yield record.violation(step.at, f"{alert.finding.summary}: it does not")


def undeployed(record: Record) -> Iterator[Violation]:
    """No model that is said to be deployed nowhere is deployed somewhere."""
    for step, alert in record.said(UNDEPLOYED):
        if is_resolved(alert) or not _is_first(step, alert):
            continue
        model = alert.finding.subject.incarnation.lower()
        for life in record.ledger.lives:
            serves = life.model.lower() == model or life.model.lower().startswith(f"{model}:")
            if serves and stands(life, step.at) and record.is_clear(step, life.account, "arm"):
                yield record.violation(step.at, f"{alert.finding.summary}, and {life.name} in {life.label} serves it")
        made = when(alert.finding.values["created_at"])
        if made is None or step.at - made < _UNDEPLOYED_AFTER:
            yield record.violation(step.at, f"{alert.finding.summary}: it was made {made}")


def superseded(record: Record) -> Iterator[Violation]:
    """What is said to serve an older model stands, and so does the deployment that serves the newer one."""
    for step, alert in record.said(SUPERSEDED):
        if is_resolved(alert) or not _is_first(step, alert):
            continue
        values, what = alert.finding.values, alert.finding.summary
        life = life_of(record, alert, step.at)
        if life is None or (_is_clear(record, step, life) and not stands(life, step.at)):
            yield record.violation(step.at, f"{what}: it does not stand")
        made, newer = when(values["model_created_at"]), when(values["newer_created_at"])
        if made is None or newer is None or made >= newer:
            yield record.violation(step.at, f"{what}: made {made}, and the newer one {newer}")
        others = [one for one in record.ledger.lives if one.name == values["newer_deployment"]]
        if not any(stands(one, step.at) or not record.is_clear(step, one.account, "arm") for one in others):
            yield record.violation(step.at, f"{what}: that does not stand")


def _is_first(step: Step, alert: Alert) -> bool:
    return alert.starts_at == step.at
