"""Listings by links: every row is on one page, every link says what it shows, and nothing else is taken."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from watcher.web.asking import BadQuestion
from watcher.web.pages.listed import ON_A_PAGE, Asked, Kind, found

Row = tuple[str, int]
KIND: Kind[Row] = Kind(
    path="/things",
    state=lambda row: "odd" if row[1] % 2 else "even",
    shows={"all": ("All", lambda _: True), "odd": ("Odd", lambda state: state == "odd")},
    facets={"owner": lambda row: row[0]},
    sorts={"size": (lambda row: (row[1], row[0]), True), "owner": (lambda row: row, False)},
    searched=lambda row: row[0].lower(),
)
ROWS = st.lists(st.tuples(st.sampled_from(["", "Search", "a&b=c", "ü"]), st.integers(0, 1000)), max_size=180)
ADDRESSES = st.fixed_dictionaries(
    {},
    optional={
        "show": st.sampled_from(["all", "odd"]),
        "sort": st.sampled_from(["size", "-size", "owner", "-owner"]),
        "owner": st.sampled_from(["", "Search", "a&b=c", "nobody"]),
        "q": st.sampled_from(["", "sea", "&"]),
    },
)


def asked(address: str | dict[str, str]) -> Asked:
    params = dict(parse_qsl(urlsplit(address).query, keep_blank_values=True)) if isinstance(address, str) else address
    return Asked.of(KIND, QueryParams(params))


@given(ROWS, ADDRESSES)
def test_the_pages_together_hold_each_row_that_fits_once_and_in_order(rows: list[Row], address: dict[str, str]) -> None:
    wanted = asked(address)
    first = found(rows, wanted)
    together: list[Row] = []
    page, at = first, wanted
    while True:
        together += page.rows
        assert len(page.rows) <= ON_A_PAGE
        if not page.pages.after:
            break
        at = asked(page.pages.after)
        page = found(rows, at)
    fitting = [
        row
        for row in rows
        if (address.get("show") != "odd" or row[1] % 2)
        and ("owner" not in address or row[0] == address["owner"])
        and address.get("q", "") in row[0].lower()
    ]
    assert sorted(together) == sorted(fitting)
    assert first.total == len(fitting)
    sort = address.get("sort", "size")
    if sort.endswith("size"):
        sizes = [size for _, size in together]
        assert sizes == sorted(sizes, reverse=sort == "size")


@given(ROWS, ADDRESSES)
def test_every_link_shows_as_many_as_it_says(rows: list[Row], address: dict[str, str]) -> None:
    page = found(rows, asked(address))
    for one in page.tabs:
        assert found(rows, asked(one.address)).total == one.count
    for one in page.facets["owner"]:
        assert one.is_on or found(rows, asked(one.address)).total == one.count


def test_a_heads_link_turns_the_order_round() -> None:
    rows = [("a", 1), ("b", 2)]
    page = found(rows, asked({}))
    assert page.sorts["size"].is_on and page.sorts["size"].is_down
    turned = found(rows, asked(page.sorts["size"].address))
    assert (page.rows, turned.rows) == ([("b", 2), ("a", 1)], [("a", 1), ("b", 2)])
    assert not turned.sorts["size"].is_down
    assert found(rows, asked(turned.sorts["size"].address)).rows == page.rows
    assert not page.sorts["owner"].is_on


def test_a_page_beyond_the_last_is_the_last() -> None:
    assert found([("a", 1)], asked({"page": "99"})).pages.number == 1


@pytest.mark.parametrize(
    "params", [{"show": "even"}, {"sort": "weight"}, {"sort": "--size"}, {"page": "0"}, {"page": "x"}]
)
def test_what_there_is_not_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(BadQuestion):
        asked(params)
