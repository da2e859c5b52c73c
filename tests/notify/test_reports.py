"""Reports by each medium that takes them, against real servers: what arrives, under which id, and that no name acts."""

import base64
import email
import email.policy
import io
import json

import pytest
from standardwebhooks import Webhook

from watcher.errors import DeliveryError
from watcher.notify.alertmanager import AlertmanagerNotifier
from watcher.notify.apprise import AppriseNotifier, load, report_texts, words_of
from watcher.notify.console import ConsoleNotifier
from watcher.notify.email import EmailNotifier
from watcher.notify.pagerduty import PagerDutyNotifier
from watcher.notify.report import Picture, ReportMessage, takes_reports
from watcher.notify.slack import SlackNotifier, report_payload
from watcher.notify.slack_bot import SlackBotNotifier
from watcher.notify.teams import TeamsNotifier
from watcher.notify.teams import report_payload as card_payload
from watcher.notify.webhook import WebhookNotifier, signer

from .factories import HOSTILE, NOW, VOICE
from .servers import mail_server
from .slack_fake import TOKEN, check_markup, faults, slack_server
from .test_teams import check as check_card
from .test_teams import texts as texts_of_card

SECRET = "whsec_" + base64.b64encode(b"CANARY-secret-of-the-hook").decode()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PAGE = '<html><body><h1>Kosten</h1><img src="cid:cost-by-day@watcher"></body></html>'


def make_report(**changes):
    defaults = {
        "id": "rpt_0123456789abcdef01234567",
        "title": "Fine-tuning costs of prod, 9 to 15 November 2026",
        "text": "Bill 285.60 USD, of which idle 163.20 USD.\n\n  support-bot  163.20 USD  deleted in 4 d",
        "html": PAGE,
        "short": (
            "Bill 285.60 USD, of which idle 163.20 USD",
            "Delete support-bot in contoso-ft: 1,224 USD a month",
        ),
        "statement": {"version": 1, "hosting": {"low": 285.6}},
        "pictures": (Picture(cid="cost-by-day@watcher", png=PNG, title="Cost by day"),),
        "link": "https://watcher.example.com/report",
        "made_at": NOW,
    }
    return ReportMessage(**(defaults | changes))


def make_hostile():
    return make_report(title=f"Costs {HOSTILE}", text=HOSTILE, short=(HOSTILE, HOSTILE * 40), notes=(HOSTILE,))


def mailer(mailbox, **changes):
    options = {"name": "mail", "voice": VOICE, "host": "localhost", "port": mailbox.port, "security": "none"}
    options |= {"sender": "watcher@example.com", "to": ("a@example.com", "b@example.com"), "clock": lambda: NOW}
    return EmailNotifier(**(options | changes))


def parse(envelope):
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


async def test_a_mail_holds_text_page_and_the_picture_that_the_page_names():
    async with mail_server() as mailbox:
        receipt = await mailer(mailbox).send_report(make_report(), now=NOW)
    [envelope] = mailbox.mails
    assert receipt.detail == "accepted for 2 recipients"
    got = parse(envelope)
    assert got["Message-ID"] == "<rpt_0123456789abcdef01234567@example.com>"
    assert got["Subject"] == "Fine-tuning costs of prod, 9 to 15 November 2026"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got.get_content_type() == "multipart/alternative"
    plain, related = got.iter_parts()
    assert plain.get_content().splitlines()[2] == "  support-bot  163.20 USD  deleted in 4 d"
    assert related.get_content_type() == "multipart/related"
    page, picture = related.iter_parts()
    assert page.get_content_type() == "text/html"
    assert f'cid:{picture["Content-ID"].strip("<>")}"' in page.get_content()
    assert picture.get_content_type() == "image/png"
    assert picture.get_content() == PNG
    assert picture.get_content_disposition() == "inline"


async def test_a_mail_without_a_picture_is_text_and_page():
    async with mail_server() as mailbox:
        await mailer(mailbox).send_report(make_report(pictures=()), now=NOW)
    [envelope] = mailbox.mails
    assert [part.get_content_type() for part in parse(envelope).iter_parts()] == ["text/plain", "text/html"]


async def test_a_recipient_who_has_the_mail_gets_no_second_one():
    async with mail_server() as mailbox:
        mailbox.refusals["b@example.com"] = "451 later"
        notifier = mailer(mailbox)
        with pytest.raises(DeliveryError, match=r"b@example\.com"):
            await notifier.send_report(make_report(), now=NOW)
        mailbox.refusals.clear()
        await notifier.send_report(make_report(), now=NOW)
    assert [envelope.rcpt_tos for envelope in mailbox.mails] == [["a@example.com"], ["b@example.com"]]


async def test_a_hostile_name_begins_no_header():
    async with mail_server() as mailbox:
        await mailer(mailbox).send_report(make_hostile(), now=NOW)
    got = parse(mailbox.mails[0])
    assert got["Bcc"] is None
    assert "\x1b" not in got["Subject"] + got.get_body(("plain",)).get_content()


async def test_a_webhook_gets_the_statement_signed_and_under_one_id(hook, client):
    notifier = WebhookNotifier(name="hook", voice=VOICE, client=client, url=hook.url, signers=(signer(SECRET),))
    hook.statuses = [503]
    with pytest.raises(DeliveryError):
        await notifier.send_report(make_report(notes=("Made 2 d late.",)), now=NOW)
    await notifier.send_report(make_report(notes=("Made 2 d late.",)), now=NOW)
    ids = {headers["webhook-id"] for _, _, headers, _ in hook.requests}
    assert ids == {"rpt_0123456789abcdef01234567"}
    _, _, headers, body = hook.requests[-1]
    got = Webhook(SECRET).verify(body, headers)
    assert (got["version"], got["reason"], got["id"]) == (1, "report", "rpt_0123456789abcdef01234567")
    assert (got["watcher"], got["receiver"], got["sent_at"]) == ("prod", "hook", "2026-11-22T08:00:00Z")
    assert got["report"] == {"version": 1, "hosting": {"low": 285.6}}
    assert got["notes"] == ["Made 2 d late."]
    assert (got["alerts"], got["group"], got["omitted"], got["test"]) == ([], {}, 0, False)


async def test_slack_by_webhook_gets_the_short_form_and_the_link(hook, client):
    await SlackNotifier(name="ml", voice=VOICE, client=client, url=hook.url).send_report(make_report(), now=NOW)
    got = json.loads(hook.requests[0][3])
    assert faults(got["blocks"]) == []
    assert got["text"].startswith("Fine-tuning costs of prod")
    assert "Delete support-bot in contoso-ft: 1,224 USD a month" in got["blocks"][1]["text"]["text"]
    assert got["blocks"][-1]["elements"][0]["url"] == "https://watcher.example.com/report"


async def test_slack_by_bot_gets_it_in_the_channel_and_starts_no_thread(client):
    async with slack_server() as slack:
        bot = SlackBotNotifier(name="ml", voice=VOICE, client=client, token=TOKEN, channel="#ml", api=slack.url)
        receipt = await bot.send_report(make_report(), now=NOW)
        [(method, arguments)] = slack.calls
    assert (method, arguments["channel"]) == ("chat.postMessage", "#ml")
    assert "thread_ts" not in arguments
    assert receipt.detail == "posted in #ml"
    assert receipt.reference == ""  # alerts hang on no report


async def test_teams_gets_a_card_with_the_short_form(hook, client):
    hook.status = 202
    notifier = TeamsNotifier(name="team", voice=VOICE, client=client, url=hook.url)
    receipt = await notifier.send_report(make_report(notes=("Made 2 d late.",)), now=NOW)
    got = json.loads(hook.requests[0][3])
    check_card(got)
    card = got["attachments"][0]["content"]
    assert receipt.detail == "202 taken by the workflow"
    assert {"Made 2 d late.", "Bill 285.60 USD, of which idle 163.20 USD"} <= set(texts_of_card(card))
    assert card["actions"][0]["url"] == "https://watcher.example.com/report"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_apprise_gets_title_and_short_form(hook):
    url = hook.url.replace("http:", "json:").replace("localhost", "127.0.0.1")
    await AppriseNotifier(name="any", voice=VOICE, service=load(url), words=words_of(url)).send_report(
        make_report(), now=NOW
    )
    got = json.loads(hook.requests[0][3])
    assert got["title"] == "Fine-tuning costs of prod, 9 to 15 November 2026"
    assert got["message"].splitlines() == [*make_report().short, "https://watcher.example.com/report"]
    assert got["type"] == "info"


async def test_a_terminal_gets_all_of_the_text():
    stream = io.StringIO()
    await ConsoleNotifier(name="screen", voice=VOICE, stream=stream).send_report(make_report(), now=NOW)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "━━ Fine-tuning costs of prod, 9 to 15 November 2026"
    assert "  support-bot  163.20 USD  deleted in 4 d" in lines
    stream = io.StringIO()
    await ConsoleNotifier(name="screen", voice=VOICE, stream=stream).send_report(make_hostile(), now=NOW)
    assert "\x1b" not in stream.getvalue()
    stream.close()
    with pytest.raises(DeliveryError):
        await ConsoleNotifier(name="screen", voice=VOICE, stream=stream).send_report(make_report(), now=NOW)


def test_hostile_names_are_text_in_every_chat():
    slack = report_payload(make_hostile())
    assert faults(slack["blocks"]) == []
    check_markup(slack)
    check_card(card_payload(make_hostile()))
    for title_limit in (0, 50, 250):
        title, body = report_texts(make_hostile(), body_limit=500, title_limit=title_limit)
        assert len(body) + (len(title) + 2 if title_limit == 0 else 0) <= 500
        assert "\x1b" not in title + body and "@here" not in title + body


@pytest.mark.parametrize("count", [0, 1, 40, 400])
def test_any_number_of_lines_fits(count):
    message = make_report(short=("x" * 700,) * count, link="")
    assert faults(report_payload(message)["blocks"]) == []
    check_card(card_payload(message))
    assert report_texts(message, body_limit=10_000, title_limit=250)[1]


def test_incidents_are_no_place_for_reports():
    assert not any(map(takes_reports, (AlertmanagerNotifier, PagerDutyNotifier)))
