"""Tables that fit: foreign text is shown as text, long names are cut in the middle, and nothing runs past the width."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

#: A piece of a line with its style ("" for none); styles are rich's.
Piece = tuple[str, str]
Line = tuple[Piece, ...]
Cell = str | Piece

#: Between two columns.
_GUTTER = 2
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    least: int = 6  #: it is never made narrower, unless its content is
    keeps_end: bool = True  #: cut in the middle; false: at the end
    is_number: bool = False
    is_id: bool = False  #: is typed into other commands, and so made narrower only once nothing else can be


def printable(text: str) -> str:
    """`text` without anything that a terminal would obey: control, bidirectional and invisible characters escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def cut(text: str, width: int, *, keeps_end: bool = True) -> str:
    """`text` in at most `width` cells, with `…` where it was cut."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return _CUT[:width]
    tail = (width - 1) // 2 if keeps_end else 0
    return _head(text, width - 1 - tail) + _CUT + _head(text[::-1], tail)[::-1]


def _head(text: str, width: int) -> str:
    """As many characters from the beginning as fit; two-cell ones are never halved."""
    taken, used = [], 0
    for char in text:
        used += cell_len(char)
        if used > width:
            break
        taken.append(char)
    return "".join(taken)


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int, *, indent: int = 0) -> list[Line]:
    """The lines of a table, its header first. Columns without any content are left out.

    Args:
        width: In cells; no line is longer.
    """
    cells = [[_piece(cell) for cell in row] for row in rows]
    used = [index for index in range(len(columns)) if not cells or any(row[index][0] for row in cells)]
    columns = [columns[index] for index in used]
    cells = [[row[index] for index in used] for row in cells]
    header: list[Piece] = [(column.title, "bold") for column in columns]
    widths = _widths(columns, [header, *cells], width - indent)
    return [_line(columns, widths, row, width, indent) for row in (header, *cells)]


def _piece(cell: Cell) -> Piece:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return printable(text), style


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Piece]], width: int) -> list[int]:
    """Natural widths, then the widest column gives way until all fit."""
    widths = [max(cell_len(row[index][0]) for row in rows) for index in range(len(columns))]
    excess = sum(widths) + _GUTTER * (len(widths) - 1) - width
    while excess > 0:
        wide = [index for index, column in enumerate(columns) if widths[index] > column.least]
        yielding = [index for index in wide if not columns[index].is_id] or wide
        if not yielding:
            break
        widths[max(yielding, key=lambda index: widths[index])] -= 1
        excess -= 1
    return widths


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Piece], width: int, indent: int) -> Line:
    pieces: list[Piece] = [(" " * indent, "")] if indent else []
    left = width - indent
    for index, (column, cells, (text, style)) in enumerate(zip(columns, widths, row, strict=True)):
        cells = min(cells, left)
        if cells <= 0:
            break
        shown = cut(text, cells, keeps_end=column.keeps_end)
        padding = " " * (cells - cell_len(shown))
        is_last = index == len(columns) - 1
        if column.is_number:
            pieces += [(padding, ""), (shown, style)]
        else:
            pieces += [(shown, style), ("" if is_last else padding, "")]
        gutter = 0 if is_last else min(_GUTTER, left - cells)
        pieces.append((" " * gutter, ""))
        left -= cells + gutter
    return tuple(piece for piece in pieces if piece[0])


#: What begins a line that is meant to be copied whole.
_COMMANDS = ("az ", "curl ", "watcher ")


def wrap(text: str, width: int, *, indent: int = 0, style: str = "", breaks_words: bool = True) -> list[Line]:
    """Running text over as many lines as it needs; its own line breaks stay.

    Args:
        breaks_words: Break words that are longer than a line. Without it they, and lines that hold a command, stay
            whole and run past the width, so that they can be copied.
    """
    lines: list[Line] = []
    for paragraph in text.split("\n"):
        line = ""
        if not breaks_words and paragraph.startswith(_COMMANDS):
            lines.append(_text(printable(paragraph), indent, style))
            continue
        for word in printable(paragraph).split(" "):
            while breaks_words and cell_len(word) > width - indent:
                if line:
                    lines.append(_text(line, indent, style))
                    line = ""
                part = _head(word, width - indent)
                lines.append(_text(part, indent, style))
                word = word[len(part) :]
            longer = f"{line} {word}" if line else word
            if line and cell_len(longer) > width - indent:
                lines.append(_text(line, indent, style))
                longer = word
            line = longer
        lines.append(_text(line, indent, style))
    return lines


def _text(text: str, indent: int, style: str) -> Line:
    return ((" " * indent + text.rstrip(), style),)
