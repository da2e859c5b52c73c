from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import make_deployment, make_file, make_gap, make_holding, make_inventory
from tests.rules.ask import ask, cleared, doubts, found, the_finding
from watcher.alerts.alert import open_alert
from watcher.alerts.lifecycle import advance
from watcher.resources.snapshot import Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.limits import LimitNear

RULE = LimitNear()


def held(**changes):
    return make_inventory(make_holding(**changes))


def files(count, **changes):
    return [make_file(f"file-{number}", **changes) for number in range(count)]


def named(inventory, rule=RULE):
    return {finding.labels["limit"]: finding.values["used"] for finding in found(rule, inventory)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"files": files(79, bytes=1)}, {}),
        ({"files": files(80, bytes=1)}, {"files": 80}),
        ({"files": files(2, bytes=400_000_000)}, {"file_bytes": 800_000_000}),
        ({"files": files(2, bytes=399_999_999)}, {}),
        ({"files": files(3, bytes=None)}, {}),
        ({"job_count": 80}, {"jobs": 80}),
        ({"job_count": 79}, {}),
        ({"deployments": [make_deployment(f"d{n}") for n in range(8)]}, {"deployments": 8}),
        ({"deployments": [make_deployment(f"d{n}") for n in range(7)]}, {}),
        ({"queued": 16}, {"queued": 16}),
        ({"queued": 15}, {}),
        ({"running": {"": 1, "globalstandard": 1, "standard": 1}}, {"running": 3}),
        ({"running": {"": 1, "globalstandard": 1, "developertier": 3}}, {}),
        ({"running": {"developertier": 3, "developer": 1}}, {"running_developer": 4}),
        ({"files": None, "jobs_at": None, "deployments": None}, {}),
    ],
)
def test_from_four_fifths_of_a_limit_on_it_is_told(changes, expected):
    assert named(held(**changes)) == expected


def test_the_text_says_how_much_of_what():
    finding = the_finding(RULE, held(files=files(97, bytes=1000)))

    assert (finding.kind, finding.severity) == (FindingKind.CONDITION, Severity.INFO)
    assert finding.summary == "contoso-ft nears Azure's limit for files: 97 of 100"
    assert "97 % of the limit" in finding.description
    assert "files of contoso-ft read just now" in finding.evidence
    assert "`files` in [rules.limit_near]" in finding.action


def test_the_next_file_is_news_to_an_alert_that_fires():
    first, second = (the_finding(RULE, held(files=files(count, bytes=1000))) for count in (97, 98))
    alert = open_alert(first, account="", now=datetime(2026, 11, 22, tzinfo=UTC))

    (told,) = advance([alert], [second], rules=[RULE.name], account="", now=alert.starts_at + timedelta(hours=1))

    assert told.finding.summary.endswith("98 of 100")


def test_sizes_are_told_in_their_units():
    finding = the_finding(RULE, held(files=[*files(2, bytes=600_000_000), make_file("file-x", bytes=None)]))

    assert finding.summary == "contoso-ft is past Azure's limit for the size of all files: 1.2 GB of 1.0 GB"
    assert "Of some files the size is not known" in finding.description


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"jobs": 1000}, {}),
        ({"jobs": 0}, {}),
        ({"jobs": 99, "at_percent": 100}, {}),
        ({"jobs": 98, "at_percent": 100}, {"jobs": 98}),
        ({"at_percent": 98}, {"jobs": 98}),
        ({"at_percent": 99}, {}),
    ],
)
def test_limits_are_configurable(options, expected):
    assert named(held(job_count=98), LimitNear(**options)) == expected


def test_at_the_limit_is_neither_near_nor_past():
    assert " is at Azure's limit for jobs that train at once" in the_finding(RULE, held(running={"": 3})).summary


def test_one_that_is_no_longer_near_says_what_is_left():
    (queued,) = (answer for answer in cleared(RULE, held(queued=7)) if answer.subject.incarnation == "queued")

    assert queued.because == "queued jobs: 7 of 20 now"


def test_each_limit_is_an_alert_of_its_own():
    findings = found(RULE, held(job_count=100, queued=20))

    assert len({finding.subject for finding in findings}) == 2


@pytest.mark.parametrize(
    ("section", "undecided"),
    [
        (Section.FILES, {"files", "file_bytes"}),
        (Section.JOBS, {"jobs", "queued", "running", "running_developer"}),
        (Section.DEPLOYMENTS, {"deployments"}),
        (Section.METRICS, set()),
    ],
)
def test_what_was_not_read_is_undecided_on_its_last_count(section, undecided):
    full = held(
        files=files(100, bytes=10_000_000),
        deployments=[make_deployment(f"d{n}") for n in range(10)],
        job_count=100,
        queued=20,
        running={"": 3, "developertier": 5},
        gaps=[make_gap(section)],
    )

    assert {doubt.subject.incarnation for doubt in doubts(RULE, full)} == undecided
    assert all(doubt.on_last_evidence.values["percent"] == 100 for doubt in doubts(RULE, full))
    assert len(ask(RULE, full)) == 7
