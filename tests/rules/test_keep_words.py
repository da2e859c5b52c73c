from tests.factories import DAY, HOUR, NOW, make_deployment, make_usage, make_view
from tests.rules.ask import the_finding
from watcher.rules.deployments import DeploymentExpiring
from watcher.rules.idle import DeploymentIdle

NONSENSE = {"watcher-keep-until": "next week"}


def test_a_tag_that_is_no_time_is_told_with_the_countdown():
    idle = make_deployment(tags=NONSENSE)
    view = make_view(deployments=[idle], usage=[make_usage(last_success_at=NOW - 13 * DAY)])
    said = the_finding(DeploymentIdle(), view).evidence
    assert 'its tag watcher-keep-until says "next week", which is no date' in said

    brief = make_deployment(sku="DeveloperTier", created_at=NOW - 22 * HOUR, tags=NONSENSE)
    assert '"next week"' in the_finding(DeploymentExpiring(), make_view(deployments=[brief])).evidence


def test_a_tag_that_can_be_read_is_no_matter_of_doubt():
    idle = make_deployment(tags={"watcher-keep-until": "2026-12-31"})
    view = make_view(deployments=[idle], usage=[make_usage(last_success_at=NOW - 13 * DAY)])
    assert "watcher-keep-until" not in the_finding(DeploymentIdle(), view).evidence


def test_a_long_text_is_cut():
    idle = make_deployment(tags={"watcher-keep-until": "x" * 256})
    view = make_view(deployments=[idle], usage=[make_usage(last_success_at=NOW - 13 * DAY)])
    assert "x" * 60 not in the_finding(DeploymentIdle(), view).evidence
