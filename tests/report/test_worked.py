"""What all editions have in common: of which accounts, and in whose name."""

from tests.factories import DAY, NOW, make_account, make_deployment
from tests.report.recorded import WEEK, make_life, make_recorded, make_records, make_terms
from watcher.alerts.keep import Keep
from watcher.report.worked import worked_out

WEST = make_account("west")
ENDED = {"end": (NOW - 2 * DAY, NOW - 2 * DAY), "outcome": "gone"}


def worked(*accounts, **changes):
    return worked_out(make_records(*accounts, **changes), make_terms(), WEEK)


def test_an_account_that_left_is_none_of_those_that_are_watched():
    found = worked(make_recorded(), make_recorded(account=WEST, removed_at=NOW - DAY))
    assert [one.account.name for one in found.accounts] == ["contoso-ft"]


def test_nothing_is_missing_of_an_account_that_left_unread():
    """Nobody is to read it any more."""
    never = {"account": WEST, "deployments": None, "deployments_at": None, "jobs_at": None}
    assert [one.place.account for one, _ in worked(make_recorded(**never)).missing] == ["west"]
    assert worked(make_recorded(**never, removed_at=NOW - DAY)).missing == ()


def test_an_exception_is_its_accounts_once_what_it_was_for_has_ended():
    """And that of the life that stands, where its name lives on."""
    keep = Keep(account="contoso-ft", deployment="BOT", until=NOW + DAY, author="ana", reason="launch")
    former = make_life(make_deployment("Bot", tags={"owner": "ads"}), **ENDED)
    again = make_life(make_deployment("bot", created_at=NOW - DAY, tags={"owner": "search"}))

    def exempted(*lives):
        ((exemption, labels),) = worked(make_recorded(*lives), keeps=(keep,)).exemptions
        return exemption.name, exemption.place.owner, labels["owner"]

    assert exempted(again) == exempted(former, again) == exempted(again, former) == ("bot", "search", "search")
    assert exempted(former) == ("BOT", "search-team", "search-team")
