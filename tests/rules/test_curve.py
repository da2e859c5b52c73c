import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from watcher.resources.training import CurvePoint
from watcher.rules.curve import LOSS, REWARD, parting

RISE, POINTS = 0.1, 3


def curve(valid, *, name="valid_loss", train=None, train_name="train_loss", every=1):
    """Points at each step; training goes on gaining unless it is given otherwise."""
    sign = -1 if "reward" in train_name else 1
    values = train or [sign * (2 - index / len(valid)) for index in range(len(valid))]
    return [
        CurvePoint(step=(index + 1) * every, metrics={name: value, train_name: trained})
        for index, (value, trained) in enumerate(zip(valid, values, strict=True))
    ]


def judged(points, rise=RISE, least_points=POINTS):
    return parting(points, rise=rise, least_points=least_points)


NAMES = st.sampled_from(["valid_loss", "full_valid_loss"])
FALLING = st.lists(st.floats(0.01, 100), min_size=1, max_size=60).map(lambda values: sorted(values, reverse=True))


@given(FALLING, NAMES)
def test_what_only_falls_never_parts(values, name):
    assert judged(curve(values, name=name)) is None


@given(
    st.floats(0.01, 100),
    st.lists(st.floats(-0.047, 0.047), min_size=1, max_size=120),  # from one end to the other just under 10 %
    NAMES,
)
def test_noise_below_the_threshold_never_parts(level, noise, name):
    assert judged(curve([level * (1 + each) for each in noise], name=name)) is None


@st.composite
def u_shapes(draw):
    """A steady fall and then a steady rise by more than the threshold, with as much after the best as it needs."""
    falls, rises = draw(st.integers(0, 60)), draw(st.integers(12, 60))
    bottom, down, up = draw(st.floats(0.1, 10)), draw(st.floats(0.01, 0.2)), draw(st.floats(0.02, 0.3))
    values = [bottom * (1 + down * (falls - index)) for index in range(falls)]
    values += [bottom * (1 + up * index) for index in range(rises + 1)]
    return falls, values


@given(u_shapes(), NAMES, st.integers(1, 50))
def test_a_u_shape_parts_at_its_best_step(shape, name, every):
    best, values = shape
    assume(len(values) - best >= 0.25 * len(values))
    parted = judged(curve(values, name=name, every=every))

    assert parted is not None
    assert abs(parted.best_step - (best + 1) * every) <= every
    assert parted.last_step == len(values) * every
    assert parted.worse_by >= RISE


@given(u_shapes(), st.randoms(use_true_random=False))
def test_the_order_of_the_points_does_not_matter(shape, chance):
    points = curve(shape[1])
    shuffled = [*points]
    chance.shuffle(shuffled)

    assert judged(shuffled) == judged(points)


@pytest.mark.parametrize("noise", [0.05, 0.15, 0.3, 0.6])
@pytest.mark.parametrize("count", [10, 40, 100, 300])
def test_noise_around_a_level_is_no_trend_however_wild(noise, count):
    for seed in range(60):
        chance = random.Random(f"{noise} {count} {seed}")
        assert judged(curve([max(0.01, chance.gauss(1, noise)) for _ in range(count)])) is None


@pytest.mark.parametrize("count", [40, 100, 300])
def test_a_noisy_rise_is_seen_through_its_noise(count):
    for seed in range(40):
        chance = random.Random(f"{count} {seed}")
        points = []
        for step in range(1, count + 1):
            done = step / count
            valid = (0.45 + 1.6 * math.exp(-2.8 * done) + max(0.0, 2.2 * (done - 0.4))) * chance.gauss(1, 0.05)
            train = 0.35 + 1.6 * math.exp(-3.2 * done) + chance.gauss(0, 0.03)
            points.append(CurvePoint(step=step, metrics={"valid_loss": valid, "train_loss": train}))
        parted = judged(points)
        assert parted is not None
        assert 0.2 * count <= parted.best_step <= 0.6 * count


FULL = "full_valid_loss"


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param(curve([1.0, 1.05, 1.2], name=FULL), 1, id="three epochs, best at first"),
        pytest.param(curve([1.0, 1.05, 1.09], name=FULL), None, id="nine percent"),
        pytest.param(curve([1.0, 1.5], name=FULL), None, id="two points"),
        pytest.param(curve([1.4, 1.0, 1.5], name=FULL), None, id="one point after the best"),
        pytest.param(curve([1.4, 1.0, 1.5, 1.6], name=FULL), 2, id="two points after the best"),
        pytest.param(curve([1.0, 1.2, 1.6], name=FULL, train=[1.0, 1.1, 1.2]), None, id="training is worse too"),
        pytest.param(curve([1.0, 1.2, 1.6], name=FULL, train=[1.0, 1.0, 1.0]), None, id="training stands still"),
        pytest.param(curve([1.0, 1.2, 1.6], name=FULL, train_name="x"), None, id="training is not told"),
        pytest.param(curve([1.0, 1.2, 1.6]), None, id="three batches are no curve"),
        pytest.param(curve([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]), 1, id="seven batches in order"),
        pytest.param(
            curve([2 - i / 100 for i in range(90)] + [1.2 + i / 10 for i in range(10)]), None, id="a late tail"
        ),
        pytest.param(curve([1.0, math.nan, 1.2, math.inf, 1.6], name=FULL), 1, id="what is no number is passed over"),
        pytest.param(curve([math.nan] * 5, name=FULL), None, id="no number at all"),
        pytest.param(curve([0.0, 0.5, 1.0], name=FULL), 1, id="a best of nought"),
        pytest.param(curve([0.0, 0.0, 0.0], name=FULL), None, id="nought"),
    ],
)
def test_parting(points, expected):
    parted = judged(points)
    assert (parted and parted.best_step) == expected


def test_the_whole_validation_set_goes_before_single_batches():
    points = [
        CurvePoint(step=step, metrics={"train_loss": 2 - step / 10, "valid_loss": float(step), FULL: 2 - step / 20})
        for step in range(1, 11)
    ]
    assert judged(points) is None

    seldom = [CurvePoint(step=p.step, metrics={k: v for k, v in p.metrics.items() if k != FULL}) for p in points[:8]]
    assert judged([*seldom, *points[8:]]) is not None


def test_rewards_are_better_when_higher():
    rewards = {"name": "full_valid_reward", "train_name": "train_reward"}
    parted = judged(curve([0.2, 0.7, 0.6, 0.5], **rewards, train=[0.1, 0.3, 0.5, 0.7]))

    assert parted.metric is REWARD
    assert (parted.best_step, parted.best, parted.last) == (2, 0.7, 0.5)
    assert (parted.train_at_best, parted.train_last) == (0.3, 0.7)
    assert judged(curve([0.2, 0.5, 0.6, 0.7], **rewards, train=[0.1, 0.3, 0.5, 0.7])) is None
    assert judged(curve([0.2, 0.7, 0.6, 0.5], **rewards, train=[0.7, 0.5, 0.3, 0.1])) is None


def test_figures():
    parted = judged(curve([1.4, 1.0, 1.2, 1.5], name=FULL, train=[0.9, 0.8, 0.7, 0.6], every=10))

    assert parted.metric is LOSS
    assert (parted.best_step, parted.last_step, parted.points) == (20, 40, 3)
    assert (parted.best, parted.last, parted.train_at_best, parted.train_last) == (1.0, 1.5, 0.8, 0.6)
    assert parted.worse_by == pytest.approx(0.5)


def test_a_wild_batch_at_the_end_is_no_rise():
    values = [2 - index / 100 for index in range(80)] + [1.2] * 19 + [9.0]
    assert judged(curve(values)) is None
