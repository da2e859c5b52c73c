"""The report: the same page as is sent, of any time and of any owner, with a bar above it to choose by; and its files.

It is a document of its own with its own sheet inside, so it brings a policy of its own: that sheet, by its digest, and
the bar's.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from watcher.errors import Refused
from watcher.store import listings
from watcher.web.access import Person
from watcher.web.pages import Room, get
from watcher.web.problem import ProblemError
from watcher.web.render import NAVIGATION
from watcher.web.site import ReportAsked

#: The parameters of an address.
_PARAMS = ("period", "from", "to", "as_of", "owner")
#: Format, what stands on its link, and its type.
_FILES = (
    ("csv", "CSV", "text/csv; charset=utf-8", "csv"),
    ("json", "JSON", "application/json", "json"),
    ("markdown", "Markdown", "text/markdown; charset=utf-8", "md"),
    ("html", "HTML", "text/html; charset=utf-8", "html"),
)
_SPANS = (("7d", "Last 7 days"), ("30d", "Last 30 days"), ("month", "This month so far"), ("last-month", "Last month"))
_MOST_OWNERS = 300


def routes(room: Room) -> list[Route]:
    """`/report`, and its files."""

    async def page(request: Request, person: Person) -> Response:
        params, said = request.query_params, room.pages.board.find(request)
        owners = await room.site.store.read(_owners, room.site.frame().owner_tag)
        bar = _bar(params, owners)
        try:
            html = await room.site.report(asked(params, "html", person))
        except Refused as exc:
            return room.pages.page(
                "report.html", person, at="/report", title="Report", status=422, said=said, problem=str(exc), **bar
            )
        top = room.pages.part(
            "_report_bar.html", now=room.site.clock(), navigation=NAVIGATION, said=said, is_inside=False, **bar
        )
        return HTMLResponse(framed(html, top), headers={"content-security-policy": policy_of(html)})

    async def file(request: Request, person: Person) -> Response:
        params = request.query_params
        wanted = params.get("format", "")
        found = next((one for one in _FILES if one[0] == wanted), None)
        if found is None:
            raise ProblemError(404, f"format is one of {', '.join(one[0] for one in _FILES)}")
        text = await room.site.report(asked(params, wanted, person))
        name = f"watcher-report.{found[3]}"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        if wanted == "html":
            headers["content-security-policy"] = policy_of(text)
        return Response(text, media_type=found[2], headers=headers)

    return [get(room, "/report", page), get(room, "/report/file", file)]


def asked(params: QueryParams, format_: str, person: Person) -> ReportAsked:
    """What an address asks for."""
    return ReportAsked(
        format=format_,
        period=params.get("period", "") or "7d",
        begin=params.get("from", ""),
        end=params.get("to", ""),
        as_of=params.get("as_of", ""),
        owner=params.get("owner", ""),
        person=person.name if person.is_named else "",
    )


def _bar(params: QueryParams, owners: list[str]) -> dict[str, Any]:
    """What the bar is given."""
    here = {name: params[name] for name in _PARAMS if params.get(name)}
    owner = {"owner": here["owner"]} if "owner" in here else {}
    is_dated = "from" in here or "to" in here
    period = "" if is_dated else here.get("period", "7d")
    return {
        "spans": [(title, _address("/report", {"period": span, **owner}), span == period) for span, title in _SPANS],
        "files": [(title, _address("/report/file", {"format": one, **here})) for one, title, *_ in _FILES],
        "typed": {name: here.get(name, "") for name in _PARAMS} | {"period": period},
        "dated": is_dated,
        "owners": owners,
        "all_owners": _address("/report", {name: value for name, value in here.items() if name != "owner"}),
    }


def _address(path: str, params: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(params)}" if params else path


def _owners(tx: Connection, owner_tag: str) -> list[str]:
    return sorted({owner for owner in listings.owners(tx, owner_tag).values() if owner})[:_MOST_OWNERS]


def framed(html: str, bar: str) -> str:
    """The report's document with the bar above it, and the bar's sheet."""
    sheet = (
        '<link rel="stylesheet" href="/static/bar.css"><link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
    )
    return html.replace("</head>", f"{sheet}\n</head>", 1).replace("<body>", f"<body>\n{bar}", 1)


def policy_of(html: str) -> str:
    """The content security policy of the report's document: its own sheet, which comes first of all, and no script."""
    head = html.partition("</head>")[0]
    sheet = head.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'self' 'sha256-{digest}'; img-src 'self' data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
