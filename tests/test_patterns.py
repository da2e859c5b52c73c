"""What is taken matches in no time, whatever it is asked of; what people write is taken."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.patterns import LONGEST, compiled

USUAL = (
    *("", "dev-.*", ".*", ".+", "a|b", "(prod|dev)-.*", r"[a-z]+-\d+", "(?i)dev.*", "(?!dev).*", "(ab)*", "(a|b)*"),
    *("(.*,)?data(,.*)?", "account_unreachable|account_throttled|metrics_stale", ".*foo.*bar.*baz.*", "(a+)?"),
    *("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "(eu|us){2}", "([a-z]+-){3}x", "(prod|dev)-.*-(eu|us)-.*"),
)
#: Of a length that a GUID or a deployment's name has.
LONG = ("a" * 64, "1" * 36, "ab" * 30, "0a1b2c3d-" * 4, "")
ENDLESS = (
    *("(.|.)*!", "(a+)+", "(a|a)*!", "(a*)*!", "(a?)*", "(a+)+?!", "(a+)++", "(?>a+)+", "((a+)b?)+!", "(a|ab)+!"),
    *("a?" * 30 + "!", "(a|ab)" * 30, ".*" * 6 + "!", "(?:){1000000000}", "(?:(?:){30000}){30000}"),
    *("(a|b|ab){1,40}x", "((a{0,5}){0,5}){0,5}!", "(?=(a+)+!).*", r"(a)?(?(1)(a|a)*|b)!", "(a+)?" * 10),
)


@pytest.mark.parametrize("pattern", USUAL)
def test_takes_what_people_write(pattern: str) -> None:
    assert compiled(pattern).pattern == pattern


@pytest.mark.parametrize("pattern", ENDLESS)
def test_refuses_what_could_take_for_ever(pattern: str) -> None:
    with pytest.raises(ValueError, match="could take for ever"):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [("(", "is not a regular"), ("a{99999999999999}", "is not a regular"), ("a" * (LONGEST + 1), "at most 200")],
)
def test_refuses_what_is_none_or_too_long(pattern: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        compiled(pattern)


_ATOMS = st.sampled_from(["a", ".", "[a-z]", "b", "!", "(a|ab)", "(a|a)", "(.|.)"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=5).map("".join),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,3}", "{0,20}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        st.lists(inner, min_size=2, max_size=3).map(lambda arms: f"(?:{'|'.join(arms)})"),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(_PATTERNS)
def test_what_is_taken_ends_soon(pattern: str) -> None:
    try:
        made = compiled(f"{pattern}!")
    except ValueError:
        return
    began = time.thread_time()
    for value in LONG:
        made.fullmatch(value)
    assert time.thread_time() - began < 2.0, pattern
