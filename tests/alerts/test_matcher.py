import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.alerts.matcher import (
    Matcher,
    Operator,
    UnreadMatcher,
    matches,
    parse_matcher,
    parse_matchers,
    stored_matchers,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('rule="deployment_idle"', ("rule", "=", "deployment_idle"), id="quoted"),
        pytest.param("rule=deployment_idle", ("rule", "=", "deployment_idle"), id="unquoted"),
        pytest.param('  rule  !=  "x"  ', ("rule", "!=", "x"), id="spaces"),
        pytest.param('account=~"dev-.*"', ("account", "=~", "dev-.*"), id="regex"),
        pytest.param("account!~dev-.*", ("account", "!~", "dev-.*"), id="regex, unquoted"),
        pytest.param('cost-center="4711"', ("cost-center", "=", "4711"), id="hyphen in the name"),
        pytest.param('owner=""', ("owner", "=", ""), id="empty value"),
        pytest.param("owner=", ("owner", "=", ""), id="empty value, unquoted"),
        pytest.param(r'a="say \"hi\" \\ \n"', ("a", "=", 'say "hi" \\ \n'), id="escapes"),
        pytest.param(r'a=~"\d+"', ("a", "=~", r"\d+"), id="backslash of a regex stays"),
        pytest.param('a="x, y"', ("a", "=", "x, y"), id="comma in quotes"),
        pytest.param("a==b", ("a", "=", "=b"), id="a second equals sign belongs to the value"),
    ],
)
def test_parses(text: str, expected: tuple[str, str, str]) -> None:
    assert parse_matcher(text) == Matcher(expected[0], Operator(expected[1]), expected[2])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "is not a matcher", id="nothing"),
        pytest.param("rule", "is not a matcher", id="name alone"),
        pytest.param('="x"', "is not a matcher", id="no name"),
        pytest.param("1rule=x", "is not a matcher", id="name begins with a digit"),
        pytest.param('rule="x', "put it in quotes", id="open quote"),
        pytest.param('rule="x" y', "put it in quotes", id="more after the value"),
        pytest.param("rule=a b", "put it in quotes", id="unquoted space"),
        pytest.param('rule=~"("', "is not a regular expression", id="faulty regex"),
        pytest.param('rule=~"(.|.)*!"', "could take for ever", id="regex without end"),
    ],
)
def test_refuses_with_a_clear_text(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_matcher(text)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        pytest.param("a=x", {"a": "x"}, True, id="equal"),
        pytest.param("a=x", {"a": "y"}, False, id="not equal"),
        pytest.param("a=", {}, True, id="missing equals empty"),
        pytest.param("a!=x", {}, True, id="missing differs from a value"),
        pytest.param("a!=", {}, False, id="missing does not differ from empty"),
        pytest.param("a=~x", {"a": "xx"}, False, id="anchored at the end"),
        pytest.param("a=~x", {"a": "yx"}, False, id="anchored at the start"),
        pytest.param("a=~x|yy", {"a": "yy"}, True, id="anchored around the alternatives"),
        pytest.param("a=~x", {"a": "x\n"}, False, id="anchored before a line's end"),
        pytest.param("a=~.*", {}, True, id="regex on a missing label"),
        pytest.param("a=~.+", {}, False, id="regex asks for a label"),
        pytest.param("a!~x.*", {"a": "xy"}, False, id="negated regex"),
        pytest.param("a!~x.*", {"a": "y"}, True, id="negated regex that does not match"),
    ],
)
def test_matches(text: str, labels: dict[str, str], expected: bool) -> None:
    assert parse_matcher(text).matches(labels) is expected


def test_all_must_match_and_none_match_everything() -> None:
    assert matches((), {"a": "x"})
    assert matches(parse_matchers(["a=x", "b!=y"]), {"a": "x"})
    assert not matches(parse_matchers(["a=x", "b=y"]), {"a": "x"})


@given(
    st.from_regex(r"[a-z_][a-z0-9_.-]*", fullmatch=True),
    st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]),
    st.text(),
)
def test_reads_back_what_it_writes(name: str, operator: Operator, value: str) -> None:
    matcher = Matcher(name, operator, value)
    assert parse_matcher(str(matcher)) == matcher


@pytest.mark.parametrize("text", ["rule=~(a+)+!", "rule!~(a+)+!", "rule=~(", "rule", 'rule="', ""])
def test_what_was_stored_and_is_none_any_more_matches_nothing(text: str) -> None:
    one, other = stored_matchers([text, "a=x"])
    assert isinstance(one, UnreadMatcher)
    assert (str(one), other) == (text, parse_matcher("a=x"))
    assert "\n" not in one.because and one.because
    assert not any(one.matches(labels) for labels in ({}, {"rule": ""}, {"rule": "aaa!"}, {"rule": text}))
    assert not matches((one,), {}) and not matches((other, one), {"a": "x"})
