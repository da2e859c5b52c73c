"""The rule about deployments that nobody calls while their fee runs: for reports, long before they are in danger."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.costs.idle import IdleMoney, idle_money
from watcher.costs.money import Unknown
from watcher.costs.prices import LIST_PRICES, Price, Terms
from watcher.resources.deployment import Deployment, ProvisioningState, SkuKind, Usage, is_fine_tuned
from watcher.resources.snapshot import Section
from watcher.rules import commands, idle_words
from watcher.rules.causes import ended
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Undecided
from watcher.rules.idle import money_values, price_of, running_since
from watcher.rules.idle_clock import IdleClock, clock_start, idle_clock
from watcher.rules.labels import deployment_labels, owner_of, portal_link
from watcher.rules.lifetimes import IDLE_LIFETIME, Lifetimes
from watcher.rules.metrics_pace import SELDOM
from watcher.rules.rule import View, deployment_subject
from watcher.rules.sight import known_to, unread_deployment, unread_section, unread_usage, usage_of
from watcher.rules.text import ago, moment, rfc3339

#: In these it takes no call, or soon will not: other rules tell.
NOT_STANDING = frozenset({ProvisioningState.DELETING, ProvisioningState.FAILED})
#: Their fee runs by the hour, whatever it is; of other SKUs nobody knows unless the price does.
_HOSTED = frozenset({SkuKind.STANDARD, SkuKind.PROVISIONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentWasting:
    """Finds fine-tuned deployments with a fee by the hour that nobody has called for longer than `after`."""

    name: ClassVar[str] = "deployment_wasting"

    after: timedelta = timedelta(days=2)
    #: Without a call, until Azure deletes it; by SKU as in `deployment_idle`.
    lifetime: timedelta = IDLE_LIFETIME
    lifetimes: Mapping[str, timedelta | None] = field(default_factory=dict)
    #: Metrics that end longer ago than this (and one bucket) decide nothing.
    stale_after: timedelta = timedelta(hours=3)
    pricing: Terms = LIST_PRICES

    def evaluate(self, view: View) -> Iterator[Answer]:
        if view.reading.deployments is None:
            unread = unread_section(view, Section.DEPLOYMENTS)
            because = unread.because if unread else "the deployments have not been read yet"
            yield Undecided(rule=self.name, subject=None, because=because)
            return
        for deployment in view.deployments:
            if deployment.sku_kind is not SkuKind.DEVELOPER and is_fine_tuned(deployment.model, view.custom_models):
                yield from self._judge(view, deployment)
        if view.transitions:
            yield from ended(view, self.name, Lifetimes(idle=self.lifetime, idle_by_sku=self.lifetimes))

    def _judge(self, view: View, deployment: Deployment) -> Iterator[Answer]:
        if deployment.provisioning_state in NOT_STANDING:
            return
        usage = usage_of(view, deployment)
        start, called_at = clock_start(deployment, usage)
        read_to = known_to(usage, view.now)
        if start is not None and read_to - start <= self.after:
            if called_at is not None and not view.is_calm:
                because = f"called again: last successful call in the hour from {moment(called_at)}"
                yield Cleared(rule=self.name, subject=deployment_subject(deployment), because=because)
            return
        subject, price = deployment_subject(deployment), price_of(view, deployment, self.pricing)
        if not is_charged(deployment, price):
            return
        lifetime = Lifetimes(idle=self.lifetime, idle_by_sku=self.lifetimes).idle_of(deployment)
        since = running_since(view, deployment)
        clock = idle_clock(deployment, usage, lifetime or self.lifetime, running_since=since)
        found = None
        if clock is not None and read_to - clock.idle_since > self.after:
            found = self._finding(view, deployment, clock, price, read_to, is_deleted=lifetime is not None)
        unread = unread_deployment(view, deployment) or unread_usage(view, deployment, self._patience(view))
        if unread is not None:
            yield Undecided(
                rule=self.name,
                subject=subject,
                because=unread.because,
                since=unread.since,
                on_last_evidence=found if usage is not None else None,
            )
        elif found is None:
            because = "neither its creation nor any call is known, so nothing dates its idleness"
            if clock is not None:
                because = f"its calls are known since {moment(clock.idle_since)} only, which is not long enough"
            yield Undecided(rule=self.name, subject=subject, because=because)
        elif doubt := doubtful_call(usage, now=view.now, after=self.after):
            yield Undecided(rule=self.name, subject=subject, because=doubt)
        else:
            yield found

    def _patience(self, view: View) -> timedelta:
        """How old a reading may be: far from a deadline the metrics rest for as long as `SELDOM` intervals."""
        every = view.cadence.get(Section.METRICS)
        return self.stale_after if every is None else max(self.stale_after, (SELDOM + 1) * every)

    def _finding(
        self,
        view: View,
        deployment: Deployment,
        clock: IdleClock,
        price: Price | Unknown,
        read_to: datetime,
        *,
        is_deleted: bool,
    ) -> Finding:
        deletion = (clock.deletion_earliest, clock.deletion_latest) if is_deleted else None
        since = clock.idle_since, clock.idle_since
        is_assumed = Lifetimes(idle_by_sku=self.lifetimes).is_assumed(deployment)
        money = idle_money(
            price,
            now=view.now,
            known_to=read_to,
            since=since,
            deletion=deletion,
            is_assumed=is_assumed,
        )
        least = "at least " if clock.is_bounded else ""
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.INFO,
            subject=deployment_subject(deployment),
            labels=deployment_labels(view.account, deployment, view.owner_tag),
            summary=f"{deployment.name} in {view.account.label} has had no call {least}since "
            f"{moment(clock.idle_since)}, and its fee runs",
            description=" ".join(
                part
                for part in (
                    money_words(price, money, least, view.now),
                    f"The model {deployment.model} itself stays and can be deployed again.",
                    *idle_words.doubts(deployment, is_settled=not is_assumed),
                )
                if part
            ),
            action="If nobody needs it, delete it and end its fee; the model stays:\n"
            f"{commands.delete_deployment(view.account, deployment)}\n"
            f"If it is wanted all the same, keep it:\n{commands.keep(view.account, deployment)}",
            evidence=_evidence(view, clock, is_deleted=is_deleted),
            values={
                "idle_since": rfc3339(clock.idle_since),
                "deletion_earliest": rfc3339(clock.deletion_earliest) if is_deleted else None,
                "deletion_latest": rfc3339(clock.deletion_latest) if is_deleted else None,
                **money_values(price, money),
                "cost_per_day": None if isinstance(money, Unknown) else float(money.per_day.most),
                "currency": self.pricing.currency,
                "owner_source": owner_of(view.account, deployment=deployment, owner_tag=view.owner_tag).source,
            },
            links=portal_link(view.account, deployment.id),
            occurred_at=clock.idle_since,
        )


def is_charged(deployment: Deployment, price: Price | Unknown) -> bool:
    """Whether a fee runs, as far as is known."""
    if isinstance(price, Unknown):
        return deployment.sku_kind in _HOSTED
    return not price.rate.is_zero


def doubtful_call(usage: Usage | None, *, now: datetime, after: timedelta) -> str:
    """Which calls of late keep it from being said that nobody needs it, as a sentence's part; "" where there are none.

    Whoever is refused calls it all the same, and a call without a name or a status may be an answered one of its own.
    """
    # One nameless call leaves every idle deployment of its account undecided for `after`, and that cannot be narrower:
    # nothing that is read beside the name tells whose it was; a deployment that was called or created since
    # is no candidate; and even if it was its own, `after` later nobody has called for so long again, and it is decided.
    # What was found before goes on meanwhile: only what is new waits.
    since = now - after
    unclear, failed = (usage.last_unclear_at, usage.last_failure_at) if usage else (None, None)
    if unclear is not None and unclear >= since:
        return f"calls in the hour from {moment(unclear)} may be its own: they bear no deployment's name, or no status"
    if failed is not None and failed >= since:
        return f"somebody calls it, and was refused or failed in the hour from {moment(failed)}"
    return ""


def money_words(price: Price | Unknown, money: IdleMoney | Unknown, least: str, now: datetime) -> str:
    """What that has cost, costs and will cost, in a sentence or two."""
    if isinstance(price, Unknown) or isinstance(money, Unknown):
        why = price.because if isinstance(price, Unknown) else ""
        return f"Its fee runs by the hour, called or not; how much that is cannot be told: {why}."
    return (
        f"That has cost {least}{money.so_far.text} so far and costs {money.per_day.text} a day, {money.outlook}: at "
        f"{price.text()} ({price.origin(now)})."
    )


def _evidence(view: View, clock: IdleClock, *, is_deleted: bool) -> str:
    lines = [clock.basis]
    if view.reading.usage_at:
        lines.append(f"metrics read {ago(view.reading.usage_at, view.now)}")
    if view.reading.deployments_at:
        lines.append(f"it stood {ago(view.reading.deployments_at, view.now)}")
    if is_deleted:
        lines.append(f"Azure deletes it for idleness at {moment(clock.deletion_earliest)} at the earliest")
        lines.extend(clock.doubts)
    return "; ".join(lines)
