"""Apprise with its json:// plugin against a real server on loopback."""

import json
import logging

import pytest

from watcher.errors import DeliveryError
from watcher.notify.apprise import AppriseNotifier, load, texts, without_words, words_of
from watcher.notify.message import render
from watcher.notify.notifier import Receipt

from .factories import NOW, VOICE, make_flood, make_hostile, make_notification

# Apprise imports imghdr, which Python 3.11 and 3.12 still have.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def make_notifier(url):
    return AppriseNotifier(name="any", voice=VOICE, service=load(url), words=words_of(url))


def address(hook):
    return hook.url.replace("http:", "json:").replace("localhost", "127.0.0.1") + "?+X-Tok=CANARY-token"


async def test_sends_title_and_text(hook):
    notifier = make_notifier(address(hook))
    assert await notifier.send(make_notification(), now=NOW) == Receipt("accepted")
    [(method, path, headers, body)] = hook.requests
    assert (method, path) == ("POST", "/hooks/CANARY-path")
    assert headers["x-tok"] == "CANARY-token"
    got = json.loads(body)
    assert got["title"].startswith("[FIRING] deployment_idle")
    assert "→ To keep it" in got["message"]
    assert got["type"] == "warning"
    assert "CANARY" not in repr(notifier)


@pytest.mark.parametrize(
    ("status", "kind", "permanent"),
    [(401, "auth", True), (404, "bad_request", True), (429, "rate_limited", False), (500, "server", False)],
)
async def test_judges_the_status(hook, caplog, status, kind, permanent):
    hook.status, hook.body = status, "CANARY-path"
    with caplog.at_level(logging.DEBUG), pytest.raises(DeliveryError) as caught:
        await make_notifier(address(hook)).send(make_notification(), now=NOW)
    assert (caught.value.kind, caught.value.permanent) == (kind, permanent)
    assert "Failed to send JSON POST notification" in caught.value.message, "what Apprise says of it"
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]  # the server's
    assert "CANARY" not in repr(caught.value) + "".join(logged)


async def test_tells_a_refused_connection(unused_port):
    with pytest.raises(DeliveryError) as caught:
        await make_notifier(f"json://127.0.0.1:{unused_port}/CANARY").send(make_notification(), now=NOW)
    assert not caught.value.permanent
    assert caught.value.maybe_delivered
    assert "Connection error occurred sending JSON notification to ***" in caught.value.message


URL = "tgram://bot:CANARY%2Fa%20b@host.example:8443/Ab1/123/?+X-Tok=CANARY-2&cto=4"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (URL, "tgram://***"),
        ("refused by HOST.EXAMPLE with CANARY/a b", "refused by *** with ***"),
        ("X-Tok: CANARY-2 was wrong (123)", "***: *** was wrong (***)"),
        ("about Ab12 and bots in cto4", "about Ab12 and bots in cto4"),  # no words of the URL
    ],
)
def test_no_word_of_the_url_is_left(text, left):
    got = without_words(text, words_of(URL))
    assert "CANARY" not in got
    assert got.startswith(left) if text == URL else got == left


@pytest.mark.parametrize(
    "url",
    ["", "CANARY", "a@CANARY.example", "nope://CANARY", "json://CANARY/a, json://CANARY/b"],
    ids=["empty", "word", "address", "unknown", "several"],
)
def test_refuses_a_url_that_no_one_service_knows(url):
    with pytest.raises(ValueError) as caught:
        load(url)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("title_limit", [0, 100, 250])
@pytest.mark.parametrize("body_limit", [140, 1000, 4096, 50_000])
@pytest.mark.parametrize("notification", [make_notification(), make_flood(80), make_hostile("@here <!x> " * 500)])
def test_fits_the_services_limits(notification, body_limit, title_limit):
    title, body = texts(render(notification, VOICE, now=NOW), body_limit=body_limit, title_limit=title_limit)
    assert body
    assert len(body) + (0 if title_limit else len(title) + 2) <= body_limit
    assert not title_limit or len(title) <= title_limit


def test_breaks_mentions():
    title, body = texts(render(make_hostile(), VOICE, now=NOW), body_limit=5000, title_limit=250)
    for mention in ("@here", "<@", "<!channel"):
        assert mention not in title + body


async def test_braces_stay_as_they_are(hook):
    await make_notifier(address(hook)).send(make_hostile("{{ x }} {app_id}"), now=NOW)
    assert "{{ x }} {app_id}" in json.loads(hook.requests[0][3])["message"]
