"""What a grant covers, and the least role."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watcher.azure import permissions
from watcher.azure.permissions import NEEDS, Grant, Level, covers, decode_permissions, matches, needs, role_definition
from watcher.errors import MalformedError

#: As Azure's own pages have it: actions of the built-in role Cognitive Services OpenAI User.
OPENAI_USER = Grant(
    actions=("Microsoft.CognitiveServices/*/read", "Microsoft.Authorization/roleAssignments/read"),
    data_actions=(
        "Microsoft.CognitiveServices/accounts/OpenAI/*/read",
        "Microsoft.CognitiveServices/accounts/OpenAI/engines/completions/action",
    ),
)
READER = Grant(actions=("*/read",))

words = st.text(alphabet="aB/.*-", max_size=12)


@given(words, st.text(alphabet="Ab/.-", max_size=16))
@example("a*a", "a")  # what stands before the star cannot be used again after it
@example("ab*b", "ab")
@example("*", "")
def test_a_star_is_any_characters_and_case_is_nothing(pattern: str, action: str) -> None:
    reference = re.compile("".join(".*" if char == "*" else re.escape(char) for char in pattern), re.I | re.S)
    assert matches(pattern, action) == bool(reference.fullmatch(action))


@given(st.lists(st.text(alphabet="Ab/.-", max_size=6), min_size=1, max_size=5), st.data())
def test_what_was_made_of_a_pattern_matches_it(parts: list[str], data: st.DataObject) -> None:
    fills = data.draw(st.lists(st.text(alphabet="aB/", max_size=4), min_size=len(parts) - 1, max_size=len(parts) - 1))
    action = parts[0] + "".join(fill + part for fill, part in zip(fills, parts[1:], strict=True))
    assert matches("*".join(parts), action.upper())


@given(st.text(alphabet="Ab/.-*", max_size=12))
def test_everything_matches_itself_and_a_star(text: str) -> None:
    assert matches(text, text)
    assert matches("*", text)


def test_a_pattern_from_outside_takes_no_time() -> None:
    """Backtracking would not end before the sun does."""
    assert not matches("*a" * 400 + "b", "a" * 5000)


@pytest.mark.parametrize(
    ("grants", "missing"),
    [
        pytest.param([], {need.action for need in NEEDS}, id="nothing"),
        pytest.param([Grant(actions=("*",))], {need.action for need in NEEDS if need.is_data}, id="Owner"),
        pytest.param([READER], {need.action for need in NEEDS if need.is_data}, id="Reader"),
        pytest.param(
            [OPENAI_USER],
            {
                "Microsoft.Resources/subscriptions/read",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Insights/eventtypes/values/read",
                "Microsoft.Insights/metrics/read",
            },
            id="OpenAI User",
        ),
        pytest.param([OPENAI_USER, READER], set(), id="both"),
        pytest.param(
            [READER, Grant(actions=("*",), not_actions=("*",))],
            {need.action for need in NEEDS if need.is_data},
            id="what one role excepts another may grant",
        ),
        pytest.param(
            [Grant(actions=("*",), not_actions=("microsoft.insights/*",), data_actions=("*",))],
            {"Microsoft.Insights/metrics/read", "Microsoft.Insights/eventtypes/values/read"},
            id="exceptions",
        ),
        pytest.param(
            [READER, Grant(data_actions=("*",), not_data_actions=("*/FILES/content/*",))],
            {permissions.RESULTS.action},
            id="exceptions of data",
        ),
    ],
)
def test_what_roles_leave_out(grants: list[Grant], missing: set[str]) -> None:
    assert {need.action for need in NEEDS if not covers(grants, need)} == missing


def test_actions_and_data_actions_are_two_things() -> None:
    assert not covers([Grant(actions=(permissions.JOBS.action,))], permissions.JOBS)
    assert not covers([Grant(data_actions=(permissions.METRICS.action,))], permissions.METRICS)


@pytest.mark.parametrize("read_results", [True, False])
def test_the_role_covers_what_is_needed(read_results: bool) -> None:
    role = role_definition(["sub-1", "sub-2"], read_results=read_results)
    grant = Grant(actions=tuple(role["Actions"]), data_actions=tuple(role["DataActions"]))
    assert [need.action for need in needs(read_results=read_results) if not covers([grant], need)] == []
    assert role["AssignableScopes"] == ["/subscriptions/sub-1", "/subscriptions/sub-2"]
    json.dumps(role)


def test_the_role_without_results_reads_no_file_s_content() -> None:
    role = role_definition(["sub-1"], read_results=False)
    assert not covers([Grant(data_actions=tuple(role["DataActions"]))], permissions.RESULTS)
    assert permissions.RESULTS not in needs(read_results=False)


@pytest.mark.parametrize("read_results", [True, False])
def test_the_role_only_reads(read_results: bool) -> None:
    role = role_definition(["sub-1"], read_results=read_results)
    assert all(action.lower().endswith("/read") for action in (*role["Actions"], *role["DataActions"]))


def test_each_need_tells_why_and_what_is_lost() -> None:
    assert all(need.what_for and need.without for need in NEEDS)
    assert len({need.action for need in NEEDS}) == len(NEEDS)
    assert {need.level for need in NEEDS if need.is_data} == {Level.ACCOUNT}


def test_arm_s_answer_is_read() -> None:
    body = {
        "value": [
            {"actions": ["*/read"], "notActions": ["a/b"], "dataActions": ["c/*"], "notDataActions": ["c/d"]},
            {"actions": ["x"], "notActions": None, "unheard": 1},
        ],
        "nextLink": None,
    }
    assert decode_permissions(json.dumps(body).encode()) == (
        Grant(actions=("*/read",), not_actions=("a/b",), data_actions=("c/*",), not_data_actions=("c/d",)),
        Grant(actions=("x",)),
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"value": 1}', b'{"value": [{"actions": [1]}]}', b"\xff"])
def test_an_answer_that_is_none_is_told(body: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_permissions(body)
