"""The rule about fine-tuned deployments that have been paused for so long that somebody may have forgotten them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.resources.deployment import Deployment, ProvisioningState, is_fine_tuned
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.causes import ended
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.labels import deployment_labels, owner_of, portal_link
from watcher.rules.lifetimes import Lifetimes
from watcher.rules.rule import View, deployment_subject
from watcher.rules.sight import unread_deployment, unread_section
from watcher.rules.text import ago, moment, rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPaused:
    """Finds fine-tuned deployments that have been paused for longer than `after`."""

    name: ClassVar[str] = "deployment_paused"

    after: timedelta = timedelta(days=1)

    def evaluate(self, view: View) -> Iterator[Answer]:
        if view.reading.deployments is None:
            unread = unread_section(view, Section.DEPLOYMENTS)
            because = unread.because if unread else "the deployments have not been read yet"
            yield Undecided(rule=self.name, subject=None, because=because)
            return
        for deployment in view.deployments:
            if is_fine_tuned(deployment.model, view.custom_models):
                yield from self._judge(view, deployment)
        if view.transitions:
            yield from ended(view, self.name, Lifetimes())

    def _judge(self, view: View, deployment: Deployment) -> Iterator[Answer]:
        since = view.deployment_state_since.get(deployment.key)
        if since is None and not deployment.is_paused and deployment.provisioning_state is ProvisioningState.SUCCEEDED:
            return  # as nearly always
        subject, unread = deployment_subject(deployment), unread_deployment(view, deployment)
        if deployment.provisioning_state is ProvisioningState.DELETING:
            yield Cleared(rule=self.name, subject=subject, because="the deployment is being deleted")
            return
        if not deployment.is_paused:
            if unread is None and since is not None:
                yield Cleared(rule=self.name, subject=subject, because=f"it runs again, seen {moment(since)}")
            return
        # Paused by the first sight at the latest: without its time nothing is known but the present.
        if since is None or view.now - since <= self.after:
            return
        found = self._finding(view, deployment, since)
        if unread is None:
            yield found
        else:
            yield Undecided(
                rule=self.name, subject=subject, because=unread.because, since=unread.since, on_last_evidence=found
            )

    def _finding(self, view: View, deployment: Deployment, since: datetime) -> Finding:
        read_at = view.reading.deployments_at
        read = f"; read {ago(read_at, view.now)}" if read_at else ""
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.INFO,
            subject=deployment_subject(deployment),
            labels=deployment_labels(view.account, deployment, view.owner_tag),
            summary=f"{deployment.name} in {view.account.label} has been paused since {moment(since)} at least",
            description="Calls to it are refused (423) until it is resumed. Azure does not say whether a pause stops "
            "its fee or its 15 idle days: assumed here that the fee is charged on, and that its idle clock runs on to "
            f"its deletion. Its model {deployment.model} stays either way.",
            action=f"To let it serve again, resume it:\n{commands.resume_deployment(deployment)}\n"
            "If nobody needs it, delete it and surely end its fee; the model stays:\n"
            f"{commands.delete_deployment(view.account, deployment)}",
            evidence=f"deployment state {deployment.deployment_state}, first seen so {moment(since)}; the pause itself "
            f"may have begun earlier{read}",
            values={
                "paused_since": rfc3339(since),
                "owner_source": owner_of(view.account, deployment=deployment, owner_tag=view.owner_tag).source,
            },
            links=portal_link(view.account, deployment.id),
            occurred_at=since,
        )
