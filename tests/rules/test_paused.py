from datetime import timedelta

import pytest

from tests.factories import ACCOUNT, DAY, NOW, SECOND, make_deployment, make_end, make_gap, make_view
from tests.rules.ask import ask, cleared, the_doubt, the_finding, verdict
from watcher.resources.deployment import ProvisioningState
from watcher.resources.snapshot import Section
from watcher.rules.finding import Severity
from watcher.rules.paused import DeploymentPaused

RULE = DeploymentPaused()


def paused_view(since=NOW - 2 * DAY, *, gaps=(), **changes):
    deployment = make_deployment(**{"deployment_state": "Paused", **changes})
    since_when = {} if since is None else {deployment.key: since}
    return make_view(deployments=[deployment], gaps=gaps, deployment_state_since=since_when)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(make_view(), "none", id="empty account"),
        pytest.param(make_view(deployments=None), "undecided", id="never read"),
        pytest.param(paused_view(), "found", id="paused for two days"),
        pytest.param(paused_view(deployment_state="paused"), "found", id="spelt otherwise"),
        pytest.param(paused_view(NOW - DAY), "none", id="paused for just a day"),
        pytest.param(paused_view(NOW - DAY - SECOND), "found", id="a second more"),
        pytest.param(paused_view(None), "none", id="first seen just now"),
        pytest.param(paused_view(deployment_state="Running"), "none", id="running again"),
        pytest.param(paused_view(model="gpt-4o-mini"), "none", id="base model"),
        pytest.param(paused_view(provisioning_state=ProvisioningState.DELETING), "none", id="being deleted"),
        pytest.param(paused_view(gaps=[make_gap(Section.DEPLOYMENTS)]), "undecided", id="gap"),
        pytest.param(paused_view(NOW, gaps=[make_gap(Section.DEPLOYMENTS)]), "none", id="gap, but just paused"),
        pytest.param(paused_view(gaps=[make_gap(Section.METRICS)]), "found", id="metrics gap does not matter"),
    ],
)
def test_verdicts(view, expected):
    assert verdict(RULE, view) == expected


def test_words():
    finding = the_finding(RULE, paused_view())

    assert finding.severity is Severity.INFO
    assert finding.summary == "support-bot in contoso-ft has been paused since 2026-11-20 08:00 UTC at least"
    assert finding.description.startswith("Calls to it are refused (423) until it is resumed.")
    assert "assumed here that the fee is charged on, and that its idle clock runs on" in finding.description
    path = f"{ACCOUNT.id}/deployments/support-bot/resume?api-version=2025-10-01-preview"
    assert f"az rest --method post --url '{path}'" in finding.action
    assert "first seen so 2026-11-20 08:00 UTC; the pause itself may have begun earlier" in finding.evidence
    assert finding.values["paused_since"] == "2026-11-20T08:00:00Z"


def test_goes_on_along_its_last_evidence():
    doubt = the_doubt(RULE, paused_view(gaps=[make_gap(Section.DEPLOYMENTS)]))

    assert doubt.on_last_evidence == the_finding(RULE, paused_view())


def test_clears_when_it_runs_again_or_has_ended():
    (again,) = cleared(RULE, paused_view(NOW, deployment_state="Running"))
    old = make_deployment(deployment_state="Paused")
    (over,) = cleared(RULE, make_view(transitions=[make_end(old)], ended=[old]))

    assert again.because == "it runs again, seen 2026-11-22 08:00 UTC"
    assert over.because.startswith("the deployment is gone")
    assert not ask(RULE, paused_view(NOW, deployment_state="Running", gaps=[make_gap(Section.DEPLOYMENTS)]))


def test_the_time_is_an_option():
    assert not ask(DeploymentPaused(after=timedelta(days=3)), paused_view())
