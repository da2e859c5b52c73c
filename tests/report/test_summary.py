"""The summary: what could not be seen is counted and named, and many accounts with one trouble are one line."""

from tests.alerts.factories import ended, make_alert
from tests.factories import DAY, HOUR, NOW, make_account, make_deployment, make_gap, make_job, make_reading, make_usage
from watcher.alerts.alert import Alert
from watcher.alerts.inhibition import InhibitRule
from watcher.alerts.matcher import parse_matchers
from watcher.report.summary import explained_words, folded, summarize
from watcher.report.summary_record import summary_record
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.finding import Severity


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


def alert(rule: str, name: str, severity: Severity = Severity.WARNING, hours: int = 1, **labels: str) -> Alert:
    return make_alert(rule, name=name, severity=severity, at=NOW - hours * HOUR, labels=labels)


def rule(source: str, target: str) -> InhibitRule:
    return InhibitRule(source=parse_matchers([f"rule={source}"]), target=parse_matchers([f"rule={target}"]))


def test_what_one_cause_explains_stands_under_what_is_behind_all_of_it() -> None:
    root, middle = alert("root", "r", Severity.CRITICAL), alert("middle", "m", hours=5)
    leaves = [alert("leaf", f"l{number}", hours=9) for number in range(2)]
    other = alert("other", "o", Severity.CRITICAL, hours=9)
    chain = (rule("root", "middle"), rule("middle", "leaf"))
    found = summarize([], [*leaves, middle, other, root], now=NOW, inhibitions=chain).firing
    assert [one.alert for one in found[:2]] == [root, other]  # as loud, and older
    shown = folded(found)
    assert [(one.alert, {each.alert.id for each in some}) for one, some in shown] == [
        (root, {middle.id, *(leaf.id for leaf in leaves)}),
        (other, set()),
    ]
    assert explained_words(shown[0][1]) == "and 3 alerts that it explains (leaf 2, middle 1)"
    assert explained_words(shown[1][1]) == ""


def test_of_alerts_that_explain_one_another_none_is_hidden() -> None:
    alerts = [alert("one", "a"), alert("two", "b"), alert("leaf", "c")]
    ring = (rule("one", "two"), rule("two", "one"), rule("two", "leaf"))
    found = summarize([], alerts, now=NOW, inhibitions=ring).firing
    assert len(folded(found)) == len(found) == 3


def test_what_is_behind_something_but_fires_no_more_hides_nothing() -> None:
    leaf, over = alert("leaf", "l"), ended(alert("root", "r", Severity.CRITICAL), NOW)
    (found,) = summarize([], [leaf, over], now=NOW, inhibitions=(rule("root", "leaf"),)).firing
    assert (found.alert, found.cause) == (leaf, "")


def test_a_few_that_are_unread_are_named_by_section_and_reason() -> None:
    gaps = [make_gap(Section.METRICS, GapReason.INCOMPLETE, subject=name) for name in ("a", "b")]
    gaps.append(make_gap(Section.METRICS, GapReason.BROKEN, subject="c"))
    readings = [make_reading(account=make_account(name), gaps=gaps) for name in ("one", "two")]
    summary = summarize([*readings, make_reading()], [], now=NOW)
    assert [(one.reason, one.subjects, one.accounts) for one in summary.unseen] == [
        (GapReason.INCOMPLETE, ("one/a", "one/b", "two/a", "two/b"), ("one", "two")),
        (GapReason.BROKEN, ("one/c", "two/c"), ("one", "two")),
    ]
    (seen,) = [one for one in summary.seen if one.section is Section.METRICS]
    assert (seen.whole, seen.partly, seen.missing[:3]) == (1, 2, ("one/a", "one/b", "one/c"))
    assert seen.oldest_at == NOW
