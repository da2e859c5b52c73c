"""What an edition holds: what is its own, whole, and nothing of others."""

import pytest

from tests.factories import (
    DAY,
    HOUR,
    MODEL,
    NOW,
    make_account,
    make_deployment,
    make_file,
    make_gap,
    make_job,
    make_model,
)
from tests.report.recorded import BEGAN, make_life, make_recorded, make_records, make_terms, stated
from watcher.alerts.keep import Keep
from watcher.report.recorded import RecordedJob
from watcher.resources.snapshot import Section

OURS = make_account("Ours", owner="Search", labels={"environment": "production"})
THEIRS = make_account("theirs", owner="Ads", labels={"environment": "test"})
BLIND = make_account("blind", owner="Ads", subscription="sub-2")
NEVER = {"deployments": None, "deployments_at": None, "jobs_at": None}


def of(owner):
    return lambda labels: labels.get("owner") == owner


def trained(number, **metadata):
    job = make_job(
        f"ftjob-{number}", "succeeded", metadata=metadata, finished_at=NOW - DAY, created_at=NOW - DAY - HOUR
    )
    return RecordedJob(job=job, ended_at=NOW - DAY)


def fleet():
    model = make_model(account=OURS.key, created_at=NOW - 30 * DAY, owner="")
    return make_records(
        make_recorded(account=OURS, models=(model,), files=(make_file(account=OURS.key),)),
        make_recorded(
            make_life(make_deployment("b", account=THEIRS, created_at=BEGAN, model=f"{MODEL}-b")),
            account=THEIRS,
            jobs=[trained(1), trained(2, owner="Search")],
        ),
        make_recorded(account=BLIND, **NEVER),
        keeps=(
            Keep(account=OURS.key, deployment="x", until=NOW + DAY),
            Keep(account=THEIRS.key, deployment="b", until=NOW + 2 * DAY),
        ),
    )


def test_what_was_never_read_is_missing_to_its_owner_alone():
    whole, ours, theirs = stated(fleet()), *(stated(fleet(), matches=of(owner)) for owner in ("Search", "Ads"))
    assert [one.hosting.unknown for one in (whole, ours, theirs)] == [1, 0, 1]
    assert [one.accounts for one in (whole, ours, theirs)] == [3, 2, 2]
    assert [one.accounts_seen for one in (whole, ours, theirs)] == [2, 2, 1]


def test_a_job_is_its_owners_wherever_it_ran():
    records = fleet()
    found = {owner: [line.job for line in stated(records, matches=of(owner)).trained] for owner in ("Search", "Ads")}
    assert found == {"Search": ["ftjob-2"], "Ads": ["ftjob-1"]}


def test_what_lies_about_brings_its_account_along():
    """Azure's ids compare without case."""
    records, labels = fleet(), []
    for kind in ("model", "file"):
        statement = stated(
            records,
            matches=lambda its, kind=kind: its.get("account") == "Ours" and ("model" in its) is (kind == "model"),
        )
        labels.append((len(statement.undeployed), len(statement.orphans), statement.accounts))
    assert labels == [(1, 0, 1), (0, 1, 1)]


def test_an_exception_is_whose_deployment_it_is():
    records = fleet()
    found = {owner: [one.name for one in stated(records, matches=of(owner)).exceptions] for owner in ("Search", "Ads")}
    assert found == {"Search": ["x"], "Ads": ["b"]}


@pytest.mark.parametrize(
    ("changes", "undeployed"),
    [({}, 1), ({"undeployed_after": 30 * DAY}, 1), ({"undeployed_after": 30 * DAY + HOUR}, 0)],
    ids=["a fortnight", "to the day", "longer"],
)
def test_what_lies_about_does_so_for_as_long_as_is_configured(changes, undeployed):
    assert len(stated(fleet(), terms=make_terms(**changes)).undeployed) == undeployed


def test_what_lies_about_longest_comes_first_and_what_nothing_dates_last():
    files = [make_file(f"file-{n}", account=OURS.key, created_at=NOW - n * DAY) for n in (20, 60, 40)]
    statement = stated(make_recorded(account=OURS, files=tuple(files)))
    assert [one.id for one in statement.orphans] == ["file-60", "file-40", "file-20"]
    ids = [f"gpt-4o-mini-2024-07-18.ft-{n:032x}-a" for n in (20, 60, 40)]
    models = [
        make_model(id_, account=OURS.key, created_at=NOW - int(id_[-4:-2], 16) * DAY, owner=owner)
        for id_, owner in zip(ids, ("", "Ann", ""), strict=True)
    ]
    statement = stated(make_recorded(account=OURS, models=tuple(models)))
    assert [one.id for one in statement.undeployed] == [ids[1], ids[2], ids[0]]
    assert [one.place.owner for one in statement.undeployed] == ["Ann", "Search", "Search"]


def test_no_file_is_said_to_be_unused_where_the_jobs_were_not_read():
    assert stated(make_recorded(account=OURS, files=(make_file(account=OURS.key),), jobs_at=None)).orphans == ()


def test_the_unknown_comes_last():
    costs = {"cheap": "DeveloperTier", "dear": "Standard", "odd": "Quantum"}
    lives = [make_life(make_deployment(name, sku=sku, created_at=NOW - 20 * HOUR)) for name, sku in costs.items()]
    assert [line.name for line in stated(make_recorded(*lives)).hosted] == ["dear", "cheap", "odd"]


def test_no_model_is_said_to_be_deployed_nowhere_where_that_is_not_known():
    old = make_model("gpt-4o-mini-2024-07-18.ft-1-a", account=OURS.key, created_at=NOW - 60 * DAY)
    blind = make_recorded(account=OURS, models=(old,), gaps=(make_gap(Section.DEPLOYMENTS),))
    assert stated(blind).undeployed == ()
    assert len(stated(make_recorded(account=OURS, models=(old,))).undeployed) == 1
