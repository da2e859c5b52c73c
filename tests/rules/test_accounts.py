import pytest

from tests.factories import ACCOUNT, HOUR, MINUTE, NOW, SECOND, make_account, make_gap, make_reading, make_view
from tests.rules.ask import ask, cleared, found, the_finding
from watcher.resources.account import GONE
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.accounts import (
    REFUSED,
    UNREACHABLE,
    AccountForbidden,
    AccountThrottled,
    AccountUnreachable,
    MetricsStale,
)
from watcher.rules.finding import FindingKind, Severity, Undecided
from watcher.rules.itself import configuration_rejected
from watcher.rules.sight import REASONS

RULES = (AccountUnreachable(), AccountForbidden(), AccountThrottled(), MetricsStale())
JOB = "ftjob-1"


def told(view):
    return {(f.rule, f.labels["plane"]) for rule in RULES for f in found(rule, view)}


def gap(section, reason, age=HOUR, **changes):
    return make_gap(section, reason, at=NOW - age, **changes)


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        pytest.param([], set(), id="nothing wrong"),
        pytest.param([gap(Section.JOBS, GapReason.UNREACHABLE)], {("account_unreachable", "data")}, id="no answer"),
        pytest.param(
            [gap(Section.JOBS, GapReason.UNREACHABLE, SECOND * 0)], {("account_unreachable", "data")}, id="at once"
        ),
        pytest.param([gap(Section.DEPLOYMENTS, GapReason.BROKEN)], {("account_unreachable", "arm")}, id="5xx"),
        pytest.param([gap(Section.JOBS, GapReason.NOT_FOUND)], {("account_unreachable", "data")}, id="404"),
        pytest.param([gap(Section.JOBS, GapReason.INCOMPLETE)], {("account_unreachable", "data")}, id="incomplete"),
        pytest.param(
            [gap(Section.METRICS, GapReason.UNREACHABLE)],
            {("account_unreachable", "metrics")},
            id="metrics, read lately",
        ),
        *(
            pytest.param([gap(Section.JOBS, reason)], {("account_forbidden", "data")}, id=reason.value)
            for reason in (
                GapReason.ROLE,
                GapReason.NETWORK,
                GapReason.KEY,
                GapReason.KEYS_DISABLED,
                GapReason.BLOCKED,
                GapReason.FORBIDDEN,
                GapReason.CREDENTIAL,
            )
        ),
        pytest.param(
            [gap(Section.ACCOUNT, GapReason.ROLE), gap(Section.DEPLOYMENTS, GapReason.ROLE)],
            {("account_forbidden", "arm")},
            id="one alert a plane",
        ),
        pytest.param(
            [gap(Section.JOBS, GapReason.ROLE), gap(Section.METRICS, GapReason.ROLE)],
            {("account_forbidden", "data"), ("account_forbidden", "metrics")},
            id="two planes",
        ),
        pytest.param(
            [gap(Section.JOBS, GapReason.THROTTLED, SECOND * 0)], {("account_throttled", "data")}, id="throttled"
        ),
        pytest.param(
            [gap(Section.JOBS, GapReason.NO_ENDPOINT)], {("account_unreachable", "data")}, id="no usable address"
        ),
        pytest.param(
            [gap(Section.DEPLOYMENTS, GapReason.ROLE, subject="/d/x")],
            {("account_forbidden", "arm")},
            id="one deployment",
        ),
        pytest.param(
            [gap(Section.JOBS, GapReason.BROKEN, HOUR - SECOND, subject=JOB)], set(), id="one job's events, lately"
        ),
        pytest.param(
            [gap(Section.JOBS, GapReason.BROKEN, subject=JOB)],
            {("account_unreachable", "data")},
            id="one job's, for long",
        ),
    ],
)
def test_which_rule_tells_of_a_gap(gaps, expected):
    assert told(make_view(gaps=gaps)) == expected


@pytest.mark.parametrize(
    ("reason", "read", "age", "expected"),
    [
        pytest.param(GapReason.UNREACHABLE, 4 * HOUR, 3 * HOUR - SECOND, False, id="not for long"),
        pytest.param(GapReason.UNREACHABLE, 4 * HOUR, 3 * HOUR, True, id="for three hours"),
        pytest.param(GapReason.THROTTLED, 4 * HOUR, 3 * HOUR, True, id="throttled"),
        pytest.param(GapReason.UNREACHABLE, 13 * HOUR, HOUR, False, id="read seldom, and due an hour ago"),
        pytest.param(
            GapReason.UNREACHABLE, 15 * HOUR, MINUTE, True, id="by changing reasons, far past the longest wait"
        ),
        pytest.param(GapReason.ROLE, 9 * HOUR, 9 * HOUR, False, id="refused"),
        pytest.param(GapReason.CREDENTIAL, 9 * HOUR, 9 * HOUR, False, id="credential refused"),
        pytest.param(GapReason.BROKEN, None, 3 * HOUR - SECOND, False, id="never read, not for long"),
        pytest.param(GapReason.BROKEN, None, 3 * HOUR, True, id="never read"),
    ],
)
def test_metrics_are_stale_three_hours_after_they_were_due_unless_refused(reason, read, age, expected):
    reading = make_reading(usage_at=None if read is None else NOW - read, gaps=[gap(Section.METRICS, reason, age)])

    assert bool(found(MetricsStale(), make_view(reading=reading, cadence={Section.METRICS: HOUR}))) is expected


@pytest.mark.parametrize(("age", "expected"), [(15 * MINUTE - SECOND, False), (15 * MINUTE, True)])
def test_what_answers_404_may_be_an_account_that_is_gone_until_discovery_had_its_turn(age, expected):
    gaps = [gap(section, GapReason.NOT_FOUND, age) for section in (Section.JOBS, Section.DEPLOYMENTS, Section.METRICS)]
    planes = {("account_unreachable", plane) for plane in ("arm", "data", "metrics")}
    assert told(make_view(gaps=gaps)) == (planes if expected else set())
    assert told(make_view(gaps=gaps, is_single_pass=True)) == planes  # which has discovered just before


@pytest.mark.parametrize("reason", [GapReason.NOT_FOUND, GapReason.ROLE, GapReason.THROTTLED])
def test_nothing_is_out_of_sight_in_an_account_that_is_gone(reason):
    gaps = [gap(section, reason, 9 * HOUR) for section in (Section.JOBS, Section.METRICS)]
    view = make_view(account=make_account(provisioning_state=GONE), gaps=gaps)
    assert told(view) == set()
    assert {answer.because for rule in RULES for answer in cleared(rule, view)} == {"its account is gone"}


def test_an_alert_stands_while_404_takes_the_place_of_another_failure():
    jobs = gap(Section.JOBS, GapReason.NOT_FOUND, MINUTE)
    view = make_view(gaps=[jobs], closed_gaps=(gap(Section.JOBS, GapReason.BROKEN),))
    (doubt,) = (answer for answer in ask(AccountUnreachable(), view) if answer.subject.incarnation == "data")
    assert isinstance(doubt, Undecided)
    assert (doubt.because, doubt.since) == (
        "its address answers 404, and whether the account is gone is being looked up",
        jobs.at,
    )


@pytest.mark.parametrize(("section", "is_told"), [(Section.METRICS, True), (Section.JOBS, False)])
def test_unread_metrics_say_what_that_means_for_idle_clocks(section, is_told):
    finding = the_finding(AccountUnreachable(), make_view(gaps=[gap(section, GapReason.BROKEN)]))
    assert ("no new idle warning fires" in finding.description) is is_told


def test_old_metrics_without_a_gap_are_only_not_due():
    assert not found(MetricsStale(), make_view(reading=make_reading(usage_at=NOW - 9 * HOUR)))


@pytest.mark.parametrize(
    ("section", "reason", "expected"),
    [
        (Section.JOBS, GapReason.ROLE, "--role 'Cognitive Services OpenAI User' --scope " + ACCOUNT.id),
        (Section.DEPLOYMENTS, GapReason.ROLE, "--role Reader --scope " + ACCOUNT.id),
        (Section.METRICS, GapReason.ROLE, "--role 'Monitoring Reader' --scope " + ACCOUNT.id),
        (Section.JOBS, GapReason.NETWORK, "private endpoint"),
        (Section.JOBS, GapReason.KEYS_DISABLED, "disableLocalAuth"),
        (Section.JOBS, GapReason.KEY, "api_key_env or api_key_file"),
        (Section.JOBS, GapReason.BLOCKED, "support request"),
        (Section.JOBS, GapReason.CREDENTIAL, "check-config --online"),
        (Section.JOBS, GapReason.FORBIDDEN, "does not say why"),
    ],
)
def test_each_refusal_names_its_cure(section, reason, expected):
    assert expected in the_finding(AccountForbidden(), make_view(gaps=[gap(section, reason)])).action


def test_words_and_identity():
    view = make_view(gaps=[gap(Section.JOBS, GapReason.ROLE, 90 * MINUTE, status=403, request_id="req-1")])
    finding = the_finding(AccountForbidden(), view)

    assert finding.kind is FindingKind.CONDITION
    assert finding.severity is Severity.WARNING
    assert (finding.subject.id, finding.subject.kind, finding.subject.incarnation) == (
        ACCOUNT.key,
        ResourceKind.ACCOUNT,
        "data",
    )
    assert "the service's own words." in finding.description
    assert "unread since 2026-11-22 06:30 UTC (1 h 30 min ago): role, HTTP 403, request req-1" in finding.evidence


@pytest.mark.parametrize(
    ("names", "said"),
    [(["a"], " for a: "), (["a", "b"], " for a, b: "), (["a", "b", "c", "d", "e"], " for a, b, c and 2 more: ")],
)
def test_what_a_list_lacks_without_a_word_is_told_by_name(names, said):
    gaps = [gap(Section.DEPLOYMENTS, GapReason.ROLE, subject=f"/subscriptions/1/deployments/{name}") for name in names]
    summary = the_finding(AccountForbidden(), make_view(gaps=gaps)).summary
    assert summary == f"contoso-ft refuses watcher on the control plane (deployments){said}a role is missing"
    whole = the_finding(AccountForbidden(), make_view(gaps=[*gaps, gap(Section.ACCOUNT, GapReason.ROLE)])).summary
    assert " for " not in whole


def test_clears_with_how_long_it_was_unread():
    closed = gap(Section.JOBS, GapReason.UNREACHABLE, 190 * MINUTE)
    (data,) = (
        c for c in cleared(AccountUnreachable(), make_view(closed_gaps=(closed,))) if c.subject.incarnation == "data"
    )

    assert data.because == "readable again since 2026-11-22 08:00 UTC; unread for 3 h 10 min"


def test_clears_when_the_cause_changes():
    view = make_view(gaps=[gap(Section.JOBS, GapReason.ROLE)])
    (data,) = (c for c in cleared(AccountUnreachable(), view) if c.subject.incarnation == "data")

    assert data.because == "the cause has changed: a role is missing"


def test_says_nothing_of_a_plane_never_read_and_without_a_gap():
    reading = make_reading(jobs=None, deployments=None, usage=None)

    assert not any(ask(rule, make_view(reading=reading)) for rule in RULES)


def test_options_delay():
    view = make_view(
        gaps=[gap(Section.JOBS, GapReason.UNREACHABLE, 5 * MINUTE), gap(Section.METRICS, GapReason.ROLE, MINUTE)]
    )

    assert not found(AccountUnreachable(after=6 * MINUTE), view)
    assert not found(AccountForbidden(after=6 * MINUTE), view)
    assert found(AccountUnreachable(after=5 * MINUTE), view)


def test_a_rejected_configuration_is_one_condition_of_the_watcher():
    finding = configuration_rejected("route.receiver: unknown\nrules.x: unknown", "/etc/watcher/config.toml", NOW)

    assert finding.rule == "configuration_rejected"
    assert finding.subject == configuration_rejected("other", "/elsewhere", NOW + HOUR).subject
    assert finding.subject.kind is ResourceKind.WATCHER
    assert (
        finding.summary
        == "The configuration /etc/watcher/config.toml was refused: route.receiver: unknown (and 1 more)"
    )
    assert "rules.x: unknown" in finding.description


def test_an_account_without_an_address_is_told_how_to_give_it_one():
    finding = the_finding(AccountUnreachable(), make_view(gaps=[gap(Section.JOBS, GapReason.NO_ENDPOINT)]))
    assert "no usable data-plane address" in finding.summary
    assert "`endpoint = " in finding.action
    assert "[[azure.accounts]]" in finding.action


def test_every_reason_has_its_words():
    assert set(REASONS) == set(GapReason)


def test_throttling_may_be_told_later():
    view = make_view(gaps=[gap(Section.JOBS, GapReason.THROTTLED, 10 * MINUTE - SECOND)])
    assert not found(AccountThrottled(after=10 * MINUTE), view)


FILES_EVERY = {Section.FILES: 2 * HOUR}


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        pytest.param(
            [gap(Section.TRAINING, GapReason.BROKEN, 20 * HOUR, subject=JOB)], set(), id="the inside of one job"
        ),
        pytest.param(
            [gap(Section.TRAINING, GapReason.ROLE, 20 * HOUR, subject=JOB)], set(), id="the inside of one job, refused"
        ),
        pytest.param(
            [gap(Section.JOBS, GapReason.UNREACHABLE), gap(Section.FILES, GapReason.BROKEN)],
            {("account_unreachable", "data")},
            id="jobs and files",
        ),
        pytest.param(
            [
                gap(Section.JOBS, GapReason.UNREACHABLE),
                gap(Section.FILES, GapReason.THROTTLED, 9 * HOUR),
                gap(Section.MODELS, GapReason.ROLE),
            ],
            {("account_unreachable", "data")},
            id="each for another reason: that of the jobs tells",
        ),
        pytest.param([gap(Section.FILES, GapReason.ROLE, MINUTE)], {("account_forbidden", "data")}, id="files refused"),
        pytest.param([gap(Section.FILES, GapReason.UNREACHABLE, HOUR - SECOND)], set(), id="files, not for long yet"),
        pytest.param(
            [gap(Section.FILES, GapReason.UNREACHABLE, HOUR)],
            {("account_unreachable", "data")},
            id="files, tried again and again in vain",
        ),
        pytest.param(
            [gap(Section.MODELS, GapReason.UNREACHABLE, HOUR)],
            {("account_unreachable", "data")},
            id="models, though they are read seldom",
        ),
        pytest.param(
            [gap(Section.FILES, GapReason.BROKEN, 2 * HOUR - SECOND, subject="file-1")],
            set(),
            id="one file, not yet looked at again",
        ),
        pytest.param([gap(Section.FILES, GapReason.THROTTLED, HOUR - SECOND)], set(), id="files throttled"),
        pytest.param(
            [gap(Section.FILES, GapReason.THROTTLED, HOUR)],
            {("account_throttled", "data")},
            id="files throttled for long",
        ),
    ],
)
def test_what_is_read_along_on_the_data_plane_makes_no_second_alert(gaps, expected):
    assert told(make_view(gaps=gaps, cadence=FILES_EVERY)) == expected


def test_the_summary_names_what_is_unread_and_nothing_else():
    files = the_finding(AccountForbidden(), make_view(gaps=[gap(Section.FILES, GapReason.ROLE)]))
    both = [gap(Section.FILES, GapReason.ROLE, 9 * HOUR), gap(Section.JOBS, GapReason.ROLE)]
    jobs = the_finding(AccountForbidden(), make_view(gaps=both))

    assert files.summary == "contoso-ft refuses watcher on the data plane (files): a role is missing"
    assert "never read so far" in files.evidence  # though its jobs were
    assert jobs.summary == "contoso-ft refuses watcher on the data plane (fine-tuning jobs, files): a role is missing"


def test_jobs_that_are_readable_again_clear_though_files_are_refused():
    refused = gap(Section.FILES, GapReason.ROLE)
    closed = gap(Section.JOBS, GapReason.UNREACHABLE, 30 * MINUTE)
    (data,) = (
        answer
        for answer in cleared(AccountUnreachable(), make_view(gaps=[refused], closed_gaps=(closed,)))
        if answer.subject.incarnation == "data"
    )

    assert data.because == "readable again since 2026-11-22 08:00 UTC; unread for 30 min"


def test_files_that_are_readable_again_are_dated_by_themselves():
    closed = gap(Section.FILES, GapReason.UNREACHABLE, 9 * HOUR)
    reading = make_reading(files=(), files_at=NOW - 2 * HOUR)
    (data,) = (
        answer
        for answer in cleared(AccountUnreachable(), make_view(reading=reading, closed_gaps=(closed,)))
        if answer.subject.incarnation == "data"
    )

    assert data.because == "readable again since 2026-11-22 06:00 UTC; unread for 7 h"


GROUP = "-g rg-ml -n contoso-ft --subscription sub-1"


@pytest.mark.parametrize(
    ("section", "reason", "expected"),
    [
        (Section.JOBS, GapReason.UNREACHABLE, "%{http_code}\\n' https://contoso-ft.openai.azure.com\n"),
        (Section.DEPLOYMENTS, GapReason.UNREACHABLE, "Azure Resource Manager of this cloud"),
        (Section.METRICS, GapReason.UNREACHABLE, "Azure Monitor of this cloud"),
        (Section.JOBS, GapReason.BROKEN, "an error of its own"),
        (Section.JOBS, GapReason.NOT_FOUND, f"az cognitiveservices account show {GROUP}"),
        (Section.METRICS, GapReason.INCOMPLETE, "cannot be followed to the end"),
        (Section.JOBS, GapReason.NO_ENDPOINT, "`endpoint = "),
    ],
)
def test_each_silence_names_its_cure(section, reason, expected):
    assert expected in the_finding(AccountUnreachable(), make_view(gaps=[gap(section, reason)])).action


@pytest.mark.parametrize("reasons", [UNREACHABLE - {GapReason.UNREACHABLE}, REFUSED], ids=["silent", "refused"])
def test_no_two_reasons_have_the_same_cure(reasons):
    actions = {
        found(rule, make_view(gaps=[gap(Section.JOBS, reason)]))[0].action
        for reason in reasons
        for rule in RULES
        if found(rule, make_view(gaps=[gap(Section.JOBS, reason)]))
    }

    assert len(actions) == len(reasons)


def test_a_firewall_is_opened_by_a_command():
    action = the_finding(AccountForbidden(), make_view(gaps=[gap(Section.JOBS, GapReason.NETWORK)])).action

    assert f"az cognitiveservices account network-rule list {GROUP}\n" in action
    assert f'az cognitiveservices account network-rule add {GROUP} --ip-address "<outgoing' in action


@pytest.mark.parametrize("section", [Section.JOBS, Section.FILES, Section.MODELS])
def test_the_data_plane_asks_for_a_reader_of_openai_or_a_role_of_ones_own(section):
    action = the_finding(AccountForbidden(), make_view(gaps=[gap(section, GapReason.ROLE)])).action

    assert "'Cognitive Services OpenAI User'" in action
    assert "Microsoft.CognitiveServices/accounts/OpenAI/*/read" in action
