"""The labels and links that every alert about an account, a job or a deployment bears."""

from collections.abc import Mapping

from watcher.resources.account import Account
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import FineTuningJob

_PORTALS = {"usgovernment": "https://portal.azure.us", "china": "https://portal.azure.cn"}


def account_labels(account: Account) -> dict[str, str]:
    """Who and where: the configured labels of the account, then those that every alert has, which win."""
    return {
        **account.labels,
        "cloud": account.cloud,
        "account": account.label,
        "subscription": account.subscription,
        "resource_group": account.resource_group,
        "location": account.location,
        "owner": account.labels.get("owner") or account.owner,
    }


def job_labels(account: Account, job: FineTuningJob) -> dict[str, str]:
    """Those of the account, with the job and its base model."""
    return {**account_labels(account), "job": job.id, "model": job.model}


def deployment_labels(account: Account, deployment: Deployment, owner_tag: str = "owner") -> dict[str, str]:
    """Those of the account, with the deployment, its model and SKU; its own owner tag goes before the account's."""
    labels = {
        **account_labels(account),
        "deployment": deployment.name,
        "model": deployment.model,
        "sku": deployment.sku,
    }
    owner = next((value for tag, value in deployment.tags.items() if tag.lower() == owner_tag.lower()), "")
    return {**labels, "owner": owner} if owner.strip() else labels


def portal_link(account: Account, resource_id: str | None = None) -> Mapping[str, str]:
    """The resource's page in the portal; the account's own, if no id is given."""
    portal = _PORTALS.get(account.cloud, "https://portal.azure.com")
    return {"portal": f"{portal}/#@/resource{resource_id or account.id}/overview"}


def job_name(account: Account, job: FineTuningJob) -> str:
    """`Job "support" of gpt-4.1-2025-04-14 in contoso-ft`; the id, long as it is, only where nobody gave a suffix."""
    name = f'"{job.suffix}"' if job.suffix else job.id
    return f"Job {name}{f' of {job.model}' if job.model else ''} in {account.label}"
