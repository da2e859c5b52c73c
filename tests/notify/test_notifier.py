"""The retry policy is arithmetic."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.errors import DeliveryError
from watcher.notify.notifier import GiveUp, RetryPolicy, TryAgain

from .factories import NOW

PLAIN = RetryPolicy(jitter=0)


def failure(*, permanent=False, retry_after=None):
    return DeliveryError("the receiver failed (503)", permanent=permanent, kind="server", retry_after=retry_after)


def decide(policy=PLAIN, *, attempts=1, error=None, now=NOW, queued_at=NOW, notification_id="ntf_1"):
    return policy.decide(
        error or failure(), notification_id=notification_id, attempts=attempts, queued_at=queued_at, now=now
    )


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 10), (2, 30), (3, 60), (4, 120), (5, 300), (6, 600), (7, 1800), (8, 3600), (9, 3600), (1000, 3600)],
)
def test_waits_grow_to_an_hour(attempts, seconds):
    assert decide(attempts=attempts) == TryAgain(NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("named", "waited"),
    [
        (timedelta(seconds=3), timedelta(seconds=10)),  # ours is longer
        (timedelta(minutes=7), timedelta(minutes=7)),
        (timedelta(days=9), timedelta(hours=6)),  # nobody is left alone for that long
    ],
)
def test_honours_the_receivers_wait(named, waited):
    assert decide(error=failure(retry_after=named)) == TryAgain(NOW + waited)


def test_a_permanent_failure_ends_it_at_once():
    assert decide(error=failure(permanent=True)) == GiveUp("server: the receiver failed (503)")


def test_a_last_attempt_is_made_when_time_is_up_and_none_after():
    queued_at = NOW - timedelta(hours=71, minutes=30)
    assert decide(attempts=70, queued_at=queued_at) == TryAgain(queued_at + timedelta(hours=72))
    gone = decide(attempts=71, queued_at=NOW - timedelta(hours=72))
    assert gone == GiveUp("71 attempts failed; the last: server: the receiver failed (503)")


@given(st.integers(1, 100), st.text(max_size=20))
def test_jitter_only_adds_and_is_the_same_for_the_same_question(attempts, notification_id):
    plain = decide(attempts=attempts).at - NOW
    first = decide(RetryPolicy(), attempts=attempts, notification_id=notification_id)
    assert plain <= first.at - NOW <= plain * 1.2
    assert first == decide(RetryPolicy(), attempts=attempts, notification_id=notification_id)


def test_jitter_parts_those_that_failed_together():
    assert len({decide(RetryPolicy(), attempts=8, notification_id=f"ntf_{n}").at for n in range(50)}) == 50


def test_tries_for_three_days():
    now, attempts = NOW, 1
    while isinstance(step := decide(attempts=attempts, now=now), TryAgain):
        now, attempts = step.at, attempts + 1
    assert now == NOW + timedelta(hours=72)
    assert attempts == 80


@pytest.mark.parametrize(
    ("may_pass", "since", "permanent"),
    [
        (False, None, True),
        (True, None, False),
        (True, NOW - timedelta(minutes=14), False),
        (True, NOW - timedelta(minutes=15), True),
    ],
)
def test_a_refusal_that_may_pass_is_permanent_after_a_while(may_pass, since, permanent):
    error = DeliveryError("404", permanent=True, kind="bad_request", may_pass=may_pass)
    assert RetryPolicy().refused(error, since=since, now=NOW).permanent is permanent
