"""Listings by pages: the order of their keys on every database, nothing twice, and no more read than is shown."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.alerts.factories import ended, make_alert
from tests.factories import DAY, HOUR, NOW, make_account, make_deployment, make_file, make_job
from watcher.answers import acts, happenings, holdings, listings, reach
from watcher.answers.query import Frame, encode_cursor
from watcher.errors import Refused
from watcher.store import alerts, schema

FRAME = Frame(now=NOW)
PLACE = make_account("contoso-ft")
UNREADABLE = "{"


def put_account(tx, place=PLACE):
    row = {"key": place.key, "label": place.label, "noun": place, "first_seen_at": NOW, "jobs_at": NOW}
    tx.execute(schema.accounts.insert().values(**row, deployments_at=NOW, usage_at=NOW, files_at=NOW))


def put_deployment(tx, name, place=PLACE):
    one = make_deployment(name, account=place)
    row = {"key": one.key, "incarnation": one.incarnation, "account": place.key, "name": name, "model": "", "noun": one}
    tx.execute(schema.deployments.insert().values(**row, first_seen_at=NOW))


def insert_jobs(store, made):
    """Jobs by id, with when they were created."""

    def save(tx):
        put_account(tx)
        for id_, at in made.items():
            job = make_job(id_, account=PLACE.key, created_at=at)
            row = {"account": PLACE.key, "id": id_, "status": job.status.value, "fine_tuned_model": "", "noun": job}
            times = {"status_since": NOW, "first_seen_at": NOW, "created_at": at}
            tx.execute(schema.jobs.insert().values(**row, **times, is_listed=True, is_status_dated=True))

    store.write_now(save)


def by_pages(store, find, *, limit):
    found, cursor = [], ""
    while cursor is not None:
        page = store.read_now(find, FRAME, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.cursor
    return found


JOBS = {
    "ftjob-b": NOW - HOUR,
    "ftjob-B": NOW - HOUR,
    "ftjob-_": NOW - HOUR,
    "ftjob-new": NOW,
    "ftjob-old": NOW - 9 * DAY,
    "ftjob-unknown": None,
    "ftjob-Unknown": None,
    "ftjob-zero": datetime(1970, 1, 1, tzinfo=UTC),
    "ftjob-before": datetime(1969, 12, 31, tzinfo=UTC),
}


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_jobs_are_in_the_order_of_their_keys_on_every_page(store, limit):
    insert_jobs(store, JOBS)
    found = by_pages(store, listings.jobs, limit=limit)
    assert [row.one.job.id for row in found] == [
        *("ftjob-new", "ftjob-B", "ftjob-_", "ftjob-b", "ftjob-old"),
        *("ftjob-Unknown", "ftjob-unknown", "ftjob-zero", "ftjob-before"),
    ]
    assert [row.seen.jobs_at for row in found] == [NOW] * len(JOBS)


def test_a_page_of_jobs_reads_nothing_of_those_far_behind_it(store):
    insert_jobs(store, {f"ftjob-{n:03}": NOW - n * HOUR for n in range(250)})
    store.write_now(
        lambda tx: tx.exec_driver_sql(
            f"UPDATE jobs SET noun = '{UNREADABLE}' WHERE id < 'ftjob-010' OR id > 'ftjob-150'"
        )
    )
    cursor = encode_cursor((-int((NOW - 10 * HOUR).timestamp() * 1_000_000), PLACE.key, "ftjob-010"))
    page = store.read_now(listings.jobs, FRAME, limit=2, cursor=cursor)
    assert [row.one.job.id for row in page.items] == ["ftjob-011", "ftjob-012"]


ALERTS = [
    make_alert(name="a", at=NOW - HOUR),
    make_alert(name="b", at=NOW - HOUR),
    make_alert(name="c", at=NOW - HOUR),
    make_alert(name="d", at=NOW - timedelta(microseconds=1)),
    make_alert("job_failed", name="e", at=NOW - 2 * HOUR),
    make_alert(name="long ago", at=NOW - 90 * DAY),
    ended(make_alert(name="over", at=NOW - 30 * DAY), NOW - DAY),
]
FORGOTTEN = [
    ended(make_alert(name="over long ago", at=NOW - 30 * DAY), NOW - 20 * DAY),
    make_alert("job_failed", name="happened long ago", at=NOW - 20 * DAY),
]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_alerts_are_in_the_order_of_their_keys_on_every_page(store, limit):
    store.write_now(alerts.save, [*ALERTS, *FORGOTTEN])
    wanted = sorted(ALERTS, key=lambda one: (-one.starts_at.timestamp(), one.id))
    assert [row.alert for row in by_pages(store, happenings.alerts, limit=limit)] == wanted


def test_of_thousands_of_alerts_of_one_time_a_page_reads_a_few(store):
    made = sorted((make_alert(name=f"m{n}", at=NOW) for n in range(200)), key=lambda one: one.id)
    store.write_now(alerts.save, made)
    kept = ", ".join(f"'{one.id}'" for one in made[100:160])
    store.write_now(
        lambda tx: tx.exec_driver_sql(f"UPDATE alerts SET finding = '{UNREADABLE}' WHERE id NOT IN ({kept})")
    )
    cursor = encode_cursor((-int(NOW.timestamp() * 1_000_000), made[99].id))
    page = store.read_now(happenings.alerts, FRAME, limit=3, cursor=cursor)
    assert [row.alert for row in page.items] == made[100:103]


def put_file(tx, id_, place, *, days):
    noun = make_file(id_, account=place.key, created_at=NOW - days * DAY)
    row = {"account": place.key, "id": id_, "is_listed": True, "first_seen_at": NOW, "noun": noun}
    tx.execute(schema.files.insert().values(**row))


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_what_goes_by_account_is_in_the_order_of_its_keys_on_every_page(store, monkeypatch, limit):
    """However few accounts are read at once."""
    monkeypatch.setattr(reach, "_ACCOUNTS_AT_ONCE", 2)
    places = [make_account(name) for name in ("west", "West-2", "east", "_odd", "alone", "north")]

    def save(tx):
        for place in places:
            put_account(tx, place)
        for n, place in enumerate(places[:5]):
            for k in range(n):
                put_deployment(tx, f"{'bB_'[k % 3]}-{k}", place)
                put_file(tx, f"file-{n}-{k}", place, days=k % 2)

    store.write_now(save)
    for find in (listings.deployments, holdings.files, listings.accounts):
        whole = store.read_now(find, FRAME).items
        assert by_pages(store, find, limit=limit) == list(whole)
    rows = store.read_now(listings.deployments, FRAME).items
    assert len(rows) == 10 and [row.key for row in rows] == sorted(row.key for row in rows)
    files = store.read_now(holdings.files, FRAME).items
    assert len(files) == 10 and [row.account.label for row in files] == sorted(row.account.label for row in files)


@pytest.mark.parametrize(
    ("find", "table"),
    [(listings.deployments, "deployments"), (holdings.files, "files"), (listings.accounts, "deployments")],
    ids=["deployments", "files", "accounts"],
)
def test_a_page_reads_nothing_of_accounts_far_behind_it(store, find, table):
    places = [make_account(f"place-{n:02}") for n in range(60)]

    def save(tx):
        for place in places:
            put_account(tx, place)
            put_deployment(tx, "bot", place)
            put_file(tx, "file-1", place, days=1)
        keys = ", ".join(f"'{place.key}'" for place in (*places[:10], *places[40:]))
        tx.exec_driver_sql(f"UPDATE {table} SET noun = '{UNREADABLE}' WHERE account IN ({keys})")

    store.write_now(save)
    behind = {
        listings.deployments: (places[10].key, ""),
        holdings.files: ("place-10", -(10**18), ""),
        listings.accounts: ("place-10", ""),
    }
    page = store.read_now(find, FRAME, limit=3, cursor=encode_cursor(behind[find]))
    assert len(page.items) == 3


OTHER = make_account("contoso-west")


@pytest.fixture
def crowded(store):
    """A deployment, and others elsewhere that cannot be read at all."""

    def save(tx):
        for place in (PLACE, OTHER):
            put_account(tx, place)
        put_deployment(tx, "Chat")
        for n in range(3):
            put_deployment(tx, f"chat-{n}", OTHER)
        others = f"account = '{OTHER.key}'"
        tx.exec_driver_sql(f"UPDATE deployments SET noun = '{UNREADABLE}' WHERE {others}")

    store.write_now(save)
    return store


@pytest.mark.parametrize("wanted", ["chat", "contoso-ft/CHAT", f"{PLACE.key}/deployments/chat"])
def test_to_keep_a_deployment_no_other_is_read(crowded, wanted):
    kept = crowded.write_now(acts.keep, FRAME, wanted, until=NOW + DAY, author="ops", reason="launch")
    assert (kept.keep.account, kept.keep.deployment) == (PLACE.key, "Chat")
    for other in ("contoso-west/chat", "chat_", "%"):
        with pytest.raises(Refused, match="is no living deployment"):
            crowded.write_now(acts.keep, FRAME, other, until=NOW + DAY, author="ops", reason="launch")


def test_an_alert_of_an_unknown_id_is_refused_without_reading_any(store):
    known = make_alert(name="known")
    store.write_now(alerts.save, [known, *(make_alert(name=f"m{n}") for n in range(9))])
    store.write_now(
        lambda tx: tx.exec_driver_sql(f"UPDATE alerts SET finding = '{UNREADABLE}' WHERE id <> '{known.id}'")
    )
    said = {"author": "ops", "comment": "on it", "now": NOW}
    for wanted in ("nothing", "%", "alr\\_"):
        with pytest.raises(Refused, match="no alert has an id that begins with"):
            store.write_now(acts.acknowledge, [wanted], **said)
    with pytest.raises(Refused, match="write more of it"):
        store.write_now(acts.acknowledge, ["alr_"], **said)
    (done,) = store.write_now(acts.acknowledge, [known.fingerprint[:20]], **said)
    assert done.alert == known


def test_of_several_alerts_that_begin_so_the_one_that_is_not_over_is_acknowledged(store):
    old, new = ended(make_alert(at=NOW - DAY), NOW - HOUR), make_alert(at=NOW)
    store.write_now(alerts.save, [old])
    store.write_now(alerts.save, [new])
    said = {"author": "ops", "comment": "on it", "now": NOW}
    (done,) = store.write_now(acts.acknowledge, [new.fingerprint[:10]], **said)
    assert done.alert == new
