"""What a table says beside its figures: shares, pauses, windows, and remarks told once."""

from decimal import Decimal

import pytest

from tests.factories import DAY, NOW
from tests.report.factories import (
    UNKNOWN,
    make_advice,
    make_busy,
    make_date,
    make_hosted,
    make_place,
    make_quiet,
    make_statement,
    make_trickle,
    make_unread,
    sum_of,
    usd,
)
from watcher.costs.advice import Move
from watcher.costs.money import Unknown
from watcher.report.render import FORMATS
from watcher.report.render.mail import mail_parts
from watcher.report.render.outline import Row, Section, figures, told_once
from watcher.report.render.sections import outline
from watcher.report.render.short import short_form
from watcher.report.statement import Audience, DateKind, Edition, Statement


def section(statement: Statement, key: str) -> Section:
    return next(each for each in outline(statement).sections if each.key == key)


@pytest.mark.parametrize(
    ("idle", "unread", "share"),
    [
        (usd(27), (), "27 % of the bill"),
        (usd(27), (usd(21),), "27 to 48 % of the bill"),
        (usd(Decimal("48.77")), (usd(Decimal("0.2")),), "48 to 49 % of the bill"),
        (usd(0), (usd(48),), "0 to 48 % of the bill"),
        (usd(27), (usd(10, 21),), "27 to 48 % of the bill"),
        (usd(27), (UNKNOWN,), "at least 27 % of the bill"),
        (usd(27), (usd(21), UNKNOWN), "at least 27 % of the bill"),
        (usd(60), (usd(40),), "60 to 100 % of the bill"),
        (usd(20, 27), (usd(21),), None),
    ],
)
def test_no_share_is_one_figure_while_calls_are_unread(idle, unread, share: str | None) -> None:
    statement = make_quiet(hosting=sum_of(usd(100)), idle=sum_of(idle), unread=sum_of(*unread))
    told = [note for note in figures(statement)[1].notes if "% of the bill" in note]
    assert told == ([share] if share else [])


@pytest.mark.parametrize("kind", ["text", "markdown"])
def test_a_paused_deployment_is_said_to_be_paused(kind: str) -> None:
    lines = (make_hosted("runs"), make_hosted("rests", is_paused=True))
    told = FORMATS[kind](make_statement(lines, ()))
    assert "calls are refused" in " ".join(told.split())
    assert "paused" not in FORMATS[kind](make_statement(lines[:1], ()))


def test_a_call_is_reckoned_beside_the_calls_of_the_same_window() -> None:
    """A reader who divides the period's cost by the calls gets something else, and is told so."""
    made = section(make_statement((make_trickle(),), ()), "trickle")
    assert [column.title for column in made.columns][4:] == ["Calls", "A call, USD", "Cost in the period, USD"]
    assert made.rows[0].cells[4:] == ("15", "40.80", "285.60")
    assert "the hosting fee of that whole window, and not the cost in the period" in made.closing[0]


def test_the_commonest_remark_is_told_once_and_others_beside_their_rows() -> None:
    assumed = "15 d without a call, if Azure's rule covers its SKU, which is assumed"
    lines = [make_hosted(f"bot-{n}") for n in range(5)] + [make_hosted("ptu", deletion_why=assumed)]
    made = section(make_statement(lines, ()), "idle")
    assert sorted(row.note for row in made.rows) == [""] * 5 + [assumed]
    assert made.closing[0] == "For each that has no remark of its own: 15 d without a call."


def test_a_row_without_a_remark_is_not_said_to_have_one() -> None:
    blank = make_hosted("blank", deletion=None, deletion_why="")
    made = section(make_statement((make_hosted("one"), make_hosted("two"), blank), ()), "idle")
    assert sorted(row.note for row in made.rows) == ["", "15 d without a call", "15 d without a call"]
    assert not [said for said in made.closing if said.startswith("For each")]


def test_the_remark_that_is_told_once_is_one() -> None:
    rows = [Row(cells=("x",), note=note) for note in ("", "", "", "a", "a", "b")]
    without, told = told_once(rows)
    assert told == "a" and [row.note for row in without] == ["", "", "", "", "", "b"]
    assert told_once(rows[:4]) == (tuple(rows[:4]), "")


def test_dates_tell_the_commonest_reason_of_deletions_once_and_nothing_of_others() -> None:
    usual = "Azure may delete it from then on: 15 d without a call."
    deletions = [make_date(f"d{n}", text=usual, at=NOW + n * DAY) for n in range(3)]
    other = make_date("d9", text="Azure may delete it from then on: 30 d without a call.")
    silence = make_date("s", kind=DateKind.SILENCE_END, text="Then it alerts again.")
    retirement = make_date("r", kind=DateKind.RETIREMENT, at=NOW + 400 * DAY, text="It can no longer be called.")
    made = section(make_quiet(dates=(*deletions, other, silence, retirement)), "calendar")
    assert [row.note for row in made.rows] == ["", "", "", other.text, silence.text, ""]
    assert made.closing == (f"For each deletion without a remark of its own: {usual}",)
    assert section(make_quiet(dates=(deletions[0], silence)), "calendar").closing == ()


def test_a_long_reason_is_told_once_above_the_advice() -> None:
    long = "nobody calls it; whether Azure deletes one of its SKU by itself is not documented"
    some = [make_advice(f"bot-{n}", because=long, move=Move.DELETE) for n in range(4)]
    plain = [make_advice(f"sure-{n}", because="nobody calls it", move=Move.DELETE) for n in range(5)]
    made = section(make_quiet(advice=(*some, *plain)), "recommendations")
    assert f"Why, where “Delete” has no reason beside it: {long}." in made.lead
    assert [long in " ".join(action.facts) for action in made.actions] == [False] * 9
    assert ["Because nobody calls it." in action.facts for action in made.actions] == [False] * 4 + [True] * 5
    few = section(make_quiet(advice=tuple(some[:3])), "recommendations")
    assert all(long in " ".join(action.facts) for action in few.actions) and len(few.lead) == 1


def test_an_unknown_saving_until_deletion_is_not_told() -> None:
    for unknown in (Unknown(because="overdue"), sum_of(UNKNOWN)):
        told = " ".join(FORMATS["text"](make_quiet(advice=(make_advice(saving_until_deletion=unknown),))).split())
        assert "Until Azure deletes it by itself" not in told
    known = FORMATS["text"](make_quiet(advice=(make_advice(saving_until_deletion=usd(7)),)))
    assert "Until Azure deletes it by itself: 7.00 USD" in " ".join(known.split())


def test_an_owner_of_whom_nothing_was_seen_is_not_told_that_all_was() -> None:
    edition = Edition(audience=Audience.OWNER, owner="legal")
    empty = dict.fromkeys(("advice", "bills", "dates", "orphans", "undeployed"), ())
    nothing = make_statement((), (), edition=edition, accounts=0, accounts_seen=0, watched=20, **empty)
    report = outline(nothing)
    assert report.sentence == "In these 7 days nothing of theirs was seen in what is watched, 20 accounts."
    told = [*(FORMATS[kind](nothing) for kind in ("text", "markdown", "html")), mail_parts(nothing, link="").html]
    for each in (*told, short_form(nothing, link="").text):
        said = " ".join(each.split())
        assert "everything was seen" not in said
        assert "nothing of theirs was seen." in said
    theirs = outline(make_statement((make_busy(place=make_place()),), (), edition=edition, watched=20))
    assert "1 deployment in 1 account" in theirs.sentence
    assert "not known" in outline(make_statement((make_unread(),), (), watched=20)).figures[1].text
