"""No spoilt answer makes a decoder raise anything but what its readers catch."""

import json
import os
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import DECODERS, mutate

from watcher.errors import MalformedError

#: Of each decoder; `make fuzz` asks for 100,000.
MUTATIONS = int(os.environ.get("WATCHER_TEST_MUTATIONS", "60"))
EACH = 20  #: made from one draw, since drawing costs more than decoding


@pytest.mark.parametrize("name", DECODERS)
def test_the_payloads_to_start_from_are_read(name):
    decode, seeds = DECODERS[name]
    for seed in seeds:
        if seed.startswith(b"step;"):
            assert decode(seed) == ()  # commas for points: no number is read out of them
        else:
            assert decode(seed)


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=-(-MUTATIONS // EACH), deadline=None)
@given(number=st.integers(0, 2**64))
def test_no_mutation_raises_anything_but_malformed(name, number):
    decode, seeds = DECODERS[name]
    random = Random(number)
    for _ in range(EACH):
        body = mutate(random, random.choice(seeds))
        with suppress(MalformedError):
            decode(body)


def test_mutations_spoil_in_many_ways():
    _, seeds = DECODERS["jobs"]
    made = {mutate(Random(number), seeds[-1]) for number in range(300)}
    readable = 0
    for body in made:
        with suppress(ValueError):
            json.loads(body)
            readable += 1
    assert len(made) > 200
    assert 100 < readable < len(made) - 20


def test_a_mutation_can_be_made_again():
    _, seeds = DECODERS["files"]
    assert mutate(Random(7), seeds[0]) == mutate(Random(7), seeds[0])
