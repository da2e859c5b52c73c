from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.alert import Alert, AlertStatus, fingerprint
from watcher.alerts.lifecycle import NO_LONGER_FOUND, RULE_DISABLED, advance, cap
from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Cleared, Finding, FindingKind, Severity, Subject, Undecided

from .factories import ACCOUNT, DAY, HOUR, MINUTE, NOW, make_alert, make_finding, make_subject

LATER = NOW + HOUR
RULES = frozenset({"deployment_failed", "deployment_idle", "deployment_gone", "job_failed"})


def step(
    active: Iterable[Alert] = (),
    findings: Iterable[Finding] = (),
    undecided: Iterable[Undecided] = (),
    cleared: Iterable[Cleared] = (),
    **options: Any,
) -> tuple[Alert, ...]:
    return advance(
        tuple(active), findings, undecided, cleared, **{"rules": RULES, "account": ACCOUNT, "now": LATER, **options}
    )


def cannot_say(subject: Subject | None = None, rule: str = "deployment_failed", **changes: Any) -> Undecided:
    return Undecided(rule=rule, subject=subject, because="deployments were not read", since=NOW, **changes)


IDLE = make_finding(
    "deployment_idle",
    severity=Severity.INFO,
    step="7d",
    summary="chat is deleted in 6 d 3 h",
    action="send one request before 2026-11-25T09:00Z",
    evidence="last call 9 d ago, metrics 12 min old",
    values={"deletion_earliest": "2026-11-25T09:00:00Z", "idle_cost": 367.2, "hosting_per_hour": 1.7},
)


def idle(**changes: Any) -> Alert:
    return make_alert("deployment_idle", **{"severity": Severity.INFO, "step": "7d", **changes})


# Opening


def test_opens_a_condition_and_an_event() -> None:
    failed, gone = make_finding(), make_finding("deployment_gone")
    opened = step([], [failed, gone])
    assert {(a.finding.rule, a.status, a.starts_at, a.account) for a in opened} == {
        ("deployment_failed", AlertStatus.FIRING, LATER, ACCOUNT),
        ("deployment_gone", AlertStatus.FIRING, LATER, ACCOUNT),
    }


def test_an_event_is_opened_once_ever() -> None:
    failed = make_finding("job_failed")
    assert step([], [failed], known_events={fingerprint("job_failed", failed.subject)}) == ()


def test_of_two_findings_about_one_subject_the_loudest_stands() -> None:
    findings = [make_finding(severity=severity) for severity in (Severity.INFO, Severity.CRITICAL, Severity.WARNING)]
    (opened,) = step([], findings)
    assert opened.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("first_sight", "expected"),
    [
        pytest.param((), False, id="seen before"),
        pytest.param({ResourceKind.DEPLOYMENT}, True, id="this kind"),
        pytest.param({ResourceKind.JOB}, False, id="another kind"),
    ],
)
def test_first_sight_is_by_kind_of_resource(first_sight: set[ResourceKind], expected: bool) -> None:
    (opened,) = step([], [make_finding()], first_sight=first_sight)
    assert opened.is_first_sight is expected


# Lasting


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"summary": "chat is deleted in 6 d 2 h"}, id="time left in the summary"),
        pytest.param({"summary": "chat is deleted in 6 d"}, id="a whole number of days left"),
        pytest.param({"evidence": "last call 9 d ago, metrics just read"}, id="age of the evidence"),
        pytest.param({"values": {**IDLE.values, "idle_cost": 368.9}}, id="cost so far"),
        pytest.param({"labels": dict(reversed(IDLE.labels.items()))}, id="order of labels"),
    ],
)
def test_passing_time_writes_nothing(changes: dict[str, Any]) -> None:
    (alert,) = step([], [IDLE], now=NOW)
    assert step([alert], [replace(IDLE, **changes)]) == ()


@pytest.mark.parametrize(
    ("changes", "is_raised"),
    [
        pytest.param({"severity": Severity.WARNING}, False, id="severity rose at the same step"),
        pytest.param({"step": "3d"}, True, id="nearer step"),
        pytest.param({"step": "overdue"}, True, id="overdue"),
        pytest.param({"step": "14d"}, False, id="farther step"),
        pytest.param({"labels": {**IDLE.labels, "owner": "ads"}}, False, id="labels"),
        pytest.param({"summary": "chat was to be deleted 3 h ago"}, False, id="other words"),
        pytest.param({"values": {**IDLE.values, "deletion_earliest": "2026-11-26T09:00:00Z"}}, False, id="a time"),
        pytest.param({"values": {**IDLE.values, "hosting_per_hour": 2.0}}, False, id="a price"),
        pytest.param({"values": {**IDLE.values, "idle_cost": None}}, False, id="a figure is no longer known"),
    ],
)
def test_what_matters_is_taken_over(changes: dict[str, Any], is_raised: bool) -> None:
    (alert,) = step([], [IDLE], now=NOW)
    found = replace(IDLE, evidence="new", **changes)
    (changed,) = step([alert], [found])
    assert changed.finding == found
    assert (changed.id, changed.fingerprint, changed.starts_at) == (alert.id, alert.fingerprint, NOW)
    assert (changed.updated_at, changed.raised_at) == (LATER, LATER if is_raised else NOW)


def test_a_severity_that_rises_without_a_step_is_raised() -> None:
    (changed,) = step([make_alert(severity=Severity.INFO)], [make_finding(severity=Severity.CRITICAL)])
    assert (changed.severity, changed.raised_at) == (Severity.CRITICAL, LATER)


def test_a_severity_that_falls_raises_nothing() -> None:
    (changed,) = step([make_alert(severity=Severity.CRITICAL)], [make_finding(severity=Severity.INFO)])
    assert (changed.severity, changed.raised_at) == (Severity.INFO, NOW)


def test_a_countdown_that_is_put_off_and_comes_nearer_anew_is_raised_anew() -> None:
    (alert,) = step([], [IDLE], now=NOW)
    (near,) = step([alert], [replace(IDLE, step="1d")], now=NOW + DAY)
    (put_off,) = step([near], [replace(IDLE, step="7d")], now=NOW + 2 * DAY)
    (anew,) = step([put_off], [replace(IDLE, step="3d")], now=NOW + 3 * DAY)
    assert [one.raised_at for one in (near, put_off, anew)] == [NOW + DAY, NOW, NOW + 3 * DAY]


# Ending


@pytest.mark.parametrize(
    ("answers", "because"),
    [
        pytest.param({}, NO_LONGER_FOUND, id="no answer"),
        pytest.param(
            {"cleared": [Cleared(rule="deployment_failed", subject=make_subject(), because="succeeded")]},
            "succeeded",
            id="cleared",
        ),
        pytest.param({"rules": frozenset()}, RULE_DISABLED, id="rule disabled"),
        pytest.param(
            {"findings": [make_finding("deployment_gone", summary="chat was deleted by a person")]},
            "chat was deleted by a person",
            id="gone",
        ),
        pytest.param(
            {
                "undecided": [cannot_say()],
                "cleared": [Cleared(rule="deployment_failed", subject=make_subject(), because="succeeded")],
            },
            "succeeded",
            id="cleared, while the rule cannot say of others",
        ),
    ],
)
def test_ends_with_its_cause(answers: dict[str, Any], because: str) -> None:
    alert = make_alert()
    changed = step([alert], **answers)[0]
    assert (changed.id, changed.ends_at, changed.ended_because) == (alert.id, LATER, because)


def test_a_condition_that_comes_again_has_another_life() -> None:
    alert = make_alert()
    (again,) = step([], [make_finding()])
    assert (again.fingerprint, again.id == alert.id) == (alert.fingerprint, False)


@pytest.mark.parametrize(
    ("alert", "options"),
    [
        pytest.param(make_alert(account="other"), {}, id="of another account"),
        pytest.param(make_alert("job_failed"), {}, id="an event"),
        pytest.param(
            make_alert("metrics_stale"),
            {"enabled": RULES | {"metrics_stale"}},
            id="of a rule that was not asked this time",
        ),
    ],
)
def test_leaves_alone_what_it_cannot_judge(alert: Alert, options: dict[str, Any]) -> None:
    assert step([alert], **options) == ()


def test_rules_that_are_disabled_end_even_where_others_were_not_asked() -> None:
    (changed,) = step([make_alert("metrics_stale")], enabled=RULES)
    assert changed.ended_because == RULE_DISABLED


# Undecided


@pytest.mark.parametrize(
    "doubt", [pytest.param(cannot_say(), id="whole rule"), pytest.param(cannot_say(make_subject()), id="this subject")]
)
def test_undecided_marks_and_neither_ends_nor_opens(doubt: Undecided) -> None:
    alert = make_alert()
    (changed,) = step([alert], undecided=[doubt])
    assert changed == replace(alert, unverified_since=NOW, unverified_because="deployments were not read")
    assert step([changed], undecided=[doubt], now=LATER + HOUR) == ()
    assert step([], undecided=[doubt]) == ()


def test_doubt_about_another_subject_says_nothing_of_this_one() -> None:
    (changed,) = step([make_alert()], undecided=[cannot_say(make_subject("other"))])
    assert changed.ended_because == NO_LONGER_FOUND


def test_a_doubt_without_a_time_is_dated_when_met_and_keeps_its_date() -> None:
    doubt = replace(cannot_say(), since=None)
    (changed,) = step([make_alert()], undecided=[doubt])
    assert changed.unverified_since == LATER
    assert step([changed], undecided=[doubt], now=LATER + HOUR) == ()


def test_an_undecided_countdown_goes_on_along_its_last_evidence() -> None:
    alert = idle()
    last = replace(alert.finding, severity=Severity.WARNING, step="3d")
    (changed,) = step(
        [alert], undecided=[cannot_say(make_subject(), "deployment_idle", on_last_evidence=last)], now=NOW + 4 * DAY
    )
    assert (changed.severity, changed.finding.step) == (Severity.WARNING, "3d")
    assert (changed.raised_at, changed.unverified_since, changed.ends_at) == (NOW + 4 * DAY, NOW, None)


def test_is_verified_again_when_found_again() -> None:
    alert = replace(make_alert(), unverified_since=NOW, unverified_because="no metrics")
    (changed,) = step([alert], [make_finding()])
    assert (changed.unverified_since, changed.unverified_because) == (None, "")


# Critical environments


@pytest.mark.parametrize(
    ("environments", "labels", "kind", "expected"),
    [
        pytest.param((), {}, ResourceKind.DEPLOYMENT, Severity.CRITICAL, id="none named: everywhere counts"),
        pytest.param(
            ("production",), {"environment": "production"}, ResourceKind.DEPLOYMENT, Severity.CRITICAL, id="one"
        ),
        pytest.param(("production",), {"environment": "dev"}, ResourceKind.DEPLOYMENT, Severity.WARNING, id="another"),
        pytest.param(("production",), {}, ResourceKind.ACCOUNT, Severity.WARNING, id="no label"),
        pytest.param(("production",), {}, ResourceKind.REGION, Severity.CRITICAL, id="a region has no environment"),
        pytest.param(("production",), {}, ResourceKind.CREDENTIAL, Severity.CRITICAL, id="nor has a credential"),
        pytest.param(("production",), {}, ResourceKind.WATCHER, Severity.CRITICAL, id="nor has watcher"),
    ],
)
def test_cap(environments: tuple[str, ...], labels: dict[str, str], kind: ResourceKind, expected: Severity) -> None:
    finding = make_finding(severity=Severity.CRITICAL, labels=labels, subject=Subject(id="x", kind=kind))
    assert cap(finding, environments).severity is expected
    doubt = cap(cannot_say(on_last_evidence=finding), environments)
    assert doubt.on_last_evidence is not None and doubt.on_last_evidence.severity is expected


def test_cap_lowers_nothing_but_critical() -> None:
    assert cap(make_finding(severity=Severity.INFO), ["production"]).severity is Severity.INFO
    assert cap(cannot_say(), ["production"]) == cannot_say()


# Properties

_findings = st.builds(
    make_finding,
    st.sampled_from(sorted(RULES)),
    name=st.sampled_from("abc"),
    severity=st.sampled_from(Severity),
    step=st.sampled_from(["", "7d", "3d", "overdue"]),
    labels=st.dictionaries(st.sampled_from(["owner", "sku"]), st.sampled_from("xy")),
)
_doubts = st.builds(
    cannot_say,
    st.one_of(st.none(), st.builds(make_subject, st.sampled_from("abc"))),
    rule=st.sampled_from(sorted(RULES)),
    on_last_evidence=st.one_of(st.none(), _findings),
)
_cleared = st.builds(
    Cleared,
    rule=st.sampled_from(sorted(RULES)),
    subject=st.builds(make_subject, st.sampled_from("abc")),
    because=st.just("ok"),
)
_evaluations = st.tuples(st.lists(_findings, max_size=6), st.lists(_doubts, max_size=3), st.lists(_cleared, max_size=3))


@settings(deadline=None)
@given(st.lists(_evaluations, min_size=1, max_size=5))
def test_twice_is_once_and_lives_are_whole(
    evaluations: list[tuple[list[Finding], list[Undecided], list[Cleared]]],
) -> None:
    stored: dict[str, Alert] = {}
    for number, answers in enumerate(evaluations):
        now = NOW + number * MINUTE
        for repeat in (False, True):
            active = [a for a in stored.values() if a.status is AlertStatus.FIRING and not a.is_event]
            events = {a.fingerprint for a in stored.values() if a.is_event}
            changed = step(active, *answers, now=now + repeat * MINUTE / 2, known_events=events)
            assert not (repeat and changed), "the same again changes nothing"
            assert len({alert.id for alert in changed}) == len(changed)
            stored.update((alert.id, alert) for alert in changed)
        open_ = [a.fingerprint for a in stored.values() if a.status is AlertStatus.FIRING]
        assert len(open_) == len(set(open_)), "one open life, one event, for each fingerprint"
        found = {fingerprint(f.rule, f.subject) for f in answers[0] if f.kind is FindingKind.CONDITION}
        assert found <= set(open_)
        doubted = {u.rule for u in answers[1] if u.subject is None}
        cleared = {fingerprint(c.rule, c.subject) for c in answers[2]}
        for alert in stored.values():
            if alert.ends_at == now:
                assert alert.finding.rule not in doubted or alert.fingerprint in cleared


@given(st.permutations([("rule", "x"), ("owner", "y"), ("deployment", "z")]))
def test_fingerprint_ignores_labels_and_their_order(labels: list[tuple[str, str]]) -> None:
    finding = make_finding(labels=dict(labels))
    assert fingerprint(finding.rule, finding.subject) == make_alert().fingerprint


def test_a_name_that_holds_half_of_a_character_pair_has_a_fingerprint() -> None:
    subject = Subject(id="/accounts/a/deployments/\ud83d", kind=ResourceKind.DEPLOYMENT)
    assert len(fingerprint("deployment_idle", subject)) == 32
