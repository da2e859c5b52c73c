"""The jobs, models and files of a period: what was listed at a time, and what a job tells of what it made."""

from datetime import timedelta

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MODEL,
    NOW,
    SECOND,
    make_checkpoint,
    make_deployment,
    make_event,
    make_file,
    make_job,
    make_training,
)
from tests.store.test_period import World
from watcher.costs.hosting import Period
from watcher.resources.file import FileStatus
from watcher.resources.model import CustomModel
from watcher.store import period

OLD = NOW - 9 * DAY
OTHER = MODEL.replace("ft-", "ft-f", 1)


def listed(id=MODEL, **changes):
    return CustomModel(**{"id": id, "account": ACCOUNT.key, "created_at": OLD, **changes})


def made(id="ftjob-1", **changes):
    """A job that has made a model."""
    defaults = {"status": "succeeded", "created_at": OLD, "finished_at": OLD, "fine_tuned_model": MODEL}
    return make_job(id, **{**defaults, **changes})


def the_account(world, as_of=NOW, begin=OLD):
    (account,) = world.store.read_now(
        period.load, Period(begin=begin, end=as_of), as_of=as_of, owner_tag="owner"
    ).accounts
    return account


def the_model(world, as_of=NOW):
    (model,) = the_account(world, as_of).holding.models
    return model


def test_a_job_that_is_dated_only_later_ended_when_it_says():
    world = World(OLD)
    world.poll(NOW - 8 * DAY, jobs=[make_job(created_at=OLD)])
    world.poll(NOW - 4 * DAY, jobs=[make_job(status="failed", created_at=OLD)])
    assert [one.ended_at for one in the_account(world).jobs] == [NOW - 4 * DAY]
    world.poll(NOW - 3 * DAY, jobs=[make_job(status="failed", created_at=OLD, finished_at=NOW - 5 * DAY)])
    assert [one.ended_at for one in the_account(world).jobs] == [NOW - 5 * DAY]


def test_a_job_and_what_its_log_says_are_known_from_then_on():
    world, said = World(OLD), NOW - 4 * DAY
    world.poll(NOW - 8 * DAY)
    events = {"ftjob-1": [make_event("Job started.", at=said - DAY), make_event("Job paused.", at=said)]}
    world.poll(NOW - 6 * DAY, jobs=[make_job(created_at=OLD)])
    world.poll(NOW - 3 * DAY, jobs=[make_job(created_at=OLD)], events=events)
    assert the_account(world, NOW - 6 * DAY - SECOND).jobs == ()
    at = {at: [[line.message for line in one.events] for one in the_account(world, at).jobs] for at in (said, NOW)}
    assert at == {said: [["Job started.", "Job paused."]], NOW: [["Job started.", "Job paused."]]}
    assert [len(one.events) for one in the_account(world, said - SECOND).jobs] == [1]


def test_a_file_is_as_it_was():
    world = World(OLD)
    world.poll(NOW - 8 * DAY, files=[make_file("file-old", status=FileStatus.PENDING, raw_status="pending")])
    world.poll(NOW - 4 * DAY, files=[make_file("file-old", status=FileStatus.PROCESSED, raw_status="processed")])
    at = {days: [one.status for one in the_account(world, NOW - days * DAY).holding.files] for days in (5, 4, 0)}
    assert at == {5: [FileStatus.PENDING], 4: [FileStatus.PROCESSED], 0: [FileStatus.PROCESSED]}


def test_a_model_is_listed_until_it_was_seen_to_be_no_more():
    world, gone = World(OLD), NOW - 4 * DAY
    world.poll(NOW - 8 * DAY, models=[listed(), listed(OTHER)])
    world.poll(gone, models=[listed(OTHER)])
    at = {at: {one.id: one.is_listed for one in the_account(world, at).holding.models} for at in (gone - SECOND, gone)}
    assert at == {gone - SECOND: {MODEL: True, OTHER: True}, gone: {MODEL: False, OTHER: True}}


def test_a_file_is_used_while_its_job_is_listed():
    world, gone = World(OLD), NOW - 4 * DAY
    files = [make_file("file-train"), make_file("file-old")]
    world.poll(NOW - 8 * DAY, jobs=[make_job(created_at=OLD)], files=files)
    world.poll(gone, files=files)
    unused = {at: [one.id for one in the_account(world, at).holding.files] for at in (gone - SECOND, gone)}
    assert unused == {gone - SECOND: ["file-old"], gone: ["file-old", "file-train"]}


def test_a_file_is_used_while_the_model_of_its_job_is_listed():
    world, gone = World(OLD), NOW - 4 * DAY
    files = [make_file("file-train"), make_file("file-old")]
    world.poll(NOW - 8 * DAY, jobs=[made()], files=files, models=[listed(), listed(OTHER)])
    world.poll(NOW - 6 * DAY, files=files, models=[listed(), listed(OTHER)])
    world.poll(gone, files=files, models=[listed(OTHER)])
    unused = {at: [one.id for one in the_account(world, at).holding.files] for at in (gone - SECOND, gone)}
    assert unused == {gone - SECOND: ["file-old"], gone: ["file-old", "file-train"]}


def test_a_model_that_is_not_listed_among_others_is_gone_and_where_none_is_listed_it_is_believed():
    world = World(OLD)
    world.poll(NOW - 8 * DAY, jobs=[made()])
    assert the_model(world).is_listed
    world.poll(NOW - 6 * DAY, jobs=[made()], models=[listed(OTHER)])
    assert {one.id: one.is_listed for one in the_account(world).holding.models} == {MODEL: False, OTHER: True}
    last = MODEL.replace("ft-", "ft-z", 1)  # listed after both, and no more
    world.poll(NOW - 5 * DAY, jobs=[made()], models=[listed(OTHER), listed(last)])
    world.poll(NOW - 4 * DAY, jobs=[made()], models=[listed(OTHER)])
    found = {one.id: one.is_listed for one in the_account(world).holding.models}
    assert found == {MODEL: False, OTHER: True, last: False}


def test_what_its_job_does_not_tell_of_a_model_its_listing_does():
    world, end = World(OLD), NOW + 90 * DAY
    world.poll(
        NOW - 8 * DAY, jobs=[made(finished_at=None)], models=[listed(created_at=OLD + HOUR, inference_until=end)]
    )
    model = the_model(world)
    assert (model.created_at, model.inference_until) == (OLD + HOUR, end)
    assert (model.job, model.base) == ("ftjob-1", "gpt-4o-mini-2024-07-18")
    world.poll(NOW - 6 * DAY, jobs=[made()], models=[listed(created_at=OLD + HOUR, inference_until=end)])
    assert the_model(world).created_at == OLD


def test_models_stand_in_the_order_of_their_listing_and_then_of_the_jobs_that_made_them():
    names = [MODEL.replace("ft-", f"ft-{letter}", 1) for letter in "abcd"]
    jobs = [made(f"ftjob-{number}", fine_tuned_model=names[which]) for number, which in enumerate((3, 2, 0))]
    world = World(OLD)
    world.poll(NOW - 8 * DAY, jobs=jobs, models=[listed(names[1]), listed(names[0])])
    assert [one.id for one in the_account(world).holding.models] == [names[which] for which in (0, 1, 3, 2)]


def test_a_checkpoints_id_tells_its_model():
    """Only where some deployment bears one are they looked for."""
    world = World(OLD)
    read = {"ftjob-1": make_training(make_checkpoint(80), make_checkpoint(120))}
    world.poll(NOW - 8 * DAY, jobs=[made()], training=read)
    assert the_model(world).checkpoints == frozenset()
    world.poll(NOW - 6 * DAY, [make_deployment(model="ftchkpt-80", created_at=NOW - 7 * DAY)], jobs=[made()])
    assert the_model(world).checkpoints == {
        "ftchkpt-80",
        f"{MODEL}:ckpt-step-80",
        "ftchkpt-120",
        f"{MODEL}:ckpt-step-120",
    }
    assert the_account(world, begin=NOW - timedelta(days=1)).holding.models[0].checkpoints
