"""Nouns with sane defaults, a pretend Azure of a few lines, and clients that never sleep."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watcher.azure.auth import Credentials, StaticToken
from watcher.azure.client import AzureClient
from watcher.azure.clouds import PUBLIC
from watcher.azure.collector import Collector
from watcher.resources.account import Account
from watcher.resources.deployment import Deployment
from watcher.transport import MockTransport, Request, Response, client_over

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 11, 22, 8, 10, tzinfo=UTC)
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
ACCOUNT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ml/providers/Microsoft.CognitiveServices/accounts/ft"
ENDPOINT = "https://ft.openai.azure.com"
KEY = ACCOUNT_ID.lower()


def body_of(file: str, status: str = "200") -> bytes:
    """The body of an official example."""
    answer = json.loads((DATA / file).read_text(encoding="utf-8"))
    return json.dumps(answer["responses"][status]["body"]).encode()


def make_account(**changes: Any) -> Account:
    given: dict[str, Any] = {
        "id": ACCOUNT_ID,
        "name": "ft",
        "label": "ft",
        "subscription": SUBSCRIPTION,
        "resource_group": "rg-ml",
        "location": "eastus2",
        "endpoint": ENDPOINT,
    }
    return Account(**(given | changes))


def make_deployment(name: str = "d", **changes: Any) -> Deployment:
    given: dict[str, Any] = {
        "id": f"{ACCOUNT_ID}/deployments/{name}",
        "name": name,
        "account": KEY,
        "model": "gpt.ft-1",
    }
    return Deployment(**(given | changes))


def raw_job(job: str = "ftjob-1", status: str = "running", **more: Any) -> dict[str, Any]:
    return {"id": job, "status": status, "created_at": 1756781454, "model": "gpt-4.1", **more}


def raw_event(event: str, message: str, at: int = 1756781454, **more: Any) -> dict[str, Any]:
    return {"id": event, "created_at": at, "level": "info", "message": message, "type": "message", **more}


def raw_file(file: str = "file-1", **more: Any) -> dict[str, Any]:
    given = {"id": file, "object": "file", "bytes": 140, "created_at": 1756781454, "filename": "train.jsonl"}
    return given | {"purpose": "fine-tune", "status": "processed", **more}


def raw_model(model: str = "gpt-4.1.ft-1", **more: Any) -> dict[str, Any]:
    given = {"id": model, "object": "model", "created_at": 1756781454, "status": "succeeded", "model": "gpt-4.1"}
    return given | {"fine_tune": "ftjob-0", **more}


def raw_checkpoint(step: int = 80, job: str = "ftjob-1", **metrics: float) -> dict[str, Any]:
    return {
        "id": f"ftchkpt-{step}",
        "created_at": 1756781454 + step,
        "fine_tuning_job_id": job,
        "step_number": step,
        "fine_tuned_model_checkpoint": f"gpt.ft-1:ckpt-step-{step}",
        "metrics": {"step": step, **metrics},
    }


def raw_entry(resource: str, operation: str = "accounts/deployments/delete", **more: Any) -> dict[str, Any]:
    """An entry of the activity log."""
    return {
        "resourceId": resource,
        "operationName": {"value": f"Microsoft.CognitiveServices/{operation}"},
        "status": {"value": "Succeeded"},
        "eventTimestamp": "2026-11-22T07:30:00Z",
        "caller": "ann@contoso.example",
        "correlationId": "c-1",
        **more,
    }


def raw_deployment(name: str = "d", **more: Any) -> dict[str, Any]:
    return {
        "id": f"{ACCOUNT_ID}/deployments/{name}",
        "name": name,
        "sku": {"name": "Standard", "capacity": 1},
        "properties": {"provisioningState": "Succeeded", "model": {"format": "OpenAI", "name": "gpt.ft-1"}},
        **more,
    }


def raw_account(
    name: str = "ft", group: str = "rg-ml", subscription: str = SUBSCRIPTION, **more: Any
) -> dict[str, Any]:
    base = f"/subscriptions/{subscription}/resourceGroups/{group}"
    return {
        "id": f"{base}/providers/Microsoft.CognitiveServices/accounts/{name}",
        "name": name,
        "kind": "OpenAI",
        "location": "eastus2",
        "properties": {"endpoint": f"https://{name}.openai.azure.com/", "provisioningState": "Succeeded"},
        **more,
    }


def raw_series(deployment: str, status: str, *points: tuple[str, float | None]) -> dict[str, Any]:
    return {
        "metadatavalues": [
            {"name": {"value": "modeldeploymentname"}, "value": deployment},
            {"name": {"value": "statuscode"}, "value": status},
        ],
        "data": [{"timeStamp": at} if total is None else {"timeStamp": at, "total": total} for at, total in points],
    }


def raw_metrics(*series: dict[str, Any], **more: Any) -> dict[str, Any]:
    metric = {"name": {"value": "AzureOpenAIRequests"}, "errorCode": "Success", "timeseries": list(series)}
    other = {"name": {"value": "ModelRequests"}, "errorCode": "Success", "timeseries": []}
    return {"interval": "PT1H", "value": [metric, other], **more}


def answer(payload: Any = None, status: int = 200, **headers: str) -> Response:
    """A response; a text or bytes payload is sent as it stands, `_` in a header's name stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(payload, bytes | str):
        return Response(status, content=payload, headers=named)
    return Response(status, json=payload, headers=named)


Reply = Response | Exception | Callable[[Request], Response | Awaitable[Response]]


class FakeAzure:
    """Answers by the end of the path; a list of replies is used up one by one, its last one stays."""

    def __init__(self, replies: Mapping[str, Reply | list[Reply]]) -> None:
        self.replies = {path: list(reply) if isinstance(reply, list) else [reply] for path, reply in replies.items()}
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        ends = [end for end in self.replies if request.url.path.lower().endswith(end.lower())]
        if not ends:
            return answer({"error": {"code": "404", "message": "Resource not found"}}, 404)
        queue = self.replies[max(ends, key=len)]
        reply = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Response):  # a response can be read once: each request gets its own
            return Response(reply.status_code, content=reply.content, headers=reply.headers)
        made = reply(request)
        return made if isinstance(made, Response) else await made

    def asked(self, end: str = "") -> list[Request]:
        return [request for request in self.requests if request.url.path.lower().endswith(end.lower())]


class Sleeps(list[float]):
    """Remembers how long was to be slept, and does not."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def make_client(azure: FakeAzure, sleeps: Sleeps | None = None, **options: Any) -> AzureClient:
    given: dict[str, Any] = {
        "sleep": Sleeps() if sleeps is None else sleeps,
        "rand": lambda: 0.0,
        "clock": lambda: NOW,
        "timeout_s": 5.0,
    }
    return AzureClient(client_over(MockTransport(azure)), **(given | options))


def static_credentials(token: str = "t0ken") -> Credentials:
    return Credentials(lambda: StaticToken(token))


def make_collector(azure: FakeAzure, **options: Any) -> Collector:
    return Collector(make_client(azure), PUBLIC, static_credentials(), **options)
