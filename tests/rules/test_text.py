from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import DAY, HOUR, MINUTE, NOW, SECOND
from watcher.rules import text
from watcher.rules.countdown import capped, step_crossed
from watcher.rules.finding import Severity
from watcher.rules.rai import RaiStage, harm_type, known_harms, read_refusal

BERLIN = timezone(HOUR)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (6 * DAY + 23 * HOUR + 59 * MINUTE, "6 d 23 h"),
        (7 * DAY, "7 d"),
        (DAY + 5 * MINUTE, "1 d"),
        (3 * HOUR + 10 * MINUTE, "3 h 10 min"),
        (45 * MINUTE, "45 min"),
        (90 * SECOND, "1 min 30 s"),
        (30 * SECOND, "30 s"),
        (timedelta(), "0 s"),
        (-DAY, "0 s"),
    ],
)
def test_duration(span, expected):
    assert text.duration(span) == expected


def test_moments_are_in_utc_whatever_the_zone():
    local = datetime(2026, 11, 22, 9, 0, 59, 999, tzinfo=BERLIN)

    assert text.moment(local) == "2026-11-22 08:00 UTC"
    assert text.rfc3339(local) == "2026-11-22T08:00:59Z"
    assert text.rfc3339(None) is None


def test_ago():
    assert text.ago(NOW - 12 * MINUTE, NOW) == "12 min ago"
    assert text.ago(NOW - 59 * SECOND, NOW) == "just now"
    assert text.ago(NOW + HOUR, NOW) == "just now"


@pytest.mark.parametrize(
    ("span", "expected"),
    [(3 * DAY, "3d"), (24 * HOUR, "1d"), (6 * HOUR, "6h"), (90 * MINUTE, "90m"), (45 * SECOND, "45s")],
)
def test_steps_are_written_as_the_configuration_does(span, expected):
    assert text.step(span) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_999, "1.0 MB"),
        (1_250_000_000, "1.2 GB"),
        (7 * 10**15, "7000.0 TB"),
    ],
)
def test_sizes_are_decimal(count, expected):
    assert text.size(count) == expected


def test_small_words():
    assert text.counted(1, "account") == "1 account"
    assert text.counted(0, "account") == "0 accounts"
    assert text.sentence("It broke") == "It broke."
    assert text.sentence("It broke. ") == "It broke."
    assert text.sentence("") == ""


@settings(deadline=None)
@given(st.lists(st.timedeltas(SECOND, 20 * DAY), max_size=5), st.timedeltas(-DAY, 21 * DAY))
def test_a_step_is_crossed_exactly_within_the_longest(steps, left):
    crossed = step_crossed(left, steps)

    if left < timedelta():
        assert crossed == "overdue"
    else:
        assert (crossed is not None) == any(left <= step for step in steps)


def test_capped():
    assert capped(Severity.CRITICAL, Severity.WARNING) is Severity.WARNING
    assert capped(Severity.INFO, Severity.WARNING) is Severity.INFO


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Self Harm", "self_harm"),
        ("self-harm", "self_harm"),
        (" SELF_HARM ", "self_harm"),
        ("Hate/Fairness", "hate_fairness"),
        ("Hate and Fairness", "hate_fairness"),
        ("'violence'", "violence"),
        ("Sexual", "sexual"),
        ("Sarcasm", "sarcasm"),
        ("", ""),
    ],
)
def test_harm_types_have_one_spelling(name, expected):
    assert harm_type(name) == expected


def test_known_harms_are_sorted_and_each_once():
    assert known_harms("Violence, self harm, VIOLENCE, Sarcasm,") == ("self_harm", "violence")
    assert known_harms("") == ()


@pytest.mark.parametrize(
    ("message", "stage"),
    [
        ("The provided training data FAILED rai  checks for harm types: [violence].", RaiStage.DATA),
        ("... scores above acceptable thresholds for [Violence] ...", RaiStage.MODEL),
        ("Model evaluation failed: harmful content.", RaiStage.MODEL),
        ("This training file was blocked because too many examples were flagged by our moderation API.", RaiStage.DATA),
        ("The training file failed moderation safety checks", RaiStage.DATA),
        ("Rejected by Responsible AI.", RaiStage.UNKNOWN),
        ("Not acceptable: rejected for [self harm]", RaiStage.UNKNOWN),
    ],
)
def test_refusals(message, stage):
    refusal = read_refusal(message)

    assert refusal is not None
    assert refusal.stage is stage
    assert refusal.text == message.strip()


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Model Evaluation Passed.",
        "Training data passed RAI checks.",
        "RAI checks completed: no harm found.",
        "The job failed due to an invalid training file.",
        "Quota exceeded for [Standard, gpt-4o].",
        "The training of trail data failed.",
        "Job succeeded.",
    ],
)
def test_what_is_no_refusal(message):
    assert read_refusal(message) is None


@pytest.mark.parametrize("hidden", ["\u034f", "\u061c", "\u180e", "\u200c", "\u206a", "\ufe0f", "\U000e0041", "\u202e"])
def test_what_hides_in_a_text_is_taken_out_of_it_printable_or_not(hidden):
    assert text.one_line(f"sup{hidden}port  b\u00f6t") == "support b\u00f6t"


def test_a_watcher_without_a_name_of_its_own_is_not_called_so_twice():
    assert (text.called("watcher"), text.called("prod")) == ("watcher", "watcher prod")
