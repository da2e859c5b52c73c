"""Which deployments share a price: those that cost the same, and of which the same is said."""

import pytest

from tests.costs.factories import make_book, make_row, make_tenancy, own
from tests.factories import MODEL
from tests.report.recorded import make_terms
from watcher.report.worth import Pricing

#: Two meters fit in each region: of one height, and not of one depth.
ROWS = [
    make_row(price=price, sku_name=sku, region=region)
    for region, price, sku in (
        ("swedencentral", "1.90", "one"),
        ("swedencentral", "2.10", "another"),
        ("westus3", "2.00", "one"),
        ("westus3", "2.10", "another"),
    )
]
SUPPORT, SEARCH = (f"{MODEL.rpartition('-')[0]}-{suffix}" for suffix in ("support", "search"))
TABLE = (own(model="*-search", hosting_per_hour="9"), own(hosting_per_hour="2"))


@pytest.mark.parametrize(
    ("book", "one", "other"),
    [
        pytest.param(make_book(*ROWS), {"location": "swedencentral"}, {"location": "westus3"}, id="another least"),
        pytest.param(make_book(), {"sku": "Standard"}, {"sku": "DataZoneStandard"}, id="another note"),
        pytest.param(make_book(table=TABLE), {"model": SUPPORT}, {"model": SEARCH}, id="another line of the table"),
    ],
)
def test_what_differs_has_a_price_of_its_own(book, one, other):
    """Whichever was asked for first."""
    alone = [Pricing(make_terms(book=book)).of(make_tenancy(**each)).price for each in (one, other)]
    assert alone[0] != alone[1]
    for first, second in ((one, other), (other, one)):
        pricing = Pricing(make_terms(book=book))
        both = [pricing.of(make_tenancy(**each)).price for each in (first, second)]
        assert both == (alone if first is one else alone[::-1])


def test_what_costs_the_same_shares_its_price():
    pricing = Pricing(make_terms(book=make_book()))
    first, *others = (
        pricing.of(make_tenancy(**each))
        for each in ({}, {"sku": "GlobalStandard"}, {"model": SEARCH, "capacity": 1}, {"location": "westus3"})
    )
    assert all(each is first for each in others)
