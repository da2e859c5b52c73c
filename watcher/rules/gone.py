"""The rule about fine-tuned deployments that are no longer there, and the likely cause."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from watcher.resources.changes import Change, Transition
from watcher.resources.deployment import Deployment, ProvisioningState, SkuKind, is_fine_tuned
from watcher.rules import commands
from watcher.rules.deployments import DEVELOPER_LIFETIME
from watcher.rules.finding import Answer, Finding, FindingKind, Severity
from watcher.rules.idle_clock import IDLE_LIFETIME, IdleClock, idle_clock
from watcher.rules.labels import deployment_labels, portal_link
from watcher.rules.rule import View, deployment_subject
from watcher.rules.sight import ended_lives, usage_of
from watcher.rules.text import duration, hours, moment, rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """Why a deployment is gone, as far as its own dates tell. The activity log is not read."""

    word: str
    severity: Severity
    summary: str
    description: str
    clock: IdleClock | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentGone:
    """Finds fine-tuned deployments that have disappeared. A name that lives again was replaced, and is none."""

    name: ClassVar[str] = "deployment_gone"

    idle_lifetime: timedelta = IDLE_LIFETIME
    developer_lifetime: timedelta = DEVELOPER_LIFETIME

    def evaluate(self, view: View) -> Iterator[Answer]:
        for transition, _, _ in ended_lives(view):
            deployment = view.ended_deployments.get(transition.resource.lower())
            if transition.change is not Change.GONE or transition.is_history or deployment is None:
                continue
            if is_fine_tuned(deployment.model, view.custom_models):
                yield self._finding(view, deployment, transition)

    def _finding(self, view: View, deployment: Deployment, transition: Transition) -> Finding:
        cause = _cause(view, deployment, transition, self.idle_lifetime, self.developer_lifetime)
        clock = cause.clock
        return Finding(
            rule=self.name,
            kind=FindingKind.EVENT,
            severity=cause.severity,
            subject=deployment_subject(deployment),
            labels={**deployment_labels(view.account, deployment, view.owner_tag), "cause": cause.word},
            summary=f"{deployment.name} in {view.account.label} is gone: {cause.summary}",
            description=cause.description
            if view.account.is_gone
            else f"{cause.description} The model {deployment.model} is expected to be there still and to be "
            "deployable again. Callers of this name get errors until then.",
            action="If this was a mistake, see whether the account can be recovered:\n"
            f"az cognitiveservices account list-deleted --subscription {view.account.subscription}"
            if view.account.is_gone
            else f"If it is still needed, deploy it again:\n{commands.redeploy(view.account, deployment)}",
            evidence=_evidence(view, deployment, transition, clock),
            values={
                "cause": cause.word,
                "seen_gone_at": rfc3339(transition.observed_at),
                "created_at": rfc3339(deployment.created_at),
                "idle_since": rfc3339(clock.idle_since) if clock else None,
                "deletion_earliest": rfc3339(clock.deletion_earliest) if clock else None,
                "deletion_latest": rfc3339(clock.deletion_latest) if clock else None,
            },
            links=portal_link(view.account),
            occurred_at=transition.occurred_at,
        )


def _cause(
    view: View,
    deployment: Deployment,
    transition: Transition,
    idle_lifetime: timedelta,
    developer_lifetime: timedelta,
) -> _Cause:
    seen_at, created = transition.observed_at, deployment.created_at
    if view.account.is_gone:
        return _Cause(
            word="account_gone",
            severity=Severity.WARNING,
            summary="its account is gone",
            description=f"The account {view.account.label} was deleted or moved, with all that was in it: its own "
            "address answers 404. Who did it is not read by this version.",
        )
    if deployment.sku_kind is SkuKind.DEVELOPER:
        if created is not None and created + developer_lifetime <= seen_at:
            return _Cause(
                word="developer_expiry",
                severity=Severity.INFO,
                summary=f"its {hours(developer_lifetime)} as a Developer deployment were over",
                description=f"Developer deployments are removed after {hours(developer_lifetime)}; "
                f"this one was created {moment(created)}.",
            )
        return _unexplained("it is a Developer deployment, but its time was not known to be over")
    clock = idle_clock(deployment, usage_of(view, deployment), idle_lifetime)
    if clock is not None and clock.deletion_earliest <= seen_at and usage_of(view, deployment) is not None:
        return _Cause(
            word="idle",
            severity=Severity.WARNING,
            summary=f"likely deleted by Azure after {duration(idle_lifetime)} without a call",
            description=f"{_due(clock)} That this was the cause is inferred, not read.",
            clock=clock,
        )
    if clock is None or usage_of(view, deployment) is None:
        return _unexplained("its calls were not known, so an idle deletion is possible", clock)
    return _unexplained(f"it was not due for idleness before {moment(clock.deletion_earliest)}", clock)


def _due(clock: IdleClock) -> str:
    if clock.is_bounded:  # its earliest time is that of a deployment never called, and would mislead
        latest = f", at the latest {moment(clock.deletion_latest)}" if clock.deletion_latest else ""
        return f"No call is known at least since {moment(clock.idle_since)}, so Azure was to delete it{latest}."
    return (
        f"No successful call is known since {moment(clock.idle_since)}, so Azure was to delete it from "
        f"{moment(clock.deletion_earliest)} on."
    )


def _unexplained(remark: str, clock: IdleClock | None = None) -> _Cause:
    return _Cause(
        word="unexplained",
        severity=Severity.WARNING,
        summary="unexplained; somebody may have deleted it",
        description=f"The cause is not known: {remark}. The activity log, which would name who deleted it, is not read "
        "by this version.",
        clock=clock,
    )


def _evidence(view: View, deployment: Deployment, transition: Transition, clock: IdleClock | None) -> str:
    what = "the account" if view.account.is_gone else "it"
    lines = [
        f"a complete listing lacked {what} and its own address answered 404, seen {moment(transition.observed_at)}"
    ]
    if deployment.provisioning_state is ProvisioningState.DELETING:
        lines.append("it was last seen being deleted")
    if clock is not None:
        lines.append(clock.basis)
    elif deployment.created_at is not None:
        lines.append(f"created {moment(deployment.created_at)}")
    told = view.told.get(deployment_subject(deployment), ())
    lines.append(f"told before: {', '.join(told)}" if told else "nobody had been told before")
    return "; ".join(lines)
