"""The one write that is served: a deployment that a person makes, as by the recipe that a watcher hands out.

A token that may only read is refused at the gate. Source: SPEC Deployment.tsp with the example of a PUT: 201 for one
that is new, 200 for one that is changed, and the deployment as the body of both.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from watcher.simulator import arm, jobs
from watcher.simulator.deployments import model_of
from watcher.simulator.scenario import Account, Deployment
from watcher.simulator.serving import Answer, Context, Refusal
from watcher.simulator.world import World

_DEPLOYMENT = re.compile(r"/subscriptions/[^/]+/.*/accounts/[^/]+/deployments/[^/]+", re.IGNORECASE)
#: By the specification these are read-only, and a PUT that holds them changes nothing of them.
_READ_ONLY = frozenset({"provisioningState", "capabilities", "rateLimits", "callRateLimit"})


def may_write(world: World, headers: Mapping[bytes, bytes], path: str) -> bool:
    """Whether somebody who may write asks for what can be written here."""
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return scheme.lower() == "bearer" and token.strip() in world.writers and bool(_DEPLOYMENT.fullmatch(path))


def put_deployment(context: Context) -> Response:
    """Create or change a deployment."""
    arm.require_version(context, arm.COGNITIVE_VERSIONS)
    account, name = arm.known_account(context), context.parameter("deployment")
    world, moment = context.world, context.moment
    wanted = _read(context.body, name, moment)
    source = wanted.source_account or wanted.source
    home = account if source is None else world.account_by_id(source, moment)
    names = {model.name for model in world.models()} | ({*_custom_models(home, moment)} if home else set())
    if wanted.model not in names:
        text = f"Format: {wanted.format}, Name: {wanted.model}, Version: {wanted.version}"
        raise Refusal(400, "DeploymentModelNotSupported", f"The model '{text}' of account deployment is not supported.")
    stood = any(life.deployment.name.lower() == name.lower() for life in world.standing(account, moment))
    world.put_deployment(account, wanted)
    return Answer(arm.deployment(context), status_code=200 if stood else 201)


def _custom_models(account: Account, moment: timedelta) -> Iterator[str]:
    """Those that its jobs have made by now, and those that it has deployed, whose jobs may be listed no longer."""
    for job in account.jobs:
        if jobs.has_succeeded(job, moment):
            yield jobs.model_name(account, job)
    for deployment in account.deployments:
        if deployment.created <= moment and deployment.source is None and deployment.source_account is None:
            yield model_of(account, deployment)


def _read(body: Mapping[str, Any], name: str, moment: timedelta) -> Deployment:
    """The deployment that a body asks for. Raises Refusal."""
    sku, properties = _table(body, "sku"), _table(body, "properties")
    model = _table(properties, "model")
    for place, table, key in (("sku", sku, "name"), ("properties.model", model, "name")):
        if not isinstance(table.get(key), str):
            raise Refusal(400, "InvalidRequestContent", f"The request content was invalid: {place}.{key} is missing.")
    known = {"model", *_READ_ONLY}
    return Deployment(
        name=name,
        created=moment,
        created_by="operator@contoso.example",
        model=model["name"],
        format=str(model.get("format", "OpenAI")),
        version=str(model.get("version", "1")),
        source=model.get("source"),
        source_account=model.get("sourceAccount"),
        sku=sku["name"],
        capacity=int(sku.get("capacity", 1)),
        sku_more={key: value for key, value in sku.items() if key not in ("name", "capacity")},
        properties={key: value for key, value in properties.items() if key not in known and value is not None},
        tags=_table(body, "tags"),
    )


def _table(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A nested object, empty where it is left out. Raises Refusal where it is something else."""
    value = body.get(key) or {}
    if not isinstance(value, dict):
        raise Refusal(400, "InvalidRequestContent", f"The request content was invalid: {key} is no object.")
    return value
