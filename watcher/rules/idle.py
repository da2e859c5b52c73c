"""The rule that the program was built for: fine-tuned deployments that Azure will delete because nobody calls them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import ClassVar

from watcher.resources.deployment import Deployment, ProvisioningState, SkuKind, is_fine_tuned
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.countdown import capped, severity_of, step_crossed
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.idle_clock import IDLE_LIFETIME, IdleClock, idle_clock
from watcher.rules.labels import deployment_labels, portal_link
from watcher.rules.rule import View, deployment_subject
from watcher.rules.sight import ended_lives, unread_deployment, unread_section, unread_usage, usage_of
from watcher.rules.text import ago, cost, duration, moment, rfc3339

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentIdle:
    """Finds fine-tuned deployments that come within `warn_before` of their deletion for idleness.

    Developer deployments are left to `deployment_expiring`, failed ones to `deployment_failed`; base models never go
    idle.
    """

    name: ClassVar[str] = "deployment_idle"

    warn_before: tuple[timedelta, ...] = (timedelta(days=7), timedelta(days=3), _DAY, timedelta(hours=6))
    #: From the start of the clock to the deletion.
    lifetime: timedelta = IDLE_LIFETIME
    #: Metrics that end longer ago than this (and one bucket) decide nothing.
    stale_after: timedelta = timedelta(hours=3)
    #: The hosting fee of standard deployments; `None`: unknown, and no cost is told.
    hosting_per_hour: float | None = 1.70
    currency: str = "USD"
    #: The operator's own prices: globs of model and SKU in lower case, and the fee an hour; the first that fits counts.
    prices: tuple[tuple[str, str, float], ...] = ()
    discount_percent: float = 0.0  #: negotiated, off every price
    #: Where the fee comes from, told with every amount.
    price_source: str = "an estimate from the example price on Azure's pages; not an invoice"

    def evaluate(self, view: View) -> Iterator[Answer]:
        if view.reading.deployments is None:
            unread = unread_section(view, Section.DEPLOYMENTS)
            because = unread.because if unread else "the deployments have not been read yet"
            yield Undecided(rule=self.name, subject=None, because=because)
            return
        for deployment in view.deployments:
            if _is_subject_to_idle_rule(deployment, view):
                yield from self._judge(view, deployment)
        for _, subject, outcome in ended_lives(view):
            yield Cleared(rule=self.name, subject=subject, because=outcome)

    def _judge(self, view: View, deployment: Deployment) -> Iterator[Answer]:
        subject, usage = deployment_subject(deployment), usage_of(view, deployment)
        if deployment.provisioning_state is ProvisioningState.DELETING:
            yield Cleared(rule=self.name, subject=subject, because="the deployment is being deleted")
            return
        if deployment.provisioning_state is ProvisioningState.FAILED:  # it takes no call; `deployment_failed` tells
            yield Cleared(rule=self.name, subject=subject, because="its provisioning failed: see deployment_failed")
            return
        clock = idle_clock(deployment, usage, self.lifetime)
        step = step_crossed(clock.left(view.now), self.warn_before) if clock else None
        if clock is not None and step is None:
            # Later calls only push the deletion further away, so this holds whatever could not be read since.
            if clock.called_at is not None:
                because = f"called again: last successful call in the hour from {moment(clock.called_at)}"
                yield Cleared(rule=self.name, subject=subject, because=because)
            return
        found = self._finding(view, deployment, clock, step) if clock and step and usage else None
        unread = unread_deployment(view, deployment) or unread_usage(view, deployment, self.stale_after)
        if unread is not None:
            yield Undecided(
                rule=self.name, subject=subject, because=unread.because, since=unread.since, on_last_evidence=found
            )
        elif found is None:
            because = "neither its creation nor any call is known, so nothing dates its deletion"
            yield Undecided(rule=self.name, subject=subject, because=because)
        else:
            yield found

    def _finding(self, view: View, deployment: Deployment, clock: IdleClock, step: str) -> Finding:
        price = self._price(deployment)
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=_severity(view, deployment, clock),
            subject=deployment_subject(deployment),
            labels=deployment_labels(view.account, deployment, view.owner_tag),
            summary=_summary(view, deployment, clock),
            description=self._description(view, deployment, clock, price),
            action=_action(view, deployment),
            evidence=_evidence(view, deployment, clock, self.lifetime),
            values={
                "idle_since": rfc3339(clock.idle_since),
                "deletion_earliest": rfc3339(clock.deletion_earliest),
                "deletion_latest": rfc3339(clock.deletion_latest),
                "hosting_per_hour": price,
                "idle_cost": None if price is None else cost(view.now - clock.idle_since, price),
                "cost_until_deletion": None if price is None else cost(clock.left(view.now), price),
                "currency": self.currency,
            },
            links=portal_link(view.account, deployment.id),
            step=step,
            occurred_at=clock.idle_since,
        )

    def _price(self, deployment: Deployment) -> float | None:
        """By the hour, called or not; `None` where what is billed is not by the hour of hosting, or not known."""
        price = self._own_price(deployment)
        if price is None and deployment.sku_kind in (SkuKind.STANDARD, SkuKind.OTHER):
            price = self.hosting_per_hour
        return None if price is None else round(price * (1 - self.discount_percent / 100), 6)

    def _own_price(self, deployment: Deployment) -> float | None:
        model, sku = deployment.model.lower(), deployment.sku.lower()
        fits = (price for models, skus, price in self.prices if fnmatchcase(model, models) and fnmatchcase(sku, skus))
        return next(fits, None)

    def _source(self, deployment: Deployment) -> str:
        own = "the configured list price; not an invoice"
        source = self.price_source if self._own_price(deployment) is None else own
        return f"{source}; less {self.discount_percent:g} %" if self.discount_percent else source

    def _description(self, view: View, deployment: Deployment, clock: IdleClock, price: float | None) -> str:
        parts = [
            f"Azure deletes a fine-tuned deployment that nobody has called for {duration(self.lifetime)}. "
            f"The model {deployment.model} itself stays and can be deployed again."
        ]
        if price is not None:
            idle = cost(view.now - clock.idle_since, price)
            least = "at least " if clock.is_bounded else ""
            parts.append(
                f"Idle hosting so far: {least}{idle:.2f} {self.currency}, at {price:.2f} {self.currency} an hour "
                f"({self._source(deployment)})."
            )
        parts.extend(_doubts(deployment))
        return " ".join(parts)


def _is_subject_to_idle_rule(deployment: Deployment, view: View) -> bool:
    is_tuned = is_fine_tuned(deployment.model, view.custom_models)
    return is_tuned and deployment.sku_kind is not SkuKind.DEVELOPER


def _is_rule_uncertain(deployment: Deployment) -> bool:
    """Azure states the idle rule without naming these kinds and this state."""
    return deployment.sku_kind is not SkuKind.STANDARD or deployment.is_paused


def _doubts(deployment: Deployment) -> Iterator[str]:
    if deployment.sku_kind is not SkuKind.STANDARD:
        yield f"Rule uncertain: Azure does not say whether it covers deployments of SKU {deployment.sku or 'unknown'}."
    if deployment.is_paused:
        yield "Rule uncertain: the deployment is paused; assumed that its idle clock runs on and its fee is charged."


def _severity(view: View, deployment: Deployment, clock: IdleClock) -> Severity:
    severity = severity_of(clock.left(view.now))
    if deployment.sku_kind is SkuKind.PROVISIONED or deployment.is_paused:
        return capped(severity, Severity.WARNING)
    is_surely_near = clock.deletion_latest is not None and clock.deletion_latest - view.now <= _DAY
    # Nobody is woken for a deadline that may as well be days away because the metrics do not reach back far enough.
    return capped(severity, Severity.WARNING) if clock.is_bounded and not is_surely_near else severity


def _summary(view: View, deployment: Deployment, clock: IdleClock) -> str:
    name = f"{deployment.name} in {view.account.label}"
    latest = clock.deletion_latest
    left = clock.left(view.now)
    uncertain = " (rule uncertain)" if _is_rule_uncertain(deployment) else ""
    if latest is not None and view.now > latest:
        return f"{name} is overdue for deletion since {moment(latest)} and still stands{uncertain}"
    if left <= timedelta():
        until = f", at the latest {moment(latest)}," if latest is not None else ""
        return f"{name} may be deleted at any moment{until} unless it is called{uncertain}"
    return f"{name} is deleted in {duration(left)} unless it is called ({moment(clock.deletion_earliest)}){uncertain}"


def _action(view: View, deployment: Deployment) -> str:
    resume = "It is paused and refuses calls (423): resume it first. " if deployment.is_paused else ""
    return (
        f"To keep it, {resume}call it; only a real inference call resets the clock, and it costs a few tokens:\n"
        f"{commands.call_deployment(view.account, deployment)}\n"
        "If nobody needs it, delete it and end its fee; the model stays:\n"
        f"{commands.delete_deployment(view.account, deployment)}"
    )


def _evidence(view: View, deployment: Deployment, clock: IdleClock, lifetime: timedelta) -> str:
    usage = usage_of(view, deployment)
    lines = [clock.basis]
    if view.reading.usage_at:
        lines.append(f"metrics read {ago(view.reading.usage_at, view.now)}")
    if usage and usage.last_failure_at and usage.last_failure_at >= (usage.last_success_at or usage.last_failure_at):
        lines.append(
            f"last refused or failed call in the hour from {moment(usage.last_failure_at)}; whether such a call "
            "counts is not documented, so the earliest time leaves it out and the latest counts it"
        )
    if usage and usage.is_ambiguous:
        lines.append(
            "calls without a deployment's name were seen in this account: they may be its own, so idleness "
            "is less than certain and no latest time is named"
        )
    if view.reading.deployments_at:
        lines.append(f"it stood {moment(view.reading.deployments_at)} ({ago(view.reading.deployments_at, view.now)})")
    latest = f", latest {moment(clock.deletion_latest)}" if clock.deletion_latest else ""
    lines.append(
        f"rule: the later of creation and last successful call, and {duration(lifetime)}: earliest "
        f"{moment(clock.deletion_earliest)}{latest}"
    )
    return "; ".join(lines)
