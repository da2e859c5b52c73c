"""Templates, and how times, spans and states are written on a page: local by the configuration, UTC on hover."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from watcher.rules.text import called, clean, duration, one_line, rfc3339
from watcher.web.access import Person
from watcher.web.said import Board, Said
from watcher.web.site import Site

#: Of the pages, in the order of the navigation: address and name.
NAVIGATION = (
    ("/", "Overview"),
    ("/jobs", "Jobs"),
    ("/deployments", "Deployments"),
    ("/alerts", "Alerts"),
    ("/deliveries", "Deliveries"),
    ("/report", "Report"),
)


def environment() -> Environment:
    """The templates of the pages."""
    made = Environment(
        loader=PackageLoader("watcher.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        clean=clean,
        one_line=one_line,
        duration=duration,
        segment=segment,
        many="{:,}".format,
    )
    return made


class Pages:
    """Makes pages of templates."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._templates = environment()
        self.board = Board(site.clock)

    def page(
        self,
        template: str,
        person: Person | None,
        *,
        at: str,
        title: str,
        status: int = 200,
        said: Said | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """A whole page.

        Args:
            at: Its address, as the navigation has it.
            said: What an act that led here came to, see `board`.
        """
        settings, now = self._site.settings(), self._site.clock()
        words = Words(now=now, zone=settings.zone)
        html = self._templates.get_template(template).render(
            **context,
            name=settings.name,
            called=called(settings.name),
            title=title,
            here=at,
            navigation=NAVIGATION,
            person=person,
            said=said,
            now=now,
            w=words,
        )
        return HTMLResponse(html, status_code=status)

    def part(self, template: str, *, now: datetime, **context: Any) -> Markup:
        """A part of a page that is the same for everybody, as of `now`."""
        words = Words(now=now, zone=self._site.settings().zone)
        return Markup(self._templates.get_template(template).render(**context, now=now, w=words))


class Words:
    """How a page writes times. All of it is HTML."""

    def __init__(self, *, now: datetime, zone: tzinfo) -> None:
        self._now = now
        self._zone = zone

    def at(self, at: datetime | None, *, missing: str = "unknown") -> Markup:
        """`22 Nov 09:00`, with the year where it is another; UTC on hover."""
        if at is None:
            return _missing(missing)
        local, here = at.astimezone(self._zone), self._now.astimezone(self._zone)
        year = "" if local.year == here.year else f" {local.year}"
        return self._time(at, f"{local.day} {local:%b}{year} {local:%H:%M}")

    def past(self, at: datetime | None, *, missing: str = "never") -> Markup:
        """`5 min ago`, the time itself on hover."""
        if at is None:
            return _missing(missing)
        span = self._now - at
        return self._time(at, "just now" if span < timedelta(seconds=5) else f"{_largest(span)} ago")

    def ahead(self, at: datetime | None, *, missing: str = "unknown") -> Markup:
        """`in 3 d 4 h`, or `12 min overdue`; the time itself on hover."""
        if at is None:
            return _missing(missing)
        left = at - self._now
        return self._time(at, f"in {duration(left)}" if left >= timedelta() else f"{_largest(-left)} overdue")

    def since(self, at: datetime | None, *, missing: str = "unknown") -> Markup:
        """`3 d 4 h`: how long it has been so; its beginning on hover."""
        return _missing(missing) if at is None else self._time(at, duration(self._now - at))

    def _time(self, at: datetime, text: str) -> Markup:
        local = at.astimezone(self._zone)
        hover = f"{local:%Y-%m-%d %H:%M %Z} · {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(rfc3339(at), hover, text)


def _largest(span: timedelta) -> str:
    """The largest unit alone: how long ago, at a glance."""
    words = duration(span).split(" ")
    return " ".join(words[:2])


def _missing(text: str) -> Markup:
    return Markup('<span class="unknown">{}</span>').format(text)


def segment(text: str) -> str:
    """A name as one part of an address's path."""
    return quote(text, safe="")


def address(path: str, params: Mapping[str, Any]) -> str:
    """An address with its parameters; those that are empty are left out."""
    kept = {name: value for name, value in params.items() if value not in (None, "", [], ())}
    return f"{path}?{urlencode(kept, doseq=True)}" if kept else path
