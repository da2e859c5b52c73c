"""What goes wrong, as `application/problem+json` (RFC 9457) for programs."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse


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
