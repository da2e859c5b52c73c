"""The API: the records of the commands, by pages, and what it says of what it cannot answer."""

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.world import World, estate, good
from tests.conftest import SteppedClock
from tests.factories import NOW, make_account, make_deployment, make_job, make_snapshot
from watcher.store.engine import Store, connect
from watcher.web.operations import OPERATIONS

from .rig import Asked, asking, make_app, make_site


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """An estate of which something was silenced and kept; only looked at."""
    made = estate(tmp_path_factory.mktemp("world"))
    for command in (
        ("silence", "add", "account=contoso-ft", "--for", "3d", "--comment", "moving house", "--author", "me"),
        ("keep", "contoso-ft/busy-bot", "--until", "2026-12-31", "--reason", "wanted", "--author", "me"),
    ):
        assert made.watcher(*command).code == 0
    return made


@pytest.fixture(scope="module")
def seen(world: World):
    store = world.open()
    yield store
    store.close()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOW)


@pytest.fixture
def app(seen, clock):
    return make_app(make_site(seen, clock))


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("accounts", ["accounts"]),
        ("accounts?status=gaps", ["accounts", "--status", "gaps"]),
        ("jobs", ["jobs"]),
        ("jobs?status=failed&account=contoso-*", ["jobs", "--status", "failed", "--account", "contoso-*"]),
        ("jobs?status=failed&status=running", ["jobs", "--status", "failed", "--status", "running"]),
        ("deployments", ["deployments"]),
        ("deployments?owner=support", ["deployments", "--owner", "support"]),
        ("deployments?since=2d", ["deployments", "--since", "2d"]),
        ("models", ["models"]),
        ("files", ["files"]),
        ("transitions", ["transitions"]),
        ("transitions?since=30m", ["transitions", "--since", "30m"]),
        ("alerts", ["alerts"]),
        ("alerts?status=firing", ["alerts", "--status", "firing"]),
        ("silences", ["silence", "list"]),
        ("keeps", ["keep", "--list"]),
        ("notifications", ["outbox", "list"]),
        ("notifications?status=*", ["outbox", "list", "--all"]),
    ],
)
async def test_records_are_those_of_the_command(app, world: World, path: str, command: list[str]) -> None:
    name = path.partition("?")[0]
    async with asking(app) as client:
        answer = await client.get(f"/api/v1/{path}")
    assert answer.status_code == 200
    found, printed = answer.json(), world.watcher(*command, "--json").json
    order = str if name == "alerts" else None  # the command shows the loudest first, the API what can be paged
    if order:
        assert sorted(map(str, found[name])) == sorted(map(str, printed[name]))
    else:
        assert found[name] == printed[name]
    assert (found["version"], found["as_of"], found["cursor"]) == (printed["version"], printed["as_of"], None)
    assert found[name] != [] or name in ("models", "files")


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("status", ["status"]),
        ("status?since=12h", ["status", "--since", "12h"]),
        ("jobs/contoso-ft/ftjob-that-ends", ["explain", "ftjob-that-ends"]),
        ("deployments/contoso-ft/support-bot", ["explain", "contoso-ft/support-bot"]),
        ("deployments/CONTOSO-FT/Support-Bot", ["explain", "contoso-ft/support-bot"]),
    ],
)
async def test_what_is_one_document_is_that_of_the_command(app, world: World, path: str, command: list[str]) -> None:
    """But for the routes: here there are none, as no configuration is in force."""
    async with asking(app) as client:
        found = (await client.get(f"/api/v1/{path}")).json()
    printed = world.watcher(*command, "--json").json
    for document in (found, printed):
        for alert in document.get("explanation", {}).get("alerts", ()):
            del alert["routes"], alert["held"]
    assert found == printed


async def test_one_alert_is_explained_by_its_id(app, world: World) -> None:
    (alert, *_) = world.watcher("alerts", "--status", "deployment_idle", "--json").json["alerts"]
    async with asking(app) as client:
        whole = (await client.get(f"/api/v1/alerts/{alert['id']}")).json()["explanation"]
        assert (await client.get("/api/v1/alerts/ftjob-that-ends")).status_code == 404
        assert (await client.get("/api/v1/alerts/nothing")).status_code == 404
    assert [one["id"] for one in whole["alerts"]] == [alert["id"]]
    assert whole["deployment"]["name"] == "support-bot"
    assert [one["state"] for one in whole["alerts"][0]["deliveries"]] == ["dead"]


async def test_two_accounts_of_one_name_are_told_apart_by_their_labels(tmp_path, clock) -> None:
    world = World(tmp_path)
    here = make_account("twin", resource_group="rg-a", label="twin@rg-a")
    there = make_account("twin", resource_group="rg-b", label="twin@rg-b")
    world.record(
        *(
            make_snapshot(
                account=account,
                at=NOW,
                jobs=[make_job(job, account=account.key)],
                deployments=[make_deployment("bot", account=account)],
            )
            for account, job in ((here, "ftjob-a"), (there, "ftjob-b"))
        )
    )
    store = world.open()
    try:
        async with asking(make_app(make_site(store, clock))) as client:
            for account, job in ((here, "ftjob-a"), (there, "ftjob-b")):
                found = await client.get(f"/api/v1/deployments/{account.label}/bot")
                assert found.json()["explanation"]["deployment"]["account_id"] == account.id
                assert (await client.get(f"/api/v1/jobs/{account.label}/{job}")).status_code == 200
            assert (await client.get("/api/v1/jobs/twin@rg-a/ftjob-b")).status_code == 404
            ambiguous = await client.get("/api/v1/deployments/twin/bot")
            assert ambiguous.status_code == 422
            assert "twin@rg-a/bot, twin@rg-b/bot" in ambiguous.json()["detail"]
    finally:
        store.close()


async def test_a_deployment_with_the_name_of_a_job_hides_neither(tmp_path, clock) -> None:
    world = World(tmp_path)
    world.record(good(jobs=[make_job("ftjob-1")], deployments=[make_deployment("ftjob-1")], usage=[], events={}))
    store = world.open()
    try:
        async with asking(make_app(make_site(store, clock))) as client:
            job = (await client.get("/api/v1/jobs/contoso-ft/ftjob-1")).json()["explanation"]
            deployment = (await client.get("/api/v1/deployments/contoso-ft/ftjob-1")).json()["explanation"]
    finally:
        store.close()
    assert (job["job"]["id"], job["deployment"]) == ("ftjob-1", None)
    assert (deployment["deployment"]["name"], deployment["job"]) == ("ftjob-1", None)


LISTINGS = [one.path for one in OPERATIONS if any(field.name == "cursor" for field in one.params)]


async def pages(client, path: str, limit: int) -> list[dict]:
    found, cursor, name = [], "", path.strip("/")
    while True:
        answer = (await client.get(f"/api/v1{path}", params={"limit": limit, "cursor": cursor})).json()
        assert len(answer[name]) <= limit
        found += answer[name]
        if (cursor := answer["cursor"]) is None:
            return found


@pytest.mark.parametrize("path", LISTINGS)
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_the_pages_together_are_the_whole(app, path: str, limit: int) -> None:
    async with asking(app) as client:
        whole = (await client.get(f"/api/v1{path}")).json()[path.strip("/")]
        assert await pages(client, path, limit) == whole


NAMES = st.lists(st.text("abAB-_.019", min_size=1, max_size=4), min_size=1, max_size=8, unique_by=str.lower)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=NAMES, after=NAMES, limit=st.integers(1, 4))
async def test_what_stays_is_on_exactly_one_page_though_other_rows_come_and_go(
    tmp_path_factory, before: list[str], after: list[str], limit: int
) -> None:
    world, clock = World(tmp_path_factory.mktemp("pages")), SteppedClock(NOW + timedelta(hours=3))
    world.record(with_deployments(before, hours=0))
    store = world.open()
    try:
        async with asking(make_app(make_site(store, clock))) as client:
            first = (await client.get("/api/v1/deployments", params={"limit": limit})).json()
            world.record(with_deployments(after, hours=1))
            found = [one["name"] for one in first["deployments"]]
            cursor = first["cursor"]
            while cursor is not None:
                page = (await client.get("/api/v1/deployments", params={"limit": limit, "cursor": cursor})).json()
                found += [one["name"] for one in page["deployments"]]
                cursor = page["cursor"]
    finally:
        store.close()
    stayed = {name.lower() for name in before} & {name.lower() for name in after}
    if first["cursor"] is not None:
        assert stayed <= {name.lower() for name in found}
    assert len({name.lower() for name in found}) == len(found)


def with_deployments(names: list[str], *, hours: int):
    return make_snapshot(
        account=make_account("contoso-ft"),
        at=NOW + timedelta(hours=hours),
        jobs=[],
        deployments=[make_deployment(name) for name in names],
    )


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("jobs?limit=0", 422, "limit is a number from 1 to 1000"),
        ("jobs?limit=1001", 422, "limit is a number from 1 to 1000"),
        ("jobs?limit=many", 422, "limit is a number from 1 to 1000"),
        ("jobs?limit=%D9%A1", 422, "limit is a number from 1 to 1000"),
        ("jobs?cursor=nonsense", 422, "this is no cursor"),
        ("jobs?cursor=WyJhIl0", 422, "the cursor belongs to another listing"),
        ("transitions?cursor=WyJhIl0", 422, "the cursor belongs to another listing"),
        ("jobs?since=yesterday", 422, "since is no time"),
        ("jobs?acount=contoso-ft", 422, "acount is no parameter here; did you mean account?"),
        ("jobs?Status=failed", 422, "did you mean status?"),
        ("jobs?page=2", 422, "known are account, status, owner, since, limit, cursor"),
        ("keeps?limit=1", 422, "there is none"),
        ("silences?account=x", 422, "known are since, limit, cursor"),
        ("alerts/x?since=1d", 422, "there is none"),
        ("report?period=never", 422, "never is no period"),
        ("jobs/contoso-ft/nothing", 404, "nothing is known of contoso-ft/nothing"),
        ("jobs/nowhere/ftjob-that-ends", 404, "nothing is known of"),
        ("jobs/contoso-ft/support-bot", 404, "nothing is known of"),
        ("deployments/contoso-ft/ftjob-that-ends", 404, "nothing is known of"),
        ("nothing", 404, "There is nothing at this address."),
        ("", 404, "There is nothing at this address."),
    ],
)
async def test_what_cannot_be_answered_is_a_problem_that_says_why(app, path: str, status: int, said: str) -> None:
    async with asking(app) as client:
        answer = await client.get(f"/api/v1/{path}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert said in answer.json()["detail"]


async def test_a_method_that_an_address_does_not_take_is_told_with_those_that_it_does(app) -> None:
    async with asking(app) as client:
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            answer = await client.request(method, "/api/v1/silences")
            assert answer.status_code == 405
            assert answer.headers.get_list("allow") == ["GET, HEAD, POST"]
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_head_is_the_answer_without_its_body(app) -> None:
    async with asking(app) as client:
        for path in ("jobs", "status", "openapi.json", "jobs/contoso-ft/ftjob-that-ends"):
            whole, head = await client.get(f"/api/v1/{path}"), await client.head(f"/api/v1/{path}")
            assert head.status_code == 200
            assert head.headers["content-type"] == whole.headers["content-type"]
        assert (await client.head("/api/v1/jobs/contoso-ft/x")).status_code == 404


BODIES = [
    pytest.param(b"", 400, id="nothing"),
    pytest.param(b"{", 400, id="no JSON"),
    pytest.param(b"[]", 400, id="no object"),
    pytest.param(b"[" * 50_000, 400, id="deep"),
    pytest.param(b'"' + b"x" * 70_000 + b'"', 413, id="large"),
    pytest.param(b"\xff\xfe", 400, id="no text"),
    pytest.param(b"{}", 422, id="nothing said"),
    pytest.param(b'{"matchers": "rule=x", "for": "1d", "comment": "c", "author": "a"}', 422, id="no list"),
    pytest.param(b'{"matchers": ["rule=x"], "for": "1d", "comment": " ", "author": "a"}', 422, id="an empty comment"),
    pytest.param(b'{"matchers": ["rule=x"], "for": "soon", "comment": "c", "author": "a"}', 422, id="no time"),
    pytest.param(b'{"matchers": ["rule"], "for": "1d", "comment": "c", "author": "a"}', 422, id="no matcher"),
    pytest.param(b'{"matchers": ["rule=~\\"(\\""], "for": "1d", "comment": "c", "author": "a"}', 422, id="no pattern"),
    pytest.param(
        b'{"matchers": ["rule=~\\"(.|.)*!\\""], "for": "1d", "comment": "c", "author": "a"}', 422, id="endless pattern"
    ),
    pytest.param(b'{"matchers": ["a=b"], "for": "9999999d", "comment": "c", "author": "a"}', 422, id="for ever"),
    pytest.param(b'{"matchers": ["a=b"], "ends_at": "2020-01-01", "comment": "c", "author": "a"}', 422, id="past"),
    pytest.param(b'{"matchers": ["a=b"], "fro": "1d", "comment": "c", "author": "a"}', 422, id="a slip in a name"),
    pytest.param(
        b'{"matchers": ["a=b"], "for": "1d", "comment": "c", "author": "a", "forced": true}', 422, id="unknown"
    ),
    pytest.param(
        b'{"matchers": ["a=b"], "for": "1d", "comment": "c", "author": "a", "is_forced": 1}', 422, id="no truth"
    ),
]


@pytest.mark.parametrize(("body", "status"), BODIES)
async def test_a_body_that_cannot_be_taken_is_a_problem_and_changes_nothing(app, seen, body: bytes, status: int):
    async with asking(app, headers={"content-type": "application/json"}) as client:
        before = (await client.get("/api/v1/silences")).json()["silences"]
        answer = await client.post("/api/v1/silences", content=body)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.status_code == status, answer.text
        assert (await client.get("/api/v1/silences")).json()["silences"] == before


async def test_names_that_no_text_should_hold_are_written_all_the_same(tmp_path, clock) -> None:
    """Reordering characters, markup and line ends: JSON holds them as they are, and a terminal obeys none of it."""
    world = World(tmp_path)
    hostile = "<script>\u202e\x1b[31m\u2028"
    world.record(good(jobs=[make_job("ftjob-1", suffix=hostile)], deployments=[], usage=[], events={}))
    store = world.open()
    try:
        async with asking(make_app(make_site(store, clock))) as client:
            answer = await client.get("/api/v1/jobs")
    finally:
        store.close()
    assert answer.json()["jobs"][0]["suffix"] == hostile
    assert answer.content.isascii()
    assert answer.headers["content-type"] == "application/json"
    assert b"\x1b" not in answer.content


async def test_the_report_is_asked_for_as_it_was_said(seen, clock) -> None:
    asked = Asked()
    async with asking(make_app(make_site(seen, clock, asked=asked))) as client:
        answer = await client.get("/api/v1/report?period=month&as_of=2026-11-01&owner=search-team")
    (wanted,) = asked.reports
    assert (wanted.format, wanted.period, wanted.as_of, wanted.owner) == ("json", "month", "2026-11-01", "search-team")
    assert json.loads(answer.content)["version"] == 1


async def test_a_database_that_is_away_is_a_problem_that_passes(tmp_path, clock) -> None:
    store = Store(connect(f"sqlite:///{tmp_path / 'empty.db'}"))  # nobody has made its tables
    try:
        async with asking(make_app(make_site(store, clock))) as client:
            for path in ("/api/v1/jobs", "/api/v1/status", "/api/v1/jobs/a/b"):
                answer = await client.get(path)
                assert answer.status_code == 503
                assert answer.headers["retry-after"] == "5"
                assert answer.json()["detail"].startswith("the database cannot be used")
    finally:
        store.close()
