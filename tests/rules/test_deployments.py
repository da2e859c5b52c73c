from datetime import timedelta

import pytest

from tests.factories import HOUR, NOW, SECOND, make_deployment, make_gap, make_view
from tests.rules.ask import ask, cleared, found, the_doubt, the_finding, verdict
from watcher.resources.deployment import ProvisioningState
from watcher.resources.snapshot import Section
from watcher.rules.deployments import DeploymentExpiring, DeploymentFailed
from watcher.rules.finding import Severity

EXPIRING, FAILED = DeploymentExpiring(), DeploymentFailed()


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


def test_past_its_end_nothing_is_claimed_of_one_that_cannot_be_read():
    last = the_doubt(EXPIRING, developer_view(-HOUR, gaps=[make_gap(Section.DEPLOYMENTS)])).on_last_evidence

    assert "was subject to removal from 2026-11-22 07:00 UTC on; whether it still stands is not known" in last.summary


def test_expiring_words():
    finding = the_finding(EXPIRING, developer_view(90 * 60 * SECOND))

    assert finding.summary == (
        "Developer deployment support-bot in contoso-ft is subject to removal at 2026-11-22 09:30 UTC"
    )
    assert finding.values["deletion_earliest"] == "2026-11-22T09:30:00Z"
    assert finding.values["hosting_per_hour"] == 0.0
    assert "/deployments/support-bot-std?api-version=" in finding.action
    assert '{"sku": {"name": "GlobalStandard"' in finding.action
    tier = developer_view(90 * 60 * SECOND, further={"sku": {"tier": "Developer"}})
    assert "tier" not in the_finding(EXPIRING, tier).action, "that of another SKU"
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


class TestExpiryBySku:
    RULE = DeploymentExpiring(lifetimes={"developertier": None, "batch*": timedelta(hours=48)})

    @pytest.mark.parametrize("sku", ["DeveloperTier", "Developer"])
    def test_a_sku_that_never_expires_is_left_alone_in_either_spelling(self, sku):
        assert not ask(self.RULE, developer_view(HOUR, sku=sku))

    def test_another_sku_may_expire(self):
        view = developer_view(sku="BatchThing", created_at=NOW - 46 * HOUR)
        finding = the_finding(self.RULE, view)

        assert finding.summary.startswith(
            "BatchThing deployment support-bot in contoso-ft is subject to removal at 2026-11-22 10:00 UTC"
        )
        assert "lives for 48 h, as configured" in finding.description
        assert finding.values["hosting_per_hour"] is None
