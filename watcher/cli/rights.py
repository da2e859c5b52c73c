"""Asks for the rights of the configured credential, and says what would mend those that are missing."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from watcher.azure import permissions
from watcher.azure.client import AzureClient
from watcher.azure.permissions import Need
from watcher.azure.rights import Has, Holder, Right, Surveyor
from watcher.resources.snapshot import GapReason
from watcher.rules import commands
from watcher.rules.cures import cure, reach

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.resources.account import Account
    from watcher.transport import Client


_NO_ANSWER = frozenset(
    {
        GapReason.UNREACHABLE,
        GapReason.BROKEN,
        GapReason.INCOMPLETE,
        GapReason.NOT_FOUND,
        GapReason.NO_ENDPOINT,
    }
)


def needs_of(config: "Config") -> tuple[Need, ...]:
    """What this configuration needs."""
    azure = config.azure
    searches = azure.discovers and azure.discovery.subscriptions is None
    needed = permissions.needs(read_results=azure.read_results, reconcile=config.pricing.reconcile)
    return tuple(need for need in needed if searches or need is not permissions.SUBSCRIPTIONS)


async def survey(
    config: "Config",
    http: "Client",
    *,
    subscriptions: Iterable[str],
    accounts: "Iterable[Account]",
    at: datetime,
    only_try: bool = False,
) -> tuple[Holder, ...]:
    """What the configured credential may do; see `Surveyor.survey`."""
    from watcher.assembly.azure import cloud_of, credentials_of

    cloud = cloud_of(config)
    poll = config.poll
    client = AzureClient(http, timeout_s=poll.timeout.total_seconds(), concurrency=poll.concurrency)
    keys = {one.resource_id.lower(): one.api_key.reveal() for one in config.azure.accounts if one.api_key}
    surveyor = Surveyor(
        client,
        cloud,
        credentials_of(config, cloud),
        needs=needs_of(config),
        keys=keys,
        api=config.azure.api,
    )
    return await surveyor.survey(subscriptions, accounts, at=at, only_try=only_try)


def is_lacking(right: Right) -> bool:
    """Whether something is amiss; that there was nothing to try a read on is not."""
    return right.has is Has.NO or (right.has is Has.UNKNOWN and right.reason is not None)


def why(right: Right) -> str:
    """Why the answer is no "yes"; "" where it is."""
    from watcher.rules.sight import REASONS

    if right.has is Has.YES:
        return ""
    if right.reason is None:
        return right.because
    words = REASONS[right.reason]
    return f"{words}: {right.because}" if right.because else words


def cure_of(right: Right, holder: Holder) -> str:
    """What mends it; a command stands on a line of its own. "" where nothing is amiss."""
    reason, plane = right.reason, right.need.plane
    if reason is None or not is_lacking(right):
        return ""
    if reason is GapReason.ROLE:
        return f"Grant a role that holds it:\n{commands.assign_role(holder.id, plane)}"
    if reason is GapReason.THROTTLED:
        return "Try again in some minutes."
    if reason is GapReason.NOT_FOUND and right.need.is_data:
        return "Azure does not offer this here; nothing needs to be done, and nothing of it can be seen."
    if holder.account is not None and reason in _NO_ANSWER:
        return reach(holder.account, plane, reason)
    if reason in _NO_ANSWER:
        return "Check that Azure Resource Manager answers from where watcher runs, then try again."
    if holder.account is not None:
        return cure(holder.account, plane, reason)
    if reason is GapReason.CREDENTIAL:
        return "Check [azure] credential and the tenant, and whether the secret has expired."
    return f"A missing role is the usual cause:\n{commands.assign_role(holder.id, plane)}"
