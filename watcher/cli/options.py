"""Options that several commands share, and how times are read from the command line."""

import getpass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from watcher.answers.query import Query

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The configuration.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document with stable keys.")]
AccountOption = Annotated[
    list[str] | None,
    typer.Option("--account", metavar="GLOB", help="Only accounts of this name or label; may be repeated."),
]
OwnerOption = Annotated[
    list[str] | None, typer.Option("--owner", metavar="GLOB", help="Only what this owner has; may be repeated.")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help='A span back ("12h", "7d"), a date or an RFC 3339 time.'),
]
CommentOption = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; kept in the audit.")]
WhyOption = Annotated[
    str, typer.Option("--comment", metavar="TEXT", help="Why; kept in the audit.", show_default=False)
]
AuthorOption = Annotated[
    str | None,
    typer.Option(
        "--author", metavar="NAME", help="Who; by default this user of the operating system.", show_default=False
    ),
]


def since(text: str | None, *, now: datetime, zone: tzinfo, option: str = "--since") -> datetime | None:
    """The time that `--since` means, or another option of the past; `None` where it was not given."""
    if text is None:
        return None
    span = _span(text)
    return now - span if span is not None else moment_of(text, option=option, zone=zone)


def until(text: str, *, now: datetime, zone: tzinfo, option: str = "--until") -> datetime:
    """A time ahead: a span from now, an RFC 3339 time, or a date, which counts to its end by `zone`."""
    span = _span(text)
    at = moment_of(text, option=option, zone=zone, is_end=True) if span is None else now + span
    if at <= now:
        raise typer.BadParameter(f"{text!r} is past", param_hint=option)
    return at


def span_of(text: str, *, option: str) -> timedelta:
    """A duration: "3d", "12h", "1h30m"."""
    span = _span(text)
    if span is None or span <= timedelta():
        raise typer.BadParameter(f'{text!r} is no duration; write "90m", "12h" or "3d"', param_hint=option)
    return span


def _span(text: str) -> timedelta | None:
    from watcher.config import parse_duration

    try:
        return parse_duration(text)
    except ValueError:
        return None


def moment_of(text: str, *, option: str, zone: tzinfo, is_end: bool = False) -> datetime:
    """A date or time; without an offset it is by `zone`. A date is its beginning, or its end."""
    from watcher.answers.query import moment_at

    try:
        return moment_at(text, zone, is_end=is_end)
    except ValueError:
        message = f'{text!r} is no time; write "12h", "7d", "2026-12-31" or "2026-12-31T18:00:00Z"'
        raise typer.BadParameter(message, param_hint=option) from None


def query_of(
    *,
    account: list[str] | None = None,
    status: list[str] | None = None,
    owner: list[str] | None = None,
    since: datetime | None = None,
) -> "Query":
    """What the filters of a listing ask for."""
    from watcher.answers.query import Query

    return Query(accounts=tuple(account or ()), statuses=tuple(status or ()), owners=tuple(owner or ()), since=since)


def author_or_user(author: str | None) -> str:
    """Who acts."""
    if author and author.strip():
        return author.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        raise typer.BadParameter("this user has no name; say who acts", param_hint="--author") from None


def said(text: str, option: str) -> str:
    """What must be given, and not be empty."""
    if not text.strip():
        raise typer.BadParameter("is empty; say why", param_hint=option)
    return text.strip()
