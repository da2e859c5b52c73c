"""The activity log: what users did to deployments and accounts. Pure.

Whether Azure's own deletions are logged is not documented; an account's `logs_platform_deletions` decides.
"""

from collections.abc import Iterator
from datetime import timedelta

from watcher.simulator.deployments import Life, stamp
from watcher.simulator.ids import guid
from watcher.simulator.scenario import Account
from watcher.simulator.world import World

RETENTION = timedelta(days=90)
PLATFORM = "Microsoft.CognitiveServices"


def entries(world: World, subscription: str, moment: timedelta) -> list[dict[str, object]]:
    """The log of one subscription at `moment`, newest first."""
    found: list[tuple[timedelta, dict[str, object]]] = []
    for account in world.scenario.accounts:
        if world.subscription_of(account).lower() != subscription.lower():
            continue
        own = list(_entries_of(world, account))
        # An account that was moved has no past under its new id.
        found += [(at, entry) for at, entry in own if at >= account.created]
    newest = moment - world.scenario.activity_delay
    recent = [(at, entry) for at, entry in found if moment - RETENTION <= at <= newest]
    return [entry for _, entry in sorted(recent, key=lambda pair: pair[0], reverse=True)]


def _entries_of(world: World, account: Account) -> Iterator[tuple[timedelta, dict[str, object]]]:
    if account.deleted is not None and account.deleted_by is not None:
        yield account.deleted, _entry(world, account, None, "delete", account.deleted, account.deleted_by)
    for life in world.lives(account):
        created = life.deployment.created
        yield created, _entry(world, account, life, "write", created, life.deployment.created_by)
        caller = deleter(account, life)
        if life.end is not None and caller is not None:
            yield life.end.at, _entry(world, account, life, "delete", life.end.at, caller)


def deleter(account: Account, life: Life) -> str | None:
    """Whom the log names for the end of this life; None: it is not in the log."""
    if life.end is None or life.end.cause in ("replaced", "account"):
        return None
    if life.end.cause == "user":
        return life.deployment.deleted_by
    return PLATFORM if account.logs_platform_deletions else None


def _entry(
    world: World, account: Account, life: Life | None, verb: str, at: timedelta, caller: str
) -> dict[str, object]:
    """An entry about a deployment; without a life, about the account itself."""
    kind = "accounts" if life is None else "accounts/deployments"
    resource_id = world.account_id(account)
    if life is not None:
        resource_id += f"/deployments/{life.deployment.name}"
    operation = f"{PLATFORM}/{kind}/{verb}"
    when = stamp(world.start, at)
    correlation = guid("correlation", resource_id, verb, when)
    event = guid("event", resource_id, verb, when)
    return {
        "authorization": {"action": operation, "scope": resource_id},
        "caller": caller,
        "channels": "Operation",
        "claims": {},
        "correlationId": correlation,
        "description": "",
        "eventDataId": event,
        "eventName": {"value": "EndRequest", "localizedValue": "End request"},
        "eventTimestamp": when,
        "id": f"{resource_id}/events/{event}",
        "level": "Informational",
        "operationId": correlation,
        "operationName": {"value": operation, "localizedValue": operation},
        "resourceGroupName": account.resource_group,
        "resourceId": resource_id,
        "resourceProviderName": {"value": PLATFORM, "localizedValue": PLATFORM},
        "resourceType": {"value": f"{PLATFORM}/{kind}", "localizedValue": ""},
        "status": {"value": "Succeeded", "localizedValue": "Succeeded"},
        "subStatus": {"value": "OK", "localizedValue": "OK (HTTP Status Code: 200)"},
        "submissionTimestamp": stamp(world.start, at + world.scenario.activity_delay),
        "subscriptionId": world.subscription_of(account),
        "tenantId": guid("tenant"),
    }
