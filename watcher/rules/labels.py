"""The labels and links that every alert about an account, a job or a deployment bears."""

from collections.abc import Mapping
from dataclasses import dataclass

from watcher.resources.account import Account
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import FineTuningJob

_PORTALS = {"usgovernment": "https://portal.azure.us", "china": "https://portal.azure.cn"}


#: The owner of what nobody claims.
UNOWNED = "unowned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who is told of a thing and asked about it."""

    name: str = UNOWNED
    source: str = ""  #: what names them, in words; "": nothing does


def owner_of(
    account: Account,
    *,
    deployment: Deployment | None = None,
    job: FineTuningJob | None = None,
    owner_tag: str = "owner",
) -> Owner:
    """The owner of a deployment, a job, or the account itself: what names them most closely goes first.

    A deployment's own tag, or a job's metadata under the same name; then the account's owner, from the configuration,
    its own tag or that of its resource group; then whoever created the deployment.
    """
    if deployment is not None and (name := _named(deployment.tags, owner_tag)):
        return Owner(name=name, source=f"tag {owner_tag} of the deployment")
    if job is not None and (name := _named(job.metadata, owner_tag)):
        return Owner(name=name, source=f"metadata {owner_tag} of the job")
    if name := account.labels.get("owner", "").strip():
        return Owner(name=name, source="label of the account in the configuration")
    if name := account.owner.strip():
        return Owner(name=name, source=account.owner_source or "the account")
    if deployment is not None and (name := deployment.created_by.strip()):
        return Owner(name=name, source="creator of the deployment")
    return Owner()


def _named(words: Mapping[str, str], name: str) -> str:
    if not words:  # as nearly always
        return ""
    return next((value for key, value in words.items() if key.lower() == name.lower()), "").strip()


def account_labels(account: Account) -> dict[str, str]:
    """Who and where: the configured labels of the account, then those that every alert has, which win."""
    return {
        **account.labels,
        "cloud": account.cloud,
        "account": account.label,
        "subscription": account.subscription,
        "resource_group": account.resource_group,
        "location": account.location,
        "owner": owner_of(account).name,
    }


def job_labels(account: Account, job: FineTuningJob, owner_tag: str = "owner") -> dict[str, str]:
    """Those of the account, with the job, its base model and its owner."""
    owner = owner_of(account, job=job, owner_tag=owner_tag)
    return {**account_labels(account), "owner": owner.name, "job": job.id, "model": job.model}


def deployment_labels(account: Account, deployment: Deployment, owner_tag: str = "owner") -> dict[str, str]:
    """Those of the account, with the deployment, its model, SKU and owner."""
    owner = owner_of(account, deployment=deployment, owner_tag=owner_tag)
    return {
        **account_labels(account),
        "owner": owner.name,
        "deployment": deployment.name,
        "model": deployment.model,
        "sku": deployment.sku,
    }


def portal_link(account: Account, resource_id: str | None = None) -> Mapping[str, str]:
    """The resource's page in the portal; the account's own, if no id is given."""
    portal = _PORTALS.get(account.cloud, "https://portal.azure.com")
    return {"portal": f"{portal}/#@/resource{resource_id or account.id}/overview"}


def job_name(account: Account, job: FineTuningJob) -> str:
    """`Job "support" of gpt-4.1-2025-04-14 in contoso-ft`; the id, long as it is, only where nobody gave a suffix."""
    name = f'"{job.suffix}"' if job.suffix else job.id
    return f"Job {name}{f' of {job.model}' if job.model else ''} in {account.label}"
