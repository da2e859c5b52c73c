"""What an address of a listing asks for: what is shown, filters, order and page, each part of it a link to share."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from watcher.rules.text import one_line
from watcher.web.asking import BadQuestion

T = TypeVar("T")

ON_A_PAGE = 50
#: Of what somebody searches for.
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """What a listing can be asked for."""

    path: str
    state: Callable[[T], str]
    #: By word: its name, and the states that belong to it; the first is usual.
    shows: Mapping[str, tuple[str, Callable[[str], bool]]]
    facets: Mapping[str, Callable[[T], str]]
    #: By word: what is compared, and whether the largest come first unless turned round; the first is usual.
    sorts: Mapping[str, tuple[Callable[[T], Any], bool]]
    searched: Callable[[T], str]  #: in lower case


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One address."""

    kind: Kind[Any]
    show: str
    sort: str
    is_turned: bool = False
    q: str = ""
    page: int = 1
    facets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: Kind[Any], params: QueryParams) -> "Asked":
        """Read an address.

        Raises:
            BadQuestion: It asks for what there is not.
        """
        show, page = params.get("show", next(iter(kind.shows))), params.get("page", "1")
        sort = params.get("sort", next(iter(kind.sorts)))
        if show not in kind.shows:
            raise BadQuestion(f"show is one of {', '.join(kind.shows)}")
        if sort.removeprefix("-") not in kind.sorts:
            raise BadQuestion(f"sort is one of {', '.join(kind.sorts)}, or one of them behind a minus to turn it round")
        if not (page.isascii() and page.isdigit() and 0 < int(page[:6]) <= 100_000):
            raise BadQuestion("page is a number from 1")
        return cls(
            kind=kind,
            show=show,
            sort=sort.removeprefix("-"),
            is_turned=sort.startswith("-"),
            q=params.get("q", "").strip()[:_LONGEST],
            page=int(page),
            facets={name: params[name] for name in kind.facets if name in params},
        )

    def address(self, **changes: object) -> str:
        """Of the same, with changes; its first page unless that is said. `None` takes a filter away."""
        sort = ("-" if self.is_turned else "") + self.sort
        params: dict[str, object] = {"show": self.show, "q": self.q, "sort": sort, **self.facets} | changes
        usual = {"show": next(iter(self.kind.shows)), "q": "", "sort": next(iter(self.kind.sorts)), "page": 1}
        # What is empty stays: it is a filter by what has no owner.
        kept = {name: value for name, value in params.items() if value is not None and usual.get(name) != value}
        return f"{self.kind.path}?{urlencode(kept)}" if kept else self.kind.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A link that shows something else."""

    text: str
    count: int
    address: str
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """A column's head."""

    address: str
    is_on: bool
    is_down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Where one goes on from here; "": nowhere."""

    number: int
    count: int
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """One page of a listing, and the links around it."""

    rows: Sequence[T]
    total: int
    tabs: Sequence[Choice]
    facets: Mapping[str, Sequence[Choice]]
    sorts: Mapping[str, Sort]
    pages: Pages
    is_filtered: bool
    q: str
    hidden: Sequence[tuple[str, str]]  #: what a search keeps of the address


def found(rows: Iterable[T], asked: Asked) -> Found[T]:
    """What of `rows` the address asks for. It takes some milliseconds for each ten thousand of them."""
    kind, wanted = asked.kind, asked.q.lower()
    fitting = [row for row in rows if wanted in kind.searched(row)] if wanted else list(rows)
    for name, value in asked.facets.items():
        of = kind.facets[name]
        fitting = [row for row in fitting if of(row) == value]
    states = Counter(map(kind.state, fitting))
    shown_states = {state for state in states if kind.shows[asked.show][1](state)}
    shown = [row for row in fitting if kind.state(row) in shown_states] if shown_states != states.keys() else fitting
    by, is_down = kind.sorts[asked.sort]
    count = max(-(-len(shown) // ON_A_PAGE), 1)
    number = min(asked.page, count)
    first = (number - 1) * ON_A_PAGE
    # Mostly the first pages are looked at: those need not have all the others in order.
    ends = heapq.nlargest if is_down != asked.is_turned else heapq.nsmallest
    return Found(
        rows=ends(first + ON_A_PAGE, shown, key=by)[first:],
        total=len(shown),
        tabs=[
            Choice(
                text=name,
                count=sum(count for state, count in states.items() if belongs(state)),
                address=asked.address(show=word),
                is_on=word == asked.show,
            )
            for word, (name, belongs) in kind.shows.items()
        ],
        facets={name: _choices(name, shown, asked) for name in kind.facets},
        sorts={word: _sort(word, asked) for word in kind.sorts},
        pages=Pages(
            number=number,
            count=count,
            before=asked.address(page=number - 1) if number > 1 else "",
            after=asked.address(page=number + 1) if number < count else "",
        ),
        is_filtered=bool(asked.q or asked.facets),
        q=asked.q,
        hidden=[*asked.facets.items(), *([("show", asked.show)] if asked.show != next(iter(kind.shows)) else [])],
    )


def _choices(name: str, shown: Sequence[T], asked: Asked) -> list[Choice]:
    """The values of a facet, the most frequent first; the chosen one can be taken away."""
    of = asked.kind.facets[name]
    counts = Counter(map(of, shown))
    if name in asked.facets:
        value = asked.facets[name]
        return [
            Choice(
                text=one_line(value) or "none", count=counts[value], address=asked.address(**{name: None}), is_on=True
            )
        ]
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return [
        Choice(text=one_line(value) or "none", count=count, address=asked.address(**{name: value}), is_on=False)
        for value, count in most
    ]


def _sort(word: str, asked: Asked) -> Sort:
    is_on, is_down = word == asked.sort, asked.kind.sorts[word][1]
    if is_on:
        is_down = is_down != asked.is_turned
    turned = "" if not is_on or asked.is_turned else "-"
    return Sort(address=asked.address(sort=turned + word), is_on=is_on, is_down=is_down)
