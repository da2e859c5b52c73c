"""How long deployments may live, by the spelling of their SKU."""

from datetime import timedelta

import pytest

from tests.factories import make_deployment
from watcher.rules.lifetimes import DEVELOPER_LIFETIME, IDLE_LIFETIME, Lifetimes

LONG = timedelta(days=60)


@pytest.mark.parametrize("sku", ["Developer", "DeveloperTier", "developertier"])
@pytest.mark.parametrize("pattern", ["developer", "DeveloperTier", "developertier", "*tier", "devel?per"])
def test_a_pattern_on_either_spelling_of_developer_fits_both(sku, pattern):
    table = Lifetimes(idle_by_sku={pattern: LONG}, expiry_by_sku={pattern: None})
    deployment = make_deployment(sku=sku)
    assert (table.idle_of(deployment), table.expiry_of(deployment)) == (LONG, None)


@pytest.mark.parametrize(
    ("sku", "idle", "expiry"),
    [
        pytest.param("Standard", IDLE_LIFETIME, None, id="another"),
        pytest.param("GlobalStandard", LONG, None, id="named"),
        pytest.param("Developer", None, DEVELOPER_LIFETIME, id="developer"),
    ],
)
def test_a_sku_that_no_pattern_fits_has_the_common_lifetime(sku, idle, expiry):
    table = Lifetimes(idle_by_sku={"Global*": LONG})
    deployment = make_deployment(sku=sku)
    assert (table.idle_of(deployment), table.expiry_of(deployment)) == (idle, expiry)


def test_the_first_pattern_that_fits_counts():
    table = Lifetimes(expiry_by_sku={"developertier": LONG, "developer": None})
    assert table.expiry_of(make_deployment(sku="Developer")) == LONG
