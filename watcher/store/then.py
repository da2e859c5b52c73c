"""Nouns as they were at some time: what stands now, taken back by the transitions that came later.

What came with an end (an error, a model, the results) is hidden before it; what the record cannot tell of a time is
left as it is now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from watcher.resources.changes import ESTIMATED_FINISH, STATUS, Change, Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, ProvisioningState
from watcher.resources.file import File, FileStatus
from watcher.resources.fine_tuning import FineTuningJob, JobStatus

_STATUSES = {status.value: status for status in JobStatus} | {"canceled": JobStatus.CANCELLED}
_FILE_STATUSES = {status.value: status for status in FileStatus}
_STATES = {state.value.lower(): state for state in ProvisioningState}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of a deployment, as it was recorded last."""

    noun: Deployment
    first_seen_at: datetime
    ended_at: datetime | None
    departure: Departure | None


def lives_at(life: Life, said: Sequence[Transition], at: datetime) -> bool:
    """Whether this life went on at a time: Azure may bring back what it had declared gone."""
    if at < life.first_seen_at:
        return False
    last = None
    for t in said:
        if t.observed_at <= at and t.change in (Change.DISCOVERED, Change.REPLACED, Change.GONE):
            last = t
    if last is not None:
        return last.change is not Change.GONE and last.incarnation == life.noun.incarnation
    return life.ended_at is None or at < life.ended_at


def value_at(transitions: Iterable[Transition], attribute: str, at: datetime, *, now: str | None) -> str | None:
    """An attribute as it stood at some time: what the first later change found, else what stands now."""
    for t in transitions:
        if t.attribute == attribute and t.observed_at > at and t.change is Change.CHANGED:
            return t.before
    return now


def job_at(noun: FineTuningJob, said: Sequence[Transition], at: datetime) -> FineTuningJob:
    """A job with the status that it had; what came with a later one is hidden."""
    raw = value_at(said, STATUS, at, now=noun.raw_status)
    announced = value_at(said, ESTIMATED_FINISH, at, now="")
    estimate = noun.announced_finish_at
    if announced != "":
        estimate = None if announced is None else datetime.fromisoformat(announced)
    if not any(t.attribute == STATUS and t.observed_at > at and t.change is Change.CHANGED for t in said):
        return replace(noun, estimated_finish_at=estimate, announced_finish_at=None)
    return replace(
        noun,
        raw_status=raw or "",
        status=_STATUSES.get((raw or "").lower(), JobStatus.UNKNOWN),
        estimated_finish_at=estimate,
        announced_finish_at=None,
        finished_at=None,
        fine_tuned_model="",
        result_files=(),
        trained_tokens=None,
        error=None,
    )


def file_at(noun: File, said: Sequence[Transition], at: datetime) -> File:
    """A file with the status that it had."""
    raw = value_at(said, STATUS, at, now=noun.raw_status)
    if raw == noun.raw_status:
        return noun
    status = _FILE_STATUSES.get((raw or "").lower(), FileStatus.UNKNOWN)
    return replace(noun, raw_status=raw or "", status=status, reason="")


def deployment_at(noun: Deployment, said: Sequence[Transition], at: datetime) -> Deployment:
    """One life of a deployment as it was, by its own changes, and without its incarnation."""
    state = value_at(said, "provisioning_state", at, now=noun.raw_provisioning_state) or ""
    capacity = value_at(said, "capacity", at, now=None if noun.capacity is None else str(noun.capacity))
    is_as_now = state == noun.raw_provisioning_state
    return replace(
        noun,
        raw_provisioning_state=state,
        provisioning_state=_STATES.get(state.lower(), ProvisioningState.UNKNOWN),
        deployment_state=value_at(said, "deployment_state", at, now=noun.deployment_state) or "",
        model=value_at(said, "model", at, now=noun.model) or "",
        sku=value_at(said, "sku", at, now=noun.sku) or "",
        capacity=None if capacity is None else int(capacity),
        modified_at=None if noun.modified_at is not None and noun.modified_at > at else noun.modified_at,
        failure=noun.failure if is_as_now else "",
        incarnation="",
    )
