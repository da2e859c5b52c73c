"""Rules about deployments that expire, fail, or are gone. The idle rule has a file of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar

from watcher.costs.recipe import as_sku
from watcher.resources.deployment import Deployment, ProvisioningState, SkuKind, is_fine_tuned
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.causes import ended
from watcher.rules.countdown import is_last_step, step_crossed
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.idle_words import standing_unknown
from watcher.rules.keep_words import keep_doubt
from watcher.rules.labels import deployment_labels, owner_of, portal_link
from watcher.rules.lifetimes import DEVELOPER_LIFETIME, Lifetimes
from watcher.rules.rai import read_refusal
from watcher.rules.rule import View, deployment_subject
from watcher.rules.sight import unread_deployment, unread_section
from watcher.rules.text import ago, hours, moment, rfc3339, sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentExpiring:
    """Finds Developer deployments that near the end of their 24 hours."""

    name: ClassVar[str] = "deployment_expiring"

    warn_before: tuple[timedelta, ...] = (timedelta(hours=4), timedelta(hours=1))
    #: From the creation to the time from which removal is to be expected.
    lifetime: timedelta = DEVELOPER_LIFETIME
    #: The same by SKU: globs without case, the first that fits counts; `None`: it does not expire.
    lifetimes: Mapping[str, timedelta | None] = field(default_factory=dict)

    def evaluate(self, view: View) -> Iterator[Answer]:
        yield from _unread_as_a_whole(view, self.name)
        lifetimes = self._lifetimes
        for deployment in view.deployments:
            if is_fine_tuned(deployment.model, view.custom_models):
                yield from self._judge(view, deployment, lifetimes)
        yield from ended(view, self.name, lifetimes)

    @property
    def _lifetimes(self) -> Lifetimes:
        return Lifetimes(expiry=self.lifetime, expiry_by_sku=self.lifetimes)

    def _judge(self, view: View, deployment: Deployment, lifetimes: Lifetimes) -> Iterator[Answer]:
        lifetime = lifetimes.expiry_of(deployment)
        if lifetime is None:
            return
        subject = deployment_subject(deployment)
        if deployment.created_at is None:
            because = "its creation is unknown, so the end of its time cannot be dated"
            yield Undecided(rule=self.name, subject=subject, because=because)
            return
        if deployment.provisioning_state is ProvisioningState.DELETING:
            yield Cleared(rule=self.name, subject=subject, because="the deployment is being deleted")
            return
        left = deployment.created_at + lifetime - view.now
        step = step_crossed(left, self.warn_before)
        if step is None:
            return
        found = self._finding(view, deployment, lifetime, left, step)
        yield _unless_unread(view, deployment, found)

    def _finding(self, view: View, deployment: Deployment, lifetime: timedelta, left: timedelta, step: str) -> Finding:
        is_developer = deployment.sku_kind is SkuKind.DEVELOPER
        kind = "Developer" if is_developer else deployment.sku
        name = f"{kind} deployment {deployment.name} in {view.account.label}"
        ends_at, lived = view.now + left, hours(lifetime)
        basis = "" if is_developer else ", as configured"
        unread = unread_deployment(view, deployment)
        if left < timedelta() and unread is not None:
            summary = f"{name} was subject to removal from {moment(ends_at)} on; {standing_unknown(unread)}"
        elif left < timedelta():
            summary = f"{name} is subject to removal at any moment: its {lived} ended {moment(ends_at)}"
        else:
            summary = f"{name} is subject to removal at {moment(ends_at)}"
        is_late = is_last_step(left, self.warn_before) or left < timedelta()
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING if is_late else Severity.INFO,
            subject=deployment_subject(deployment),
            labels=deployment_labels(view.account, deployment, view.owner_tag),
            summary=summary,
            description=f"A {kind} deployment lives for {lived}{basis}, whether it is called or not; after that Azure "
            f"may remove it at any time. The model {deployment.model} itself stays."
            + (" It has no hosting fee." if is_developer else ""),
            action="Nothing keeps it beyond that time. To go on serving the model, under another name and a SKU that "
            f"costs by the hour, {commands.redeploy(_as_standard(deployment))}",
            evidence=_expiry_evidence(view, deployment, lifetime),
            values={
                "created_at": rfc3339(deployment.created_at),
                "deletion_earliest": rfc3339(ends_at),
                "deletion_latest": None,
                "hosting_per_hour": 0.0 if is_developer else None,
                "owner_source": owner_of(view.account, deployment=deployment, owner_tag=view.owner_tag).source,
            },
            links=portal_link(view.account, deployment.id),
            step=step,
            occurred_at=deployment.created_at,
        )


def _unread_as_a_whole(view: View, rule: str) -> Iterator[Undecided]:
    """That no deployment was ever read, and nothing of any can be said."""
    unread = unread_section(view, Section.DEPLOYMENTS) if view.reading.deployments is None else None
    if unread is not None:
        yield Undecided(rule=rule, subject=None, because=unread.because, since=unread.since)


def _unless_unread(view: View, deployment: Deployment, found: Finding) -> Answer:
    unread = unread_deployment(view, deployment)
    if unread is None:
        return found
    return Undecided(
        rule=found.rule, subject=found.subject, because=unread.because, since=unread.since, on_last_evidence=found
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFailed:
    """Finds fine-tuned deployments whose provisioning failed."""

    name: ClassVar[str] = "deployment_failed"

    def evaluate(self, view: View) -> Iterator[Answer]:
        yield from _unread_as_a_whole(view, self.name)
        is_verified = view.is_verified(Section.DEPLOYMENTS) and not view.reading.gaps
        for deployment in view.deployments:
            if not is_fine_tuned(deployment.model, view.custom_models):
                continue
            if deployment.provisioning_state is ProvisioningState.FAILED:
                yield _unless_unread(view, deployment, self._finding(view, deployment))
            elif not view.is_calm and (is_verified or unread_deployment(view, deployment) is None):
                because = f"its provisioning state is now {deployment.raw_provisioning_state}"
                yield Cleared(rule=self.name, subject=deployment_subject(deployment), because=because)
        if view.transitions:
            yield from ended(view, self.name, Lifetimes())

    def _finding(self, view: View, deployment: Deployment) -> Finding:
        refusal = read_refusal(deployment.failure)
        harms = ",".join(refusal.harm_types) if refusal else ""
        labels = deployment_labels(view.account, deployment, view.owner_tag)
        why = ""
        if refusal:
            why = " on RAI grounds" + (f" ({harms.replace(',', ', ')})" if harms else " (RAI, unclassified)")
        said = (
            f"The service says: {sentence(deployment.failure)}" if deployment.failure else "Azure gives no reason here."
        )
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.WARNING,
            subject=deployment_subject(deployment),
            labels={**labels, "harm_types": harms} if refusal else labels,
            summary=f"Deployment {deployment.name} in {view.account.label} failed to provision{why}",
            description=f"{said} Model {deployment.model}, SKU {deployment.sku or 'unknown'}. Whether an earlier "
            "version of it still serves cannot be seen from here.",
            action=(
                "The model was refused for what it may say: review its training data and train anew. "
                if refusal
                else "Look at the reason, mend it (quota, capacity and model availability are the usual ones) and "
                "deploy again. "
            )
            + f"See its state:\n{commands.show_deployment(view.account, deployment)}\n"
            f"Remove it:\n{commands.delete_deployment(view.account, deployment)}",
            evidence=_state_evidence(view, deployment),
            values={"created_at": rfc3339(deployment.created_at), "modified_at": rfc3339(deployment.modified_at)},
            links=portal_link(view.account, deployment.id),
        )


def _state_evidence(view: View, deployment: Deployment) -> str:
    read_at = view.reading.deployments_at
    read = f", read {ago(read_at, view.now)}" if read_at else ""
    return f"provisioning state {deployment.raw_provisioning_state}{read}"


def _expiry_evidence(view: View, deployment: Deployment, lifetime: timedelta) -> str:
    created = f"created {moment(deployment.created_at)}; " if deployment.created_at else ""
    read_at = view.reading.deployments_at
    stood = f"it stood {moment(read_at)} ({ago(read_at, view.now)}); " if read_at else ""
    doubt = "".join(f"; {text}" for text in keep_doubt(deployment))
    return f"{created}{stood}rule: creation and {hours(lifetime)}, after which removal may come at any moment{doubt}"


def _as_standard(deployment: Deployment) -> Deployment:
    named = replace(deployment, id=f"{deployment.id}-std", name=f"{deployment.name}-std")
    return as_sku(named, "GlobalStandard")
