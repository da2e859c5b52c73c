from datetime import timedelta

import pytest

from tests.factories import DAY, HOUR, MODEL, NOW, SECOND, make_deployment, make_end, make_gap, make_usage, make_view
from tests.rules.ask import ask, cleared, found, the_doubt, the_finding, verdict
from watcher.resources.changes import Change
from watcher.resources.deployment import ProvisioningState
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.deployments import DeploymentExpiring, DeploymentFailed
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.gone import DeploymentGone
from watcher.rules.rule import deployment_subject

EXPIRING, FAILED, GONE = DeploymentExpiring(), DeploymentFailed(), DeploymentGone()


def developer_view(left=2 * HOUR, *, gaps=(), **changes):
    created = NOW + left - 24 * HOUR
    return make_view(
        deployments=[make_deployment(**{"sku": "DeveloperTier", "created_at": created, **changes})], gaps=gaps
    )


@pytest.mark.parametrize(
    ("left", "step", "severity"),
    [
        (4 * HOUR + SECOND, None, None),
        (4 * HOUR, "4h", Severity.INFO),
        (HOUR + SECOND, "4h", Severity.INFO),
        (HOUR, "1h", Severity.WARNING),
        (timedelta(), "1h", Severity.WARNING),
        (-SECOND, "overdue", Severity.WARNING),
    ],
)
def test_expiring_steps(left, step, severity):
    findings = found(EXPIRING, developer_view(left))

    assert [(f.step, f.severity) for f in findings] == ([] if step is None else [(step, severity)])


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(make_view(), "none", id="empty account"),
        pytest.param(make_view(deployments=None), "undecided", id="never read"),
        pytest.param(developer_view(sku="Standard"), "none", id="standard"),
        pytest.param(developer_view(model="gpt-4o-mini"), "none", id="base model"),
        pytest.param(developer_view(sku="developer"), "found", id="another spelling"),
        pytest.param(developer_view(created_at=None), "undecided", id="creation unknown"),
        pytest.param(developer_view(provisioning_state=ProvisioningState.DELETING), "none", id="being deleted"),
        pytest.param(developer_view(gaps=[make_gap(Section.DEPLOYMENTS)]), "undecided", id="gap"),
        pytest.param(developer_view(gaps=[make_gap(Section.METRICS)]), "found", id="metrics gap does not matter"),
    ],
)
def test_expiring_verdicts(view, expected):
    assert verdict(EXPIRING, view) == expected


def test_expiring_goes_on_along_its_last_evidence():
    doubt = the_doubt(EXPIRING, developer_view(30 * 60 * SECOND, gaps=[make_gap(Section.DEPLOYMENTS)]))

    assert doubt.on_last_evidence.step == "1h"


def test_expiring_words():
    finding = the_finding(EXPIRING, developer_view(90 * 60 * SECOND))

    assert finding.summary == (
        "Developer deployment support-bot in contoso-ft is subject to removal in 1 h 30 min (2026-11-22 09:30 UTC)"
    )
    assert finding.values["deletion_earliest"] == "2026-11-22T09:30:00Z"
    assert finding.values["hosting_per_hour"] == 0.0
    assert "--sku-name GlobalStandard" in finding.action
    assert "at any moment: its 24 h ended" in the_finding(EXPIRING, developer_view(-HOUR)).summary


def failed_view(failure="Quota exceeded.", *, gaps=(), **changes):
    state = {"provisioning_state": ProvisioningState.FAILED, "failure": failure}
    return make_view(deployments=[make_deployment(**{**state, **changes})], gaps=gaps)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(make_view(), "none", id="empty account"),
        pytest.param(make_view(deployments=None), "undecided", id="never read"),
        pytest.param(failed_view(), "found", id="failed"),
        pytest.param(failed_view(model="gpt-4o-mini"), "none", id="base model"),
        pytest.param(failed_view(provisioning_state=ProvisioningState.CANCELED), "none", id="canceled"),
        pytest.param(failed_view(provisioning_state=ProvisioningState.UNKNOWN), "none", id="unknown state"),
        pytest.param(failed_view(gaps=[make_gap(Section.DEPLOYMENTS)]), "undecided", id="gap"),
        pytest.param(
            failed_view(provisioning_state=ProvisioningState.SUCCEEDED, gaps=[make_gap(Section.DEPLOYMENTS)]),
            "none",
            id="well when last seen",
        ),
    ],
)
def test_failed_verdicts(view, expected):
    assert verdict(FAILED, view) == expected


def test_failed_keeps_the_reason():
    finding = the_finding(FAILED, failed_view())

    assert finding.description.startswith("The service says: Quota exceeded. Model ")
    assert "harm_types" not in finding.labels
    assert finding.severity is Severity.WARNING


def test_failed_on_rai_grounds_names_the_harms():
    finding = the_finding(FAILED, failed_view("Blocked by content safety: [Hate/Fairness, Violence]."))

    assert finding.labels["harm_types"] == "hate_fairness,violence"
    assert "on RAI grounds (hate_fairness, violence)" in finding.summary
    assert "review its training data" in finding.action


def test_failed_clears_with_the_state():
    (clear,) = cleared(FAILED, failed_view(provisioning_state=ProvisioningState.SUCCEEDED))

    assert clear.because == "its provisioning state is now Succeeded"


def gone_view(*, usage=None, change=Change.GONE, told=(), transition=None, **changes):
    old = make_deployment(**changes)
    return make_view(
        transitions=[make_end(old, change, **(transition or {}))],
        ended=[old],
        usage=[make_usage(**usage)] if usage is not None else [],
        told={deployment_subject(old): tuple(told)} if told else {},
    )


CALLED_YESTERDAY = {"last_success_at": NOW - DAY}


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(make_view(), [], id="nothing changed"),
        pytest.param(gone_view(change=Change.REPLACED), [], id="replaced"),
        pytest.param(gone_view(transition={"is_history": True}), [], id="first sight"),
        pytest.param(gone_view(model="gpt-4o-mini"), [], id="base model"),
        pytest.param(gone_view(usage={}), [("idle", Severity.WARNING)], id="idle since before the metrics"),
        pytest.param(
            gone_view(usage={"last_success_at": NOW - 15 * DAY}), [("idle", Severity.WARNING)], id="just idle enough"
        ),
        pytest.param(
            gone_view(usage={"last_success_at": NOW - 15 * DAY + HOUR}),
            [("unexplained", Severity.WARNING)],
            id="an hour short of it",
        ),
        pytest.param(gone_view(usage=CALLED_YESTERDAY), [("unexplained", Severity.WARNING)], id="called yesterday"),
        pytest.param(gone_view(), [("unexplained", Severity.WARNING)], id="calls unknown"),
        pytest.param(gone_view(created_at=None), [("unexplained", Severity.WARNING)], id="nothing known"),
        pytest.param(
            gone_view(sku="DeveloperTier", created_at=NOW - 24 * HOUR),
            [("developer_expiry", Severity.INFO)],
            id="Developer, at 24 h",
        ),
        pytest.param(
            gone_view(sku="DeveloperTier", created_at=NOW - 23 * HOUR),
            [("unexplained", Severity.WARNING)],
            id="Developer, too soon",
        ),
        pytest.param(
            gone_view(sku="DeveloperTier", created_at=None),
            [("unexplained", Severity.WARNING)],
            id="Developer of unknown age",
        ),
    ],
)
def test_gone_with_its_likely_cause(view, expected):
    assert [(f.labels["cause"], f.severity) for f in ask(GONE, view)] == expected


def test_gone_says_who_had_been_told_and_how_to_redeploy():
    view = gone_view(usage={}, told=["ml-slack at 2026-11-19 08:00 UTC (3d)"], sku="GlobalStandard", capacity=50)
    finding = the_finding(GONE, view)

    assert finding.kind is FindingKind.EVENT
    assert "told before: ml-slack at 2026-11-19 08:00 UTC (3d)" in finding.evidence
    assert f"--deployment-name support-bot --model-name {MODEL} " in finding.action
    assert "--sku-name GlobalStandard --sku-capacity 50" in finding.action
    assert "inferred, not read" in finding.description
    assert "nobody had been told before" in the_finding(GONE, gone_view()).evidence


def test_gone_without_a_cause_says_that_the_activity_log_is_not_read():
    assert "activity log" in the_finding(GONE, gone_view(usage=CALLED_YESTERDAY)).description


def test_a_deployment_that_is_listed_but_refused_by_its_own_address_is_not_gone():
    view = make_view(
        deployments=[make_deployment()],
        gaps=[make_gap(Section.DEPLOYMENTS, GapReason.ROLE, subject=make_deployment().key)],
    )

    assert not ask(GONE, view)
