"""What is kept from one reading to the next is what reading all would give, and no more is read than has changed."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.factories import HOUR, NOW
from watcher.store.gathered import Gathered

#: What is stored: by key a mark and a value. What has a mark and no value is not there when it is looked for.
STORED = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 2), st.booleans()))


class Shelf:
    """Stands where the store stands: it notes what is asked of it."""

    def __init__(self) -> None:
        self.stored: dict[str, tuple[int, bool]] = {}
        self.asked: list[str] = []

    def load(self, tx: Any, keys: Any) -> dict[str, tuple[str, int]]:
        self.asked += keys
        return {key: (key, self.stored[key][0]) for key in keys if self.stored[key][1]}

    def marks(self) -> dict[str, int]:
        return {key: 2 * mark + is_there for key, (mark, is_there) in self.stored.items()}


def read(gathered: Gathered[Any], shelf: Shelf, *, now: Any = NOW, base: object = None) -> list[Any]:
    return gathered.read(None, shelf.marks(), now=now, base=base)  # type: ignore[arg-type]


@given(st.lists(STORED, min_size=1, max_size=6))
def test_it_is_at_each_time_what_is_stored_then(times: list[dict[str, tuple[int, bool]]]) -> None:
    shelf = Shelf()
    gathered = Gathered(shelf.load, every=HOUR)
    before: dict[str, int] = {}
    for shelf.stored in times:
        shelf.asked = []
        assert read(gathered, shelf) == [(key, mark) for key, (mark, is_there) in shelf.stored.items() if is_there]
        now = shelf.marks()
        assert set(shelf.asked) == {key for key, mark in now.items() if before.get(key) != mark}
        before = now


def test_all_is_read_again_where_what_it_rests_on_is_another() -> None:
    shelf = Shelf()
    shelf.stored = {"a": (1, True), "b": (1, True)}
    gathered = Gathered(shelf.load, every=HOUR)
    read(gathered, shelf, base="one configuration")
    read(gathered, shelf, base="one configuration")
    assert sorted(shelf.asked) == ["a", "b"]
    read(gathered, shelf, base="another")
    assert sorted(shelf.asked) == ["a", "a", "b", "b"]


def test_each_is_read_again_once_in_the_time_and_not_all_at_once() -> None:
    shelf = Shelf()
    shelf.stored = {f"key {n}": (1, True) for n in range(60)}
    gathered = Gathered(shelf.load, every=HOUR)
    read(gathered, shelf)
    shelf.asked = []
    most = 0
    for minute in range(1, 61):
        before = len(shelf.asked)
        read(gathered, shelf, now=NOW + timedelta(minutes=minute))
        most = max(most, len(shelf.asked) - before)
    assert sorted(shelf.asked) == sorted(shelf.stored)
    assert most < 10
