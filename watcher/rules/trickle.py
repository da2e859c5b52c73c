"""The rule about deployments that a few calls keep alive: never deleted for idleness, and dear by the call."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.costs.hosting import hourly
from watcher.costs.idle import MONTH, Trickle, calls_within, cost_per_call, trickle_of, unclear_within
from watcher.costs.money import Cost, Unknown
from watcher.costs.prices import LIST_PRICES, Price, Terms, book_of
from watcher.resources.deployment import Deployment, ProvisioningState, SkuKind
from watcher.resources.lineage import Holding, Inventory
from watcher.resources.snapshot import Section
from watcher.rules import commands
from watcher.rules.finding import Answer, Finding, FindingKind, Severity, Undecided
from watcher.rules.holdings import as_of, unread_item
from watcher.rules.labels import deployment_labels, owner_of, portal_link
from watcher.rules.rule import deployment_subject
from watcher.rules.text import duration, moment, rfc3339
from watcher.rules.wasting import is_charged

NOT_STANDING = frozenset({ProvisioningState.DELETING, ProvisioningState.FAILED, ProvisioningState.CANCELED})
_DEFAULT = Trickle()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentTrickle:
    """Finds deployments with a fee by the hour that were called, and no more than `max_calls` times in the `window`.

    Only a window of which all calls are known is judged, and only of a deployment that stood through it.
    """

    name: ClassVar[str] = "deployment_trickle"

    max_calls: float = _DEFAULT.max_calls
    window: timedelta = _DEFAULT.window
    pricing: Terms = LIST_PRICES

    def evaluate(self, inventory: Inventory) -> Iterator[Answer]:
        for holding in inventory.holdings:
            for deployment in holding.deployments or ():
                if deployment.sku_kind is not SkuKind.DEVELOPER and deployment.provisioning_state not in NOT_STANDING:
                    yield from self._judge(inventory, holding, deployment)

    def _judge(self, inventory: Inventory, holding: Holding, deployment: Deployment) -> Iterator[Answer]:
        now, subject = inventory.now, deployment_subject(deployment)
        if deployment.created_at is not None and now - deployment.created_at < self.window:
            return  # it may only have begun
        if doubt := unread_item(holding, deployment):
            yield Undecided(rule=self.name, subject=subject, because=doubt.because, since=doubt.since)
            return
        calls, nameless = holding.calls.get(deployment.name.lower()), holding.calls.get("")
        found = trickle_of(
            deployment,
            holding.coverage,
            now,
            Trickle(max_calls=self.max_calls, window=self.window),
            answered=lambda begin, end: calls_within(calls, holding.coverage, begin, end) or 0.0,
            unclear=lambda begin, end: unclear_within(calls, nameless, begin, end),
        )
        if isinstance(found, Unknown):
            yield Undecided(rule=self.name, subject=subject, because=found.because)
            return
        price = hourly(
            book_of(self.pricing, inventory.retail),
            model=deployment.model,
            sku=deployment.sku,
            capacity=deployment.capacity,
            location=holding.account.location,
        )
        if found is not None and is_charged(deployment, price):
            yield self._finding(inventory, holding, deployment, found.calls, found.end, price)

    def _finding(
        self,
        inventory: Inventory,
        holding: Holding,
        deployment: Deployment,
        count: float,
        end: datetime,
        price: Price | Unknown,
    ) -> Finding:
        account, begin = holding.account, end - self.window
        fee: Cost = price if isinstance(price, Unknown) else price.over(self.window)
        each = cost_per_call(fee, count)
        times = f"{count:g} {'call' if count == 1 else 'calls'}"
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.INFO,
            subject=deployment_subject(deployment),
            labels=deployment_labels(account, deployment, inventory.owner_tag),
            summary=f"{deployment.name} in {account.label} is kept alive by {times} in {duration(self.window)}"
            + ("" if isinstance(each, Unknown) else f", at {each.text} a call"),
            description=_fee_words(price, fee, self.window, inventory.now)
            + " Azure deletes only what nobody calls, so it will not end by itself while such calls come.",
            action="If they are probes or leftovers, delete it and end its fee; the model stays:\n"
            f"{commands.delete_deployment(account, deployment)}\n"
            "If it is for tests, a Developer deployment of its model has no fee by the hour, and ends after 24 h. If "
            f"it is wanted as it is, keep it:\n{commands.keep(account, deployment)}",
            evidence="; ".join(
                (
                    f"{times} answered between {moment(begin)} and {moment(end)}, all of which was read",
                    f"at most {self.max_calls:g} count as a trickle",
                    as_of(holding, Section.DEPLOYMENTS, inventory.now),
                )
            ),
            values={
                "calls": count,
                "window_begins": rfc3339(begin),
                "window_ends": rfc3339(end),
                "cost_per_call": None if isinstance(each, Unknown) else float(each.most),
                "hosting_per_hour": None if isinstance(price, Unknown) else price.amount,
                "monthly_cost": None if isinstance(price, Unknown) else float(price.over(MONTH).most),
                "currency": self.pricing.currency,
                "owner_source": owner_of(account, deployment=deployment, owner_tag=inventory.owner_tag).source,
            },
            links=portal_link(account, deployment.id),
        )


def _fee_words(price: Price | Unknown, fee: Cost, window: timedelta, now: datetime) -> str:
    if isinstance(price, Unknown) or isinstance(fee, Unknown):
        why = price.because if isinstance(price, Unknown) else ""
        return f"Its fee runs by the hour, called or not; how much that is cannot be told: {why}."
    return f"Its fee was {fee.text} in these {duration(window)}, at {price.text()} ({price.origin(now)})."
