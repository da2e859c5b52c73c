"""The activity log: what users did to deployments. Pure.

Whether Azure's own deletions are logged is not documented; an account's `logs_platform_deletions` decides.
"""

from datetime import timedelta

from watcher.simulator.deployments import Life, stamp
from watcher.simulator.ids import guid
from watcher.simulator.scenario import Account
from watcher.simulator.world import World

RETENTION = timedelta(days=90)
PLATFORM = "Microsoft.CognitiveServices"


def entries(world: World, subscription: str, moment: timedelta) -> list[dict[str, object]]:
    """The log of one subscription at `moment`, newest first."""
    found = []
    for account in world.scenario.accounts:
        if world.subscription_of(account).lower() != subscription.lower():
            continue
        for life in world.lives(account):
            created = life.deployment.created
            found.append((created, _entry(world, account, life, "write", created, life.deployment.created_by)))
            caller = _deleter(account, life)
            if life.end is not None and caller is not None:
                found.append((life.end.at, _entry(world, account, life, "delete", life.end.at, caller)))
    recent = [(at, entry) for at, entry in found if moment - RETENTION <= at <= moment]
    return [entry for _, entry in sorted(recent, key=lambda pair: pair[0], reverse=True)]


def _deleter(account: Account, life: Life) -> str | None:
    """Whom the log names for the end of this life; None: it is not in the log."""
    if life.end is None or life.end.cause == "replaced":
        return None
    if life.end.cause == "user":
        return life.deployment.deleted_by
    return PLATFORM if account.logs_platform_deletions else None


def _entry(world: World, account: Account, life: Life, verb: str, at: timedelta, caller: str) -> dict[str, object]:
    resource_id = f"{world.account_id(account)}/deployments/{life.deployment.name}"
    operation = f"Microsoft.CognitiveServices/accounts/deployments/{verb}"
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
        "resourceType": {"value": f"{PLATFORM}/accounts/deployments", "localizedValue": ""},
        "status": {"value": "Succeeded", "localizedValue": "Succeeded"},
        "subStatus": {"value": "OK", "localizedValue": "OK (HTTP Status Code: 200)"},
        "submissionTimestamp": when,
        "subscriptionId": world.subscription_of(account),
        "tenantId": guid("tenant"),
    }
