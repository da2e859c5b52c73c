from dataclasses import replace

import pytest

from tests.factories import HOUR, MINUTE, NOW, make_gap, make_state, make_view
from tests.rules.ask import ask, cleared, found
from watcher.alerts.alert import open_alert
from watcher.alerts.inhibition import DEFAULT_INHIBITIONS, Inhibitor
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.accounts import AccountForbidden, AccountThrottled, AccountUnreachable, MetricsStale
from watcher.rules.finding import Cleared, Finding, Severity, Subject, Undecided
from watcher.rules.fleet import AzureUnreachable, CredentialFailing
from watcher.rules.rule import Fleet, evaluate, evaluate_fleet

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
    """What the rule says of the data plane, of the first or the named cloud or region; a credential is one for all."""
    answers = [a for a in ask(rule, view) if a.subject.incarnation in ("data", "")]
    answers = [a for a in answers if subject is None or a.subject.id == subject]
    return NAMES[type(answers[0])] if answers else "nothing"


def test_accounts_of_no_known_region_are_no_sign_of_an_outage_in_all_of_them():
    nowhere = fleet(make_state("a", SILENT, location=""), make_state("b", SILENT, location=""))

    assert found(UNREACHABLE, nowhere) == []


def test_an_outage_that_discovery_met_ends_with_its_cause():
    """Be it that no account was known before, or that none is known yet: no region was ever hit."""
    assert [a.because for a in cleared(UNREACHABLE, fleet())] == ["discovery, or an account, has had an answer since"]
    (arm,) = (
        a
        for a in cleared(UNREACHABLE, fleet(make_state("a")))
        if a.subject == Subject(id="public", kind=ResourceKind.REGION, incarnation="arm")
    )
    said = "Azure answers again on the control plane (accounts and deployments) for 1 of 1 account"
    assert arm.because == said


def test_an_outage_of_all_regions_ends_with_how_many_answer():
    states = (
        make_state("a", SILENT),
        make_state("b", SILENT),
        make_state("c", location="westeurope"),
        make_state("d", location="westeurope"),
    )
    (everywhere,) = (
        a for a in cleared(UNREACHABLE, fleet(*states)) if a.subject.id == "public" and a.subject.incarnation == "data"
    )
    assert everywhere.because == "Azure answers again on the data plane (fine-tuning jobs) for 2 of 4 accounts"


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


ARM = make_gap(Section.DEPLOYMENTS, GapReason.CREDENTIAL, at=NOW - MINUTE)
METRICS = make_gap(Section.METRICS, GapReason.CREDENTIAL, at=NOW - MINUTE)
FILES = make_gap(Section.FILES, GapReason.CREDENTIAL, at=NOW - HOUR)


def test_a_credential_that_one_plane_refuses_is_told_of_that_plane():
    (finding,) = evaluate_fleet([CREDENTIAL], fleet(make_state("a", ARM), make_state("b", ARM))).findings

    assert finding.labels == {"cloud": "public", "plane": "arm"}
    assert finding.severity is Severity.CRITICAL
    assert finding.subject.kind is ResourceKind.CREDENTIAL
    assert "a, b" in finding.evidence


def test_a_credential_that_all_planes_refuse_is_told_once():
    states = [make_state(name, ARM, REFUSED, METRICS) for name in ("a", "b", "c")]
    (finding,) = evaluate_fleet([CREDENTIAL], fleet(*states)).findings

    assert finding.labels == {"cloud": "public", "plane": "arm,data,metrics"}
    assert finding.values["accounts"] == 3
    assert finding.values["planes"] == "arm,data,metrics"
    assert finding.occurred_at == NOW - HOUR
    assert finding.description.count("the service's own words") == 1
    assert "no job that fails" in finding.description
    assert "coming deletions" in finding.description


def test_the_planes_may_change_while_the_alert_stays_the_same():
    before, after = (
        evaluate_fleet([CREDENTIAL], fleet(*(make_state(name, *gaps) for name in "ab"))).findings[0]
        for gaps in ([REFUSED], [REFUSED, ARM])
    )

    assert before.subject == after.subject


def test_a_plane_that_has_not_been_asked_since_does_not_accept():
    """Metrics are read seldom: that jobs were read meanwhile says nothing of the credential there."""
    read_before = replace(make_state("c"), usage_at=NOW - 2 * HOUR)
    refused = [make_state(name, METRICS) for name in ("a", "b")]

    assert evaluate_fleet([CREDENTIAL], fleet(*refused, read_before)).findings
    assert not evaluate_fleet([CREDENTIAL], fleet(*refused, make_state("c"))).findings


def test_a_plane_that_has_refused_it_once_goes_with_those_that_refuse_it_for_sure():
    """Else the first account whose metrics are due would raise an alert of its own, which nothing holds back."""
    unasked = replace(make_state("b", REFUSED), usage_at=NOW - 9 * HOUR)
    (finding,) = evaluate_fleet([CREDENTIAL], fleet(make_state("a", REFUSED, METRICS), unasked)).findings

    assert finding.labels["plane"] == "data,metrics"


def test_files_and_models_say_nothing_of_a_plane():
    """They are read seldom: their gaps stay open for hours after the plane has mended."""
    silent = make_gap(Section.MODELS, GapReason.UNREACHABLE, at=NOW - HOUR)
    view = fleet(make_state("a", FILES, silent), make_state("b", FILES, silent))

    assert not evaluate_fleet([CREDENTIAL, UNREACHABLE], view).findings
    accepted = fleet(make_state("a", REFUSED), make_state("b", REFUSED), make_state("c", FILES))
    assert not evaluate_fleet([CREDENTIAL], accepted).findings


def alerts_of(states):
    """All alerts that the rules about accounts and about all of them raise, and those that nothing holds back."""
    found = list(evaluate_fleet([CREDENTIAL, UNREACHABLE], fleet(*states)).findings)
    rules = (AccountForbidden(), AccountUnreachable(), AccountThrottled(), MetricsStale())
    for state in states:
        found += evaluate(rules, make_view(account=state.account, gaps=state.gaps, now=NOW)).findings
    alerts = [open_alert(finding, account="", now=NOW) for finding in found]
    inhibitor = Inhibitor(DEFAULT_INHIBITIONS, alerts)
    return alerts, [alert for alert in alerts if inhibitor.inhibited_by(alert) is None]


def test_an_expired_secret_over_forty_accounts_is_one_alert():
    gaps = (REFUSED, ARM, METRICS, FILES, replace(FILES, section=Section.MODELS))
    alerts, heard = alerts_of([make_state(f"a-{number}", *gaps) for number in range(40)])

    assert len(alerts) > 100
    assert [alert.finding.rule for alert in heard] == ["credential_failing"]
    assert "by 40 accounts" in heard[0].finding.summary


def test_an_expired_secret_holds_back_nothing_on_a_plane_that_it_still_opens():
    role = make_gap(Section.METRICS, GapReason.ROLE, at=NOW - HOUR)
    _, heard = alerts_of([make_state("a", REFUSED, ARM, role), make_state("b", REFUSED, ARM)])

    assert [(a.finding.rule, a.finding.labels["plane"]) for a in heard] == [
        ("credential_failing", "arm,data"),
        ("account_forbidden", "metrics"),
    ]


def test_an_outage_of_a_region_is_one_alert_a_plane():
    arm = make_gap(Section.DEPLOYMENTS, GapReason.BROKEN, at=NOW - 9 * HOUR)
    metrics = make_gap(Section.METRICS, GapReason.UNREACHABLE, at=NOW - 9 * HOUR)
    files = make_gap(Section.FILES, GapReason.UNREACHABLE, at=NOW - 9 * HOUR)
    dark = [make_state(f"a-{number}", SILENT, arm, metrics, files) for number in range(40)]
    _, heard = alerts_of([*dark, *(make_state(f"b-{number}", location="eastus2") for number in range(40))])

    assert sorted((a.finding.rule, a.finding.labels["plane"]) for a in heard) == [
        ("azure_unreachable", "arm"),
        ("azure_unreachable", "data"),
        ("azure_unreachable", "metrics"),
    ]


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


def test_a_plane_that_is_read_later_says_nothing_more_of_a_dead_credential():
    """The metrics are asked seconds after the rest: an account's own word of them must not overtake the common one."""
    early = [make_state(name, REFUSED, ARM) for name in ("a", "b")]
    (told,) = evaluate_fleet([CREDENTIAL], fleet(*early)).findings
    view = make_view(account=early[0].account, gaps=(REFUSED, ARM, METRICS), now=NOW)
    own = [open_alert(finding, account="", now=NOW) for finding in evaluate([AccountForbidden()], view).findings]
    alerts = [open_alert(told, account="", now=NOW), *own]

    assert told.labels["plane"] == "arm,data"
    assert {alert.labels["plane"] for alert in own} == {"arm", "data", "metrics"}
    assert all(Inhibitor(DEFAULT_INHIBITIONS, alerts).inhibited_by(alert) for alert in own)


def test_a_missing_role_is_told_while_the_credential_fails():
    role = make_gap(Section.DEPLOYMENTS, GapReason.ROLE, at=NOW - HOUR)
    _, heard = alerts_of([make_state("a", REFUSED, role), make_state("b", REFUSED, ARM)])

    assert ("account_forbidden", "arm") in [(a.finding.rule, a.finding.labels["plane"]) for a in heard]


def dark(name, *, minutes, **changes):
    return make_state(name, make_gap(Section.JOBS, GapReason.UNREACHABLE, at=NOW - minutes * MINUTE), **changes)


def lit(name, *, minutes, **changes):
    return make_state(name, polled_at=NOW - minutes * MINUTE, **changes)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param([dark("a", minutes=1), dark("b", minutes=1)], "found", id="two, and many answered before"),
        pytest.param([dark("a", minutes=1)], "clear", id="one"),
        pytest.param(
            [dark("a", minutes=2), dark("b", minutes=1), lit("c", minutes=0), lit("d", minutes=0)],
            "clear",
            id="as many have answered since",
        ),
        pytest.param(
            [dark("a", minutes=5000), dark("b", minutes=1), dark("c", minutes=1), lit("d", minutes=9)],
            "found",
            id="a third was dead long before, for a reason of its own",
        ),
        pytest.param(
            [dark("a", minutes=5000), dark("b", minutes=1), lit("c", minutes=9)], "clear", id="one of the two dead long"
        ),
    ],
)
def test_what_answered_before_the_silence_says_nothing_of_it(states, expected):
    others = [lit(f"before-{number}", minutes=8) for number in range(10)]

    assert on_data(UNREACHABLE, fleet(*states, *others), "public swedencentral") == expected


def test_a_silence_of_a_part_says_how_many_were_asked():
    states = [dark("a", minutes=1), dark("b", minutes=1), lit("c", minutes=8)]
    (finding,) = evaluate_fleet([UNREACHABLE], fleet(*states)).findings

    assert finding.summary.endswith("for 2 of 2 accounts asked since it began")
    assert "a, b;" in finding.evidence


EVERYWHERE = [dark(name, minutes=1) for name in "ab"] + [dark(name, minutes=1, location="eastus2") for name in "cd"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param([], {""}, id="every region"),
        pytest.param([dark("e", minutes=1, location="westus")], {""}, id="a region with a single account"),
        pytest.param([lit("e", minutes=9, location="westus")], {"swedencentral", "eastus2"}, id="one not asked since"),
        pytest.param([lit("e", minutes=0, location="westus")], {"swedencentral", "eastus2"}, id="one answers"),
        pytest.param([make_state("e", NO_ENDPOINT, location="westus")], {""}, id="one without a say"),
        pytest.param([make_state("e", location="")], {""}, id="one of no known region"),
        pytest.param([dark("e", minutes=1, cloud="china")], {""}, id="another cloud"),
    ],
)
def test_a_plane_that_is_silent_in_every_region_is_told_once(more, expected):
    found = evaluate_fleet([UNREACHABLE], fleet(*EVERYWHERE, *more)).findings

    assert {finding.labels.get("location", "") for finding in found} == expected
    assert len(found) == len(expected)


def test_a_single_account_in_each_of_two_regions_is_no_cloud():
    assert not evaluate_fleet([UNREACHABLE], fleet(EVERYWHERE[0], EVERYWHERE[2])).findings


def test_a_cloud_that_is_silent_holds_back_what_its_accounts_say():
    _, heard = alerts_of(EVERYWHERE)

    assert [(a.finding.rule, a.finding.labels.get("location")) for a in heard] == [("azure_unreachable", None)]
    assert "(public) in all 2 regions" in heard[0].finding.summary


def test_a_silence_of_all_regions_ends_where_one_answers_and_is_undecided_where_one_is_untried():
    answers = {a.subject.id: a for a in ask(UNREACHABLE, fleet(*EVERYWHERE)) if a.subject.incarnation == "data"}
    assert isinstance(answers["public"], Finding)
    assert "told as one" in answers["public eastus2"].because
    one_answers = fleet(*EVERYWHERE, lit("e", minutes=0, location="westus"))
    answers = {a.subject.id: a for a in ask(UNREACHABLE, one_answers) if a.subject.incarnation == "data"}
    assert isinstance(answers["public"], Cleared)
    new = make_state("e", polled_at=None, location="westus")
    answers = {a.subject.id: a for a in ask(UNREACHABLE, fleet(*EVERYWHERE, new)) if a.subject.incarnation == "data"}
    assert isinstance(answers["public"], Undecided)
