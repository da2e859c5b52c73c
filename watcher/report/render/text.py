"""A statement as plain text, 80 columns wide: for terminals, and the text part of mails.

Commands stay whole on their lines, so that they can be copied, and run past the width where they must.
"""

import textwrap
from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from watcher.report.render.outline import Action, Column, Outline, Section
from watcher.report.render.sections import outline
from watcher.report.statement import Statement

WIDTH = 80
#: So many of a list are shown.
ROWS = 10
ACTIONS = 10
_GUTTER = 2
_CUT = "…"
#: No column of text is made narrower than this.
_LEAST = 9
#: A longer word of a title is broken.
_LONGEST_WORD = 14


def render(statement: Statement) -> str:
    """The whole report; of long lists their head, and what the rest comes to."""
    return drawn(outline(statement))


def drawn(report: Outline) -> str:
    """The same, of an outline that is made already."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Outline) -> Iterator[str]:
    yield from _wrapped(report.title)
    yield "=" * min(cell_len(report.title), WIDTH)
    yield ""
    yield from _wrapped(report.sentence)
    yield ""
    for figure in report.figures:
        yield from _wrapped(f"{figure.caption + ':':<17}{figure.text}", hang=17)
        for note in figure.notes:
            yield from _wrapped(note, indent=17)
    if report.warning:
        yield ""
        for place, said in enumerate((report.warning, *report.unseen)):
            yield from _wrapped(said, indent=2, mark="! " if not place else "- ")
    if report.is_quiet:
        yield ""
        yield from _wrapped(f"Nothing to report: {report.quiet}")
    for section in report.sections:
        if not section.is_appendix:
            yield ""
            yield from _section(section, report.currency)
    yield ""
    for said in report.footer:
        yield from _wrapped(said)


def _section(section: Section, currency: str) -> Iterator[str]:
    yield from _wrapped(section.title)
    yield "-" * min(cell_len(section.title), WIDTH)
    for said in section.lead:
        yield from _wrapped(said)
    if section.actions:
        for number, action in enumerate(section.actions[:ACTIONS], start=1):
            yield ""
            yield from _action(number, action)
        rest = section.rest_words(ACTIONS, currency)
    elif len(section.columns) == 1:
        for row in section.rows[:ROWS]:
            yield from _wrapped(row.cells[0], indent=2, mark="- ")
        rest = section.rest_words(ROWS, currency)
    else:
        if section.lead:
            yield ""
        rest = section.rest_words(ROWS, currency)
        yield from _table(section, rest)
        rest = "" if section.total else rest
    if rest:
        yield from _wrapped(f"… {rest}", indent=2)
    if section.closing:
        yield ""
    for said in section.closing:
        yield from _wrapped(said)


def _action(number: int, action: Action) -> Iterator[str]:
    gain = f" · {action.gain}" if action.gain else ""
    yield from _wrapped(f"{number}. {action.title}{gain}", hang=4)
    if action.facts:
        yield from _wrapped(" ".join(action.facts), indent=4)
    for line in action.command.splitlines():
        yield f"    {line}"


def _table(section: Section, rest: str) -> Iterator[str]:
    """The rows, and below them the total with `rest` before it, of which it is the total too."""
    rows = section.rows[:ROWS]
    total = [section.total] if section.total else []
    shown, widths = _fitting(section, [row.cells for row in (*rows, *total)])
    columns = [section.columns[index] for index in shown]
    yield from _header(columns, widths)
    for row in rows:
        yield _line([row.cells[index] for index in shown], columns, widths)
        if row.note:
            yield from _wrapped(row.note, indent=4)
    if section.total and rest:
        yield from _wrapped(f"… {rest}", indent=2)
    for row in total:
        yield "-" * _width(widths)
        yield _line([row.cells[index] for index in shown], columns, widths)


def _fitting(section: Section, rows: Sequence[Sequence[str]]) -> tuple[list[int], list[int]]:
    """Which columns are shown, and how wide: without the empty and the minor, and without the spare where they do not
    fit, or names would be cut."""
    used = [
        index for index, column in enumerate(section.columns) if not column.is_minor and any(row[index] for row in rows)
    ]
    while True:
        widths = _widths([section.columns[index] for index in used], [[row[index] for index in used] for row in rows])
        spare = [index for index in used if section.columns[index].is_spare]
        is_cut = any(cell_len(row[index]) > width for index, width in zip(used, widths, strict=True) for row in rows)
        fits = _width(widths) <= WIDTH and not is_cut
        if fits or not spare:
            return used, widths
        used.remove(spare[-1])


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + _GUTTER * (len(widths) - 1)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """As wide as content and title; then titles are broken at blanks, and the widest of what may be cut gives way."""
    contents = [max(cell_len(row[index]) for row in rows) for index in range(len(columns))]
    words = [min(max(map(cell_len, column.title.split()), default=0), _LONGEST_WORD) for column in columns]
    broken = [max(each) for each in zip(contents, words, strict=True)]
    least = [
        width if column.is_whole else max(word, min(width, _LEAST))
        for column, width, word in zip(columns, broken, words, strict=True)
    ]
    widths = [max(width, cell_len(column.title)) for column, width in zip(columns, contents, strict=True)]
    for floor in (broken, least):
        while _width(widths) > WIDTH:
            yielding = [index for index in range(len(columns)) if widths[index] > floor[index]]
            if not yielding:
                break
            widths[max(yielding, key=lambda index: widths[index])] -= 1
    return widths


def _header(columns: Sequence[Column], widths: Sequence[int]) -> Iterator[str]:
    """Titles over as many lines as they need, standing on the last."""
    titles = [textwrap.wrap(column.title, width) for column, width in zip(columns, widths, strict=True)]
    height = max(map(len, titles))
    for number in range(height):
        cells = [title[number - height + len(title)] if number >= height - len(title) else "" for title in titles]
        yield _line(cells, columns, widths)


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        shown = cell if column.is_whole else _cut(cell, width)
        padding = " " * (width - cell_len(shown))
        parts.append(padding + shown if column.is_number else shown + padding)
    return (" " * _GUTTER).join(parts).rstrip()


def _cut(text: str, width: int) -> str:
    """`text` in at most `width` cells, cut in its middle: the ends of names tell them apart."""
    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2
    return _head(text, width - 1 - tail) + _CUT + _head(text[::-1], tail)[::-1]


def _head(text: str, width: int) -> str:
    taken, used = [], 0
    for char in text:
        used += cell_len(char)
        if used > width:
            break
        taken.append(char)
    return "".join(taken)


def _wrapped(text: str, *, indent: int = 0, hang: int = 0, mark: str = "") -> list[str]:
    """Running text over as many lines as it needs."""
    first = " " * indent + mark
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * (len(first) + hang),
        break_on_hyphens=False,
    )
