import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    NOW,
    make_file,
    make_file_transition,
    make_gap,
    make_holding,
    make_inventory,
    make_job,
    make_reading,
    make_transition,
    make_view,
)
from tests.rules.ask import ask, found, the_doubt, the_finding
from watcher.resources.changes import ResourceKind
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Section
from watcher.rules.files import FileFailed, FileOrphaned
from watcher.rules.finding import FindingKind, Severity

REFUSED = make_file("file-train", "error", reason="Line 12 is no JSON")
FAILED, ORPHANED = FileFailed(), FileOrphaned()


# file_failed


def view(file=REFUSED, *, jobs=(), transitions=None, **changes):
    seen = [make_file_transition(file)] if transitions is None else transitions
    reading = make_reading(jobs=jobs, files=(file,), files_at=NOW)
    return make_view(reading=reading, transitions=seen, **changes)


def test_a_refused_file_is_told_with_the_services_reason():
    finding = the_finding(FAILED, view())

    assert (finding.kind, finding.severity) == (FindingKind.EVENT, Severity.WARNING)
    assert (finding.subject.id, finding.subject.kind) == (ACCOUNT.key, ResourceKind.FILE)
    assert finding.subject.incarnation == "file-train"
    assert finding.summary == "File file-train.jsonl in contoso-ft was refused: Line 12 is no JSON"
    assert finding.description == "The service says: Line 12 is no JSON. No job that is listed names it."
    assert "-X DELETE https://contoso-ft.openai.azure.com/openai/v1/files/file-train" in finding.action
    assert "status error (after pending)" in finding.evidence


def test_the_jobs_that_name_it_are_told_and_their_owner():
    waiting = make_job("ftjob-7", JobStatus.PENDING, metadata={"owner": "bot-team"})
    other = make_job("ftjob-8", training_file="file-other")
    finding = the_finding(FAILED, view(jobs=[waiting, other]))

    assert "The job that names it: ftjob-7 (pending)." in finding.description
    assert "ftjob-7 cannot be expected to succeed with it." in finding.action
    assert finding.values["jobs"] == "ftjob-7"
    assert (finding.labels["job"], finding.labels["owner"]) == ("ftjob-7", "bot-team")


def test_a_validation_file_counts_and_an_ended_job_is_not_warned_of():
    jobs = [
        make_job("ftjob-1", JobStatus.FAILED),
        make_job("ftjob-2", JobStatus.FAILED, training_file="x", validation_file="file-train"),
    ]
    finding = the_finding(FAILED, view(jobs=jobs))

    assert "Jobs that name it: ftjob-1 (failed), ftjob-2 (failed)." in finding.description
    assert "cannot be expected" not in finding.action
    assert "job" not in finding.labels


def test_what_is_not_known_is_not_made_up():
    finding = the_finding(FAILED, view(make_file("file-train", "error", filename="", bytes=None), jobs=None))

    assert finding.summary == "File file-train in contoso-ft was refused"
    assert finding.description == "The service gives no reason. Which jobs name it is not known."
    assert "the jobs have not been read" in finding.evidence


def test_one_that_is_gone_by_now_is_told_all_the_same():
    late = make_view(transitions=[make_file_transition(REFUSED)])

    assert the_finding(FAILED, late).values["file"] == "file-train"


def test_one_that_is_first_seen_refused_is_told():
    assert found(FAILED, view(transitions=[make_file_transition(REFUSED, None, occurred_at=NOW - HOUR)]))


def test_a_file_that_was_found_late_is_said_to_be():
    late = view(previous_at={Section.FILES: NOW - 5 * HOUR}, cadence={Section.FILES: HOUR})

    assert "found late: the files were not read between 2026-11-22 03:00 UTC and" in the_finding(FAILED, late).evidence
    assert "found late" not in the_finding(FAILED, view()).evidence


@pytest.mark.parametrize(
    "quiet",
    [
        pytest.param(view(transitions=[]), id="nothing changed"),
        pytest.param(view(transitions=[make_file_transition(REFUSED, None, is_history=True)]), id="history"),
        pytest.param(view(make_file("file-1", "processed")), id="processed"),
        pytest.param(view(make_file("file-1", "deleted")), id="deleted"),
        pytest.param(view(make_file("file-1", "a word of tomorrow")), id="an unknown word"),
        pytest.param(view(make_file("file-1", "error", purpose="fine-tune-results")), id="not an input"),
        pytest.param(view(transitions=[make_transition(make_job(status="error"))]), id="a job's status"),
    ],
)
def test_nothing_else_is_a_refusal(quiet):
    assert ask(FAILED, quiet) == []


# file_orphaned


def held(*files, **changes):
    return make_inventory(make_holding(files=files, **changes))


def test_files_that_no_job_names_are_one_alert_an_account():
    files = [make_file(f"file-{n}", created_at=NOW - (20 + n) * DAY, bytes=500_000_000) for n in range(7)]
    finding = the_finding(ORPHANED, held(*files))

    assert (finding.kind, finding.severity) == (FindingKind.CONDITION, Severity.INFO)
    assert (finding.subject.id, finding.subject.kind) == (ACCOUNT.key, ResourceKind.ACCOUNT)
    assert finding.summary == "contoso-ft holds 7 uploaded files that no job names"
    assert "Together 3.5 GB, the oldest uploaded 26 d ago." in finding.description
    assert "The oldest are file-6.jsonl (file-6), file-5.jsonl (file-5), " in finding.description
    assert "file-2.jsonl (file-2), and 2 more." in finding.description
    assert finding.values["count"] == 7
    assert finding.values["bytes"] == 3_500_000_000
    assert finding.values["files"] == "file-6,file-5,file-4,file-3,file-2,file-1,file-0"
    assert "openai/v1/files/file-6" in finding.action


def test_a_size_that_is_not_known_is_not_counted_as_nothing():
    finding = the_finding(ORPHANED, held(make_file(), make_file("file-2", bytes=None)))

    assert "at least 1.0 MB" in finding.description
    assert finding.values["bytes"] is None


@pytest.mark.parametrize(
    ("file", "users", "expected"),
    [
        pytest.param(make_file(), (), True, id="nobody's"),
        pytest.param(make_file(), ("file-1",), False, id="a job names it"),
        pytest.param(make_file(created_at=NOW - 14 * DAY), (), True, id="just old enough"),
        pytest.param(make_file(created_at=NOW - 14 * DAY + HOUR), (), False, id="too young"),
        pytest.param(make_file(created_at=None), (), False, id="of unknown age"),
        pytest.param(make_file(purpose="fine-tune-results"), (), False, id="a result"),
        pytest.param(make_file(purpose="assistants"), (), False, id="for something else"),
        pytest.param(make_file(status="error"), (), False, id="refused"),
        pytest.param(make_file(status="pending"), (), False, id="not ready"),
        pytest.param(make_file(status="deleted"), (), False, id="deleted"),
    ],
)
def test_what_counts_as_an_orphan(file, users, expected):
    assert bool(found(ORPHANED, held(file, file_users=frozenset(users)))) is expected


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        pytest.param({"gaps": [make_gap(Section.FILES)]}, "the files of contoso-ft could not be read", id="files"),
        pytest.param({"gaps": [make_gap(Section.JOBS)]}, "the jobs of contoso-ft could not be read", id="jobs"),
        pytest.param({"gaps": [make_gap(Section.JOBS, subject="ftjob-1")]}, "a job of contoso-ft", id="one job"),
        pytest.param({"jobs_at": None}, "the jobs of contoso-ft have not been read yet", id="jobs never read"),
    ],
)
def test_an_unread_job_may_name_a_file(changes, because):
    doubt = the_doubt(ORPHANED, held(make_file(), **changes))

    assert because in doubt.because
    assert found(ORPHANED, held(make_file(), **changes)) == []


def test_files_never_read_are_unknown():
    doubt = the_doubt(ORPHANED, make_inventory(make_holding(files=None)))

    assert doubt.on_last_evidence is None
