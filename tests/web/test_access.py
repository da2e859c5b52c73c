"""Who is let in, as whom, and what a browser must prove; asked as browsers, programs and strangers ask."""

import re
from datetime import timedelta
from ipaddress import ip_network

import pytest
import structlog.testing
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from tests.conftest import SteppedClock
from watcher.store import operators
from watcher.web.access import SESSION, Door, Key, Person, Right, Rules, is_same_origin
from watcher.web.app import create_app
from watcher.web.metrics import Figures, Metrics

from .rig import HOST, KEYS, READER, SHARED, WRITER, Asked, asking, make_app, make_site, with_keys

GUARDED = [
    "/metrics",
    "/calendar.ics",
    "/api/v1/status",
    "/api/v1/jobs",
    "/api/v1/jobs/a/b",
    "/api/v1/openapi.json",
]
SILENCE = {"matchers": ["rule=deployment_idle"], "for": "3d", "comment": "moving house"}


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing here depends on it


@pytest.fixture
def site(store, clock):
    return make_site(store, clock)


@pytest.mark.parametrize("path", GUARDED)
async def test_programs_without_a_token_are_refused_also_on_loopback(site, path: str) -> None:
    async with asking(make_app(site, with_keys())) as client:
        answer = await client.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/style.css", "/static/live.js", "/login"])
async def test_probes_and_the_door_are_open(site, path: str) -> None:
    async with asking(make_app(site, with_keys())) as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("token", [READER, WRITER, SHARED])
async def test_every_token_sees(site, token: str) -> None:
    async with asking(make_app(site, with_keys()), token=token) as client:
        assert [(await client.get(path)).status_code for path in GUARDED if "a/b" not in path] == [200] * 5


@pytest.mark.parametrize("token", ["x", READER + "x", READER[:-1], "", " ", "ünïcode", "\xff"])
async def test_no_other_does(site, token: str) -> None:
    async with asking(make_app(site, with_keys())) as client:
        headers = {"authorization": f"Bearer {token}".encode("latin-1")}
        assert (await client.get("/api/v1/jobs", headers=headers)).status_code == 401


async def test_a_token_beyond_ascii_is_known_as_it_comes_over_the_wire(site) -> None:
    rules = Rules(keys=(Key(name="a", right=Right.READ, secret="schlüssel-0123"),))
    async with asking(make_app(site, rules)) as client:
        headers = {"authorization": "Bearer schlüssel-0123".encode()}
        assert (await client.get("/api/v1/jobs", headers=headers)).status_code == 200


async def test_a_read_token_changes_nothing(site, store, clock) -> None:
    acts = [
        ("POST", "/api/v1/silences"),
        ("DELETE", "/api/v1/silences/sil_1"),
        ("POST", "/api/v1/alerts/x/ack"),
        ("POST", "/api/v1/keeps"),
        ("DELETE", "/api/v1/keeps/a/b"),
        ("POST", "/api/v1/notifications/x/retry"),
    ]
    async with asking(make_app(site, with_keys()), token=READER) as client:
        for method, path in acts:
            answer = await client.request(method, path, json=SILENCE)
            assert (answer.status_code, answer.json()["detail"]) == (403, "grafana may only read"), path
    assert store.read_now(operators.audit) == ()


@pytest.mark.parametrize(
    ("token", "said", "author"),
    [
        pytest.param(WRITER, "mallory", "deploys", id="a named token's name stands, whatever the body says"),
        pytest.param(WRITER, None, "deploys", id="and needs none"),
        pytest.param(SHARED, "ops on call", "ops on call", id="whoever holds the shared one may say who"),
        pytest.param(SHARED, None, "web", id="or be known by it"),
    ],
)
async def test_who_acted_stands_in_the_audit(site, store, token: str, said: str | None, author: str) -> None:
    body = SILENCE | ({} if said is None else {"author": said})
    async with asking(make_app(site, with_keys()), token=token) as client:
        assert (await client.post("/api/v1/silences", json=body)).status_code == 201
    (entry,) = store.read_now(operators.audit)
    assert (entry.author, entry.action) == (author, "silence.add")
    assert entry.comment.endswith("moving house")


async def test_where_nobody_has_a_name_the_body_must_say_it(site, store) -> None:
    async with asking(make_app(site)) as client:
        answer = await client.post("/api/v1/silences", json=SILENCE)
        assert (answer.status_code, "author" in answer.json()["detail"]) == (422, True)
        assert (await client.post("/api/v1/silences", json=SILENCE | {"author": "me"})).status_code == 201
    assert [entry.author for entry in store.read_now(operators.audit)] == ["me"]


#: As a page elsewhere makes a browser send them; each is refused, with and without a token in force.
FORGED = {
    "another origin": {"origin": "https://evil.example"},
    "the same name on another port": {"origin": "http://127.0.0.1:9999"},
    "an origin that is hidden": {"origin": "null"},
    "an origin that is none": {"origin": "http://[::1"},
    "another site": {"sec-fetch-site": "cross-site"},
    "another host of the site": {"sec-fetch-site": "same-site"},
    "our origin, with no proof": {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"},
    "our origin, with a wrong proof": {"origin": f"http://{HOST}", "x-csrf-token": "0" * 64},
    "a page that does not say its origin": {"referer": "https://evil.example/"},
}


@pytest.mark.parametrize("how", FORGED)
@pytest.mark.parametrize("has_session", [False, True])
async def test_a_page_elsewhere_cannot_act_through_a_browser(site, store, clock, how: str, has_session: bool) -> None:
    async with asking(make_app(site, with_keys() if has_session else Rules())) as client:
        if has_session:
            await client.post("/login", data={"token": WRITER})
        answer = await client.post("/api/v1/silences", json=SILENCE | {"author": "x"}, headers=FORGED[how])
    assert answer.status_code == 403
    assert store.read_now(operators.audit) == ()


async def test_a_program_on_this_machine_needs_no_proof_and_a_session_always_does(site) -> None:
    async with asking(make_app(site)) as client:
        assert (await client.post("/api/v1/silences", json=SILENCE | {"author": "x"})).status_code == 201
    for token in (WRITER, SHARED):
        async with asking(make_app(site, with_keys())) as client:
            await client.post("/login", data={"token": token})
            assert (await client.get("/api/v1/silences")).status_code == 200
            assert (await client.post("/api/v1/silences", json=SILENCE | {"author": "x"})).status_code == 403


async def test_a_form_of_another_site_is_no_json(site) -> None:
    async with asking(make_app(site)) as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            headers = {"content-type": kind}
            answer = await client.post("/api/v1/silences", content='{"author": "x"}', headers=headers)
            assert answer.status_code == 415


HOSTS = ("127.0.0.1", "localhost", "[::1]", "watcher.example.com")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8787", 200),
        ("127.0.0.1", 200),
        ("LOCALHOST:8787", 200),
        ("[::1]:8787", 200),
        ("[::1]", 200),
        ("watcher.example.com", 200),
        ("watcher.example.com.:443", 200),
        ("evil.example", 400),
        ("evil.example:8787", 400),
        ("127.0.0.1.evil.example", 400),
        ("evil.example:127.0.0.1", 400),
        ("127.0.0.1@evil.example", 400),
        ("www.watcher.example.com", 400),
        ("", 400),
        (":8787", 400),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/healthz", "/static/style.css"])
async def test_a_name_that_is_not_ours_is_refused(site, host: str, status: int, path: str) -> None:
    """A page of evil.example whose name is made to lead to us could else read everything on loopback."""
    async with asking(make_app(site, hosts=HOSTS), headers={"host": host}) as client:
        answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"


def browser(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "client": ("127.0.0.1", 1)})


def cookie_of(door: Door, key: Key, clock: SteppedClock) -> str:
    response = PlainTextResponse("")
    door.remember(response, key, clock())
    return response.headers["set-cookie"].partition(";")[0]


def test_a_session_ends(clock) -> None:
    door = Door(with_keys())
    cookie = cookie_of(door, KEYS[1], clock)
    assert door.who(browser(cookie=cookie), clock()) is not None
    clock.move(SESSION - timedelta(seconds=1))
    assert door.who(browser(cookie=cookie), clock()) is not None
    clock.move(timedelta(seconds=1))
    assert door.who(browser(cookie=cookie), clock()) is None


def test_a_session_outlives_a_restart_and_ends_with_its_token(clock) -> None:
    cookie = cookie_of(Door(with_keys()), KEYS[1], clock)
    assert Door(with_keys()).who(browser(cookie=cookie), clock()) is not None
    changed = Key(name="deploys", right=Right.WRITE, secret="another-0123456789")
    assert Door(Rules(keys=(changed,))).who(browser(cookie=cookie), clock()) is None
    assert Door(Rules(keys=KEYS[:1])).who(browser(cookie=cookie), clock()) is None


def test_a_session_takes_its_right_from_the_configuration_in_force(clock) -> None:
    cookie = cookie_of(Door(with_keys()), KEYS[1], clock)
    lowered = Key(name="deploys", right=Right.READ, secret=WRITER)
    person = Door(Rules(keys=(lowered,))).who(browser(cookie=cookie), clock())
    assert person is not None
    assert not person.may_write


def test_a_cookie_cannot_be_changed(clock) -> None:
    door = Door(with_keys())
    name, _, value = cookie_of(door, KEYS[2], clock).partition("=")
    ends, who, signature = value.split(".")
    tampered = [
        f"{int(ends) + 1}.{who}.{signature}",
        f"{ends}.deploys.{signature}",
        f"{ends}.{who}.{signature[:-1]}",
        f"{ends}.{who}.",
        f"{ends}.{who}",
        f"{'9' * 5000}.{who}.{signature}",
        f"-{ends}.{who}.{signature}",
        "..",
        "",
        "é.é.é",
    ]
    for one in tampered:
        assert door.who(browser(cookie=f"{name}={one}"), clock()) is None, one
    assert door.who(browser(cookie=f"{name}={value}"), clock()) is not None


def test_a_cookie_is_bound_to_tls_where_there_is_tls(clock) -> None:
    for is_tls in (False, True):
        response = PlainTextResponse("")
        Door(with_keys(is_tls=is_tls)).remember(response, KEYS[0], clock())
        said = response.headers["set-cookie"]
        assert said.startswith("__Host-watcher_session=") == is_tls
        assert ("Secure" in said) == is_tls
        assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(said.split("; "))
        assert "Domain" not in said
        assert SHARED not in said


def test_without_the_prefix_a_cookie_is_nothing_over_tls(clock) -> None:
    """A neighbour under the same domain could plant it."""
    plain = cookie_of(Door(with_keys()), KEYS[1], clock)
    assert Door(with_keys(is_tls=True)).who(browser(cookie=plain), clock()) is None


def test_two_tokens_of_one_name_keep_their_sessions_apart(clock) -> None:
    keys = (KEYS[0], Key(name="web", right=Right.READ, secret="another-0123456789"))
    door = Door(Rules(keys=keys))
    people = [door.who(browser(cookie=cookie_of(door, key, clock)), clock()) for key in keys]
    assert [person.right for person in people if person] == [Right.WRITE, Right.READ]


PROXY = {"user_header": "X-Forwarded-User"}


def by_proxy(rules: Rules, peer: str, *names: str, **more: str) -> Person | None:
    raw = [(b"x-forwarded-user", name.encode()) for name in names]
    raw += [(name.encode(), value.encode()) for name, value in more.items()]
    return Door(rules).who(Request({"type": "http", "headers": raw, "client": (peer, 1)}), SteppedClock()())


@pytest.mark.parametrize(
    ("peer", "names", "name"),
    [
        pytest.param("127.0.0.1", ["ada"], "ada", id="from this machine"),
        pytest.param("::1", ["ada"], "ada", id="by IPv6"),
        pytest.param("::ffff:127.0.0.1", ["ada"], "ada", id="by a socket of both kinds"),
        pytest.param("127.0.0.1", ["Zoë"], "Zoë", id="beyond ASCII"),
        pytest.param("10.0.0.1", ["ada"], None, id="from elsewhere it is a stranger's word"),
        pytest.param("127.0.0.1", [], None, id="nobody is named"),
        pytest.param("127.0.0.1", [""], None, id="an empty name"),
        pytest.param("127.0.0.1", ["ada", "root"], None, id="named twice: one is not the proxy's"),
        pytest.param("127.0.0.1", ["a\x00b"], None, id="no name"),
        pytest.param("127.0.0.1", ["a" * 201], None, id="too long"),
        pytest.param("testclient", ["ada"], None, id="no address"),
    ],
)
def test_a_proxy_is_believed_from_its_address_alone(peer: str, names: list[str], name: str | None) -> None:
    person = by_proxy(Rules(**PROXY), peer, *names)
    assert (person.name if person else None) == name
    assert person is None or (person.is_named and person.is_browser and person.right is Right.READ)


def test_a_proxy_elsewhere_is_believed_where_it_is_named() -> None:
    rules = Rules(**PROXY, proxies=(ip_network("10.1.2.0/24"),), proxy_right=Right.WRITE)
    person = by_proxy(rules, "10.1.2.9", "ada")
    assert person is not None
    assert person.may_write
    assert by_proxy(rules, "127.0.0.1", "ada") is None


def test_a_header_is_nothing_unless_it_was_asked_for() -> None:
    assert by_proxy(with_keys(), "127.0.0.1", "ada") is None


def test_behind_a_proxy_nobody_comes_in_unnamed_though_no_token_is_set() -> None:
    """The page listens on loopback, but so it does for whomever the proxy has not let in."""
    assert by_proxy(Rules(**PROXY), "127.0.0.1") is None


async def test_a_user_of_the_proxy_acts_with_a_proof_and_under_the_own_name(site, store) -> None:
    app = make_app(site, Rules(**PROXY, proxy_right=Right.WRITE))
    async with asking(app, headers={"x-forwarded-user": "ada"}) as client:
        assert (await client.post("/api/v1/silences", json=SILENCE)).status_code == 403
    assert store.read_now(operators.audit) == ()


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-origin", "origin": f"http://{HOST}"}, True),
        ({"origin": "https://watcher.example.com"}, True),
        ({"origin": "https://WATCHER.example.com"}, True),
        ({"origin": "https://watcher.example.com:444"}, False),
        ({"origin": "https://watcher.example.com.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec-fetch-site": "cross-site", "origin": f"http://{HOST}"}, False),
    ],
)
def test_behind_a_proxy_the_public_name_is_ours_too(headers: dict[str, str], is_ours: bool) -> None:
    assert is_same_origin({"host": HOST, **headers}, public_host="watcher.example.com") == is_ours


async def test_hsts_is_said_over_tls_alone(site) -> None:
    for is_tls in (False, True):
        async with asking(make_app(site, with_keys(is_tls=is_tls))) as client:
            for path in ("/healthz", "/login", "/nowhere", "/api/v1/jobs"):
                assert ("strict-transport-security" in (await client.get(path)).headers) == is_tls


async def test_every_answer_binds_the_browser(site) -> None:
    """Also those that refuse, and those about our own defects."""

    async def breaks(owner: str) -> bytes:
        raise RuntimeError(f"a defect beside {SHARED}")

    from dataclasses import replace

    app = make_app(replace(site, calendar=breaks), with_keys())
    paths = ["/", "/login", "/nowhere", "/api/v1/nowhere", "/api/v1/jobs", "/calendar.ics", "/static/style.css"]
    async with asking(app, token=WRITER) as client:
        for path in paths:
            answer = await client.get(path)
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert "canary" not in answer.text
            assert ("no-store" in answer.headers["cache-control"]) == (not path.startswith("/static"))
        assert (await client.get("/calendar.ics")).status_code == 500


async def test_no_secret_is_in_any_answer_or_log(site) -> None:
    """Every address, asked by everybody, rightly and wrongly; tokens, cookies and guesses are canaries."""
    app = make_app(site, with_keys())
    paths = [*GUARDED, "/login", "/", "/nowhere", "/healthz", "/readyz", "/api/v1/alerts/x"]
    seen: list[str] = []
    with structlog.testing.capture_logs() as logged:
        for token in ("", READER, WRITER, SHARED, "canary-guess"):
            async with asking(app, token=token) as client:
                for path in paths:
                    answer = await client.get(path)
                    seen += [answer.text, *(f"{name}: {value}" for name, value in answer.headers.items())]
                for given in (READER, WRITER, "canary-guess", f"{SHARED} "):
                    answer = await client.post("/login", data={"token": given, "next": "/jobs"})
                    seen += [answer.text, str(answer.headers)]
    assert "login.refused" in {entry["event"] for entry in logged}
    assert [text for text in [*seen, repr(logged)] if re.search("canary", text)] == []
    assert "canary" not in repr(with_keys()) + repr(KEYS)


def test_the_application_shows_no_secret_when_printed(site) -> None:
    app = create_app(site, metrics=Metrics(Figures), rules=with_keys())
    assert "canary" not in repr(app) + repr(vars(app))


async def test_acting_wakes_the_loops(store, clock) -> None:
    asked = Asked()
    async with asking(make_app(make_site(store, clock, asked=asked), with_keys()), token=WRITER) as client:
        await client.post("/api/v1/silences", json={})
        assert asked.wakes == 0
        await client.post("/api/v1/silences", json=SILENCE)
        assert asked.wakes == 1
