"""What programs are answered: a document as JSON, or what went wrong as `application/problem+json` (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse, Response


def written(document: Mapping[str, object], status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    """The document in pure ASCII: whatever stands in a name can be written, and nothing of it is obeyed."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return Response(text, status, headers, media_type="application/json")


class ProblemError(Exception):
    """A request cannot be answered as asked."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that says so."""
    return JSONResponse(
        {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail},
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )
