"""Of what a Developer deployment could be a choice."""

import pytest

from tests.factories import make_account, make_deployment
from watcher.report.trial import may_be_trial

PRODUCTION = {"environment": "production"}


@pytest.mark.parametrize(
    ("sku", "tags", "labels", "account_tags", "is_fit"),
    [
        pytest.param("Standard", {}, {}, {}, True, id="nobody says what it is for"),
        pytest.param("DataZoneStandard", {}, {"environment": "dev"}, {}, True, id="for tests"),
        pytest.param("Standard", {}, PRODUCTION, {}, False, id="its account is production"),
        pytest.param("Standard", {}, {}, {"Environment": " PROD "}, False, id="so says a tag that is no label"),
        pytest.param("Standard", {"Environment": "Prod"}, {"environment": "dev"}, {}, False, id="its own tag"),
        pytest.param(
            "Standard", {"environment": "test"}, PRODUCTION, {}, False, id="it says otherwise than its account"
        ),
        pytest.param("Standard", {"environment": ""}, PRODUCTION, {}, False, id="an empty tag says nothing"),
        pytest.param("Standard", {}, {"environment": "eu-1"}, {}, False, id="critical to the operator"),
        pytest.param("Standard", {"team": "live"}, {"stage": "production"}, {}, True, id="other words"),
        pytest.param("ProvisionedManaged", {}, {}, {}, False, id="provisioned"),
        pytest.param("GlobalBatch", {}, {}, {}, False, id="batch"),
        pytest.param("DeveloperTier", {}, {}, {}, False, id="it is one"),
        pytest.param("Quantum", {}, {}, {}, False, id="of a kind that nobody knows"),
    ],
)
def test_what_may_be_replaced_by_a_trial(sku, tags, labels, account_tags, is_fit):
    account = make_account(labels=labels, tags=account_tags)
    assert may_be_trial(account, make_deployment(sku=sku, tags=tags), frozenset({"eu-1"})) is is_fit
