"""The door: in with a token, out with a form, and no faster for whoever guesses."""

import re
from datetime import timedelta

import pytest

from watcher.web.access import Rules
from watcher.web.asking import local_path
from watcher.web.login import MOST_FAILURES

from .rig import HOST, READER, SHARED, WRITER, asking, make_app, make_site, with_keys


@pytest.fixture
def backend() -> str:
    return "sqlite"  # nothing here depends on it


@pytest.fixture
def app(store, clock):
    return make_app(make_site(store, clock), with_keys())


async def test_in_and_out(app) -> None:
    async with asking(app) as client:
        shown = await client.get("/login?next=/jobs%3Fstatus%3Drunning")
        assert 'value="/jobs?status=running"' in shown.text
        answer = await client.post("/login", data={"token": WRITER, "next": "/jobs?status=running"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?status=running")
        assert (await client.get("/login?next=/alerts")).headers["location"] == "/alerts"
        page = await client.get("/nowhere")
        assert page.status_code == 404
        assert "deploys" in page.text
        proof = re.search(r'name="proof" value="(\w+)"', page.text)
        assert proof is not None
        assert (await client.post("/logout", data={"proof": "0" * 64})).status_code == 403
        assert (await client.get("/api/v1/jobs")).status_code == 200
        assert (await client.post("/logout", data={"proof": proof[1]})).status_code == 303
        assert (await client.get("/api/v1/jobs")).status_code == 401


async def test_who_may_only_look_may_leave(app) -> None:
    async with asking(app) as client:
        await client.post("/login", data={"token": READER})
        proof = re.search(r'name="proof" value="(\w+)"', (await client.get("/nowhere")).text)
        assert proof is not None
        assert (await client.post("/logout", data={"proof": proof[1]})).status_code == 303
        assert (await client.get("/api/v1/jobs")).status_code == 401


async def test_a_wrong_token_is_told_kindly_and_given_nothing(app) -> None:
    async with asking(app) as client:
        for token in ("wrong", "", "\x00", "é" * 500):
            answer = await client.post("/login", data={"token": token, "next": "/jobs"})
            assert answer.status_code == 401
            assert "none of this watcher&#39;s tokens" in answer.text
            assert 'value="/jobs"' in answer.text
            assert "set-cookie" not in answer.headers


async def test_guesses_are_slowed_for_all_together(app, clock) -> None:
    for number in range(MOST_FAILURES):
        async with asking(app, peer=f"10.0.0.{number}") as client:
            assert (await client.post("/login", data={"token": f"guess {number}"})).status_code == 401
            clock.move(timedelta(seconds=1))
    async with asking(app, peer="10.0.1.1") as client:
        answer = await client.post("/login", data={"token": "one more"})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "50")
        assert "set-cookie" not in answer.headers
        clock.move(timedelta(seconds=50))
        assert (await client.post("/login", data={"token": "one more"})).status_code == 401


async def test_guesses_lock_nobody_out(app) -> None:
    async with asking(app) as client:
        for _ in range(MOST_FAILURES + 5):
            last = await client.post("/login", data={"token": "x"})
        assert last.status_code == 429
        assert (await client.post("/login", data={"token": WRITER})).status_code == 303


async def test_wrong_tokens_of_programs_are_counted_by_address(app, clock) -> None:
    async with asking(app, token="wrong") as guessing, asking(app, token=READER) as right:
        for path in ("/api/v1/jobs", "/metrics", "/login", "/jobs", "/events") * 2:
            assert (await guessing.get(path)).status_code != 429
        for path in ("/api/v1/jobs", "/metrics", "/"):
            answer = await guessing.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
        assert (await right.get("/api/v1/jobs")).status_code == 200
        async with asking(app, token="wrong", peer="10.0.0.2") as elsewhere:
            assert (await elsewhere.get("/api/v1/jobs")).status_code == 401
        clock.move(timedelta(seconds=60))
        assert (await guessing.get("/api/v1/jobs")).status_code == 401


async def test_programs_and_sessions_are_not_slowed(app) -> None:
    async with asking(app) as client, asking(app, token=READER) as program:
        await client.post("/login", data={"token": SHARED})
        for _ in range(MOST_FAILURES):
            assert (await client.post("/login", data={"token": "x"})).status_code == 401
        assert (await client.get("/api/v1/jobs")).status_code == 200
        assert (await program.get("/api/v1/jobs")).status_code == 200


async def test_a_form_of_another_site_signs_nobody_in(app) -> None:
    """It could make somebody work in the name of another."""
    async with asking(app) as client:
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
            answer = await client.post("/login", data={"token": WRITER}, headers=headers)
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        ours = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
        assert (await client.post("/login", data={"token": WRITER}, headers=ours)).status_code == 303


async def test_a_form_must_be_one_and_of_a_sane_size(app) -> None:
    async with asking(app) as client:
        assert (await client.post("/login", json={"token": WRITER})).status_code == 415
        assert (await client.post("/login", files={"token": WRITER.encode()})).status_code == 415
        assert (await client.post("/login", data={"token": "x" * 70_000})).status_code == 413


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/jobs", "/jobs"),
        ("/jobs/a%2Fb/c?d=e&f=//g", "/jobs/a%2Fb/c?d=e&f=//g"),
        ("", "/"),
        ("jobs", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("///evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("\\\\evil.example/", "/"),
        ("/\t/evil.example/", "/"),
        ("/\n/evil.example/", "/"),
        (" //evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/login?next=/jobs", "/"),
        ("/logout", "/"),
    ],
)
async def test_leads_to_our_own_pages_alone(app, text: str, path: str) -> None:
    assert local_path(text) == path
    async with asking(app) as client:
        answer = await client.post("/login", data={"token": WRITER, "next": text})
        assert answer.headers["location"] == path


async def test_behind_a_proxy_alone_there_is_no_token_to_ask_for(store, clock) -> None:
    async with asking(make_app(make_site(store, clock), Rules(user_header="X-Forwarded-User"))) as client:
        page = await client.get("/login")
        assert "reverse proxy" in page.text
        assert "<form" not in page.text
        assert (await client.post("/login", data={"token": ""})).status_code == 401


async def test_an_unknown_address_is_a_page_and_under_the_api_a_problem(app) -> None:
    async with asking(app) as client:
        page = await client.get("/nowhere")
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "/static/live.js" not in page.text, "who is nobody hears of no changes"
        other = await client.put("/login")
        assert (other.status_code, other.headers["allow"]) == (405, "GET, HEAD, POST")
        head = await client.head("/login")
        assert head.status_code == 200


async def test_the_sheet_is_asked_for_once(app) -> None:
    async with asking(app) as client:
        first = await client.get("/static/style.css")
        assert first.headers["content-type"] == "text/css; charset=utf-8"
        assert first.headers["cache-control"] == "max-age=300"
        again = await client.get("/static/style.css", headers={"if-none-match": f"W/{first.headers['etag']}"})
        assert (again.status_code, again.content) == (304, b"")
        for path in ("/static/", "/static/../app.py", "/static/%2e%2e/app.py", "/static/style.css/", "/static/x.css"):
            assert (await client.get(path)).status_code == 404
