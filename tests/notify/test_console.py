import io

import pytest

from watcher.errors import DeliveryError
from watcher.notify.console import ConsoleNotifier

from .factories import NOW, VOICE, make_alert, make_finding, make_flood, make_hostile, make_notification


class Terminal(io.StringIO):
    def isatty(self):
        return True


async def shown(notification, stream):
    await ConsoleNotifier(name="console", voice=VOICE, stream=stream).send(notification, now=NOW)
    return stream.getvalue()


async def test_writes_plain_lines_elsewhere_than_on_a_terminal():
    lines = (await shown(make_notification(), io.StringIO())).splitlines()
    assert lines[:3] == [
        "━━ [FIRING] deployment_idle · warning · support-bot in contoso-ft is deleted in 2 d 23 h",
        "   → To keep it, send it one request.",
        '       curl "https://contoso-ft.openai.azure.com/openai/v1/chat/completions"',
    ]
    assert lines[-2].startswith("   watcher prod · ntf_")


async def test_colours_on_a_terminal(monkeypatch):
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[1;33m" in await shown(make_notification(), Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[1;33m" not in await shown(make_notification(), Terminal())


async def test_a_hostile_name_is_only_text():
    text = await shown(make_hostile("[bold red]x[/] :tada: \x1b[31m"), io.StringIO())
    assert "[bold red]x[/] :tada: [31m" in text
    assert "\x1b" not in text


async def test_shows_every_alert():
    text = await shown(make_flood(3), io.StringIO())
    assert text.count("→ To keep it") == text.count("   WARNING  bot-") == 3


async def test_a_cut_title_is_followed_by_the_whole_summary():
    text = await shown(make_notification(make_alert(make_finding(summary="long " * 50 + "end"))), io.StringIO())
    assert text.splitlines()[1].endswith("long end")


async def test_a_closed_stream_is_a_failed_delivery():
    stream = io.StringIO()
    stream.close()
    with pytest.raises(DeliveryError) as caught:
        await ConsoleNotifier(name="console", voice=VOICE, stream=stream).send(make_notification(), now=NOW)
    assert not caught.value.permanent
