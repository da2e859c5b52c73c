"""The rule about fine-tuned deployments that are no longer there, and the likely cause."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.costs.obstacles import model_after
from watcher.resources.changes import Change, Transition
from watcher.resources.deployment import Deployment, ProvisioningState, is_fine_tuned
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.causes import Cause, cause_of, lives_again
from watcher.rules.finding import Answer, Finding, FindingKind, Undecided
from watcher.rules.labels import deployment_labels, owner_of, portal_link
from watcher.rules.lifetimes import DEVELOPER_LIFETIME, IDLE_LIFETIME, Lifetimes
from watcher.rules.rule import View, deployment_subject
from watcher.rules.sight import ended_lives, late_between
from watcher.rules.text import moment, rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentGone:
    """Finds fine-tuned deployments that have disappeared. A name that lives again was replaced, and is none."""

    name: ClassVar[str] = "deployment_gone"

    #: As of `deployment_idle` and `deployment_expiring`.
    idle_lifetime: timedelta = IDLE_LIFETIME
    idle_lifetimes: Mapping[str, timedelta | None] = field(default_factory=dict)
    developer_lifetime: timedelta = DEVELOPER_LIFETIME
    expiry_lifetimes: Mapping[str, timedelta | None] = field(default_factory=dict)

    def evaluate(self, view: View) -> Iterator[Answer]:
        lifetimes = Lifetimes(
            idle=self.idle_lifetime,
            idle_by_sku=self.idle_lifetimes,
            expiry=self.developer_lifetime,
            expiry_by_sku=self.expiry_lifetimes,
        )
        for transition, subject, outcome in ended_lives(view):
            deployment = view.ended_deployments.get(transition.resource.lower())
            if transition.change is not Change.GONE or transition.is_history or deployment is None:
                continue
            if not is_fine_tuned(deployment.model, view.custom_models) or lives_again(view, transition):
                continue
            cause = cause_of(view, deployment, transition, lifetimes)
            if cause is None:
                because = f"{outcome}; the activity log names no cause yet and is asked again"
                yield Undecided(rule=self.name, subject=subject, because=because, since=transition.observed_at)
            else:
                yield self._finding(view, deployment, transition, cause)

    def _finding(self, view: View, deployment: Deployment, transition: Transition, cause: Cause) -> Finding:
        clock = cause.clock
        return Finding(
            rule=self.name,
            kind=FindingKind.EVENT,
            severity=cause.severity,
            subject=deployment_subject(deployment),
            labels={**deployment_labels(view.account, deployment, view.owner_tag), "cause": cause.word},
            summary=f"{deployment.name} in {view.account.label} is gone: {cause.summary}",
            description=_description(view, deployment, cause),
            action=_action(view, deployment, transition, cause),
            evidence=_evidence(view, deployment, transition, cause),
            values={
                "cause": cause.word,
                "seen_gone_at": rfc3339(transition.observed_at),
                "deleted_at": rfc3339(cause.deleted_at),
                "created_at": rfc3339(deployment.created_at),
                "idle_since": rfc3339(clock.idle_since) if clock else None,
                "deletion_earliest": rfc3339(clock.deletion_earliest) if clock else None,
                "deletion_latest": rfc3339(clock.deletion_latest) if clock else None,
                "owner_source": owner_of(view.account, deployment=deployment, owner_tag=view.owner_tag).source,
            },
            links=portal_link(view.account),
            occurred_at=cause.deleted_at or transition.occurred_at,
        )


def _description(view: View, deployment: Deployment, cause: Cause) -> str:
    if cause.word == "account_gone":
        departure = view.departures.get(deployment.key)
        is_deleted = departure is not None and departure.account_deleted
        return f"{cause.description} {model_after(deployment, is_custom=True, is_deleted=is_deleted)}"
    return (
        f"{cause.description} The model {deployment.model} is expected to be there still and to be deployable again. "
        "Callers of this name get errors until then."
    )


def _action(view: View, deployment: Deployment, transition: Transition, cause: Cause) -> str:
    if cause.word == "account_gone":
        return (
            f"If this was a mistake, see whether the account can be recovered:\n{commands.list_deleted(view.account)}"
        )
    look = ""
    if cause.word in ("not_readable", "unexplained"):
        stood_at = _stood_at(view, deployment, transition)
        command = commands.read_activity(deployment.id, stood_at=stood_at, gone_at=transition.observed_at)
        look = f"See who or what deleted it; entries may come minutes late:\n{command}\n"
    return f"{look}If it is still needed, {commands.redeploy(deployment)}"


def _evidence(view: View, deployment: Deployment, transition: Transition, cause: Cause) -> str:
    what = "the account" if view.account.is_gone else "it"
    lines = [
        f"a complete listing lacked {what} and its own address answered 404, seen {moment(transition.observed_at)}"
    ]
    before = _stood_at(view, deployment, transition)
    found_late = late_between(view, Section.DEPLOYMENTS, before, transition.observed_at)
    lines.append(found_late or (f"it last stood {moment(before)}" if before else ""))
    if (unread := _unread_since(view, deployment)) is not None:
        lines.append(f"it could not be read since {moment(unread)}, and may have gone at any time after that")
    if deployment.provisioning_state is ProvisioningState.DELETING:
        lines.append("it was last seen being deleted")
    lines.append(_log(view, deployment))
    if cause.clock is not None:
        lines.extend((cause.clock.basis, *cause.clock.doubts))
    elif deployment.created_at is not None:
        lines.append(f"created {moment(deployment.created_at)}")
    told = view.told.get(deployment_subject(deployment), ())
    lines.append(f"told before: {', '.join(told)}" if told else "nobody had been told before")
    return "; ".join(line for line in lines if line)


def _stood_at(view: View, deployment: Deployment, transition: Transition) -> datetime | None:
    """When it was last seen standing; `None`: not known."""
    departure = view.departures.get(deployment.key)
    if departure is not None and departure.stood_at is not None:
        return departure.stood_at
    if _unread_since(view, deployment) is not None:
        return None
    return view.previous_at.get(Section.DEPLOYMENTS) if transition.observed_at == view.now else None


def _unread_since(view: View, deployment: Deployment) -> datetime | None:
    """Since when it could not be read itself, until this poll found it gone; `None`: it was read at the poll before."""
    return next(
        (gap.at for gap in view.closed_gaps if gap.section is Section.DEPLOYMENTS and gap.is_about(deployment)),
        None,
    )


def _log(view: View, deployment: Deployment) -> str:
    """What the activity log was asked, and what it said."""
    departure = view.departures.get(deployment.key)
    if departure is None:
        return "the activity log was not asked"
    if not departure.is_read:
        return f"the activity log could not be read: {departure.because}"
    span = f" from {moment(departure.read_from)} on" if departure.read_from else ""
    if not (departure.deleted_by or departure.deleted_at):
        return f"activity log read{span}: no deletion of it"
    at = f" at {moment(departure.deleted_at)}" if departure.deleted_at else ""
    what = "the account's deletion" if departure.account_deleted else "its deletion"
    correlation = f" (correlation id {departure.correlation_id})" if departure.correlation_id else ""
    return f"activity log read{span}: {what} by {departure.deleted_by or 'nobody named'}{at}{correlation}"
