"""The exact commands and requests that a message offers. `watcher` itself runs none of them."""

import re
import shlex
from datetime import datetime, timedelta
from urllib.parse import quote

from watcher.costs.recipe import recipe
from watcher.resources.account import Account
from watcher.resources.deployment import Deployment
from watcher.resources.fine_tuning import Checkpoint, FineTuningJob
from watcher.resources.snapshot import Plane
from watcher.rules.text import rfc3339

#: What a bearer token for the data plane is asked for, where it is not the public cloud's.
_TOKEN_RESOURCES = {
    "usgovernment": "https://cognitiveservices.azure.us",
    "china": "https://cognitiveservices.azure.cn",
}
_INFERENCE_VERSION = "2024-10-21"
#: The first version of ARM's that knows `pause` and `resume`.
_PAUSE_VERSION = "2025-10-01-preview"

#: The least role for each plane. Source: Azure's built-in roles; see also the command `watcher permissions`.
ROLES = {
    Plane.ARM: "Reader",
    Plane.DATA: "Cognitive Services OpenAI User",
    Plane.METRICS: "Monitoring Reader",
}


def deploy_model(account: Account, job: FineTuningJob) -> str:
    """Deploys the model that `job` made, under a name taken from its suffix."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", job.suffix or f"{job.model}-ft").strip("-.") or "fine-tuned"
    return _create(account, name, model=job.fine_tuned_model, version="1", form="OpenAI", sku="Standard", capacity=1)


def deploy_checkpoint(account: Account, job: FineTuningJob, checkpoint: Checkpoint) -> str:
    """Deploys what `job` had saved at one step, under a name that says so."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", job.suffix or f"{job.model}-ft").strip("-.") or "fine-tuned"
    name = f"{name}-step-{checkpoint.step}"
    return _create(account, name, model=checkpoint.model, version="1", form="OpenAI", sku="Standard", capacity=1)


def deploy_custom_model(account: Account, model: str, suffix: str = "") -> str:
    """Deploys a custom model of the account that is known by its name alone."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", suffix).strip("-.") or "fine-tuned"
    return _create(account, name, model=model, version="1", form="OpenAI", sku="Standard", capacity=1)


def delete_file(account: Account, file_id: str) -> str:
    """Deletes an uploaded file for good."""
    url = f"{account.endpoint}/openai/v1/files/{_segment(file_id)}"
    return f"curl -sS -X DELETE {shlex.quote(url)} {_bearer(account)}"


def keep(account: Account, deployment: Deployment) -> str:
    """Tells `watcher` that `deployment` is wanted."""
    return f"watcher keep {shlex.quote(f'{account.label}/{deployment.name}')} --until DATE --reason TEXT"


def redeploy(deployment: Deployment) -> str:
    """Words that end a sentence, and the command behind them: creates `deployment` again as it was."""
    made = recipe(deployment)
    unknown = f" (not known: {', '.join(made.missing)}; Azure's default is taken)" if made.missing else ""
    return f"deploy it again{unknown}:\n{made.command}"


def _create(account: Account, name: str, *, model: str, version: str, form: str, sku: str, capacity: int) -> str:
    options = (
        f"--deployment-name {shlex.quote(name)} --model-name {shlex.quote(model)} "
        f"--model-version {shlex.quote(version)} --model-format {shlex.quote(form)} "
        f"--sku-name {shlex.quote(sku)} --sku-capacity {capacity}"
    )
    return f"az cognitiveservices account deployment create {_place(account, options)}"


def delete_deployment(account: Account, deployment: Deployment) -> str:
    """Deletes `deployment`; its model stays and can be deployed again."""
    name = f"--deployment-name {shlex.quote(deployment.name)}"
    return f"az cognitiveservices account deployment delete {_place(account, name)}"


def show_deployment(account: Account, deployment: Deployment) -> str:
    """Shows `deployment` as ARM has it."""
    name = f"--deployment-name {shlex.quote(deployment.name)}"
    return f"az cognitiveservices account deployment show {_place(account, name)}"


#: Where it is not known when something was last seen, the activity log is shown from so long before its end was.
_LOOK_BACK = timedelta(days=3)
#: A deletion may begin before the last reading that still had what it deletes.
_LOG_MARGIN = timedelta(hours=1)


def read_activity(resource_id: str, *, stood_at: datetime | None, gone_at: datetime) -> str:
    """Shows what the activity log has of a deployment's or an account's end, whenever that is looked up."""
    since = gone_at - _LOOK_BACK if stood_at is None else stood_at - _LOG_MARGIN
    return f"az monitor activity-log list --resource-id {shlex.quote(resource_id)} --start-time {rfc3339(since)}"


def list_deleted(account: Account) -> str:
    """Lists the accounts of the subscription that are deleted and may still be recovered."""
    return f"az cognitiveservices account list-deleted --subscription {shlex.quote(account.subscription)}"


def resume_deployment(deployment: Deployment) -> str:
    """Lets a paused deployment serve again; `az` puts the address of its own cloud before the path."""
    path = "/".join(map(_segment, deployment.id.split("/")))
    path = f"{path}/resume?api-version={_PAUSE_VERSION}"
    return f"az rest --method post --url {shlex.quote(path)}"


def _place(account: Account, options: str) -> str:
    return (
        f"-g {shlex.quote(account.resource_group)} -n {shlex.quote(account.name)} {options} "
        f"--subscription {shlex.quote(account.subscription)}"
    )


def call_deployment(account: Account, deployment: Deployment) -> str:
    """A real, tiny inference request: only a call resets Azure's idle clock."""
    url = f"{account.endpoint}/openai/deployments/{_segment(deployment.name)}/chat/completions"
    url = f"{url}?api-version={_INFERENCE_VERSION}"
    # The newer models refuse `max_tokens`, the older ones `max_completion_tokens`; so the body bounds neither.
    body = '{"messages": [{"role": "user", "content": "Say OK."}]}'
    return f"curl -sS {shlex.quote(url)} {_bearer(account)} -H 'Content-Type: application/json' -d '{body}'"


def resume_job(account: Account, job: FineTuningJob) -> str:
    """Lets a paused job go on."""
    return _job_request(account, job, "resume")


def cancel_job(account: Account, job: FineTuningJob) -> str:
    """Stops a job; what it has done is billed."""
    return _job_request(account, job, "cancel")


def read_job_events(account: Account, job: FineTuningJob) -> str:
    """Shows the newest lines of a job's own log."""
    return f"curl -sS {shlex.quote(_job_url(account, job, 'events'))} {_bearer(account)}"


def _job_request(account: Account, job: FineTuningJob, verb: str) -> str:
    return f"curl -sS -X POST {shlex.quote(_job_url(account, job, verb))} {_bearer(account)}"


def _job_url(account: Account, job: FineTuningJob, tail: str) -> str:
    return f"{account.endpoint}/openai/v1/fine_tuning/jobs/{_segment(job.id)}/{tail}"


def _segment(name: str) -> str:
    """A name as one part of an address's path, whatever is in it."""
    return quote(name.encode(errors="surrogatepass"), safe="") if name not in (".", "..") else name.replace(".", "%2E")


def _bearer(account: Account) -> str:
    resource = _TOKEN_RESOURCES.get(account.cloud, "https://cognitiveservices.azure.com")
    token = f"az account get-access-token --resource {resource} --query accessToken -o tsv"
    return f'-H "Authorization: Bearer $({token})"'


def assign_role(scope: str, plane: Plane) -> str:
    """Gives the identity of `watcher` the least role that `plane` asks for, on an ARM id."""
    return (
        f'az role assignment create --assignee "<object id of the identity that watcher uses>" '
        f"--role {shlex.quote(ROLES[plane])} --scope {shlex.quote(scope)}"
    )
