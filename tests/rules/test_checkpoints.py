from typing import Any

import pytest

from tests.factories import make_checkpoint, make_training
from watcher.resources.training import Training
from watcher.rules.checkpoints import choice

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
            "the best by loss on a batch of validation data: 0.2, and 0.4",
            id="by the curve",
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


def test_none_is_offered_where_there_is_none():
    assert choice(None) is None
    assert choice(training()) is None
