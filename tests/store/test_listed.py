"""Files and custom models: what is kept of the listings, and what is known by them."""

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    make_account,
    make_deployment,
    make_job,
    make_snapshot,
)
from watcher.cycles import Judgement, record
from watcher.resources.changes import ResourceKind
from watcher.resources.file import File, FileStatus
from watcher.resources.fine_tuning import Checkpoint, JobStatus
from watcher.resources.model import CustomModel
from watcher.resources.snapshot import Listing, Section
from watcher.resources.training import Training
from watcher.store import listed, listings, observations, scope

from .dumps import changed_tables, dump

KEY = ACCOUNT.key
QUIET = Judgement(rules=())


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def file(id="file-1", status=FileStatus.PROCESSED, **changes):
    return File(id=id, account=KEY, status=status, raw_status=status.value, purpose="fine-tune", **changes)


def model(id="base.ft-1", **changes):
    return CustomModel(id=id, account=KEY, base="base", job="ftjob-1", **changes)


def listing(*nouns, digest="d"):
    return Listing(digest=digest, items=nouns)


def save(store, at=NOW, **snapshot):
    return store.write_now(record, make_snapshot(at=at, **{"asked": frozenset(Section), **snapshot}), QUIET)


def known(store):
    return store.read_now(observations.known, KEY, now=NOW)


def test_files_and_models_come_back_equal_by_id(watched):
    one = file("file-2", filename="søk.jsonl", bytes=10, created_at=NOW, expires_at=NOW, reason="x\x00y")
    save(watched, files=listing(one, file()), models=listing(model(created_at=NOW, inference_until=NOW + DAY)))
    assert watched.read_now(listed.files, KEY) == (file(), one)
    assert watched.read_now(listed.models, KEY) == (model(created_at=NOW, inference_until=NOW + DAY),)
    assert (known(watched).files_digest, known(watched).models_digest) == ("d", "d")


def test_what_is_first_read_is_history_and_a_later_refusal_is_news(watched):
    (first,) = save(watched, files=listing(file())).transitions
    assert first.is_history
    refused = file("file-2", FileStatus.ERROR, reason="not JSON")
    (second,) = save(watched, NOW + HOUR, files=listing(file(), refused)).transitions
    assert (second.kind, second.after, second.is_history) == (ResourceKind.FILE, "error", False)


@pytest.mark.parametrize("again", [{"items": None}, {"items": (file(), file("file-2"))}], ids=["same bytes", "same"])
def test_an_unchanged_listing_writes_the_account_row_alone(watched, again):
    models = Listing(digest="d", items=None if again["items"] is None else (model(),))
    save(watched, files=listing(file(), file("file-2")), models=listing(model()))
    before = dump(watched.engine)
    save(watched, NOW + HOUR, files=Listing(digest="d", **again), models=models)
    assert changed_tables(before, dump(watched.engine)) == {"accounts"}
    assert watched.read_now(scope.due_account, KEY).revision == 1
    assert len(watched.read_now(listed.files, KEY)) == 2


def test_what_leaves_a_list_may_come_back_and_is_no_news(watched):
    save(watched, files=listing(file(), file("file-2")), models=listing(model()))
    assert save(watched, NOW + HOUR, files=listing(file()), models=listing()).transitions == ()
    assert watched.read_now(listed.files, KEY) == (file(),)
    assert watched.read_now(listed.models, KEY) == ()
    save(watched, NOW + 2 * HOUR, files=listing(file(), file("file-2", bytes=3)), models=listing(model()))
    assert watched.read_now(listed.files, KEY) == (file(), file("file-2", bytes=3))
    assert watched.read_now(listed.models, KEY) == (model(),)


def test_a_poll_without_files_keeps_them(watched):
    save(watched, files=listing(file()))
    save(watched, NOW + HOUR, asked=frozenset({Section.JOBS}), jobs=[])
    assert watched.read_now(listed.files, KEY) == (file(),)
    stored = watched.write_now(observations.stored, KEY, of=make_snapshot(jobs=[]))
    assert (stored.reading.files, stored.reading.files_at, stored.reading.models) == ((), NOW, None)


def test_custom_models_are_known_by_job_by_listing_and_by_their_checkpoints(watched):
    far = make_account("far")
    watched.write_now(scope.save_accounts, [far], is_complete=False, now=NOW)
    save(watched, account=far, models=listing(CustomModel(id="listed", account=far.key)))
    save(watched, jobs=[make_job(fine_tuned_model="made", status=JobStatus.SUCCEEDED)])
    names = {"made", "listed", "base", "made:ckpt-step-80", "listed:ckpt-step-1", "base:ckpt-step-1"}
    found = watched.read_now(listed.custom_models, names)
    assert found == {"made", "listed", "made:ckpt-step-80", "listed:ckpt-step-1"}
    assert watched.read_now(listed.custom_models, set()) == set()
    inside = Training(
        job="ftjob-1", read_at=NOW, checkpoints=(Checkpoint(id="odd-id", job_id="ftjob-1", model="odd", step=3),)
    )
    save(watched, NOW + MINUTE, training={"ftjob-1": inside})
    served = [make_deployment(f"of-{name}", model=name) for name in ("made", "listed", "odd", "odd-id", "base")]
    assert watched.read_now(listings.custom_models, served) == {"made", "listed", "odd", "odd-id"}
    assert watched.read_now(listings.custom_models, served[:1]) == {"made"}


def test_what_was_in_an_account_that_is_gone_is_all_new_if_it_returns(watched):
    save(watched, jobs=[make_job()], files=listing(file()), models=listing(model()))
    watched.write_now(scope.forget_contents, KEY, now=NOW)
    assert watched.read_now(listed.files, KEY) == watched.read_now(listed.models, KEY) == ()
    assert (known(watched).jobs_digest, known(watched).files_digest, known(watched).models_digest) == ("", "", "")
    save(watched, NOW + SECOND, files=listing(file()), jobs=[make_job()])
    assert watched.read_now(listed.files, KEY) == (file(),)
    assert [one.is_listed for one in watched.read_now(listings.jobs)] == [True]


def test_a_checkpoint_that_only_a_training_names_is_known_in_its_own_account(watched):
    odd = Checkpoint(id="odd-id", job_id="ftjob-1", model="odd", step=3)
    save(watched, jobs=[make_job()], training={"ftjob-1": Training(job="ftjob-1", read_at=NOW, checkpoints=(odd,))})
    names = {"odd", "odd-id", "odd-", "ODD", "gpt-4o"}
    assert watched.read_now(lambda tx: listed.custom_models(tx, names, accounts=[KEY])) == {"odd", "odd-id"}
    assert watched.read_now(lambda tx: listed.custom_models(tx, names, accounts=["elsewhere"])) == set()
    assert watched.read_now(lambda tx: listed.custom_models(tx, set(), accounts=[KEY])) == set()
