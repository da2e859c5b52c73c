"""What is to come, and what is not: by whom it is had, where, and up to which moment."""

from dataclasses import replace

import pytest

from tests.factories import DAY, HOUR, MODEL, NOW, SECOND, make_account, make_deployment, make_model, make_usage
from tests.report.recorded import BEGAN, make_life, make_recorded, make_records, make_terms, stated
from watcher.alerts.keep import Keep
from watcher.alerts.matcher import parse_matchers
from watcher.alerts.silence import Silence
from watcher.report.statement import DateKind
from watcher.resources.model import Certainty, Retirement
from watcher.rules.lifetimes import Lifetimes

BASE = "gpt-4o-mini-2024-07-18"


def of_kind(statement, kind):
    return [one for one in statement.dates if one.kind is kind]


def standing(name="bot", *, called, account=None, **changes):
    one = make_deployment(name, account=account or make_account(), created_at=BEGAN, **changes)
    return make_life(one, called=called)


@pytest.mark.parametrize(
    ("latest", "is_told"), [(NOW - SECOND, False), (NOW, True), (NOW + DAY, True)], ids=["past", "now", "to come"]
)
def test_what_may_have_come_already_is_still_to_come_until_its_latest_time(latest, is_told):
    called = latest - 15 * DAY - HOUR
    life = standing(called=called)
    dates = of_kind(stated(make_recorded(life, calls={"bot": {called: 3.0}})), DateKind.DELETION)
    assert [(one.at, one.latest) for one in dates] == ([(latest - HOUR, latest)] if is_told else [])


def test_one_time_is_told_once():
    never_called = stated(make_recorded(make_life(make_deployment("bot", created_at=NOW - 5 * DAY))))
    (date,) = of_kind(never_called, DateKind.DELETION)
    assert (date.at, date.latest) == (NOW + 10 * DAY, None)


def test_each_life_and_each_account_has_its_own_uid_which_no_date_changes():
    twin = make_account("contoso-ft", resource_group="rg-two")

    def uid(*, called=NOW - 5 * DAY, account=None, **changes):
        life = standing(called=called, account=account, **changes)
        ((date),) = of_kind(stated(make_recorded(life, account=account or make_account())), DateKind.DELETION)
        return date.uid

    assert uid() == uid(called=NOW - 6 * DAY)
    assert len({uid(), uid(incarnation="2"), uid(account=twin), uid(name="other")}) == 4


def test_a_developer_deployment_expires_though_it_is_called():
    one = make_deployment("bot", sku="DeveloperTier", created_at=NOW - 20 * HOUR)
    calls = {"bot": {NOW - HOUR: 9.0}}
    (date,) = stated(make_recorded(make_life(one, called=NOW - HOUR), calls=calls)).dates
    assert (date.kind, date.at, date.latest) == (DateKind.EXPIRY, NOW + 4 * HOUR, None)


# Retirements


EAST = make_account("east", location="swedencentral", owner="Ann")
WEST = make_account("west", location="westus3", owner="Ben")


def serving(account, *, until=None, made=NOW - DAY, model=MODEL, base="GPT-4o-mini-2024-07-18"):
    one = make_model(model, account=account.key, inference_until=until, created_at=made, base=base)
    life = standing(f"bot-{account.name}", called=NOW - HOUR, account=account, model=model)
    return make_recorded(life, account=account, models=(one,))


def retirements(*accounts, rows, **terms):
    records = make_records(*accounts, retirements=rows)
    return of_kind(stated(records, terms=make_terms(**terms)), DateKind.RETIREMENT)


def row(location="", **changes):
    return Retirement(**{"model": BASE, "location": location, "inference_until": NOW + 90 * DAY, **changes})


def test_a_base_retires_region_by_region():
    rows = [row("swedencentral"), row("westus3", inference_until=NOW + 30 * DAY)]
    west, east = retirements(serving(EAST), serving(WEST), rows=rows)
    assert (west.at, west.owner, west.account) == (NOW + 30 * DAY, "Ben", "west")
    assert (east.at, east.owner, east.account) == (NOW + 90 * DAY, "Ann", "east")
    assert "bot-west" in west.text and "bot-east" not in west.text
    assert west.uid != east.uid


def test_deployments_of_one_region_share_a_date_and_those_of_another_time_do_not():
    near = replace(EAST, id=EAST.id.replace("/east", "/near"), name="near", label="near")
    (date,) = retirements(serving(EAST), serving(near), rows=[row("swedencentral")])
    assert (date.account, date.owner) == ("", "Ann")
    assert "2 deployments of it" in date.text
    own = retirements(serving(EAST, until=NOW + 5 * DAY), serving(near, until=NOW + 9 * DAY), rows=[])
    assert [(one.at, one.account) for one in own] == [(NOW + 5 * DAY, "east"), (NOW + 9 * DAY, "near")]


def test_one_on_an_older_base_of_the_same_region_has_its_own_date():
    other = replace(WEST, location="swedencentral")
    rows = [row("swedencentral"), row("swedencentral", model="gpt-4o-2024-08-06", inference_until=NOW + 3 * DAY)]
    named = f"gpt-4o-2024-08-06.ft-{'0' * 32}-a"
    second = serving(other, model=named, base="gpt-4o-2024-08-06")
    assert [one.at for one in retirements(serving(EAST), second, rows=rows)] == [NOW + 3 * DAY, NOW + 90 * DAY]


def test_the_end_of_training_matters_to_who_trained_on_it_lately():
    rows = [row("swedencentral", inference_until=None, fine_tune_until=NOW + 20 * DAY, certainty=Certainty.PLANNED)]
    (date,) = retirements(serving(EAST), rows=rows)
    assert (date.at, date.is_certain) == (NOW + 20 * DAY, True)
    assert date.title.lower() == f"training on {BASE} ends in swedencentral"
    assert retirements(serving(EAST, made=NOW - 2000 * DAY), rows=rows) == []


@pytest.mark.parametrize(
    ("at", "is_told"),
    [(NOW - SECOND, False), (NOW, True), (NOW + 400 * DAY, True), (NOW + 400 * DAY + SECOND, False)],
    ids=["past", "now", "far", "too far"],
)
def test_dates_are_told_of_a_year_and_a_bit(at, is_told):
    assert bool(retirements(serving(EAST), rows=[row("swedencentral", inference_until=at)])) is is_told


# Exceptions and silences


def kept(until, **changes):
    return Keep(**{"account": "contoso-ft", "deployment": "bot", "until": until, "author": "ann", **changes})


def test_an_exception_ends_when_it_says_and_is_to_come_until_then():
    keeps = (kept(NOW), kept(NOW + SECOND, deployment="Other"), kept(NOW - 8 * DAY, deployment="old"))
    statement = stated(make_records(make_recorded(standing(called=NOW - HOUR)), keeps=keeps))
    assert [(one.name, one.is_over) for one in statement.exceptions] == [("bot", True), ("Other", False)]
    assert [one.at for one in of_kind(statement, DateKind.EXCEPTION_END)] == [NOW + SECOND]


def test_an_exception_of_the_period_is_one_that_ends_after_its_beginning():
    begin = NOW - 7 * DAY
    for until, is_listed in ((begin, False), (begin + SECOND, True)):
        statement = stated(make_records(make_recorded(standing(called=NOW - HOUR)), keeps=(kept(until),)))
        assert bool(statement.exceptions) is is_listed


def test_a_wish_is_one_whoever_wrote_the_name_and_the_account_how():
    account = make_account("contoso-ft", label="contoso-ft@rg-ml")
    until = NOW + 9 * DAY
    keeps = tuple(
        kept(until, account=place, deployment=name)
        for place in (account.key, account.key.upper(), "CONTOSO-FT@rg-ml")
        for name in ("bot", "BOT")
    )
    life = standing("Bot", called=NOW - HOUR, account=account)
    statement = stated(make_records(make_recorded(life, account=account), keeps=keeps))
    assert [(one.name, one.until) for one in statement.exceptions] == [("Bot", until)]
    (line,) = statement.hosted
    assert line.kept_until == until
    (date,) = of_kind(statement, DateKind.EXCEPTION_END)
    again = stated(make_records(make_recorded(life, account=account), keeps=(kept(until, account=account.key),)))
    assert date.uid == of_kind(again, DateKind.EXCEPTION_END)[0].uid


def test_the_longest_of_several_wishes_holds():
    keeps = tuple(kept(NOW + days * DAY) for days in (3, 9, 5))
    (line,) = stated(make_records(make_recorded(standing(called=NOW - HOUR)), keeps=keeps)).hosted
    assert line.kept_until == NOW + 9 * DAY


def test_of_a_name_that_lived_twice_the_exception_is_of_the_one_that_stands():
    gone = make_life(
        make_deployment("bot", created_at=NOW - 20 * DAY, tags={"owner": "Old"}),
        end=(NOW - 2 * DAY, NOW - 2 * DAY),
        outcome="gone",
    )
    here = make_life(make_deployment("bot", created_at=NOW - DAY, tags={"owner": "New"}), called=NOW - HOUR)
    for lives in ((gone, here), (here, gone)):
        (one,) = stated(make_records(make_recorded(*lives), keeps=(kept(NOW + DAY),))).exceptions
        assert one.place.owner == "New"


def test_silences_are_nobodys_own():
    silence = Silence(
        id="s1",
        matchers=tuple(parse_matchers(["rule=deployment_idle"])),
        starts_at=NOW - DAY,
        ends_at=NOW + DAY,
        author="ann",
        comment="calm",
    )
    records = make_records(make_recorded(standing(called=NOW - HOUR)), silences=(silence,))
    assert [one.at for one in of_kind(stated(records), DateKind.SILENCE_END)] == [NOW + DAY]
    assert of_kind(stated(records, matches=lambda labels: True), DateKind.SILENCE_END) == []


def test_what_nothing_ends_has_no_date():
    stays = make_terms(lifetimes=Lifetimes(idle_by_sku={"*": None}))
    life = make_life(standing(called=NOW - 9 * DAY).deployment, usage=make_usage("bot", read_from=BEGAN))
    statement = stated(make_recorded(life), terms=stays)
    assert (statement.dates, statement.undated) == ((), ())


def test_the_end_of_an_exception_keeps_its_uid_when_what_was_kept_is_gone():
    """While it stands it is named as Azure names it, and then as whoever kept it did."""
    until = NOW + DAY
    lives = ((standing("Bot", called=NOW - HOUR),), ())
    found = [stated(make_records(make_recorded(*some), keeps=(kept(until, deployment="BOT"),))) for some in lives]
    first, second = (of_kind(statement, DateKind.EXCEPTION_END)[0] for statement in found)
    assert (first.uid, first.title) == (second.uid, "contoso-ft/Bot is kept no longer")
