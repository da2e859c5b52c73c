"""Mail against a real SMTP server on loopback, and what the mail itself looks like."""

import asyncio
import email
import email.policy
import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.notification import NotifyReason
from watcher.errors import DeliveryError
from watcher.notify.email import EmailNotifier
from watcher.notify.mail import BYTES_LIMIT, SUBJECT_LIMIT, mail
from watcher.notify.message import render
from watcher.rules.finding import Severity

from .factories import NOW, VOICE, make_alert, make_finding, make_flood, make_hostile, make_notification
from .servers import mail_server, raw_server

PASSWORD = "CANARY-password"
TO = ("a@example.com", "b@example.com")


def make_notifier(mailbox, **changes):
    options = {
        "name": "mail",
        "voice": VOICE,
        "host": "localhost",
        "port": getattr(mailbox, "port", mailbox),
        "security": "none",
        "sender": "watcher@example.com",
        "to": TO,
        "clock": lambda: NOW,
    }
    return EmailNotifier(**(options | changes))


def parse(envelope):
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


def make_mail(notification, *, now=NOW):
    message = render(notification, VOICE, now=now)
    built = mail(message, watcher="prod", sender="watcher@example.com", to=TO, at=NOW)
    return email.message_from_bytes(built.as_bytes(), policy=email.policy.default)


def page_of(notification):
    return make_mail(notification).get_body(("html",)).get_content()


async def test_sends_text_and_html_to_all():
    notification = make_notification()
    async with mail_server() as mailbox:
        receipt = await make_notifier(mailbox).send(notification, now=NOW)
    [envelope] = mailbox.mails
    assert receipt.detail == "accepted for 2 recipients"
    assert tuple(envelope.rcpt_tos) == TO
    assert envelope.mail_from == "watcher@example.com"
    got = parse(envelope)
    assert got["From"] == "watcher prod <watcher@example.com>"
    assert got["To"] == "a@example.com, b@example.com"
    assert got["Subject"] == "[FIRING] deployment_idle · warning · support-bot in contoso-ft is deleted in 2 d 23 h"
    assert got["Message-ID"] == f"<{notification.id}@example.com>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Date"].datetime == NOW
    assert got.get_body(("plain",)).get_content().startswith("WARNING · support-bot in contoso-ft is deleted")
    assert "<b>What to do:</b>" in got.get_body(("html",)).get_content()
    assert all(len(line) <= 998 for line in envelope.content.split(b"\r\n"))


def test_notice_and_resolve_share_a_thread():
    first = make_mail(make_notification())
    second = make_mail(make_notification(at=NOW + timedelta(hours=1), reason=NotifyReason.REMINDER))
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"] == second["In-Reply-To"]
    assert make_mail(make_notification())["Message-ID"] == first["Message-ID"]


def test_a_named_sender_keeps_its_name():
    message = render(make_notification(), VOICE, now=NOW)
    built = mail(message, watcher="prod", sender="Fine-tuning <w@example.com>", to=TO, at=NOW)
    assert built["From"] == "Fine-tuning <w@example.com>"


async def test_starttls_with_login(server_tls, client_tls):
    async with mail_server(starttls=server_tls, auth=True) as mailbox:
        mailbox.password = PASSWORD
        notifier = make_notifier(mailbox, security="starttls", username="watcher", password=PASSWORD, tls=client_tls)
        await notifier.send(make_notification(), now=NOW)
        assert (await notifier.probe()).detail == "connected and authenticated"
    assert mailbox.logins == [("watcher", PASSWORD, True)] * 2
    assert len(mailbox.mails) == 1


async def test_tls_from_the_start(server_tls, client_tls):
    async with mail_server(tls=server_tls) as mailbox:
        await make_notifier(mailbox, security="tls", tls=client_tls).send(make_notification(), now=NOW)
    assert len(mailbox.mails) == 1


async def refusal(notifier):
    with pytest.raises(DeliveryError) as caught:
        await notifier.send(make_notification(), now=NOW)
    error = caught.value
    assert PASSWORD not in f"{error!r}{error.__cause__!r}{notifier!r}"
    return error.kind, error.permanent, error.message


async def test_an_untrusted_certificate_is_no_reason_to_go_on_in_clear(server_tls):
    async with mail_server(starttls=server_tls) as mailbox:
        assert (await refusal(make_notifier(mailbox, security="starttls")))[:2] == ("tls", False)
    assert mailbox.mails == []


async def test_a_missing_starttls_is_no_reason_to_go_on_in_clear():
    async with mail_server() as mailbox:
        kind, permanent, text = await refusal(make_notifier(mailbox, security="starttls"))
    assert (kind, permanent) == ("tls", True)
    assert "STARTTLS" in text
    assert mailbox.mails == []


async def test_a_wrong_password_is_permanent(server_tls, client_tls):
    async with mail_server(starttls=server_tls, auth=True) as mailbox:
        mailbox.password = "another"
        notifier = make_notifier(mailbox, security="starttls", username="watcher", password=PASSWORD, tls=client_tls)
        kind, permanent, text = await refusal(notifier)
    assert (kind, permanent) == ("auth", True)
    assert "535" in text


async def test_a_missing_login_is_permanent(server_tls, client_tls):
    async with mail_server(starttls=server_tls, auth=True) as mailbox:
        notifier = make_notifier(mailbox, security="starttls", tls=client_tls)
        assert (await refusal(notifier))[:2] == ("auth", True)


async def test_a_server_without_logins_is_permanent():
    async with mail_server() as mailbox:
        notifier = make_notifier(mailbox, username="watcher", password=PASSWORD)
        assert (await refusal(notifier))[:2] == ("auth", True)


@pytest.mark.parametrize(
    ("reply", "kind", "permanent"),
    [
        ("451 4.3.0 try later", "server", False),
        ("554 5.7.1 looks like spam", "bad_request", True),
        (f"550 do not send me {PASSWORD}", "bad_request", True),
    ],
)
async def test_judges_a_refusal_of_the_mail(reply, kind, permanent):
    async with mail_server() as mailbox:
        mailbox.refuse_data = reply
        got = await refusal(make_notifier(mailbox, username=None, password=PASSWORD))
    assert got[:2] == (kind, permanent)
    assert reply[:3] in got[2]


@pytest.mark.parametrize("refuse", [{"refuse_data": "451 later"}, {"refusals": dict.fromkeys(TO, "450 later")}])
async def test_what_was_refused_was_not_delivered(refuse):
    """Only doubt keeps a message from being merged with others."""
    async with mail_server() as mailbox:
        for name, value in refuse.items():
            setattr(mailbox, name, value)
        with pytest.raises(DeliveryError) as caught:
            await make_notifier(mailbox).send(make_notification(), now=NOW)
    assert not caught.value.maybe_delivered


async def test_all_refused_for_good_is_permanent():
    async with mail_server() as mailbox:
        mailbox.refusals = dict.fromkeys(TO, "550 5.1.1 no such user")
        kind, permanent, text = await refusal(make_notifier(mailbox))
    assert (kind, permanent) == ("bad_request", True)
    assert "a@example.com, b@example.com" in text


async def test_all_refused_but_one_only_for_now_is_tried_again():
    async with mail_server() as mailbox:
        mailbox.refusals = {TO[0]: "550 no such user", TO[1]: "450 greylisted"}
        assert (await refusal(make_notifier(mailbox)))[:2] == ("server", False)


@pytest.mark.parametrize("reply", ["450 4.7.1 greylisted, try in 5 minutes", "451 4.7.1 greylisted"])
async def test_greylisting_passes(reply):
    async with mail_server() as mailbox:
        notifier = make_notifier(mailbox)
        mailbox.refusals = dict.fromkeys(TO, reply)
        kind, permanent, text = await refusal(notifier)
        assert (kind, permanent) == ("server", False)
        assert "greylisted" in text
        mailbox.refusals = {}
        assert (await notifier.send(make_notification(), now=NOW)).detail == "accepted for 2 recipients"
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(("hangs_up_at", "maybe"), [("the greeting", False), ("the mail", True)])
async def test_a_connection_that_drops_leaves_doubt_once_the_mail_was_under_way(hangs_up_at, maybe):
    async def talk(reader, writer):
        if hangs_up_at == "the greeting":
            writer.close()
            return
        writer.write(b"220 hello\r\n")
        in_mail = False
        while line := await reader.readline():
            word = "the mail" if in_mail and line == b".\r\n" else line[:4].decode().strip()
            if word == hangs_up_at and (not in_mail or word == "the mail"):
                break
            if not in_mail:
                in_mail = word == "DATA"
                writer.write(b"354 go on\r\n" if in_mail else b"250 OK\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        notifier = make_notifier(server.sockets[0].getsockname()[1], host="127.0.0.1")
        with pytest.raises(DeliveryError) as caught:
            await notifier.send(make_notification(), now=NOW)
    assert (caught.value.permanent, caught.value.maybe_delivered) == (False, maybe)


async def test_who_accepted_gets_no_second_copy_while_others_are_retried():
    async with mail_server() as mailbox:
        notifier = make_notifier(mailbox)
        mailbox.refusals = {TO[1]: "450 greylisted"}
        with pytest.raises(DeliveryError) as caught:
            await notifier.send(make_notification(), now=NOW)
        assert (caught.value.kind, caught.value.permanent, caught.value.maybe_delivered) == ("server", False, True)
        mailbox.refusals = {}
        assert (await notifier.send(make_notification(), now=NOW)).detail == "accepted for 2 recipients"
        assert [tuple(envelope.rcpt_tos) for envelope in mailbox.mails] == [TO[:1], TO[1:]]
        await notifier.send(make_notification(), now=NOW)
    assert tuple(mailbox.mails[2].rcpt_tos) == TO  # what is done is forgotten


async def test_one_refused_for_good_does_not_hold_up_the_rest():
    async with mail_server() as mailbox:
        mailbox.refusals = {TO[1]: "550 5.1.1 no such user"}
        receipt = await make_notifier(mailbox).send(make_notification(), now=NOW)
    assert receipt.detail == "accepted for 1 of 2 recipients; refused: b@example.com (550 5.1.1 no such user)"


async def test_a_refused_connection_and_an_unknown_host(unused_port):
    assert (await refusal(make_notifier(unused_port)))[:2] == ("refused", False)
    assert (await refusal(make_notifier(unused_port, host="no-such-host.invalid")))[:2] == ("dns", False)


@pytest.mark.parametrize(
    ("greeting", "kind", "permanent"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "server", False),
        (b"", "refused", False),
        (b"421 too busy\r\n", "server", False),
        (b"554 go away\r\n", "bad_request", True),
        (None, "timeout", False),  # says nothing at all
    ],
)
async def test_judges_the_greeting(greeting, kind, permanent):
    async with raw_server(greeting) as port:
        notifier = make_notifier(port, timeout=timedelta(seconds=0.2 if greeting is None else 10))
        assert (await refusal(notifier))[:2] == (kind, permanent)


def test_a_hostile_name_begins_no_header():
    got = make_mail(make_hostile("x\r\nBcc: evil@example.com\n\nbody"))
    assert got["Bcc"] is None
    assert "\n" not in got["Subject"]


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=400))
def test_no_text_breaks_headers_or_html(text):
    notification = make_hostile(text)
    got = make_mail(notification)
    assert set(got.keys()) == set(make_mail(make_notification()).keys())
    assert len(got["Subject"]) <= SUBJECT_LIMIT
    assert not set("\r\n\0") & set(got["Subject"])
    tags = [part.split(None, 1)[0] for part in page_of(notification).split("<")[1:]]
    assert not [tag for tag in tags if tag.rstrip(">").lstrip("/").partition(">")[0] not in TAGS]


TAGS = ["!DOCTYPE", "html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td", "br", "b", "a"]
TAGS += ["span", "!--[if", "![endif]--"]  # the last two are for Outlook alone


def test_html_escapes_what_people_wrote():
    page = page_of(make_hostile())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "javascript:" not in page
    assert "\x1b" not in page


def test_a_flood_is_listed_and_the_loudest_are_shown_in_full():
    got = make_mail(make_flood(80))
    page = got.get_body(("html",)).get_content()
    assert "bot-59 in" in page
    assert "bot-60 in" not in page
    assert "… 20 more: watcher alerts lists them all" in page
    assert "75 alerts are not shown in full here" in page
    assert page.count("What to do:") == 5


def test_the_text_part_shows_the_same_alerts_as_the_html():
    text = make_mail(make_flood(80)).get_body(("plain",)).get_content().replace("\r\n", "\n")
    listed, *parts = text.split("\n\n")
    assert listed.splitlines()[0] == "WARNING · bot-0 in contoso-ft is deleted in 2 d 23 h"
    assert listed.splitlines()[59:] == [
        "WARNING · bot-59 in contoso-ft is deleted in 2 d 23 h", "… 20 more: watcher alerts lists them all"
    ]  # fmt: skip
    assert text.count("→ To keep it") == text.count("  curl ") == 5
    assert parts[5].startswith("75 alerts are not shown in full here")


@pytest.mark.parametrize("count", [2, 10, 11, 80])
@pytest.mark.parametrize(
    "noise", ["word ", "ü ", "💥", "<&>", "x" * 80 + "\n"], ids=["words", "qp", "wide", "marks", "lines"]
)
def test_a_mail_stays_below_a_hundred_kilobytes(count, noise):
    long = dict.fromkeys(("description", "evidence", "action"), noise * (4100 // len(noise)))
    notification = make_flood(count, **long, summary=noise * (300 // len(noise) + 1))
    built = mail(render(notification, VOICE, now=NOW), watcher="prod", sender="w@example.com", to=TO, at=NOW)
    assert len(built.as_bytes()) <= BYTES_LIMIT == 100_000


def test_of_one_alert_what_to_do_is_told_however_long_it_is():
    finding = make_finding(description="💥" * 4000, evidence="💥" * 4000, action="Look.\n" + "💥" * 4000)
    got = make_mail(make_notification(make_alert(finding)))
    assert all("Look." in got.get_body((kind,)).get_content() for kind in ("plain", "html"))


def test_a_few_are_shown_without_a_list():
    page = make_mail(make_flood(10)).get_body(("html",)).get_content()
    assert page.count("bot-9 in") == 1
    assert page.count("What to do:") == 10
    assert "text part" not in page


@pytest.mark.parametrize("count", [10, 11, 300])
def test_gmail_cuts_nothing_off(count):
    """It shows the first 102 KB of a mail."""
    page = page_of(make_flood(count, description="d" * 1000))
    assert len(page.encode()) < 100_000


def test_outlook_finds_no_padding_but_a_cells():
    """Word's engine, by which it renders, ignores any other."""
    page = page_of(make_notification(unverified()))
    padded = re.findall(r"<(\w+)[^>]*[\";]padding:", page)
    assert set(padded) == {"td", "body"}


def test_each_colour_has_one_for_dark_screens():
    page = page_of(make_notification(unverified(), notes=("3 messages in one",)))
    style, body = page.split("</style>")
    for name in set(re.findall(r'class="(\w+)"', body)):
        assert f".{name} {{" in style or f".{name}, " in style or f", .{name} {{" in style, name
    bare = re.findall(r'<(?:td|a)(?![^>]*class=)[^>]*[;"]color:[^>]*>', body)
    assert bare == []


def unverified():
    return make_alert(unverified_since=NOW, unverified_because="metrics were not read")


def test_a_time_is_not_broken_over_two_lines_and_hides_no_markup():
    finding = make_finding(summary="<b>x</b> is deleted at 2026-11-23 07:00 UTC")
    page = page_of(make_notification(make_alert(finding)))
    assert '&lt;b&gt;x&lt;/b&gt; is deleted at <span style="white-space:nowrap;">2026-11-23 08:00 CET</span> (' in page


@pytest.mark.parametrize(
    ("name", "list_id"),
    [
        ("prod", "<prod.watcher.example.com>"),
        ("Ops, Berlin\r\nBcc: x@y", "<ops-berlin-bcc-x-y.watcher.example.com>"),
        ("ü", "<unnamed.watcher.example.com>"),
        ("x" * 200, f"<{'x' * 40}.watcher.example.com>"),
    ],
)
def test_names_itself_to_filters(name, list_id):
    message = render(make_notification(), VOICE, now=NOW)
    built = mail(message, watcher=name, sender="watcher@example.com", to=TO, at=NOW)
    assert built["List-Id"] == list_id
    assert built["Bcc"] is None


def test_a_critical_mail_is_important():
    finding = make_finding(severity=Severity.CRITICAL)
    assert make_mail(make_notification(make_alert(finding)))["Importance"] == "high"
