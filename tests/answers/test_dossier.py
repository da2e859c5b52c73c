"""All about one thing, and nothing else: whatever lies in other accounts is not even read."""

import pytest

from tests.alerts.factories import ended, make_alert
from tests.answers.test_listings import FRAME, OTHER, PLACE, UNREADABLE, put_account, put_deployment, put_file
from tests.factories import DAY, MODEL, NOW, make_account, make_deployment, make_job
from watcher.answers import dossier, kin, sheets
from watcher.costs import obstacles
from watcher.costs.prices import LIST_PRICES, book_of
from watcher.errors import Refused
from watcher.rules.finding import Severity
from watcher.rules.rule import deployment_subject
from watcher.store import alerts, schema

WEST = make_account("contoso-west-2", resource_group="rg-Ä")


def put_job(tx, id_, place, model=""):
    job = make_job(id_, "succeeded", account=place.key, fine_tuned_model=model)
    row = {"account": place.key, "id": id_, "status": "succeeded", "fine_tuned_model": model, "noun": job}
    times = {"status_since": NOW, "is_status_dated": True, "first_seen_at": NOW, "created_at": NOW, "is_listed": True}
    tx.execute(schema.jobs.insert().values(**row, **times))


@pytest.fixture
def estate(store):
    """A job and a deployment, and other accounts of which nothing can be read at all."""

    def save(tx):
        for place in (PLACE, OTHER, WEST):
            put_account(tx, place)
            put_deployment(tx, f"chat-{place.name}", place)
            put_job(tx, f"ftjob-{place.name}", place)
            put_file(tx, "file-1", place, days=1)
        for table, column in (
            ("accounts", "key"),
            ("deployments", "account"),
            ("jobs", "account"),
            ("files", "account"),
        ):
            tx.exec_driver_sql(f"UPDATE {table} SET noun = '{UNREADABLE}' WHERE {column} <> '{PLACE.key}'")

    store.write_now(save)
    return store


def test_of_its_alerts_the_loudest_that_fires_comes_first(estate):
    """Whoever is paged asks for the deployment, and has no time for what it wasted."""
    subject = deployment_subject(make_deployment("chat-contoso-ft", account=PLACE))

    def alert(rule, days, **more):
        return make_alert(rule, at=NOW - days * DAY, account=PLACE.key, subject=subject, **more)

    over = ended(alert("deployment_paused", 2), NOW - DAY)
    waste = alert("deployment_wasting", 1, severity=Severity.INFO)
    idle = alert("deployment_idle", 3, severity=Severity.CRITICAL)
    event = alert("deployment_gone", 0, severity=Severity.CRITICAL)
    estate.write_now(alerts.save, [over, waste, idle, event])
    found = estate.read_now(dossier.find, "chat-contoso-ft", FRAME, routing=None)
    assert [one.alert.finding.rule for one in found.alerts] == [
        "deployment_idle",
        "deployment_wasting",
        "deployment_gone",
        "deployment_paused",
    ]


@pytest.mark.parametrize(("stands", "said"), [(True, obstacles.NAME_TAKEN), (False, "")])
def test_an_earlier_life_is_not_to_be_made_again_over_one_that_stands(store, stands, said):
    first, second = (
        make_deployment("bot", account=PLACE, created_at=NOW - days * DAY, incarnation=f"{days}") for days in (30, 1)
    )

    def save(tx):
        put_account(tx, PLACE)
        for one, ended_at in ((first, NOW - 2 * DAY), (second, None if stands else NOW - DAY)):
            row = {"key": one.key, "incarnation": one.incarnation, "account": PLACE.key, "name": "bot", "noun": one}
            times = {"model": one.model, "first_seen_at": one.created_at, "ended_at": ended_at, "outcome": "gone"}
            tx.execute(schema.deployments.insert().values(**row, **times))

    store.write_now(save)
    alert = make_alert("deployment_gone", at=NOW - 2 * DAY, account=PLACE.key, subject=deployment_subject(first))
    store.write_now(alerts.save, [alert])
    found = store.read_now(dossier.find, alert.id, FRAME, routing=None)
    assert (found.deployment.deployment, found.recipe.obstacle) == (first, said)
    assert store.read_now(dossier.find, "bot", FRAME, routing=None).recipe.obstacle == ""


ASKED = {"routing": None, "book_of": lambda tx: book_of(LIST_PRICES)}


def test_the_page_of_a_deployment_reads_nothing_of_other_accounts(estate):
    found = estate.read_now(sheets.deployment, FRAME, "contoso-ft", "chat-contoso-ft", **ASKED)
    assert found.file.deployment.deployment.name == "chat-contoso-ft"
    assert found.file.reading.account == PLACE


def test_the_page_of_a_job_reads_nothing_of_other_accounts(estate):
    found = estate.read_now(sheets.job, FRAME, "contoso-ft", "ftjob-contoso-ft", **ASKED)
    assert found.file.job.job.id == "ftjob-contoso-ft"


@pytest.mark.parametrize("place", ["contoso-ft", "CONTOSO-FT", PLACE.id, PLACE.key, f"{PLACE.id}/deployments"])
def test_an_account_is_named_by_label_name_or_id_in_any_case(estate, place):
    found = estate.read_now(dossier.find, f"{place}/chat-contoso-ft", FRAME, routing=None)
    assert found.deployment is not None


@pytest.mark.parametrize("place", ["contoso", "ft", "contoso%", "contoso-_t", "contoso-west", "accounts/contoso-ft"])
def test_nothing_is_found_under_a_name_that_is_not_its_account_s(estate, place):
    with pytest.raises(Refused, match="nothing is known of"):
        estate.read_now(dossier.find, f"{place}/chat-contoso-ft", FRAME, routing=None)


def test_where_a_model_is_deployed_is_asked_of_all_accounts_and_what_was_not_read_is_said(store):
    """By its name in any case, and by checkpoints of it; a longer name is another model."""

    def save(tx):
        for place in (PLACE, OTHER, WEST):
            put_account(tx, place)
        for name, place, model in (
            ("same", PLACE, MODEL),
            ("loud", OTHER, MODEL.upper()),
            ("step", OTHER, f"{MODEL}:ckpt-step-80"),
            ("longer", OTHER, f"{MODEL}-v2"),
            ("other", PLACE, "gpt-4o"),
        ):
            one = make_deployment(name, account=place, model=model)
            row = {"key": one.key, "incarnation": one.incarnation, "account": place.key, "name": name, "model": model}
            tx.execute(schema.deployments.insert().values(**row, noun=one, first_seen_at=NOW))
        tx.execute(schema.accounts.update().where(schema.accounts.c.key == WEST.key).values(deployments_at=None))

    store.write_now(save)
    found = store.read_now(kin.served, MODEL, None)
    assert [(one.label, one.deployment.name) for one in found.places] == [
        ("contoso-ft", "same"),
        ("contoso-west", "loud"),
        ("contoso-west", "step"),
    ]
    assert found.unread_in == ("contoso-west-2",)
    assert found.as_of == NOW
    assert store.read_now(kin.served, "", None) == kin.Serving()
