"""What jobs look like inside, from the snapshot to the alert and its end, on both databases."""

from dataclasses import replace
from datetime import timedelta

from tests.factories import DAY, HOUR, MINUTE, NOW, make_checkpoint, make_job, make_snapshot, make_training
from tests.test_cycles import JUDGEMENT, end_job, open_alerts, settled, watched
from watcher.cycles import record
from watcher.resources.snapshot import Listing

__all__ = ["watched"]

CURVE = {
    10: {"train_loss": 0.9, "full_valid_loss": 1.4},
    20: {"train_loss": 0.8, "full_valid_loss": 1.0},
    30: {"train_loss": 0.7, "full_valid_loss": 1.2},
    40: {"train_loss": 0.6, "full_valid_loss": 1.5},
}


def overfitted(store):
    """A job whose end was seen now, and whose inside was read a minute later."""
    end_job(settled(store))
    job = make_job(status="succeeded", finished_at=NOW, fine_tuned_model="m")
    inside = make_training(make_checkpoint(20), curve=CURVE, is_final=True, read_at=NOW + MINUTE)
    snapshot = make_snapshot(at=NOW + MINUTE, jobs=[job], training={job.id: inside})
    store.write_now(record, snapshot, JUDGEMENT)
    return snapshot


def poll(store, at, jobs=None):
    """A listing that is byte for byte the last one, unless other jobs are given."""
    listing = Listing(digest="same", items=None) if jobs is None else Listing(digest=f"{at}", items=tuple(jobs))
    return store.write_now(record, replace(make_snapshot(at=at), jobs=listing), JUDGEMENT)


def test_overfitting_stays_through_polls_that_say_nothing_new_and_is_forgotten_after_a_fortnight(watched):
    overfitted(watched)
    (alert,) = open_alerts(watched)
    assert alert.finding.rule == "job_overfitting"
    assert alert.finding.values["checkpoint_step"] == 20

    for after in (10 * MINUTE, HOUR, DAY, 14 * DAY - MINUTE):
        assert poll(watched, NOW + after).alerts == ()
    (ended,) = poll(watched, NOW + 14 * DAY).alerts
    assert "14 d ago or longer" in ended.ended_because
    assert poll(watched, NOW + 15 * DAY).alerts == ()


def test_overfitting_ends_with_its_job(watched):
    overfitted(watched)
    (ended,) = poll(watched, NOW + timedelta(hours=2), jobs=[]).alerts
    assert ended.finding.rule == "job_overfitting"
    assert open_alerts(watched) == ()
