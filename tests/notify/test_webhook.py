"""The webhook against a real server: its body, its signature, and what it makes of each answer."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from watcher.errors import DeliveryError
from watcher.notify.notifier import Receipt
from watcher.notify.webhook import WebhookNotifier, signer
from watcher.transport import open_client

from .factories import NOW, VOICE, make_notification
from .servers import hook_server, raw_server

SECRET = "whsec_" + base64.b64encode(b"CANARY-secret-of-the-hook").decode()
OLD = "CANARY-old-text-secret"


def make_notifier(client, url, *secrets, **changes):
    signers = tuple(signer(secret) for secret in secrets)
    return WebhookNotifier(name="hook", voice=VOICE, client=client, url=url, signers=signers, **changes)


async def test_sends_the_payload_under_the_notifications_id(hook, client):
    notification = make_notification()
    receipt = await make_notifier(client, hook.url).send(notification, now=NOW)
    [(method, path, headers, body)] = hook.requests
    assert receipt == Receipt("200")
    assert (method, path) == ("POST", "/hooks/CANARY-path")
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == notification.id == json.loads(body)["id"]
    assert headers["webhook-timestamp"].isdigit()
    assert "webhook-signature" not in headers


async def test_signature_verifies_by_the_wall_clock_even_in_simulated_time(hook, client):
    await make_notifier(client, hook.url, SECRET).send(make_notification(), now=NOW - timedelta(days=400))
    [(_, _, headers, body)] = hook.requests
    assert Webhook(SECRET).verify(body, headers)["sent_at"] == "2025-10-18T08:00:00Z"


async def test_rotation_signs_by_both_secrets(hook, client):
    await make_notifier(client, hook.url, SECRET, OLD).send(make_notification(), now=NOW)
    [(_, _, headers, body)] = hook.requests
    assert len(headers["webhook-signature"].split(" ")) == 2
    for verifier in (Webhook(SECRET), Webhook(OLD.encode())):
        verifier.verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(b"another").verify(body, headers)


async def test_a_retry_repeats_the_id_and_stamps_anew(hook, client):
    clock = iter(datetime(2026, 11, 22, 8, minute, tzinfo=UTC) for minute in range(10))
    notifier = make_notifier(client, hook.url, SECRET, clock=lambda: next(clock))
    for _ in range(2):
        await notifier.send(make_notification(), now=NOW)
    first, second = (headers for _, _, headers, _ in hook.requests)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "kind", "wait"),
    [
        (301, {"location": "http://elsewhere.example/"}, True, "bad_request", None),
        (400, {}, True, "bad_request", None),
        (401, {}, True, "auth", None),
        (403, {"retry-after": "9"}, True, "auth", None),
        (404, {}, True, "bad_request", None),
        (408, {}, False, "timeout", None),
        (410, {}, True, "bad_request", None),
        (413, {}, True, "bad_request", None),
        (425, {}, False, "server", None),
        (429, {"retry-after": "120"}, False, "rate_limited", timedelta(minutes=2)),
        (429, {"retry-after": "Sun, 22 Nov 2026 08:05:00 GMT"}, False, "rate_limited", timedelta(minutes=5)),
        (429, {"retry-after": "Sun, 22 Nov 2020 08:05:00 GMT"}, False, "rate_limited", timedelta(0)),
        (429, {"retry-after": "soon"}, False, "rate_limited", None),
        (429, {"retry-after": "-5"}, False, "rate_limited", None),
        (500, {}, False, "server", None),
        (503, {"retry-after": "9" * 400}, False, "server", timedelta(seconds=10**9)),
    ],
)
async def test_judges_the_answer(hook, client, status, headers, permanent, kind, wait):
    hook.status, hook.headers, hook.body = status, headers, "CANARY-path is not what you want"
    notifier = make_notifier(client, hook.url, SECRET, clock=lambda: NOW)
    with pytest.raises(DeliveryError) as caught:
        await notifier.send(make_notification(), now=NOW)
    error = caught.value
    assert (error.permanent, error.kind, error.retry_after) == (permanent, kind, wait)
    assert str(status) in error.message
    assert "CANARY" not in f"{error!r} {error.__cause__!r}"


async def test_tells_a_refused_connection(client, unused_port):
    with pytest.raises(DeliveryError) as caught:
        await make_notifier(client, f"http://localhost:{unused_port}/CANARY").send(make_notification(), now=NOW)
    assert (caught.value.kind, caught.value.permanent) == ("refused", False)
    assert "CANARY" not in caught.value.message


async def test_tells_a_server_that_says_nothing(client):
    async with raw_server(None) as port:
        with pytest.raises(DeliveryError) as caught:
            notifier = make_notifier(client, f"http://127.0.0.1:{port}/CANARY", timeout=timedelta(seconds=0.1))
            await notifier.send(make_notification(), now=NOW)
    assert (caught.value.kind, caught.value.permanent) == ("timeout", False)


async def test_an_answer_is_judged_by_its_status_even_if_the_rest_is_endless_or_broken(client):
    begun = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n" + b"x" * 100_000
    async with raw_server(begun) as port:
        assert await make_notifier(client, f"http://127.0.0.1:{port}/").send(make_notification(), now=NOW) == Receipt(
            "200"
        )


async def test_tells_an_unknown_host(client):
    with pytest.raises(DeliveryError) as caught:
        await make_notifier(client, "http://no-such-host.invalid/CANARY").send(make_notification(), now=NOW)
    assert caught.value.kind == "dns"


async def test_tells_an_untrusted_certificate_and_takes_a_trusted_one(authority, client, client_tls, tmp_path):
    issued = authority.issue_cert("localhost")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(chain)
    async with hook_server(ssl_keyfile=str(key), ssl_certfile=str(chain)) as hook:
        with pytest.raises(DeliveryError) as caught:
            await make_notifier(client, hook.url).send(make_notification(), now=NOW)
        assert caught.value.kind == "tls"
        trusting = open_client(trust=client_tls, trust_env=False)
        assert await make_notifier(trusting, hook.url).send(make_notification(), now=NOW) == Receipt("200")
        await trusting.aclose()


async def test_tells_plain_http_behind_https(hook, client):
    with pytest.raises(DeliveryError) as caught:
        await make_notifier(client, hook.url.replace("http:", "https:")).send(make_notification(), now=NOW)
    assert caught.value.kind == "tls"


async def test_probe_asks_for_the_root_only(hook, client):
    hook.status = 404
    await make_notifier(client, hook.url + "?sig=CANARY").probe()
    assert [(method, path) for method, path, _, _ in hook.requests] == [("HEAD", "/")]


def test_repr_holds_no_secret():
    notifier = make_notifier(None, "https://ops.example.com/CANARY", SECRET, OLD)
    assert "CANARY" not in repr(notifier)
    assert SECRET not in repr(notifier)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_CANARY not base64!"])
def test_refuses_a_secret_without_a_key(secret):
    with pytest.raises(ValueError) as caught:
        signer(secret)
    assert "CANARY" not in str(caught.value)
