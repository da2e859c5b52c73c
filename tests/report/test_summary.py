"""The summary: what could not be seen is counted and named, and many accounts with one trouble are one line."""

from tests.factories import DAY, HOUR, NOW, make_account, make_deployment, make_gap, make_job, make_reading, make_usage
from watcher.report.summary import summarize
from watcher.report.summary_record import summary_record
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import GapReason, Section


def test_nothing_known_is_nothing_claimed() -> None:
    summary = summarize([], [], now=NOW)
    assert (summary.accounts, summary.whole, summary.jobs, summary.at_risk) == (0, 0, (), ())
    assert all(seen.oldest_at is None for seen in summary.seen)


def test_accounts_with_one_trouble_are_told_together() -> None:
    gap = make_gap(Section.JOBS, GapReason.NETWORK, at=NOW - HOUR)
    readings = [make_reading(account=make_account(f"a{number}"), gaps=(gap,)) for number in range(3)]
    summary = summarize([*readings, make_reading()], [], now=NOW)
    (unseen,) = summary.unseen
    assert (unseen.section, unseen.reason, unseen.accounts) == (Section.JOBS, GapReason.NETWORK, ("a0", "a1", "a2"))
    assert (unseen.since, unseen.last_read_at) == (NOW - HOUR, NOW)
    assert (summary.accounts, summary.whole) == (4, 1)
    assert {seen.section: seen.whole for seen in summary.seen}[Section.JOBS] == 1


def test_an_account_that_was_never_read_is_told_once() -> None:
    reading = make_reading(jobs=None, deployments=None, usage=None)
    (unseen,) = summarize([reading], [], now=NOW).unseen
    assert (unseen.section, unseen.reason) == (None, None)


def test_a_gap_of_one_resource_takes_the_account_out_of_those_seen_whole() -> None:
    reading = make_reading(gaps=(make_gap(Section.METRICS, GapReason.INCOMPLETE, subject="support-bot"),))
    summary = summarize([reading], [], now=NOW)
    assert summary.whole == 0
    assert {seen.section: seen.whole for seen in summary.seen}[Section.METRICS] == 0


def test_the_first_to_go_comes_first() -> None:
    names = {"later": 10, "sooner": 14, "safe": 1}
    reading = make_reading(
        deployments=[make_deployment(name) for name in names],
        usage=[make_usage(name, last_success_at=NOW - days * DAY) for name, days in names.items()],
    )
    assert [one.deployment.name for one in summarize([reading], [], now=NOW).at_risk] == ["sooner", "later"]


def test_the_owner_is_named_by_the_tag_that_the_configuration_names() -> None:
    job = make_job("one", metadata={"team": "vision"})
    near = make_deployment(tags={"Team": "speech", "owner": "nobody"})
    usage = make_usage(last_success_at=NOW - 13 * DAY)
    reading = make_reading(jobs=[job], deployments=[near], usage=[usage])
    summary = summarize([reading], [], now=NOW, owner_tag="team")
    record = summary_record(summary, name="prod", since=None)["status"]
    assert record["jobs"][0]["owner"] == "vision"
    assert record["deployments_at_risk"][0]["owner"] == "speech"


def test_ended_jobs_are_not_under_way() -> None:
    jobs = [make_job("one"), make_job("two", JobStatus.SUCCEEDED), make_job("three", "a word of tomorrow")]
    summary = summarize([make_reading(jobs=jobs)], [], now=NOW)
    assert [one.job.id for one in summary.jobs] == ["one", "three"]
