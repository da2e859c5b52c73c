"""The daemon killed once at each named step; `make crash` kills it hundreds of times."""

from datetime import timedelta

from tests.crash.launcher import BEFORE_REQUESTS, STEPS
from tests.crash.rig import ANSWERING, PATIENCE_S, rig

#: What the sink does with messages until the step is reached, where that matters.
MOODS = {"failed": "refuse", "merging": "refuse"}


async def test_survives_a_kill_at_each_step(empty_url, tmp_path):
    async with rig("steps", empty_url, tmp_path, seed=1) as killed:
        killed.sink.is_calm = True  # so that a send is over at once, and little leases and rests suffice
        killed.lease, killed.calm_s = timedelta(seconds=1), 2.0
        for step in BEFORE_REQUESTS:
            assert await killed.live(step), step
        await killed.first_sight()
        telling = killed.story.start()
        for step in (*STEPS, ANSWERING):
            if step in BEFORE_REQUESTS:
                continue
            killed.sink.mood = MOODS.get(step, "take")
            assert await killed.live(step), f"{step} was not reached within {PATIENCE_S:g} s"
        killed.sink.mood = None
        killed.story.is_ending = True
        await killed.rest(telling)
        await telling
        verdict = killed.judge()
    assert verdict.faults == []
    assert verdict.messages > 0
    assert killed.kills.total() >= len(STEPS) + 1
    assert verdict.repeats > 0, "what was sent and not marked came again"
