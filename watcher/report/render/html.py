"""A statement as one page without scripts: readable wide, on a phone, in the dark and printed; nothing is loaded.

Everything is in it: what a long list does not show at once can be unfolded.
"""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from watcher.report.charts import charts
from watcher.report.render.drawing import legend, svg
from watcher.report.render.outline import Row, Section
from watcher.report.render.sections import outline
from watcher.report.statement import Statement

#: So many of a list are shown before the rest is folded away.
ROWS = 15
ACTIONS = 8
#: Of more characters a text may be broken anywhere.
_LONG = 24
#: Of more characters a figure is an interval, which is broken in two lines at most.
_LONGEST_AMOUNT = 12
#: Cleaned texts hold no control character.
_SEPARATOR = "\x00"

_templates = Environment(
    loader=PackageLoader("watcher.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(statement: Statement) -> str:
    """The page."""
    report = outline(statement)
    return _templates.get_template("report.html").render(
        report=report,
        charts=[(chart, svg(chart), legend(chart)) for chart in charts(statement)],
        rows=ROWS,
        most_actions=ACTIONS,
        body=_body,
    )


def _body(section: Section, rows: Sequence[Row], used: Sequence[int], total: Row | None) -> Markup:
    """The rows of a table. Here and not in the template, as there may be ten thousands: each is escaped in one go."""
    opened = [_opening(section, index) for index in used[1:]]
    leading = "t" if section.columns[used[0]].is_whole else "w"
    made = []
    for row in (*rows, total) if total else rows:
        cells = [row.cells[index] for index in used]
        first, *others, note = str(escape(_SEPARATOR.join((*cells, row.note)))).split(_SEPARATOR)
        kind = ' class="total"' if row is total else ' class="noted"' if note else ""
        name = f'<span class="name">{first}</span>'
        made.append(f'<tr role="row"{kind}><th role="rowheader" scope="row" class="{leading}">{name}</th>')
        for (short, long), cell in zip(opened, others, strict=True):
            shown = long if len(cell) > (_LONGEST_AMOUNT if "n i" in long else _LONG) else short
            made.append(f"{shown}{cell}</td>" if cell else '<td role="cell" class="empty"></td>')
        made.append("</tr>\n")
        if note:  # over the whole width: within the first column it would widen that at the cost of all others
            made.append(f'<tr role="row" class="note"><td role="cell" colspan="{len(used)}">{note}</td></tr>\n')
    return Markup("".join(made))  # all that comes from outside was escaped above


def _opening(section: Section, index: int) -> tuple[str, str]:
    """How a cell begins, a short one and a long one, which may be broken anywhere."""
    column = section.columns[index]
    kind = "n" if column.is_number else "t" if column.is_whole else ""
    title = escape(column.title)
    short, long = (f'class="{each}" ' for each in (kind or "s", "n i" if kind == "n" else kind or "w"))
    return f'<td role="cell" {short}data-title="{title}">', f'<td role="cell" {long}data-title="{title}">'
