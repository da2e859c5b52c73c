"""The rule that the program was built for: fine-tuned deployments that Azure will delete because nobody calls them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.costs.hosting import hourly
from watcher.costs.idle import IdleMoney, idle_money
from watcher.costs.money import Unknown
from watcher.costs.prices import LIST_PRICES, Price, Terms, book_of
from watcher.resources.deployment import Deployment, ProvisioningState, SkuKind, is_fine_tuned
from watcher.resources.snapshot import Section
from watcher.rules import idle_words
from watcher.rules.causes import ended
from watcher.rules.countdown import capped, severity_of, step_crossed
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.idle_clock import IdleClock, clock_start, idle_clock
from watcher.rules.labels import deployment_labels, owner_of, portal_link
from watcher.rules.lifetimes import IDLE_LIFETIME, Lifetimes
from watcher.rules.rule import View, deployment_subject
from watcher.rules.sight import unread_deployment, unread_section, unread_usage, usage_of
from watcher.rules.text import duration, moment, rfc3339

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentIdle:
    """Finds fine-tuned deployments that come within `warn_before` of their deletion for idleness.

    Developer deployments are left to `deployment_expiring` unless `lifetimes` names them, failed ones to
    `deployment_failed`; base models never go idle.
    """

    name: ClassVar[str] = "deployment_idle"

    warn_before: tuple[timedelta, ...] = (timedelta(days=7), timedelta(days=3), _DAY, timedelta(hours=6))
    #: From the start of the clock to the deletion.
    lifetime: timedelta = IDLE_LIFETIME
    #: The same by SKU: globs without case, the first that fits counts; `None`: never deleted for idleness.
    lifetimes: Mapping[str, timedelta | None] = field(default_factory=dict)
    #: Metrics that end longer ago than this (and one bucket) decide nothing.
    stale_after: timedelta = timedelta(hours=3)
    pricing: Terms = LIST_PRICES

    @property
    def _lifetimes(self) -> Lifetimes:
        return Lifetimes(idle=self.lifetime, idle_by_sku=self.lifetimes)

    def evaluate(self, view: View) -> Iterator[Answer]:
        if view.reading.deployments is None:
            unread = unread_section(view, Section.DEPLOYMENTS)
            because = unread.because if unread else "the deployments have not been read yet"
            yield Undecided(rule=self.name, subject=None, because=because)
            return
        lifetimes, horizon = self._lifetimes, view.now + max(self.warn_before, default=timedelta())
        for deployment in view.deployments:
            if is_fine_tuned(deployment.model, view.custom_models):
                yield from self._judge(view, deployment, lifetimes, horizon)
        yield from ended(view, self.name, lifetimes)

    def _judge(self, view: View, deployment: Deployment, lifetimes: Lifetimes, horizon: datetime) -> Iterator[Answer]:
        """What is said of one; nothing is about to happen to what is deleted after `horizon` at the earliest."""
        subject, usage = deployment_subject(deployment), usage_of(view, deployment)
        if deployment.provisioning_state is ProvisioningState.DELETING:
            yield Cleared(rule=self.name, subject=subject, because="the deployment is being deleted")
            return
        if deployment.provisioning_state is ProvisioningState.FAILED:  # it takes no call; `deployment_failed` tells
            yield Cleared(rule=self.name, subject=subject, because="its provisioning failed: see deployment_failed")
            return
        lifetime = lifetimes.idle_of(deployment)
        if lifetime is None:
            because = f"deployments of SKU {deployment.sku or 'unknown'} are not deleted for idleness, as configured"
            if deployment.sku_kind is SkuKind.DEVELOPER:
                because = "it is a Developer deployment: see deployment_expiring"
            yield Cleared(rule=self.name, subject=subject, because=because)
            return
        start, called_at = clock_start(deployment, usage)
        if start is not None and start + lifetime > horizon:
            # Later calls only push the deletion further away, so this holds whatever could not be read since.
            if called_at is not None and not view.is_calm:
                because = f"called again: last successful call in the hour from {moment(called_at)}"
                yield Cleared(rule=self.name, subject=subject, because=because)
            return
        clock = idle_clock(deployment, usage, lifetime, running_since=running_since(view, deployment))
        step = step_crossed(clock.left(view.now), self.warn_before) if clock else None
        if clock is not None and step is None:
            return  # only bounds are known, and between them no step was configured
        found = self._finding(view, deployment, clock, lifetime, step) if clock and step and usage else None
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

    def _finding(self, view: View, deployment: Deployment, clock: IdleClock, lifetime: timedelta, step: str) -> Finding:
        price = price_of(view, deployment, self.pricing)
        money = idle_money(
            price,
            now=view.now,
            since=(clock.idle_since, clock.idle_since),
            deletion=(clock.deletion_earliest, clock.deletion_latest),
        )
        owner = owner_of(view.account, deployment=deployment, owner_tag=view.owner_tag)
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=_severity(view, deployment, clock),
            subject=deployment_subject(deployment),
            labels=deployment_labels(view.account, deployment, view.owner_tag),
            summary=idle_words.summary(view, deployment, clock),
            description=_description(view, deployment, clock, lifetime, price, money),
            action=idle_words.action(view, deployment, clock),
            evidence=idle_words.evidence(view, deployment, clock, lifetime),
            values={
                "idle_since": rfc3339(clock.idle_since),
                "deletion_earliest": rfc3339(clock.deletion_earliest),
                "deletion_latest": rfc3339(clock.deletion_latest),
                **money_values(price, money),
                "currency": self.pricing.currency,
                "owner_source": owner.source,
            },
            links=portal_link(view.account, deployment.id),
            step=step,
            occurred_at=clock.idle_since,
        )


def price_of(view: View, deployment: Deployment, pricing: Terms) -> Price | Unknown:
    """What an hour of a deployment costs, called or not."""
    return hourly(
        book_of(pricing, view.retail),
        model=deployment.model,
        sku=deployment.sku,
        capacity=deployment.capacity,
        location=view.account.location,
    )


def money_values(price: Price | Unknown, money: IdleMoney | Unknown) -> dict[str, float | None]:
    """The figures for machines, each at its least; `None` where it is not known."""
    rest = None if isinstance(money, Unknown) else money.until_deletion
    return {
        "hosting_per_hour": None if isinstance(price, Unknown) else price.amount,
        "idle_cost": None if isinstance(money, Unknown) else float(money.so_far.least),
        "cost_until_deletion": None if rest is None else float(rest.least),
    }


def _description(
    view: View,
    deployment: Deployment,
    clock: IdleClock,
    lifetime: timedelta,
    price: Price | Unknown,
    money: IdleMoney | Unknown,
) -> str:
    parts = [
        *idle_words.overdue(view.now, clock, unread_deployment(view, deployment)),
        f"Azure deletes a fine-tuned deployment that nobody has called for {duration(lifetime)}. "
        f"The model {deployment.model} itself stays and can be deployed again.",
    ]
    if isinstance(price, Price) and isinstance(money, IdleMoney):
        least = "at least " if clock.is_bounded else ""
        parts.append(f"Idle hosting so far: {least}{money.so_far.text}, at {price.text()} ({price.origin(view.now)}).")
    parts.extend(idle_words.doubts(deployment))
    return " ".join(parts)


def running_since(view: View, deployment: Deployment) -> datetime | None:
    """Of a deployment that runs and was seen paused in this life: when it was first seen running again."""
    return None if deployment.is_paused else view.deployment_state_since.get(deployment.key)


def _severity(view: View, deployment: Deployment, clock: IdleClock) -> Severity:
    severity = severity_of(clock.left(view.now))
    if deployment.sku_kind is SkuKind.PROVISIONED or deployment.is_paused:
        return capped(severity, Severity.WARNING)
    is_surely_near = clock.deletion_latest is not None and clock.deletion_latest - view.now <= _DAY
    # Nobody is woken for a deadline that may as well be days away because the metrics do not reach back far enough.
    return capped(severity, Severity.WARNING) if clock.is_bounded and not is_surely_near else severity
