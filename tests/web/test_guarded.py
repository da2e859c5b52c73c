"""Every address there is, found in the application itself: none forgets to ask who comes, or where a form is from."""

import base64
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.routing import Route

from watcher.store import operators
from watcher.web.access import SESSION, Door, Rules
from watcher.web.api import PREFIX
from watcher.web.app import routes
from watcher.web.metrics import Figures, Metrics
from watcher.web.pages import Room
from watcher.web.render import Pages

from .rig import HOST, READER, WRITER, asking, make_app, make_site, with_keys

OPEN = {"/healthz", "/readyz", "/login"}
FOR_PROGRAMS = {"/metrics", "/calendar.ics", "/events"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing here depends on it


@pytest.fixture
def site(store, clock):
    return make_site(store, clock)


@pytest.fixture
def app(site):
    return make_app(site, with_keys())


def every(site, method: str) -> list[str]:
    """Addresses that take a method, with something in place of each parameter."""
    found = routes(Room(site, Door(Rules()), Pages(site)), Metrics(Figures))
    assert all(isinstance(route, Route) for route in found)
    return [re.sub(r"{\w+(:\w+)?}", "x", one.path) for one in found if isinstance(one, Route) and method in one.methods]


def is_page(path: str) -> bool:
    return not path.startswith((PREFIX, "/static/")) and path not in OPEN | FOR_PROGRAMS


async def test_whoever_is_unknown_is_led_to_the_door_and_back(app, site) -> None:
    pages = [path for path in every(site, "GET") if is_page(path)]
    assert {"/", "/jobs", "/deployments", "/alerts", "/deliveries", "/report"} <= set(pages)
    async with asking(app) as client:
        for path in pages:
            for method in ("GET", "HEAD"):
                answer = await client.request(method, f"{path}?a=b%26c")
                assert answer.status_code == 303, path
                door = urlsplit(answer.headers["location"])
                assert (door.netloc, door.path, parse_qs(door.query)["next"]) == ("", "/login", [f"{path}?a=b%26c"])


async def test_programs_that_are_unknown_are_told_so(app, site) -> None:
    async with asking(app) as client:
        for path in every(site, "GET"):
            if path.startswith(PREFIX) or path in FOR_PROGRAMS:
                answer = await client.get(path)
                assert answer.status_code == 401, path
                assert path == "/events" or answer.headers["www-authenticate"] == "Bearer", path


async def test_no_form_is_taken_from_whoever_is_unknown(app, site, store) -> None:
    async with asking(app) as client:
        for path in every(site, "POST"):
            if is_page(path):
                assert (await client.post(path, headers=FORM)).status_code == 401, path
    assert store.read_now(operators.audit) == ()


async def proof_of(client) -> str:
    found = re.search(r'name="proof" value="(\w+)"', (await client.get("/nowhere")).text)
    assert found is not None
    return found[1]


async def test_who_may_only_look_sees_no_form_and_sends_none(app, site, store) -> None:
    async with asking(app) as client:
        await client.post("/login", data={"token": READER})
        proof = await proof_of(client)
        for path in every(site, "GET"):
            if is_page(path):
                page = await client.get(path)
                forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', page.text)
                assert set(forms) <= {"/logout"}, path
                assert re.findall(r'<form[^>]*action="([^"]*)"[^>]*method="post"', page.text) == [], path
        acts = [path for path in every(site, "POST") if is_page(path) and path != "/logout"]
        assert acts
        for path in acts:
            assert (await client.post(path, data={"proof": proof})).status_code == 403, path
    assert store.read_now(operators.audit) == ()


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({}, id="no proof"),
        pytest.param({"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}, id="ours, but no proof"),
        pytest.param({"origin": "https://evil.example"}, id="another origin"),
        pytest.param({"origin": "null"}, id="a hidden origin"),
        pytest.param({"sec-fetch-site": "cross-site"}, id="another site"),
        pytest.param({"sec-fetch-site": "same-site"}, id="a neighbour"),
        pytest.param({"host": "evil.example"}, id="another name that leads here"),
    ],
)
@pytest.mark.parametrize("is_open", [False, True], ids=["session", "loopback"])
async def test_a_page_elsewhere_can_send_no_form(site, store, forged: dict[str, str], is_open: bool) -> None:
    """Where the origin is another's, not even with the right proof."""
    async with asking(make_app(site, None if is_open else with_keys())) as client:
        fields = {}
        if not is_open:
            await client.post("/login", data={"token": WRITER})
            if "sec-fetch-site" not in forged or forged["sec-fetch-site"] != "same-origin":
                fields = {"proof": await proof_of(client)} if forged else {}
        for path in every(site, "POST"):
            if is_page(path):
                answer = await client.post(path, data=fields, headers={**FORM, **forged})
                assert answer.status_code == (400 if "host" in forged else 403), path
    assert store.read_now(operators.audit) == ()


async def test_a_session_that_has_ended_is_led_to_the_door(app, clock) -> None:
    async with asking(app) as client:
        await client.post("/login", data={"token": WRITER})
        assert (await client.get("/jobs")).status_code == 200
        client.cookies.jar.clear_expired_cookies()
        clock.move(SESSION)
        assert (await client.get("/jobs")).status_code == 303
        assert (await client.get("/api/v1/jobs")).status_code == 401


DEEP = base64.urlsafe_b64encode(b"[" * 40_000).decode().rstrip("=")
TOO_FAR = ("999999d", "3661d", "999999d" * 50, "0001-01-01", "9999-12-31", "0001-01-01T00:00:00%2B23:59")


async def test_no_address_is_too_much(site) -> None:
    async with asking(make_app(site)) as client:
        for path in ("/jobs", "/deployments", "/alerts", "/deliveries", f"{PREFIX}/jobs", f"{PREFIX}/alerts", "/"):
            for query in [f"since={since}" for since in TOO_FAR] + ["limit=9999999999", f"cursor={DEEP}"]:
                for show in ("", "&show=events", "&show=delivered"):
                    answer = await client.get(f"{path}?{query}{show}")
                    assert answer.status_code < 500, (path, query[:40], show)
        said = await client.get(f"{PREFIX}/jobs?since=3661d")
        assert (said.status_code, said.json()["detail"]) == (422, "since is at most 3660d")


async def test_no_page_of_another_site_has_us_work(site) -> None:
    """Where what a browser sends along by itself, or nothing, lets it in."""
    elsewhere = {"sec-fetch-site": "cross-site"}
    followed = {**elsewhere, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    for rules, token in ((Rules(), ""), (with_keys(), "")):
        async with asking(make_app(site, rules), token=token) as client:
            if rules.keys:
                await client.post("/login", data={"token": READER})
            for path in every(site, "GET"):
                if path in ("/healthz", "/readyz", "/events"):
                    continue
                for mode, dest in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("", "document")):
                    headers = {**elsewhere, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
                    assert (await client.get(path, headers=headers)).status_code == 403, (path, mode)
            for headers in (followed, {"sec-fetch-site": "none"}, {"sec-fetch-site": "same-origin"}, {}):
                assert (await client.get("/jobs", headers=headers)).status_code == 200
            assert (await client.get("/healthz", headers=elsewhere)).status_code == 200
    async with asking(make_app(site, with_keys()), token=READER, headers=elsewhere) as program:
        assert (await program.get(f"{PREFIX}/jobs")).status_code == 200
