"""What holds of every format: the same numbers, the same bytes, nothing obeyed, and all of it where promised."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec import structs
from rich.cells import cell_len

from tests.report.factories import make_advice, make_date, make_hosted, make_quiet, make_statement, sum_of, usd
from tests.report.render import samples
from watcher.costs.advice import Move
from watcher.costs.money import Unknown, money
from watcher.costs.savings import METHOD
from watcher.report.render import FORMATS, text
from watcher.report.render.mail import MailParts, mail_parts
from watcher.report.render.outline import totals
from watcher.report.render.short import short_form
from watcher.report.statement import Audience, Edition, Statement
from watcher.report.wording import one_line

LINK = "https://watcher.example.com/report"
KINDS: dict[str, Callable[[], Statement]] = {
    "rich": samples.rich,
    "quiet": lambda: make_quiet(period=samples.LOCAL_WEEK),
    "unseen": samples.unseen,
    "huge": lambda: samples.huge(200),
    # A half cent is rounded to the even one, in each of them.
    "half a cent": lambda: make_quiet(
        hosting=sum_of(usd(0.125)), idle=sum_of(usd(0.115)), saving_per_month=sum_of(usd(0.005))
    ),
}


class Page(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.values += attrs
        self._hidden += tag in ("style", "title", "desc", "svg")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "title", "desc", "svg")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\u00a0", " ").split())


def parts(statement: Statement) -> MailParts:
    return mail_parts(statement, link=LINK)


# The same numbers

_FIGURE = r"(unknown|(?:at least )?[\d,]+\.\d\d(?: to [\d,]+\.\d\d)?)"


def three(text: str) -> tuple[str, ...]:
    """The three numbers of a running text."""
    found = [
        re.search(rf"{caption}\W*?\s*\**{_FIGURE}", text) for caption in ("Bill", "Of which idle", "Saving possible")
    ]
    assert all(found), text[:600]
    return tuple(one[1].replace(",", "") for one in found if one)


def three_of_json(text: str) -> tuple[str, ...]:
    sums = json.loads(text)["totals"]
    return tuple(
        _words(*(sums[key][bound] for bound in ("low", "high"))) for key in ("bill", "idle", "saving_per_month")
    )


def three_of_csv(text: str) -> tuple[str, ...]:
    rows = {row["measure"]: row for row in csv.DictReader(StringIO(text)) if row["section"] == "total"}
    numbers = (
        tuple(float(row[bound]) if row[bound] else None for bound in ("low", "high"))
        for row in (rows["bill"], rows["idle"], rows["saving_per_month"])
    )
    return tuple(_words(*each) for each in numbers)


def _words(low: float | None, high: float | None) -> str:
    if low is None:
        return "unknown"
    if high is None:
        return f"at least {low:.2f}"
    return f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


NUMBERS: dict[str, Callable[[Statement], tuple[str, ...]]] = {
    "text": lambda statement: three(FORMATS["text"](statement)),
    "markdown": lambda statement: three(FORMATS["markdown"](statement)),
    "html": lambda statement: three(Page(FORMATS["html"](statement)).text),
    "json": lambda statement: three_of_json(FORMATS["json"](statement)),
    "csv": lambda statement: three_of_csv(FORMATS["csv"](statement)),
    "mail": lambda statement: three(Page(parts(statement).html).text),
    "mail's text": lambda statement: three(parts(statement).text),
    "short": lambda statement: three("\n".join(short_form(statement, link=LINK).lines)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_tells_the_same_three_numbers(kind: str) -> None:
    statement = KINDS[kind]()
    bill, idle, saving = totals(statement)
    expected = tuple(
        _words(
            None if each.is_unknown else float(each.known.least), None if not each.is_known else float(each.known.most)
        )
        for each in (bill, idle, saving)
    )
    assert {name: numbers(statement) for name, numbers in NUMBERS.items()} == dict.fromkeys(NUMBERS, expected)


@given(
    st.lists(
        st.one_of(
            st.just(Unknown(because="its price is not known")),
            st.tuples(st.integers(0, 10**9), st.integers(0, 10**6)).map(
                lambda one: money(one[0] / 1000, "USD", high=(one[0] + one[1]) / 1000)
            ),
        ),
        max_size=4,
    )
)
@settings(max_examples=20, deadline=None)
def test_any_total_is_the_same_in_each_format(costs: list) -> None:
    statement = make_quiet(hosting=sum_of(*costs), idle=sum_of(*costs[:2]), saving_per_month=sum_of(*costs[2:]))
    assert len({numbers(statement) for numbers in NUMBERS.values()}) == 1


@pytest.mark.parametrize("form", ["json", "csv"])
def test_lines_add_up_to_the_total_in_what_programs_read(form: str) -> None:
    statement = samples.huge(60)
    if form == "json":
        record = json.loads(FORMATS["json"](statement))
        lines = [each["cost"]["amount"] for each in (*record["deployments"], *record["jobs"])]
    else:
        rows = csv.DictReader(StringIO(FORMATS["csv"](statement)))
        lines = [float(row["low"]) for row in rows if row["section"] in ("hosting", "training")]
    assert f"{sum(lines):.2f}" == f"{statement.total.known.least}"


def test_bills_of_every_division_add_up_to_the_total() -> None:
    statement = samples.huge(60)
    record = json.loads(FORMATS["json"](statement))
    sums = {bill["by"]: round(sum(line["total"]["amount"] for line in bill["lines"]), 2) for bill in record["bills"]}
    assert set(sums.values()) == {float(statement.total.known.least)}


# The same bytes


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_statement_is_the_same_bytes(form: str) -> None:
    assert FORMATS[form](samples.rich()) == FORMATS[form](samples.rich())


# Nothing is obeyed


@pytest.fixture(scope="module")
def plain() -> Statement:
    return samples.hostile("harmless")


@pytest.mark.parametrize("name", samples.HOSTILE, ids=[str(number) for number in range(len(samples.HOSTILE))])
class TestHostileNames:
    @pytest.mark.parametrize("draw", [FORMATS["html"], lambda one: parts(one).html], ids=["page", "mail"])
    def test_adds_no_tag_and_no_attribute(self, name: str, draw: Callable[[Statement], str], plain: Statement) -> None:
        page = Page(draw(samples.hostile(name)))
        assert page.tags == Page(draw(plain)).tags
        assert "\u202e" not in page.text and "\x1b" not in page.text
        assert not [value for key, value in page.values if key in ("href", "src") and "evil" in (value or "")]

    def test_adds_no_markup_to_markdown(self, name: str, plain: Statement) -> None:
        assert list(tokens(FORMATS["markdown"](samples.hostile(name)))) == list(tokens(FORMATS["markdown"](plain)))

    def test_is_shown_whole_by_markdown(self, name: str) -> None:
        shown = "".join(
            child.content
            for token in MarkdownIt("commonmark", {"html": True})
            .enable("table")
            .parse(FORMATS["markdown"](samples.hostile(name)))
            for child in token.children or ()
            if child.type in ("text", "text_special")
        )
        assert one_line(name)[:100] in shown.replace("\u200b", "")

    def test_is_one_line_of_text_that_no_terminal_obeys(self, name: str) -> None:
        for drawn in (FORMATS["text"](samples.hostile(name)), parts(samples.hostile(name)).text):
            assert [char for char in drawn if not char.isprintable() and char != "\n"] == []
            assert "\nsecond" not in drawn

    def test_is_no_formula_in_a_spreadsheet(self, name: str, plain: Statement) -> None:
        rows = list(csv.reader(StringIO(FORMATS["csv"](samples.hostile(name)))))
        assert len(rows) == len(list(csv.reader(StringIO(FORMATS["csv"](plain)))))
        assert {len(row) for row in rows} == {len(rows[0])}
        bad = [cell for row in rows for cell in row if cell[:1] in ("=", "+", "@", "-", "\t", "\r") or "\n" in cell]
        assert bad == []

    def test_is_verbatim_in_json(self, name: str) -> None:
        document = FORMATS["json"](samples.hostile(name))
        assert json.loads(document)["jobs"][0]["id"] == name
        assert [char for char in document if not char.isprintable() and char != "\n"] == []

    def test_calls_nobody_and_bends_nothing_in_a_chat(self, name: str) -> None:
        short = short_form(samples.hostile(name), link=LINK)
        assert re.findall(r"<[^|>]*", short.mrkdwn) == [f"<{LINK}"]
        assert not re.search(r"@(here|channel|everyone|SUM)|<[!@#]", "\n".join((short.title, *short.lines)))
        assert all("\n" not in line for line in short.lines)

    def test_is_no_second_header_of_a_mail(self, name: str) -> None:
        assert parts(samples.hostile(name)).subject.isprintable()


def tokens(markdown: str) -> Iterator[str]:
    """The structure of a document, without its texts."""
    for token in MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").parse(markdown):
        yield token.type
        yield from (child.type for child in token.children or () if child.type not in ("text", "text_special"))


@given(st.text(max_size=40))
@settings(max_examples=30, deadline=None)
def test_no_text_whatever_adds_to_the_page(name: str) -> None:
    if any("\ud800" <= char <= "\udfff" for char in name):
        return
    statement = make_quiet(unseen=(name,), remarks=(name,), watcher=name)
    assert (
        Page(FORMATS["html"](statement)).tags
        == Page(FORMATS["html"](make_quiet(unseen=("a",), remarks=("a",), watcher="a"))).tags
    )


# How much of it is told


def test_text_keeps_to_eighty_columns_but_for_commands() -> None:
    for statement in (samples.rich(), samples.unseen(), samples.huge(60), *map(samples.hostile, samples.HOSTILE)):
        wide = [line for line in FORMATS["text"](statement).splitlines() if cell_len(line) > text.WIDTH]
        assert [line for line in wide if not line.startswith("    az ")] == []


def test_long_lists_end_in_their_number_and_what_they_come_to() -> None:
    statement = samples.huge(60)
    left = [each for each in statement.advice if each.saving_per_month][text.ACTIONS :]
    sum_left = sum_of(*(each.saving_per_month for each in left if each.saving_per_month))
    assert f"… and {len(left)} more, {sum_left.known.least:,.2f} USD in a month" in FORMATS["text"](statement)
    assert "deployment-00059" not in FORMATS["text"](statement)


@pytest.mark.parametrize("form", ["html", "json", "csv"])
def test_nothing_is_left_out_of_page_json_and_table(form: str) -> None:
    statement, drawn = samples.huge(120), FORMATS[form](samples.huge(120))
    assert [line.name for line in statement.hosted if line.name not in drawn] == []
    assert [line.job for line in statement.trained if line.job not in drawn] == []
    assert [each.name for each in statement.orphans if each.name not in drawn] == []


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_nothing_to_report_says_so_and_has_no_empty_section(form: str) -> None:
    drawn = FORMATS[form](make_quiet())
    assert "Nothing to report" in drawn
    for absent in (
        "What to do",
        "Idle: nobody",
        "Kept alive",
        "Superseded",
        "Training that failed",
        "What is to come",
        "Exceptions",
        "Saved",
    ):
        assert absent not in drawn


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_what_was_not_seen_stands_before_everything_else(form: str) -> None:
    drawn = FORMATS[form](samples.rich())
    drawn = drawn[drawn.find("<body") + 1 :]
    assert (
        0
        < drawn.index("Not everything was seen: 4 of 6 accounts")
        < drawn.index("woodgrove")
        < drawn.index("What to do")
    )
    assert "Nothing to report" not in drawn


def test_where_nothing_could_be_read_nothing_is_said_to_cost_nothing() -> None:
    drawn = FORMATS["text"](samples.unseen())
    assert "0.00" not in drawn and drawn.count("unknown") == 4


def test_an_account_that_was_not_read_whole_is_never_nothing_to_report() -> None:
    statement = make_quiet(accounts=3, accounts_seen=2)
    assert "Nothing to report" not in FORMATS["text"](statement)
    assert "2 of 3 accounts were read whole" in FORMATS["text"](statement)
    assert json.loads(FORMATS["json"](statement))["is_quiet"] is False


def test_accounts_that_are_empty_cost_nothing_and_that_is_known() -> None:
    nothing = make_statement(
        (), (), accounts=2, accounts_seen=2, saving_per_month=sum_of(), advice=(), idle_until_deletion=sum_of()
    )
    assert three(FORMATS["text"](nothing)) == ("0.00", "0.00", "0.00")


FINANCE = Edition(audience=Audience.FINANCE)


def test_finance_gets_the_money_first_and_that_of_training_by_job() -> None:
    drawn = FORMATS["text"](samples.rich(edition=FINANCE))
    assert drawn.index("Bill by account") < drawn.index("Where the prices come from") < drawn.index("What to do")
    section = drawn[drawn.index("\nTraining\n") : drawn.index("\nSaved")]
    row = next(line for line in section.splitlines() if line.endswith("20.80"))
    assert "search-team" in row and "gpt-4.1" in row
    assert "ftjob-0002: 5,200,000 tokens billed" in section
    assert not {"ftjob-0200", "ftjob-0300"} & set(re.findall(r"ftjob-\d+", drawn)), "those that cost nothing"


@pytest.mark.parametrize("form", ["text", "markdown", "html", "mail"])
def test_finance_gets_no_command(form: str) -> None:
    def drawn(statement: Statement) -> str:
        return parts(statement).html if form == "mail" else FORMATS[form](statement)

    assert "az cognitiveservices" in drawn(samples.rich()), "else this proves nothing"
    finance = drawn(samples.rich(edition=FINANCE))
    assert "What to do" in finance and not re.search(r"\baz (cognitiveservices|rest)\b", finance)


def test_an_edition_bears_its_name() -> None:
    statement = samples.rich(edition=Edition(audience=Audience.OWNER, owner="Search"))
    assert FORMATS["text"](statement).splitlines()[0].endswith(": Search")
    assert "Search" in parts(statement).subject


def test_page_loads_nothing_and_runs_nothing() -> None:
    page = Page(FORMATS["html"](samples.rich()))
    assert {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "form"} == set()
    assert not [key for key, _ in page.values if key.startswith("on")]
    assert not re.search(r"https?:|@import|url\((?!#)", FORMATS["html"](samples.rich()))


def test_ids_of_the_page_are_its_own() -> None:
    ids = [value for key, value in Page(FORMATS["html"](samples.rich())).values if key == "id"]
    assert len(ids) == len(set(ids))


def test_commands_are_told_whole() -> None:
    statement = samples.rich()
    command = statement.advice[0].command
    ended = next(line for line in statement.hosted if line.end and line.recipe)
    assert command in FORMATS["text"](statement) and command in FORMATS["markdown"](statement)
    assert ended.recipe and ended.recipe.command in FORMATS["text"](statement)
    assert ended.recipe.command in Page(FORMATS["html"](statement)).text


def test_what_is_in_the_way_of_a_command_stands_with_it_in_every_format() -> None:
    obstacle = f"The account is gone. {'x' * 500}. Put another one there."
    line = next(line for line in samples.rich().hosted if line.end and line.recipe)
    assert line.recipe
    blocked = structs.replace(line, recipe=structs.replace(line.recipe, obstacle=obstacle))
    statement = make_statement(hosted=(blocked, structs.replace(line, name="moved", recipe=None)))
    for name in ("text", "markdown"):
        said = " ".join(FORMATS[name](statement).split())
        assert "Put another one there." in said and "There is no command to make it again." in said
        assert said.count("az rest --method put") == 1
    assert obstacle in Page(FORMATS["html"](statement)).text
    rows = [row for row in csv.DictReader(StringIO(FORMATS["csv"](statement))) if row["section"] == "hosting"]
    assert [("The account is gone." in row["note"], bool(row["command"])) for row in rows] == [
        (True, True),
        (False, False),
    ]
    first, second = json.loads(FORMATS["json"](statement))["deployments"]
    assert (first["recipe"]["obstacle"], second["recipe"]) == (obstacle, None)


def test_two_commands_in_one_cell_run_one_after_the_other() -> None:
    advice = structs.replace(samples.rich().advice[0], move=Move.DEVELOPER, command="az delete a\naz rest --method put")
    rows = csv.DictReader(StringIO(FORMATS["csv"](replace(samples.rich(), advice=(advice,)))))
    (row,) = [row for row in rows if row["section"] == "recommendation"]
    assert row["command"] == "az delete a && az rest --method put"


def test_callers_are_to_move_before_anything_is_deleted() -> None:
    advice = structs.replace(samples.rich().advice[0], move=Move.CONSOLIDATE, command="", saving_per_month=None)
    text = FORMATS["text"](replace(samples.rich(), advice=(advice,), saving_per_month=sum_of()))
    assert f"first move the callers of {advice.name}" in " ".join(text.split())
    assert "by 1 recommendation" not in text


def test_the_sum_of_what_is_left_out_says_what_it_does_not_know() -> None:
    statement = samples.huge(60)
    unknown = structs.replace(statement.advice[-1], saving_per_month=Unknown(because="its price is not known"))
    drawn = FORMATS["text"](replace(statement, advice=(*statement.advice[:-1], unknown)))
    assert re.search(r"… and \d+ more, at least [\d,.]+ USD in a month", drawn)


def test_calendar_leaves_commands_to_where_there_is_room() -> None:
    said = "15 d without a call. Only a call puts that off. To make it again as it was:\naz rest --method put --url x"
    drawn = FORMATS["text"](make_statement(dates=(make_date(text=said),)))
    assert "Only a call puts that off." in drawn and "az rest --method put --url x" not in drawn


def test_method_of_savings_is_told_once() -> None:
    drawn = FORMATS["markdown"](make_statement(remarks=(METHOD, "Another.")))
    assert drawn.count(METHOD) == 1 and "Another." in drawn
    assert METHOD in FORMATS["markdown"](make_quiet(remarks=(METHOD,)))


def test_what_is_the_same_of_all_rows_is_told_once() -> None:
    two = (make_hosted("one"), make_hosted("two"))
    assert FORMATS["text"](make_statement(two, ())).count("15 d without a call") == 2, "idle, and the date to come"
    other = make_hosted("three", deletion_why="a Developer deployment lasts 24 h")
    told = FORMATS["text"](make_statement((*two, other), ()))
    assert told.count("15 d without a call") == 2 and "24 h" in told, "what differs stands beside its row"


def test_risk_that_is_not_the_usual_one_stands_with_its_advice() -> None:
    usual = [make_advice(f"d{n}") for n in range(3)]
    drawn = FORMATS["text"](make_statement(advice=(*usual, make_advice("odd", risk="It is called by night."))))
    assert drawn.count("Calls that still come") == 1
    assert drawn.index("4. Delete odd") < drawn.index("Risk: It is called by night.")


def test_amounts_have_thousands_parted_in_what_people_read() -> None:
    assert "1,234,567.89 USD" in FORMATS["text"](make_quiet(hosting=sum_of(usd(1234567.89))))
