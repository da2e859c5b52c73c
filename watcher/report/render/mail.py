"""A statement as a mail: subject, text, and HTML that holds where only tables and inline styles do.

It looks as the mails about alerts do. Gmail cuts a mail at 102 kB and keeps the rest from its reader, so lists give way
until it is shorter; the page has all of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from watcher.report.charts import ChartData, charts
from watcher.report.render import text
from watcher.report.render.outline import Figure, Outline, Section
from watcher.report.render.sections import outline
from watcher.report.statement import Statement
from watcher.report.wording import one_line

#: Of the HTML part.
BYTES_LIMIT = 98_000
#: Most mail programs show less; Slack takes 150 in a header, in which it may be said, too, how late a report is.
SUBJECT_LIMIT = 120
_SUBJECT_NAME = 30
#: So many of each list are tried to be shown, the most first: of actions, of rows.
_EXTENTS = ((10, 10), (8, 8), (8, 5), (5, 5), (5, 3), (3, 3), (1, 1))
#: As in mails about alerts: colours of text on white, by the class that turns them for dark screens.
_INKS = {"ink": "#111827", "dim": "#4b5563", "gain": "#15803d"}
_FONT = "font-family:'Segoe UI',Helvetica,Arial,sans-serif;"
#: Of cells, of which there are many: shorter.
_FONT_13 = "font:13px/18px 'Segoe UI',Arial,sans-serif;"
_FONT_12 = "font:12px/16px 'Segoe UI',Arial,sans-serif;"
_MONEY = re.compile(r"\d[\d,]*\.\d\d (?=[A-Z]{3}\b)|\d{4}-\d\d-\d\d \d\d:\d\d|\d+ (?=(?:d|h|min)\b)", re.ASCII)
#: What is not broken within a cell: a date, and an amount.
_WHOLE = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)|\d[\d,]*\.\d\d(?!\d)", re.ASCII)

_NOWRAP = Markup('<span style="white-space:nowrap;">{}</span>')

_templates = Environment(
    loader=PackageLoader("watcher.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParts:
    """What a mail is made of."""

    subject: str
    text: str
    html: str  #: refers to each of `charts` by `cid:`
    html_without_charts: str  #: the same for where no pictures can be drawn
    charts: tuple[ChartData, ...]


def mail_parts(statement: Statement, *, link: str) -> MailParts:
    """The parts.

    Args:
        link: Address of the whole report; "": there is none.
    """
    report, pictures = outline(statement), charts(statement)
    return MailParts(
        subject=subject(report),
        text=text.drawn(report) + (f"\nThe whole report: {one_line(link, 1000)}\n" if link else ""),
        html=_html(report, pictures, link),
        html_without_charts=_html(report, (), link),
        charts=pictures,
    )


def subject(report: Outline) -> str:
    """`[prod] Fine-tuning costs 1,234.50 USD at list price, 16 to 22 Nov 2026, Search, idle 571.20 USD`.

    The bill stands first, and whole clauses go, the last first, where it is too long: no number is cut.
    """
    bill, idle, _ = report.figures
    price = "" if bill.total.is_unknown else f" at {one_line(report.price.partition(',')[0], _SUBJECT_NAME)}"
    edition = f", {one_line(report.edition, _SUBJECT_NAME)}" if report.edition else ""
    clauses = [price, f", {report.days}", edition, f", idle {_least(idle)}"]
    said = f"[{one_line(report.watcher, _SUBJECT_NAME)}] Fine-tuning costs {bill.text}"
    if len(whole := "".join((said, *clauses[:-1], f", idle {idle.text}"))) <= SUBJECT_LIMIT:
        return whole
    while clauses and len(said) + sum(map(len, clauses)) > SUBJECT_LIMIT:
        clauses.pop()
    return said + "".join(clauses)


def _least(idle: Figure) -> str:
    """It as one figure: its least, where there may be more."""
    if not idle.beside or idle.total.is_unknown:
        return idle.text
    least = idle.total.known.least
    return f"at least {least:,.2f} {idle.total.currency}" if least else "unknown"


def _html(report: Outline, pictures: tuple[ChartData, ...], link: str) -> str:
    template = _templates.get_template("report_mail.html")
    for actions, rows in _EXTENTS:
        made = template.render(
            report=report,
            charts=pictures,
            link=link if link.startswith(("https://", "http://")) else "",
            most_actions=actions,
            most_rows=rows,
            inks=_INKS,
            font=_FONT,
            font_13=_FONT_13,
            font_12=_FONT_12,
            whole=_whole,
            unbroken=_unbroken,
            without_account=_without_account,
            indented=_indented,
        )
        if len(made.encode()) <= BYTES_LIMIT:
            break
    return made


def _unbroken(cell: str) -> Markup:
    """`cell`, escaped; its date and its amounts are broken off whole."""
    at, pieces = 0, []
    for found in _WHOLE.finditer(cell):
        pieces += [escape(cell[at : found.start()]), _NOWRAP.format(found[0])]
        at = found.end()
    return Markup("").join([*pieces, escape(cell[at:])])


def _without_account(section: Section) -> tuple[tuple[int, ...], int | None]:
    """The columns to show, and that of the account, which stands below the name: on a phone each column counts."""
    shown = section.narrow_columns()
    where = next((index for index in section.used_columns()[1:] if section.columns[index].title == "Account"), None)
    return tuple(index for index in shown if index != where), where


def _whole(said: str) -> Markup:
    """`said`, escaped, with amounts and times kept from being broken over two lines."""
    return Markup("").join(_pieces(said))


def _pieces(said: str) -> Iterator[Markup]:
    at = 0
    for found in _MONEY.finditer(said):
        yield escape(said[at : found.start()])
        yield escape(found[0].replace(" ", "\u00a0"))
        at = found.end()
    yield escape(said[at:])


def _indented(line: str) -> Markup:
    """`line`, escaped, with its blanks at the beginning kept."""
    rest = line.lstrip(" ")
    return Markup("&nbsp;") * (len(line) - len(rest)) + escape(rest)
