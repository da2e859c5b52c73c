"""Teams by a workflow: a card that Power Automate takes, within a message's limit, in which no name is markup."""

import json
import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.errors import DeliveryError
from watcher.notify.message import render
from watcher.notify.notifier import Receipt
from watcher.notify.teams import TeamsNotifier, encode, is_retired, teams_payload

from .factories import (
    NOW,
    VOICE,
    make_alert,
    make_finding,
    make_flood,
    make_hostile,
    make_notification,
    make_resolved,
)

#: Of what a card may be made here, and what each must have. A `TextBlock` and a `FactSet` would read Markdown.
REQUIRED = {
    "AdaptiveCard": {"version", "body"},
    "Container": {"items"},
    "RichTextBlock": {"inlines"},
    "TextRun": {"text"},
    "Action.OpenUrl": {"url", "title"},
}
LISTS = ("body", "items", "inlines", "actions")


def payload_of(notification):
    return teams_payload(render(notification, VOICE, now=NOW))


def card_of(payload):
    assert payload["type"] == "message"
    [attachment] = payload["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    return attachment["content"]


def elements(element):
    """It and all that is in it."""
    yield element
    for part in (*(one for key in LISTS for one in element.get(key, ())), element.get("selectAction")):
        if part is not None:
            yield from elements(part)


def check(payload):
    """What Power Automate and Teams would refuse, or act on."""
    assert len(encode(payload)) <= 20_000  # others were refused beyond 21 KB, although 28 KB are documented
    card = card_of(payload)
    assert card["version"] == "1.4"
    for one in elements(card):
        assert REQUIRED[one["type"]] <= one.keys()
        if one["type"] in ("Container", "RichTextBlock"):
            assert one["items" if one["type"] == "Container" else "inlines"]
        if one["type"] == "TextRun":
            assert one["text"] and "\n" not in one["text"]
        if "url" in one:
            assert re.fullmatch(r"https?://[^\s<>\"']{1,1000}", one["url"])
    for text in (*texts(card), card["fallbackText"]):
        assert not re.search(r"(?i)</?at\b|\{\{(DATE|TIME)\(|@(everyone|all|team|channel)\b|[\x1b\u202e\u2066]", text)


def texts(card):
    return [one["text"] for one in elements(card) if one["type"] == "TextRun"]


def styles(card):
    return [one["style"] for one in elements(card) if "style" in one]


def test_says_what_happened_what_to_do_and_where():
    card = card_of(payload_of(make_notification()))
    head, item, footer = card["body"]
    assert head["style"] == "warning"
    assert texts(head) == ["🟠 [FIRING] deployment_idle · warning · support-bot in contoso-ft is deleted in 2 d 23 h"]
    assert texts(item)[0] == "→ To keep it, send it one request."  # what happened stands above
    [command] = [one for one in elements(item) if one.get("fontType") == "Monospace"]
    assert command["text"].startswith("curl ")
    assert "".join(texts(item)).count("Resource group: ml") == 1
    assert any("first notice" in text for text in texts(item))
    assert texts(footer)[0].startswith("watcher prod · ntf_")
    assert [action["url"] for action in card["actions"]] == [
        "https://watcher.example.com/deployments/contoso-ft/support-bot",
        "https://portal.azure.com/#@/resource/x",
    ]


@pytest.mark.parametrize(("severity", "style"), [("info", "accent"), ("warning", "warning"), ("critical", "attention")])
def test_the_colour_is_of_the_severity(severity, style):
    from watcher.rules.finding import Severity

    payload = payload_of(make_notification(make_alert(make_finding(severity=Severity(severity)))))
    check(payload)
    assert styles(card_of(payload)) == [style]


def test_resolved_is_green_and_strikes_what_is_no_longer_true():
    card = card_of(payload_of(make_resolved()))
    assert styles(card) == ["good"]
    struck = [one["text"] for one in elements(card) if one.get("strikethrough")]
    assert struck == ["Until then: support-bot in contoso-ft is deleted in 2 d 23 h"]
    assert not any("→" in text for text in texts(card))


def test_a_command_of_several_lines_stays_lines():
    action = "Deploy it.\naz deployment create \\\n  --name a \\\n  --sku b"
    card = card_of(payload_of(make_notification(make_alert(make_finding(action=action)))))
    command = [one["text"] for one in elements(card) if one.get("fontType") == "Monospace"]
    assert command == ["az deployment create \\", "  --name a \\", "  --sku b"]


def test_doubt_stands_beside_what_to_do():
    alert = make_alert(unverified_since=NOW, unverified_because="403")
    item = card_of(payload_of(make_notification(alert)))["body"][1]
    assert "⚠️ Not verified since 2026-11-22 09:00 CET (08:00 UTC): 403" in texts(item)


def test_each_alert_of_a_group_has_its_own_link():
    payload = payload_of(make_flood(3))
    check(payload)
    links = [one["selectAction"]["url"] for one in elements(card_of(payload)) if "selectAction" in one]
    assert links == [f"https://watcher.example.com/deployments/contoso-ft/bot-{n}" for n in range(3)]
    assert [action["url"] for action in card_of(payload)["actions"]] == ["https://watcher.example.com/alerts"]


@pytest.mark.parametrize("count", [1, 2, 40, 41, 500])
@pytest.mark.parametrize("noise", ["", "&", '"', "💥", "\\"], ids=["short", "plain", "quoted", "wide", "backslash"])
def test_a_flood_keeps_the_limit_and_every_alert_is_counted(count, noise):
    long = {key: f"{noise * 99}\n" * 90 for key in ("description", "evidence", "action") if noise}
    payload = payload_of(make_flood(count, **long))
    check(payload)
    lines = texts(card_of(payload))
    shown = {name for text in lines[1:] for name in re.findall(r"bot-(\d+) in contoso-ft is", text)}
    left = [int(found[1]) for text in lines if (found := re.match(r"… (\d+) more alerts?$", text))]
    assert (len(shown) if count > 1 else 1) + sum(left) == count
    assert count == 1 or len(shown) >= min(count, 20)


@pytest.mark.parametrize(
    "name",
    [
        "<at>Everyone</at>",
        "@everyone",
        "[click](https://evil.example)",
        "**b** _i_ `c`\n- 1\n# h",
        "{{DATE(2017-02-14T06:00:00Z, SHORT)}}",
        "\u202eexe.bot",
        '"}]}',
    ],
)
@pytest.mark.parametrize("times", [1, 600])
def test_hostile_names_of_any_length_keep_the_limit_and_mean_nothing(name, times):
    check(payload_of(make_hostile(name * times)))


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_breaks_the_card(text):
    check(payload_of(make_hostile(text)))


@settings(deadline=None)
@given(st.text(alphabet="<>at/{DTIME(:@everyon", max_size=60))
def test_nothing_that_a_client_acts_on_comes_through(text):
    check(payload_of(make_hostile(f"<at>{text}{{{{DATE({text}")))


async def test_sends_to_a_real_server(hook, client):
    hook.status, hook.body = 202, ""
    notifier = TeamsNotifier(name="ml", voice=VOICE, client=client, url=hook.url)
    assert await notifier.send(make_notification(), now=NOW) == Receipt("202 taken by the workflow")
    [(method, path, headers, body)] = hook.requests
    assert (method, path) == ("POST", "/hooks/CANARY-path")
    assert headers["content-type"] == "application/json; charset=utf-8"
    check(json.loads(body))


@pytest.mark.parametrize(
    ("status", "code", "kind", "permanent", "cure"),
    [
        (400, "WorkflowTriggerIsNotEnabled", "bad_request", True, "turn the workflow on again"),
        (404, "WorkflowNotFound", "bad_request", True, "make it anew"),
        (401, "DirectApiAuthorizationRequired", "auth", True, "copy its URL again"),
        (403, "SomethingElse", "auth", True, "(403 SomethingElse)"),
        (413, "RequestEntityTooLarge", "bad_request", True, "(413 RequestEntityTooLarge)"),
        (429, "WorkflowRunActionRateLimit", "rate_limited", False, "fewer messages"),
        (502, "NoResponse", "server", False, "failed"),
    ],
)
async def test_each_refusal_says_what_to_do(hook, client, status, code, kind, permanent, cure):
    hook.status, hook.headers = status, {"retry-after": "7"}
    hook.body = json.dumps({"error": {"code": code, "message": "see /hooks/CANARY-path"}})
    with pytest.raises(DeliveryError) as caught:
        await TeamsNotifier(name="ml", voice=VOICE, client=client, url=hook.url).send(make_notification(), now=NOW)
    assert (caught.value.kind, caught.value.permanent) == (kind, permanent)
    assert cure in caught.value.message
    assert (caught.value.retry_after is not None) == (not permanent)


@pytest.mark.parametrize("body", ["CANARY-path", '{"error": {"code": "https://x/CANARY-path"}}', '{"error": 1}', "[[["])
async def test_the_url_is_in_no_text(hook, client, caplog, body):
    caplog.set_level(logging.DEBUG, logger="watcher")
    notifier = TeamsNotifier(name="ml", voice=VOICE, client=client, url=hook.url)
    hook.status, hook.body = 400, body
    with pytest.raises(DeliveryError) as caught:
        await notifier.send(make_notification(), now=NOW)
    hook.status = 200
    said = [repr(notifier), repr(caught.value), repr(await notifier.send(make_notification(), now=NOW))]
    assert "CANARY" not in "".join(said) + caplog.text


async def test_probe_posts_no_card(hook, client):
    assert await TeamsNotifier(name="ml", voice=VOICE, client=client, url=hook.url).probe() == Receipt("reachable")
    assert hook.requests == [] or hook.requests[0][0] != "POST"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://contoso.webhook.office.com/webhookb2/x/IncomingWebhook/y/z", True),
        ("https://CONTOSO.webhook.office.com./webhookb2/x", True),
        ("https://outlook.office.com/webhook/x", True),
        ("https://outlook.office365.com/webhook/x", True),
        ("https://prod-1.westeurope.logic.azure.com:443/workflows/x/triggers/manual/paths/invoke?sig=y", False),
        ("https://0a.09.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/x", False),
        ("https://webhook.office.com.evil.example/x", False),
        ("https://[", False),
    ],
)
def test_knows_addresses_of_the_retired_connectors(url, expected):
    assert is_retired(url) is expected
