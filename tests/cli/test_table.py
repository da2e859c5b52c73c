"""Tables fit their width whatever stands in them, and foreign text stays text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from watcher.cli.table import Column, cut, printable, table, wrap

COLUMNS = (
    Column("NAME", 8),
    Column("STATE", 6),
    Column("COUNT", 5, is_number=True),
    Column("NOTE", 6, keeps_end=False),
)


def lines(rows: list[list[str]], width: int) -> list[str]:
    return ["".join(text for text, _ in line) for line in table(COLUMNS, rows, width)]


@given(
    st.lists(st.lists(st.text(max_size=60), min_size=4, max_size=4), max_size=6),
    st.integers(min_value=40, max_value=140),
)
def test_no_line_is_wider_than_asked(rows: list[list[str]], width: int) -> None:
    assert all(cell_len(line) <= width for line in lines(rows, width))


@given(st.text(max_size=200), st.integers(min_value=10, max_value=90))
def test_wrapped_text_fits(text: str, width: int) -> None:
    assert all(cell_len(piece) <= width for line in wrap(text, width, indent=3) for piece, _ in line)


@given(st.text(max_size=40), st.integers(min_value=0, max_value=40))
def test_cut_text_fits(text: str, width: int) -> None:
    assert cell_len(cut(text, width)) <= width


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert printable(text).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain ünïcode 模型", "plain ünïcode 模型", id="letters"),
        pytest.param("\x1b[31mred", r"\x1b[31mred", id="escape"),
        pytest.param("two\nlines", r"two\nlines", id="newline"),
        pytest.param("a\u202eb", r"a\u202eb", id="bidirectional override"),
        pytest.param("a\x9bb", r"a\x9bb", id="C1 control"),
        pytest.param("[red]x[/red]", "[red]x[/red]", id="markup"),
    ],
)
def test_foreign_text_is_shown_as_text(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_long_names_keep_their_beginning_and_their_end() -> None:
    assert cut("contoso-production-finetune-7", 15) == "contoso…etune-7"


def test_columns_without_content_are_left_out() -> None:
    assert lines([["a", "", "1", "x"]], 80)[0].split() == ["NAME", "COUNT", "NOTE"]


def test_commands_are_left_whole_to_be_copied() -> None:
    command = "az cognitiveservices account deployment delete --name " + "x" * 80
    shown = ["".join(text for text, _ in line) for line in wrap(f"Delete it:\n{command}", 40, breaks_words=False)]
    assert shown == ["Delete it:", command]
