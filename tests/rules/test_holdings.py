"""What an account's holdings tell of the present, and of whose calls and models."""

from dataclasses import replace

import pytest

from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_account,
    make_deployment,
    make_gap,
    make_holding,
    make_inventory,
    make_model,
    make_usage,
)
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.holdings import (
    as_of,
    calls,
    last_call,
    model_labels,
    unread,
    unread_deployments,
    unread_item,
)

BOT = make_deployment()
EAST, WEST, NORTH = (make_account(f"contoso-{name}") for name in ("east", "west", "north"))


def test_a_gap_of_one_item_leaves_the_rest_read():
    item = make_gap(Section.DEPLOYMENTS, subject=BOT.id, at=NOW - HOUR)
    holding = make_holding(deployments=[BOT], gaps=[item])
    other = make_deployment("other")
    assert unread(holding, Section.DEPLOYMENTS) is None
    assert unread_item(holding, other) is None
    assert unread_item(holding, BOT).since == NOW - HOUR
    assert "a deployment in contoso-ft could not be read" in unread_deployments([holding]).because
    whole = make_holding(deployments=[BOT], gaps=[item, make_gap(Section.DEPLOYMENTS, GapReason.ROLE)])
    assert unread(whole, Section.DEPLOYMENTS).because == (
        "the deployments of contoso-ft could not be read: a role is missing"
    )
    assert unread_item(whole, other) == unread(whole, Section.DEPLOYMENTS)


@pytest.mark.parametrize("section", [Section.DEPLOYMENTS, Section.JOBS, Section.FILES, Section.MODELS])
@pytest.mark.parametrize("gaps", [(), (make_gap(Section.METRICS),)], ids=["no gap", "another gap"])
def test_what_was_never_read_is_no_empty_listing(section, gaps):
    never = make_holding(deployments=None, files=None, jobs_at=None, models_at=None, gaps=gaps)
    assert unread(never, section).because == f"the {section.value} of contoso-ft have not been read yet"
    assert as_of(never, section, NOW) == f"{section.value} of contoso-ft not read"
    assert unread(make_holding(gaps=gaps), section) is None
    assert as_of(make_holding(at=NOW - HOUR), section, NOW) == f"{section.value} of contoso-ft read 1 h ago"


def test_a_time_without_a_listing_is_no_reading():
    holding = make_holding(deployments=None, deployments_at=NOW, files=None, files_at=NOW)
    for section in (Section.DEPLOYMENTS, Section.FILES):
        assert unread(holding, section) is not None


def test_of_several_accounts_that_could_not_be_read_the_first_dates_it():
    some = [
        make_holding(account=account, at=NOW - age * HOUR, gaps=[make_gap(Section.DEPLOYMENTS)])
        for account, age in ((EAST, 2), (WEST, 9), (NORTH, 5))
    ]
    never = make_holding(account=make_account("contoso-south"), deployments=None)
    assert unread_deployments([make_holding()]) is None
    assert unread_deployments([make_holding(), some[1]]).because.startswith("the deployments of contoso-west")
    two = unread_deployments(some[:2])
    assert (two.because, two.since) == ("the deployments of 2 accounts could not be read", NOW - 9 * HOUR)
    all_ = unread_deployments([*some, never])
    assert (all_.because, all_.since) == ("the deployments of 4 accounts could not be read", NOW - 9 * HOUR)


@pytest.mark.parametrize(
    ("called", "is_own"),
    [
        pytest.param(NOW - 2 * DAY, True, id="since"),
        pytest.param(NOW - 3 * DAY + 20 * MINUTE, True, id="at its creation"),
        pytest.param(NOW - 3 * DAY, True, id="in the hour of its creation"),
        pytest.param(NOW - 3 * DAY - HOUR, False, id="in the hour before"),
        pytest.param(None, False, id="never"),
    ],
)
def test_a_call_before_its_creation_was_an_earlier_lifes(called, is_own):
    """Calls are dated by the start of their hour, in which it may have been created."""
    one = make_deployment(created_at=NOW - 3 * DAY + 20 * MINUTE)
    usage = make_usage(last_success_at=called)
    assert last_call(usage, one) == (called if is_own else None)
    assert last_call(usage, replace(one, created_at=None)) == called
    assert last_call(None, one) is None


def test_the_words_for_calls_never_take_the_unknown_for_none():
    bot = make_deployment("Support-Bot")
    asked = {
        name: calls(make_holding(deployments=[bot], usage=usage), bot)
        for name, usage in {
            "unread": [],
            "none": [make_usage()],
            "unclear": [make_usage(last_unclear_at=NOW - HOUR)],
            "called": [make_usage(last_success_at=NOW - HOUR)],
        }.items()
    }
    assert asked["unread"] == "calls unknown"
    none = "no successful call in the metrics read, 2026-11-06 08:00 UTC to 2026-11-22 08:00 UTC"
    assert asked["none"] == none
    assert asked["unclear"].startswith(none)
    assert asked["called"] == "last successful call in the hour from 2026-11-22 07:00 UTC"


def test_a_model_bears_the_owner_of_its_job_else_that_of_its_account():
    account = make_account(owner="")
    owned, other = make_model(owner="ads"), make_model("other", job="")
    holding = make_holding(account=account, models=[owned, other])
    lineage = make_inventory(holding).lineage
    assert model_labels(holding, lineage, owned)["owner"] == "ads"
    assert model_labels(holding, lineage, owned)["job"] == "ftjob-1"
    labels = model_labels(holding, lineage, other)
    assert (labels["owner"], "job" in labels, labels["model"]) == ("unowned", False, "other")
