"""A Slack that speaks as its reference says: refuses what is over a limit or lacks a field, and keeps what it took."""

import contextlib
import gzip
import json
import re
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .servers import app_server

TOKEN = "xoxb-CANARY-token"
#: What each method takes, of what the reference lists.
TAKES = {
    "chat.postMessage": {"channel", "text", "blocks", "thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media"},
    "chat.update": {"channel", "ts", "text", "blocks", "parse", "link_names"},
    "auth.test": set(),
}


def faults(blocks) -> list[str]:
    """What Slack would refuse in `blocks`."""
    found = [] if 0 < len(blocks) <= 50 else ["blocks"]
    if len(json.dumps(blocks, ensure_ascii=False)) > 12_000:
        found.append("msg_blocks_too_long")
    for block in blocks:
        match block["type"]:
            case "header":
                found += _text(block["text"], 150, ("plain_text",))
            case "section":
                found += _text(block["text"], 3000)
                found += [] if 0 < len(block.get("fields", [1])) <= 10 else ["fields"]
                for one in block.get("fields", []):
                    found += _text(one, 2000)
                found += _button(block["accessory"]) if "accessory" in block else []
            case "context":
                found += [] if 0 < len(block["elements"]) <= 10 else ["elements"]
                for one in block["elements"]:
                    found += _text(one, 3000)
            case "actions":
                found += [] if 0 < len(block["elements"]) <= 25 else ["elements"]
                for one in block["elements"]:
                    found += _button(one)
            case other:
                found.append(other)
    return found


def _text(text, limit, types=("plain_text", "mrkdwn")):
    return [] if text["type"] in types and 0 < len(text["text"]) <= limit else [f"{text['type']} {len(text['text'])}"]


def _button(button):
    faults = _text(button["text"], 75, ("plain_text",))
    return faults + ([] if button["type"] == "button" and len(button["url"]) <= 3000 else ["button"])


def texts_in(value):
    """Every text object's text, and the fallback."""
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        for part in value.values():
            yield from texts_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_in(part)


def check_markup(payload):
    for text in texts_in(payload):
        assert "<" not in text and ">" not in text
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)
        assert not re.search(r"(?i)@(here|channel|everyone)", text)
        assert not re.search("[\x1b\u202e\u2066]", text)
        assert not re.search(r":[\w+'-]{1,100}:", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


@dataclass
class FakeSlack:
    """One workspace with the channels `#ml` and `#ops`."""

    url: str = ""
    posts: list = field(default_factory=list)  # every message that a channel or thread got, edits applied
    calls: list = field(default_factory=list)  # (method, arguments)
    refusals: dict = field(default_factory=dict)  # method → [(status, headers, body)], each once
    unthreads: bool = True  # a reply to a deleted message is shown in the channel; else refused
    scopes: str = "chat:write,chat:write.public"

    async def __call__(self, request: Request) -> Response:
        method, body = request.path_params["method"], await request.body()
        arguments = json.loads(body)
        self.calls.append((method, arguments))
        if refusals := self.refusals.get(method):
            status, headers, text = refusals.pop(0)
            return Response(text, status, headers=headers)
        assert arguments.keys() <= TAKES[method]
        assert request.headers["content-type"].replace(" ", "").lower() == "application/json;charset=utf-8"
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._answer(request, {"ok": False, "error": "invalid_auth"})
        answers = {"chat.postMessage": self._post, "chat.update": self._update, "auth.test": self._test}
        return self._answer(request, answers[method](arguments))

    def refuse(self, method, word, **more):
        self.refusals.setdefault(method, []).append((200, {}, json.dumps({"ok": False, "error": word, **more})))

    def named(self, method):
        return [arguments for name, arguments in self.calls if name == method]

    def delete(self, ts):
        self.posts = [post for post in self.posts if post["ts"] != ts]

    def _answer(self, request, answer):
        headers = {"x-oauth-scopes": self.scopes}
        content = json.dumps(answer).encode()
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(gzip.compress(content), headers={**headers, "content-encoding": "gzip"})
        return Response(content, headers=headers)

    def _post(self, arguments):
        channel = {"#ml": "C0ML", "#ops": "C0OPS"}.get(arguments["channel"])
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        if not arguments["text"] or len(arguments["text"]) > 40_000 or faults(arguments["blocks"]):
            return {"ok": False, "error": "invalid_blocks", "why": faults(arguments["blocks"])}
        thread = arguments.get("thread_ts")
        if thread is not None and not any(post["ts"] == thread and post["channel"] == channel for post in self.posts):
            if not self.unthreads:
                return {"ok": False, "error": "thread_not_found"}
            thread = None
        message = {"ts": f"1700000000.{len(self.calls):06}", "text": arguments["text"], "blocks": arguments["blocks"]}
        if thread is not None:
            message["thread_ts"] = thread
        self.posts.append({"channel": channel, "broadcast": arguments.get("reply_broadcast", False), **message})
        return {"ok": True, "channel": channel, "ts": message["ts"], "message": message}

    def _update(self, arguments):
        assert arguments["parse"] == "none"  # else Slack looks for mentions in the text
        if not arguments["channel"].startswith("C"):
            return {"ok": False, "error": "channel_not_found"}
        for post in self.posts:
            if (post["channel"], post["ts"]) == (arguments["channel"], arguments["ts"]):
                assert faults(arguments["blocks"]) == []
                post |= {"text": arguments["text"], "blocks": arguments["blocks"], "edited": True}
                return {"ok": True, "channel": post["channel"], "ts": post["ts"], "message": {}}
        return {"ok": False, "error": "message_not_found"}

    def _test(self, arguments):
        return {"ok": True, "url": "https://contoso.slack.com/", "team": "Contoso", "user": "watcher", "bot_id": "B1"}


@contextlib.asynccontextmanager
async def slack_server():
    fake = FakeSlack()
    async with app_server(Starlette(routes=[Route("/api/{method}", fake.__call__, methods=["POST"])])) as port:
        fake.url = f"http://localhost:{port}/api"
        yield fake
