import pytest

from tests.factories import HOUR, MINUTE, NOW, make_gap, make_state
from tests.rules.ask import ask
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.finding import Cleared, Finding, Severity, Undecided
from watcher.rules.fleet import AzureUnreachable, CredentialFailing
from watcher.rules.rule import Fleet, evaluate_fleet

CREDENTIAL, UNREACHABLE = CredentialFailing(), AzureUnreachable()
NAMES = {Finding: "found", Undecided: "undecided", Cleared: "clear"}
REFUSED = make_gap(Section.JOBS, GapReason.CREDENTIAL, at=NOW - HOUR)
SILENT = make_gap(Section.JOBS, GapReason.UNREACHABLE, at=NOW - HOUR)
BROKEN = make_gap(Section.JOBS, GapReason.BROKEN, at=NOW - HOUR)
SINGLE = make_gap(Section.JOBS, GapReason.BROKEN, at=NOW - HOUR, subject="ftjob-1")
OWN_KEY = make_gap(Section.JOBS, GapReason.KEY, at=NOW - HOUR)
NO_ENDPOINT = make_gap(Section.JOBS, GapReason.NO_ENDPOINT, at=NOW - HOUR)
THROTTLED = make_gap(Section.JOBS, GapReason.THROTTLED, at=NOW - HOUR)


def fleet(*states):
    return Fleet(now=NOW, accounts=states)


def on_data(rule, view, subject=None):
    """What the rule says of the data plane, of the first or the named cloud or region."""
    answers = [a for a in ask(rule, view) if a.subject.incarnation == "data"]
    answers = [a for a in answers if subject is None or a.subject.id == subject]
    return NAMES[type(answers[0])] if answers else "nothing"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param([], "nothing", id="no accounts"),
        pytest.param([make_state("a"), make_state("b")], "clear", id="all well"),
        pytest.param([make_state("a", REFUSED)], "found", id="the only account"),
        pytest.param([make_state("a", REFUSED), make_state("b", REFUSED)], "found", id="both"),
        pytest.param([make_state("a", REFUSED), make_state("b")], "clear", id="one, another accepts it"),
        pytest.param(
            [make_state("a", REFUSED), make_state("b", REFUSED), make_state("c")], "clear", id="a third accepts it"
        ),
        pytest.param(
            [make_state("a", REFUSED), make_state("b", REFUSED), make_state("c", polled_at=NOW - 2 * HOUR)],
            "found",
            id="a third accepted it before",
        ),
        pytest.param(
            [make_state("a", REFUSED), make_state("b", REFUSED), make_state("c", SILENT)],
            "found",
            id="a third does not answer",
        ),
        pytest.param(
            [make_state("a", REFUSED), make_state("b", REFUSED), make_state("c", polled_at=None)],
            "found",
            id="a third not tried yet",
        ),
        pytest.param(
            [make_state("a", REFUSED), make_state("b", polled_at=None)], "undecided", id="one, the other not tried yet"
        ),
        pytest.param([make_state("a", polled_at=None)], "undecided", id="none tried"),
        pytest.param(
            [make_state("a", REFUSED, cloud="china"), make_state("b", REFUSED, cloud="china"), make_state("c")],
            "found",
            id="another cloud accepts its own",
        ),
        pytest.param([make_state("a", OWN_KEY), make_state("b", OWN_KEY)], "clear", id="keys of their own"),
        pytest.param([make_state("a", REFUSED), make_state("b", OWN_KEY)], "found", id="another with its own key"),
        pytest.param(
            [make_state("a", make_gap(Section.JOBS, GapReason.CREDENTIAL, subject="x")), make_state("b")],
            "clear",
            id="a single job is no sign",
        ),
    ],
)
def test_credential_failing(states, expected):
    assert on_data(CREDENTIAL, fleet(*states)) == expected


def test_credential_failing_tells_each_plane_apart():
    arm = make_gap(Section.DEPLOYMENTS, GapReason.CREDENTIAL, at=NOW - MINUTE)
    answers = ask(CREDENTIAL, fleet(make_state("a", arm), make_state("b", arm)))
    (finding,) = (a for a in answers if isinstance(a, Finding))

    assert finding.labels == {"cloud": "public", "plane": "arm"}
    assert finding.severity is Severity.CRITICAL
    assert finding.subject.kind is ResourceKind.CREDENTIAL
    assert "a, b" in finding.evidence


def test_min_accounts():
    view = fleet(make_state("a", REFUSED), make_state("b", REFUSED), make_state("c", SILENT))

    assert on_data(CredentialFailing(min_accounts=3), view) == "clear"
    assert on_data(AzureUnreachable(min_accounts=1), fleet(make_state("a", SILENT))) == "found"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param([], "nothing", id="no accounts"),
        pytest.param([make_state("a"), make_state("b")], "clear", id="all well"),
        pytest.param([make_state("a", SILENT)], "clear", id="a single account is no region"),
        pytest.param([make_state("a", SILENT), make_state("b", BROKEN)], "found", id="both"),
        pytest.param([make_state("a", SILENT), make_state("b")], "clear", id="one of two"),
        pytest.param(
            [make_state("a", SILENT), make_state("b", SILENT), make_state("c"), make_state("d")],
            "clear",
            id="just half",
        ),
        pytest.param([make_state("a", SILENT), make_state("b", SILENT), make_state("c")], "found", id="more than half"),
        pytest.param(
            [make_state("a", SILENT), make_state("b", location="eastus2")], "clear", id="other regions do not count"
        ),
        pytest.param([make_state("a", NO_ENDPOINT), make_state("b", NO_ENDPOINT)], "clear", id="without an address"),
        pytest.param([make_state("a", SINGLE), make_state("b", SINGLE)], "clear", id="single jobs are no sign"),
        pytest.param([make_state("a", THROTTLED), make_state("b", THROTTLED)], "clear", id="throttled is an answer"),
        pytest.param(
            [make_state("a", SILENT), make_state("b", polled_at=None)], "undecided", id="the other not tried yet"
        ),
        pytest.param(
            [make_state("a", SILENT), make_state("b", SILENT), make_state("c", polled_at=None)],
            "found",
            id="enough without the third",
        ),
    ],
)
def test_azure_unreachable(states, expected):
    assert on_data(UNREACHABLE, fleet(*states), "public swedencentral") == ("nothing" if not states else expected)


def test_azure_unreachable_words():
    (finding,) = evaluate_fleet([UNREACHABLE], fleet(make_state("a", SILENT), make_state("b", SILENT))).findings

    assert finding.labels == {"cloud": "public", "location": "swedencentral", "plane": "data"}
    assert finding.summary.endswith("for 2 of 2 accounts")
    assert finding.severity is Severity.CRITICAL


def test_a_credential_refused_for_metrics_hides_deletions_only():
    refused = make_gap(Section.METRICS, GapReason.CREDENTIAL, at=NOW - HOUR)
    (finding,) = evaluate_fleet([CREDENTIAL], fleet(make_state("a", refused))).findings

    assert "coming deletions cannot be seen" in finding.description
    assert "job" not in finding.description
