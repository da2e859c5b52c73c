"""Which model came from which, and which deployment serves it: over any inventory, however senseless."""

import signal
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tests.factories import DAY, NOW, make_account, make_deployment, make_holding, make_inventory, make_model
from watcher.resources.lineage import Kinship

EAST, WEST = make_account("contoso-east", owner=""), make_account("contoso-west", owner="")
NORTH = make_account("contoso-north", owner="")
ACCOUNTS = (EAST, WEST, NORTH)
BASE = "gpt-4o-mini-2024-07-18"


class EndlessError(BaseException):
    """No `Exception`: hypothesis would try the same again, and again without end."""


@pytest.fixture(autouse=True)
def bounded():
    """A circle that is followed has no end: to fail is better than to hang."""

    def give_up(*_):
        raise EndlessError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 20)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def name(number, suffix="support", base=BASE):
    return f"{base}.ft-{number:032x}-{suffix}"


def model(number, account=EAST, **changes):
    return make_model(name(number), **{"account": account.key, "job": f"ftjob-{number}", **changes})


def inventory(*models, deployments=(), accounts=ACCOUNTS):
    return make_inventory(
        *(
            make_holding(
                account=account,
                models=[each for each in models if each.account == account.key],
                deployments=[each for each in deployments if each.account == account.key],
            )
            for account in accounts
        )
    )


def ids(models):
    return [each.id for each in models]


def test_a_model_trained_from_another_continues_its_line():
    first = model(1)
    second = model(2, base=name(1), created_at=NOW - 20 * DAY)
    third = model(3, base=f"{name(2)}:ckpt-step-40", created_at=NOW - 10 * DAY)
    lineage = inventory(third, first, second).lineage

    assert lineage.parent(first) is None
    assert ids(lineage.ancestors(third)) == [second.id, first.id]
    assert lineage.base(third) == BASE
    assert [(each.id, why) for each, why in lineage.newer(first)] == [
        (third.id, Kinship.DESCENT),
        (second.id, Kinship.DESCENT),
    ]


def test_a_base_in_another_account_is_found_by_its_name():
    first, second = model(1, WEST), model(2, base=name(1).upper())

    assert inventory(first, second).lineage.parent(second) == first


def test_models_of_one_suffix_and_family_may_follow_one_another():
    old, new = model(1), model(2, base="gpt-4o-mini-2025-01-01", created_at=NOW - DAY)
    lineage = inventory(old, new).lineage

    assert list(lineage.newer(old)) == [(new, Kinship.SUFFIX)]
    assert list(lineage.newer(new)) == []


def test_nothing_else_makes_kin():
    old = model(1)
    others = [
        model(2, suffix="other", created_at=NOW),
        structs.replace(model(3, created_at=NOW), suffix="", id=f"{BASE}.ft-{3:032x}"),
        model(4, base="gpt-4o-2024-08-06", created_at=NOW),
        model(5, WEST, created_at=NOW),
        model(6, owner="somebody-else", created_at=NOW),
        model(7, created_at=None),
        model(8, created_at=old.created_at),
    ]

    assert list(inventory(old, *others).lineage.newer(old)) == []


def test_an_owner_of_several_accounts_has_one_line():
    accounts = [replace(each, owner="search-team") for each in (EAST, WEST)]
    old, new = model(1), model(2, WEST, created_at=NOW - DAY)

    assert list(inventory(old, new, accounts=accounts).lineage.newer(old)) == [(new, Kinship.SUFFIX)]


def test_a_deployment_is_found_by_model_checkpoint_and_checkpoint_id():
    one = model(1, checkpoints=frozenset({"ftchkpt-a", f"{name(1)}:ckpt-step-40"}))
    served = [
        make_deployment("a", account=WEST, model=name(1)),
        make_deployment("b", account=EAST, model=f"{name(1)}:ckpt-step-40"),
        make_deployment("c", account=EAST, model=f"{name(1)}:ckpt-step-99"),
        make_deployment("d", account=WEST, model="ftchkpt-a"),
    ]
    strangers = [
        make_deployment("e", account=EAST, model="ftchkpt-b"),
        make_deployment("f", account=EAST, model=name(9)),
    ]
    whole = inventory(one, deployments=[*served, *strangers])

    assert {each.name for each in whole.lineage.deployments(one)} == {"a", "b", "c", "d"}
    assert {each.name for each in whole.lineage.unplaced} == {"e", "f"}


def test_of_one_name_in_two_accounts_the_source_decides_then_the_place():
    here, there = model(1), model(1, WEST, created_at=NOW - 40 * DAY)
    by_source = make_deployment("by-source", account=EAST, model=name(1), model_source=WEST.id)
    by_place = make_deployment("by-place", account=EAST, model=name(1))
    lineage = inventory(here, there, deployments=[by_source, by_place]).lineage

    assert lineage.deployments(there) == (by_source,)
    assert lineage.deployments(here) == (by_place,)


def test_a_circle_of_bases_has_no_ancestors():
    one, two = model(1, base=name(2)), model(2, base=name(1))
    own, below = model(3, base=name(3)), model(4, base=name(2))
    lineage = inventory(one, two, own, below).lineage

    assert [lineage.parent(each) for each in (one, two, own)] == [None, None, None]
    assert lineage.parent(below) == two


TIMES = st.none() | st.integers(0, 40).map(lambda days: NOW - timedelta(days=days))
NUMBERS = st.integers(0, 7)


@st.composite
def models(draw):
    number = draw(NUMBERS)
    base = draw(st.sampled_from([BASE, "gpt-4o-2024-08-06", ""]) | NUMBERS.map(name) | st.just("ftchkpt-1"))
    return model(
        number,
        draw(st.sampled_from(ACCOUNTS)),
        base=base,
        created_at=draw(TIMES),
        owner=draw(st.sampled_from(["", "search"])),
        checkpoints=draw(st.frozensets(st.sampled_from(["ftchkpt-1", "ftchkpt-2"]), max_size=1)),
    )


@st.composite
def inventories(draw):
    """Some of it in contradiction to itself: circles, names in two accounts, children older than their parents."""
    found = {(each.account, each.id): each for each in draw(st.lists(models(), max_size=8))}
    named = st.sampled_from(["ftchkpt-1", "ftchkpt-3", BASE]) | NUMBERS.map(name)
    deployments = [
        make_deployment(
            f"d{number}",
            account=draw(st.sampled_from(ACCOUNTS)),
            model=draw(named) + draw(st.sampled_from(["", ":ckpt-step-3"])),
            model_source=draw(st.sampled_from(["", *(account.id for account in ACCOUNTS)])),
        )
        for number in range(draw(st.integers(0, 6)))
    ]
    return inventory(*found.values(), deployments=deployments)


def all_models(whole):
    return [each for holding in whole.holdings for each in holding.models]


@given(inventories())
def test_no_model_is_its_own_ancestor_or_newer_than_its_descendants(whole):
    lineage = whole.lineage
    for each in all_models(whole):
        ancestors = list(lineage.ancestors(each))
        assert each not in ancestors
        for ancestor in ancestors:
            assert ancestor not in [newer for newer, _ in lineage.newer(each)]


@given(inventories())
def test_no_model_is_newer_than_one_that_is_newer_than_it(whole):
    lineage = whole.lineage
    for each in all_models(whole):
        newer = [one for one, _ in lineage.newer(each)]
        assert each not in newer
        assert len({(one.account, one.id) for one in newer}) == len(newer)
        assert not any(each in [back for back, _ in lineage.newer(one)] for one in newer)


@given(inventories())
def test_a_deployment_belongs_to_one_model_at_most(whole):
    lineage = whole.lineage
    placed = [deployment.key for each in all_models(whole) for deployment in lineage.deployments(each)]
    unplaced = [deployment.key for deployment in lineage.unplaced]

    assert sorted([*placed, *unplaced]) == sorted(
        deployment.key for holding in whole.holdings for deployment in holding.deployments
    )


@given(inventories())
def test_renaming_accounts_changes_nothing(whole):
    assert shape(renamed(whole)) == shape(whole)


def shape(whole):
    """All that a lineage says, with accounts told by their place."""
    lineage = whole.lineage
    place = {holding.account.key: number for number, holding in enumerate(whole.holdings)}

    def told(each):
        return place[each.account], each.id

    return [
        (
            told(each),
            [told(ancestor) for ancestor in lineage.ancestors(each)],
            [(told(newer), why) for newer, why in lineage.newer(each)],
            [(place[one.account], one.name) for one in lineage.deployments(each)],
            lineage.base(each),
        )
        for each in all_models(whole)
    ]


def renamed(whole):
    """The same under other names, which sort otherwise."""
    names = ("zeta", "alpha", "contoso-m")  # in the order east, west, north: none stands where it stood
    new = {old.key: make_account(name, owner="") for old, name in zip(ACCOUNTS, names, strict=True)}

    def moved(deployment):
        account = new[deployment.account]
        source = new[deployment.model_source.lower()].id if deployment.model_source else ""
        ours = f"{account.id}/deployments/{deployment.name}"
        return replace(deployment, id=ours, account=account.key, model_source=source)

    return replace(
        whole,
        holdings=tuple(
            replace(
                holding,
                account=new[holding.account.key],
                models=tuple(structs.replace(each, account=new[each.account].key) for each in holding.models),
                deployments=tuple(moved(each) for each in holding.deployments),
            )
            for holding in whole.holdings
        ),
    )


def test_a_line_may_be_long():
    chain = [model(0)]
    chain += [model(n, base=name(n - 1), created_at=NOW - DAY + n * timedelta(seconds=1)) for n in range(1, 3000)]
    lineage = inventory(*reversed(chain)).lineage

    assert ids(lineage.ancestors(chain[1500])) == ids(reversed(chain[:1500]))
    assert lineage.base(chain[-1]) == BASE
    assert next(lineage.newer(chain[0]))[0] == chain[-1]


def test_names_are_one_whatever_their_case():
    """Azure lists a model as it was named once, and a deployment or a checkpoint in whatever case it was asked for."""
    one = model(1, checkpoints=frozenset({"ftchkpt-AbC"}))
    deployment = make_deployment("bot", account=EAST, model="FTCHKPT-aBc")
    lineage = inventory(one, deployments=[deployment]).lineage

    assert lineage.model_behind(deployment) == one
    same = make_model(name(1).upper(), account=EAST.key)
    assert lineage.deployments(same) == (deployment,)
    assert lineage.is_deployed(same)


def test_of_one_name_in_strange_accounts_the_first_made_is_meant():
    old, new, undated = model(1, EAST), model(1, WEST, created_at=NOW), model(1, NORTH, created_at=None)
    elsewhere = make_deployment("bot", account=make_account("contoso-south"), model=name(1))

    for order in ((old, new, undated), (undated, new, old), (new, undated, old)):
        accounts = [next(each for each in ACCOUNTS if each.key == one.account) for one in order]
        assert inventory(*order, accounts=accounts).lineage.model_behind(elsewhere) == old


def test_a_base_of_ones_own_account_is_meant_before_its_namesake():
    here, there = model(1, EAST), model(1, WEST, created_at=NOW - 40 * DAY)
    child = model(2, EAST, base=name(1))
    assert inventory(there, here, child).lineage.parent(child) == here


def test_owners_and_suffixes_are_one_whatever_their_case():
    accounts = [replace(EAST, owner="Search-Team"), replace(WEST, owner="search-team")]
    old, new = model(1), model(2, WEST, suffix="Support", created_at=NOW - DAY)
    assert list(inventory(old, new, accounts=accounts).lineage.newer(old)) == [(new, Kinship.SUFFIX)]


def test_a_copy_of_a_model_in_another_account_is_not_newer():
    """What is copied there bears its name, and was made when it was copied."""
    accounts = [replace(each, owner="search-team") for each in (EAST, WEST)]
    one, copy = model(1), model(1, WEST, created_at=NOW - DAY)
    assert list(inventory(one, copy, accounts=accounts).lineage.newer(one)) == []


def test_what_a_model_was_trained_from_is_not_newer_though_it_is_dated_later():
    """A parent that no job here made is dated by a listing, which may tell of its last change."""
    parent, child = model(1, created_at=NOW), model(2, base=name(1), created_at=NOW - 9 * DAY)
    assert list(inventory(parent, child).lineage.newer(child)) == []


def test_the_newest_kin_comes_first_by_descent_and_by_name_alike():
    old = model(1)
    heirs = [model(number, base=name(1), created_at=NOW - number * DAY) for number in (4, 2, 3)]
    alike = [model(number, created_at=NOW - number * DAY) for number in (7, 5, 6)]
    assert ids(each for each, _ in inventory(old, *heirs, *alike).lineage.newer(old)) == [
        name(number) for number in (2, 3, 4, 5, 6, 7)
    ]


def test_kin_made_at_one_time_comes_in_the_order_of_the_listing():
    old, first, second = model(1), model(2, created_at=NOW), model(3, created_at=NOW)
    assert ids(each for each, _ in inventory(old, first, second).lineage.newer(old)) == [first.id, second.id]
    assert ids(each for each, _ in inventory(old, second, first).lineage.newer(old)) == [second.id, first.id]
    assert list(inventory(first, second).lineage.newer(first)) == []


def test_what_leads_into_a_circle_keeps_its_own_parent():
    """Only those of the circle lose theirs, wherever one begins to follow it."""
    one, two = model(1, base=name(2)), model(2, base=name(1))
    tail = [model(number, base=name(number - 1)) for number in (3, 4, 5)]
    for order in ((one, two, *tail), (*tail[::-1], two, one)):
        lineage = inventory(*order).lineage
        assert [lineage.parent(each) for each in (one, two, *tail)] == [None, None, two, *tail[:2]]
        assert ids(lineage.ancestors(tail[2])) == [tail[1].id, tail[0].id, two.id]


def test_all_of_a_long_line_have_its_root_whichever_is_asked_first():
    line = [model(1, base="gpt-4o-2024-08-06"), *(model(number, base=name(number - 1)) for number in range(2, 7))]
    for asked in (line, line[::-1], line[3:] + line[:3]):
        lineage = inventory(*line).lineage
        assert {lineage.base(each) for each in asked} == {"gpt-4o-2024-08-06"}


def test_the_owner_of_the_job_goes_before_that_of_the_account():
    accounts = [
        replace(EAST, owner="account-owner", labels={"owner": "label-owner"}),
        replace(WEST, owner="west-owner"),
    ]
    lineage = inventory(model(1), accounts=accounts).lineage
    assert lineage.owner(model(1, owner="job-owner")) == "job-owner"
    assert lineage.owner(model(1)) == "label-owner"
    assert lineage.owner(model(1, WEST)) == "west-owner"
    assert lineage.owner(model(1, NORTH)) == ""
