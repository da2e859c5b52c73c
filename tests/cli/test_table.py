"""Tables fit their width whatever stands in them, and foreign text stays text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from watcher.cli.table import Column, cut, cut_apart, printable, table, wrap

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


@pytest.mark.parametrize(
    ("names", "width"),
    [
        pytest.param(["contoso-ft-sweden-prod", "contoso-ft-norway-prod"], 10, id="in the middle"),
        pytest.param(["contoso-finetune-production-1", "contoso-finetune-production-2"], 8, id="at the end"),
        pytest.param(["a-contoso-finetune-production", "b-contoso-finetune-production"], 8, id="at the beginning"),
        pytest.param(["x" * 30 + f"{n:02}" + "y" * 30 for n in range(30)], 12, id="many"),
        pytest.param(["contoso-ft-prod", "contoso-ft-prod-eu-prod"], 9, id="one longer than the other"),
    ],
)
def test_names_that_differ_never_look_alike(names: list[str], width: int) -> None:
    shown = cut_apart(names, width)
    assert len(set(shown.values())) == len(names)
    assert all(cell_len(short) <= width for short in shown.values())


@given(st.text("ab-", max_size=30), st.text("ab-", max_size=30), st.sampled_from("xyz"), st.integers(8, 20))
def test_two_names_that_differ_in_one_letter_never_look_alike(head: str, tail: str, letter: str, width: int) -> None:
    names = {f"{head}{letter}{tail}", f"{head}!{tail}"}
    assert len(set(cut_apart(names, width).values())) == 2


@given(st.sets(st.text(max_size=30), max_size=6), st.integers(0, 20))
def test_what_is_cut_apart_fits(names: set[str], width: int) -> None:
    shown = cut_apart(names, width)
    assert shown.keys() == names
    assert all(cell_len(short) <= width for short in shown.values())


def test_a_name_that_nothing_resembles_keeps_its_beginning_and_its_end() -> None:
    assert cut_apart(["contoso-production-finetune-7", "other"], 15)["contoso-production-finetune-7"] == cut(
        "contoso-production-finetune-7", 15
    )


def test_rows_of_accounts_that_differ_late_are_told_apart() -> None:
    long = "a very long state indeed " * 3
    rows = [["contoso-ft-sweden-prod", long, "1", "x"], ["contoso-ft-norway-prod", long, "1", "x"]]
    first, second = lines(rows, 40)[1:]
    assert first.split()[0] != second.split()[0]


def test_a_time_gives_way_last() -> None:
    columns = (Column("NAME", 6, is_id=True), Column("STATE", 4), Column("DELETION", 4, is_whole=True))
    row = ["support-bot-of-the-shop", "Succeeded", "overdue by 59 min"]
    (_, line) = table(columns, [row], 34)
    assert "overdue by 59 min" in "".join(text for text, _ in line)
    assert all(cell_len("".join(text for text, _ in line)) <= 20 for line in table(columns, [row], 20))
