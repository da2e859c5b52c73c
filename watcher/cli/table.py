"""Tables that fit: foreign text is shown as text, long names are cut in the middle, and nothing runs past the width."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    is_whole: bool = False  #: says nothing or the wrong thing when cut, as a time does: made narrower last of all


def printable(text: str) -> str:
    """`text` without anything that a terminal would obey: control, bidirectional and invisible characters escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def cut(text: str, width: int, *, keeps_end: bool = True) -> str:
    """`text` in at most `width` cells, with `…` where it was cut."""
    return _cut_before(text, width, (width - 1) // 2 if keeps_end else 0)


def _cut_before(text: str, width: int, tail: int) -> str:
    """The same with so many cells of its end kept."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return _CUT[:width]
    return _head(text, width - 1 - tail) + _CUT + _head(text[::-1], tail)[::-1]


def cut_apart(texts: Iterable[str], width: int) -> dict[str, str]:
    """Each of `texts` in at most `width` cells: cut in its middle, or elsewhere where two would look the same."""
    shown = {text: cut(text, width) for text in texts}
    alike: dict[str, list[str]] = {}
    for text, short in shown.items():
        alike.setdefault(short, []).append(text)
    for short, group in alike.items():
        if len(group) > 1:
            others = alike.keys() - {short}
            shown.update(next((cuts for cuts in _other_cuts(group, width) if _tell_apart(cuts, others)), {}))
    return shown


def _tell_apart(cuts: Mapping[str, str], others: Collection[str]) -> bool:
    found = set(cuts.values())
    return len(found) == len(cuts) and not found & set(others)


def _other_cuts(group: Sequence[str], width: int) -> Iterator[dict[str, str]]:
    """With more of the beginnings or of the ends, then with what stands where they begin to differ."""
    middle = (width - 1) // 2
    for tail in sorted(range(width), key=lambda tail: abs(tail - middle)):
        yield {text: _cut_before(text, width, tail) for text in group}
    start = next((n for n, chars in enumerate(zip(*group, strict=False)) if len(set(chars)) > 1), min(map(len, group)))
    for before in range(min(start, width // 2), -1, -1):
        yield {text: _CUT + cut(text[start - before :], width - 1, keeps_end=False) for text in group}


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
    cells = _told_apart(columns, widths, cells)
    return [_line(columns, widths, row, width, indent) for row in (header, *cells)]


def _told_apart(
    columns: Sequence[Column], widths: Sequence[int], cells: Sequence[Sequence[Piece]]
) -> list[list[Piece]]:
    """The cells, cut where they must be."""
    shown = [
        cut_apart({row[index][0] for row in cells}, widths[index]) if column.keeps_end else {}
        for index, column in enumerate(columns)
    ]
    return [[(shown[index].get(text, text), style) for index, (text, style) in enumerate(row)] for row in cells]


def _piece(cell: Cell) -> Piece:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return printable(text), style


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Piece]], width: int) -> list[int]:
    """Natural widths, then the widest column gives way until all fit."""
    widths = [max(cell_len(row[index][0]) for row in rows) for index in range(len(columns))]
    excess = sum(widths) + _GUTTER * (len(widths) - 1) - width
    while excess > 0:
        wide = [index for index, column in enumerate(columns) if widths[index] > column.least]
        least = min((_firmness(columns[index]) for index in wide), default=0)
        yielding = [index for index in wide if _firmness(columns[index]) == least]
        if not yielding:
            break
        widths[max(yielding, key=lambda index: widths[index])] -= 1
        excess -= 1
    return widths


def _firmness(column: Column) -> int:
    return 2 if column.is_whole else 1 if column.is_id else 0


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
