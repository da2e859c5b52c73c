from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_checkpoint, make_training
from watcher.resources.training import Training
from watcher.rules.checkpoints import best_words, choice
from watcher.rules.curve import best

LOSSES = {40: 0.2, 60: 0.1, 80: 0.4}


def training(*checkpoints: Any, curve: Any = None) -> Training:
    return make_training(*checkpoints, curve=curve)


def made(step: int, **metrics: float) -> Any:
    return make_checkpoint(step, metrics=metrics)


@pytest.mark.parametrize(
    ("known", "step", "because"),
    [
        pytest.param(training(made(40)), 40, "the only one", id="a single one"),
        pytest.param(training(made(80), made(40)), 80, "the last one; how each", id="nothing is known"),
        pytest.param(
            training(made(80, full_valid_loss=0.5), made(40, full_valid_loss=0.25)),
            40,
            "the best by loss over the whole validation set: 0.25, and 0.5 at the last, step 80",
            id="an earlier one is better",
        ),
        pytest.param(
            training(made(80, full_validation_loss=0.25), made(40, full_valid_loss=0.5)),
            80,
            "the last one and the best by loss over the whole validation set: 0.25",
            id="the last is better, in another spelling",
        ),
        pytest.param(
            training(made(80, full_valid_loss=0.5), made(40, full_valid_loss=0.5)), 80, "the last one and", id="a tie"
        ),
        pytest.param(
            training(made(80, valid_loss=0.9, full_valid_loss=0.2), made(40, valid_loss=0.1, full_valid_loss=0.3)),
            80,
            "over the whole",
            id="the whole set before a batch",
        ),
        pytest.param(
            training(made(80, full_valid_loss=0.5), made(40)),
            80,
            "how each validated is not known",
            id="one unmeasured",
        ),
        pytest.param(
            training(made(80, valid_loss=float("nan")), made(40, valid_loss=0.3)), 80, "not known", id="no number"
        ),
        pytest.param(
            training(
                made(80), made(40), curve={40: {"valid_loss": 0.2}, 60: {"valid_loss": 0.1}, 80: {"valid_loss": 0.4}}
            ),
            40,
            "the nearest to the best: validation loss was best at step 60 (0.1, by the smoothed curve)",
            id="by the curve",
        ),
        pytest.param(
            training(
                made(60, full_valid_loss=0.9),
                made(80, full_valid_loss=0.1),
                curve={20: {"valid_loss": 0.5}, 40: {"valid_loss": 0.2}, 80: {"valid_loss": 0.4}},
            ),
            60,
            "the nearest that is listed: validation loss was best at step 40 (0.2, by the smoothed curve), and none",
            id="all are from after the best",
        ),
        pytest.param(
            training(
                *(made(step, valid_loss=1.0) for step in (60, 98)),
                curve={step: {"valid_loss": 2 - step / 97 if step < 97 else 1.01} for step in range(100)},
            ),
            98,
            "the last one: validation loss was best at step 97",
            id="a step after it is as good, as finely as the curve tells",
        ),
        pytest.param(
            training(made(80, full_valid_mean_reward=0.4), made(40, full_valid_mean_reward=0.6)),
            40,
            "the best by mean reward",
            id="more reward is better",
        ),
        pytest.param(
            training(made(80, full_valid_loss=0.5), make_checkpoint(40, model="", metrics={"full_valid_loss": 0.1})),
            80,
            "the only one",
            id="what has no name cannot be deployed",
        ),
    ],
)
def test_which_checkpoint_is_offered(known, step, because):
    chosen = choice(known)
    assert chosen is not None
    assert chosen.checkpoint.step == step
    assert because in chosen.because


@given(
    st.lists(st.floats(0.1, 5.0), min_size=3, max_size=120),
    st.sets(st.integers(0, 119), min_size=2, max_size=3),
    st.booleans(),
)
def test_what_is_offered_never_disagrees_with_where_the_curve_was_best(losses, steps, is_full):
    name = "full_valid_loss" if is_full else "valid_loss"
    known = training(
        *(made(step, full_valid_loss=float(step)) for step in steps),
        curve={step: {name: loss} for step, loss in enumerate(losses)},
    )
    found, chosen = best(known.points), choice(known)
    assert found is not None and chosen is not None
    assert best_words(found) in chosen.because
    earlier = [step for step in steps if step <= found.until]
    assert chosen.checkpoint.step == max(earlier, default=min(steps))
    assert found.step <= found.until <= found.step + max(1, len(losses) // 20)


def test_none_is_offered_where_there_is_none():
    assert choice(None) is None
    assert choice(training()) is None
