"""Editions: a statement compiled from what is stored, and put into every form that a medium may need.

Each takes seconds of a thread where there is much to tell, so nobody calls it on the event loop.
"""

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from watcher.alerts.matcher import Matcher, matches
from watcher.costs.hosting import Period
from watcher.costs.prices import book_of
from watcher.cycles.pricing import Tariff
from watcher.notify.chart_png import png
from watcher.notify.message import LATE_AFTER
from watcher.notify.report import Picture, ReportMessage
from watcher.notify.wording import spell_duration, spell_time
from watcher.report.billed import billed
from watcher.report.compile import compile_statement
from watcher.report.render import FORMATS
from watcher.report.render.mail import MailParts, mail_parts
from watcher.report.render.short import short_form
from watcher.report.statement import Edition, Statement
from watcher.report.terms import ReportTerms
from watcher.rules.text import rfc3339
from watcher.store import actuals
from watcher.store import period as history

log = structlog.get_logger()

#: Whose things an edition holds, by their labels; `None`: all.
Concerns = Callable[[Mapping[str, str]], bool] | None


def concerning(owner: str, tables: Iterable[Sequence[Matcher]]) -> Callable[[Mapping[str, str]], bool]:
    """What an owner's edition holds, whoever asks for it: what bears the name, and what a table's matchers match."""
    known = tuple(tables)

    def concerns(labels: Mapping[str, str]) -> bool:
        return labels.get("owner") == owner or any(matches(matchers, labels) for matchers in known)

    return concerns


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: nearly all that a report makes is kept to its end, and to look through it for
    garbage took a tenth of its time. What others make meanwhile is looked through after it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@uncollected()
def statements(
    tx: Connection,
    editions: Mapping[str, tuple[Edition, Concerns]],
    *,
    period: Period,
    period_name: str,
    as_of: datetime,
    terms: ReportTerms,
    tariff: Tariff,
    failures: dict[str, Exception] | None = None,
) -> dict[str, Statement]:
    """Statements of one period as of one time, by the keys of `editions`; what they rest on is read once.

    Args:
        terms: Whose book of prices is exchanged for one with the list that is stored.
        failures: Takes what came of editions that cannot be made, so that the others are; `None`: it is raised.
    """
    terms = replace(terms, book=book_of(terms.book.terms, tariff.of(tx)))
    records = history.load(tx, period, as_of=as_of, owner_tag=terms.owner_tag, trickle=terms.trickle)
    told = Period(begin=min(period.begin, as_of), end=min(period.end, as_of))
    bill = actuals.load(tx, since=told.begin.astimezone(UTC).date(), until=told.end.astimezone(UTC).date())
    known = billed(records, terms, bill, told)
    made = {}
    for key, (edition, concerns) in editions.items():
        try:
            made[key] = compile_statement(
                records,
                period=period,
                period_name=period_name,
                as_of=as_of,
                terms=terms,
                edition=edition,
                matches=concerns,
                actuals=known,
            )
        except Exception as error:
            if failures is None:
                raise
            failures[key] = error
    return made


def address_of(page: str, statement: Statement) -> str:
    """The address under which a page shows the same statement; "" where there is no page.

    Args:
        page: Of the reports; "": there is none.
    """
    if not page:
        return ""
    owner = statement.edition.owner
    params = {
        "from": rfc3339(statement.period.begin),
        "to": rfc3339(statement.period.end),
        "as_of": rfc3339(statement.as_of),
        **({"owner": owner} if owner else {}),
    }
    return f"{page}?{urlencode(params)}"


def message(
    statement: Statement,
    *,
    id_: str,
    link: str = "",
    made_at: datetime,
    due_at: datetime | None = None,
    with_pictures: bool = False,
) -> ReportMessage:
    """Put a statement into every form.

    Args:
        link: Address of the page that shows it; "": there is none.
        due_at: When it was due; where that is long ago, it says so.
    """
    late = timedelta() if due_at is None else made_at - due_at
    notes: tuple[str, ...] = ()
    if due_at is not None and late > LATE_AFTER:
        notes = (f"Made {spell_duration(late)} late: it was due at {spell_time(due_at, ZoneInfo(statement.zone))}.",)
        statement = replace(statement, remarks=(*notes, *statement.remarks))
    parts, short = mail_parts(statement, link=link), short_form(statement, link=link)
    pictures = _pictures(parts) if with_pictures else ()
    return ReportMessage(
        id=id_,
        title=f"{parts.subject} ({spell_duration(late)} late)" if notes else parts.subject,
        text=parts.text,
        html=parts.html if pictures else parts.html_without_charts,
        short=short.lines,
        statement=json.loads(FORMATS["json"](statement)),
        notes=notes,
        pictures=pictures,
        link=link,
        made_at=made_at,
    )


def _pictures(parts: MailParts) -> tuple[Picture, ...]:
    """All of them, or none: where one cannot be drawn, the HTML goes without."""
    try:
        drawn = [(chart, png(chart)) for chart in parts.charts]
    except Exception:  # the figures must arrive, whatever a library makes of their picture
        log.exception("chart.failed")
        return ()
    pictures = tuple(Picture(cid=chart.cid, png=image, title=chart.title) for chart, image in drawn if image)
    return pictures if len(pictures) == len(parts.charts) else ()
