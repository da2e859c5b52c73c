"""Which date counts where several sources name one, for serving and for training."""

import pytest

from tests.factories import DAY, NOW
from watcher.resources.ends import Ends
from watcher.resources.model import Certainty, Retirement

BASE = "gpt-4o-mini-2024-07-18"


def row(serving=None, location="swedencentral", training=None, **changes):
    return Retirement(
        model=BASE,
        location=location,
        inference_until=None if serving is None else NOW + serving * DAY,
        fine_tune_until=None if training is None else NOW + training * DAY,
        **changes,
    )


def served(*catalogue, table=(), own=None, location="swedencentral", base=BASE):
    ends = Ends(catalogue, table).of_serving(base, location, own=None if own is None else NOW + own * DAY)
    return [(end.at and (end.at - NOW).days, end.is_retired) for end in ends]


@pytest.mark.parametrize(
    ("catalogue", "options", "expected"),
    [
        pytest.param([row(20)], {"own": 5, "table": [row(60, "")]}, [20, 5, 60], id="the firmest source first"),
        pytest.param([row(20, ""), row(30)], {}, [30], id="the region before everywhere"),
        pytest.param([row(30), row(20)], {}, [20], id="the earliest"),
        pytest.param([row(None), row(20, "")], {}, [20], id="a region without a date"),
        pytest.param([row(20, "Sweden Central")], {}, [20], id="spelt otherwise in the catalogue"),
        pytest.param([row(20)], {"location": "Sweden Central"}, [20], id="spelt otherwise by the account"),
        pytest.param([row(20, "westus3")], {}, [], id="another region"),
        pytest.param([row(20)], {"base": BASE.upper()}, [20], id="spelt in capitals"),
        pytest.param([row(20)], {"base": "", "own": 5}, [5], id="an unknown base"),
    ],
)
def test_the_end_of_serving(catalogue, options, expected):
    assert served(*catalogue, **options) == [(days, False) for days in expected]


def test_what_is_retired_needs_no_date():
    retired = row(None, lifecycle="Deprecated")

    assert served(retired, table=[row(60, "")]) == [(None, True), (60, False)]
    assert served(row(20, ""), retired) == [(None, True)]


@pytest.mark.parametrize(
    ("catalogue", "table", "expected"),
    [
        pytest.param([row(1, training=20), row(2, training=10)], [row(training=5)], 10, id="the earliest"),
        pytest.param([row(1)], [row(location="", training=5)], 5, id="the table where the service says none"),
        pytest.param([row(1, "", training=5), row(2, training=9)], [], 9, id="the region before everywhere"),
        pytest.param([row(1)], [], None, id="nobody says"),
    ],
)
def test_the_end_of_training(catalogue, table, expected):
    end = Ends(catalogue, table).of_training(BASE, "swedencentral")

    assert (end and (end.at - NOW).days) == expected
    assert end is None or end.certainty is Certainty.UNSTATED
