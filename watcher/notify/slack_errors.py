"""What Slack's Web API answers, and what its refusals mean for the delivery. Pure.

Slack refuses with status 200, `ok: false` and a word; the words are its own and may be quoted.

Source: the lists of errors of "chat.postMessage", "chat.update" and "auth.test", and "Rate limits"; read November 2026.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from watcher.errors import DeliveryError
from watcher.notify.http import Answer, retry_after
from watcher.notify.slack import SLACK_WORD

#: The message to reply to is gone, or takes no replies: to be posted outside of its thread.
THREAD_IS_LOST = frozenset(
    {
        "cannot_reply_to_message",
        "message_not_found",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "thread_not_found",
    }
)

_SCOPE = re.compile(r"[a-z:._]{2,40}")
_TOKEN = "check the bot's token"
#: Words that are about who we are, each with what to do.
_AUTH = {
    "access_denied": "the bot may not do this in its workspace",
    "accesslimited": "Slack refuses this network's addresses",
    "account_inactive": "the token's user or workspace was removed; install the app again",
    "enterprise_is_restricted": "the bot's token is not of a workspace",
    "invalid_auth": f"{_TOKEN}; a workspace may also refuse this network's addresses",
    "no_permission": "the bot lacks a permission; make it a member of the channel",
    "not_allowed_token_type": "the token is not a bot's; it begins with xoxb-",
    "not_authed": _TOKEN,
    "team_access_not_granted": "the app is not installed in this workspace",
    "token_expired": f"{_TOKEN}: it has expired",
    "token_revoked": "the token was revoked, or the app removed; install it again and take its new token",
    "two_factor_setup_required": "the token's user must set up two-factor authentication",
}
#: Words that are about the channel; `{}` is its name.
_CHANNEL = {
    "channel_not_found": "there is no channel {}, or it is private and the bot not in it; invite the bot to {}",
    "not_in_channel": "invite the bot to {}, or give it the scope chat:write.public",
    "is_archived": "{} is archived; configure another channel",
    "is_inactive": "{} is archived or frozen; configure another channel",
    "restricted_action": "the workspace's settings do not let the bot post in {}",
    "restricted_action_read_only_channel": "{} is read-only; let the bot post there, or configure another channel",
    "restricted_action_thread_only_channel": "{} takes replies alone; configure another channel",
}
#: Nothing is wrong with the message: it passes.
_PASSING = frozenset(
    {
        "external_channel_migrating",
        "fatal_error",
        "internal_error",
        "org_login_required",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "update_failed",
    }
)
#: Of these Slack says that some of it may have been done.
_HALF_DONE = frozenset({"fatal_error", "internal_error"})
_RATE = frozenset({"message_limit_exceeded", "rate_limited", "ratelimited"})
#: How Slack's words for a faulty request begin, or end.
_FAULTY = re.compile(
    r"(?:invalid|missing|no|too_many|cant?|cannot|restricted|markdown|metadata|edit|block)_\w+|\w+_(?:too_long|not_found)"
)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of the Web API."""

    body: Mapping[str, object]
    error: str  #: Slack's word for what is wrong; "" where nothing is
    headers: Mapping[str, str]


def read(answer: Answer) -> Said | None:
    """The answer; `None` where it is not Slack's JSON."""
    try:
        body = json.loads(answer.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        return None
    word = body.get("error")
    is_word = isinstance(word, str) and SLACK_WORD.fullmatch(word) is not None
    return Said(body, "" if body["ok"] else str(word) if is_word else "unknown_error", answer.headers)


def refusal(said: Said | None, answer: Answer, *, channel: str, now: datetime) -> DeliveryError:
    """What an answer with status 2xx means that is none, or says that it refused.

    Args:
        channel: As configured, on one line.
        now: By the wall clock, against which a dated `Retry-After` is held.
    """
    if said is None:
        text = "the receiver answered, but not as Slack does; look for a proxy between"
        return DeliveryError(text, permanent=False, kind="server", maybe_delivered=True)
    word = said.error
    if word in _AUTH or word == "missing_scope":
        return DeliveryError(f"{_AUTH.get(word) or _scope(said)} ({word})", permanent=True, kind="auth")
    if word == "ekm_access_denied":
        text = "the workspace's administrators have suspended posting"
        return DeliveryError(f"{text} ({word})", permanent=False, kind="auth")
    if word in _RATE:
        wait = retry_after(answer.headers.get("retry-after"), now=now)
        text = f"Slack asks for fewer messages ({word})"
        return DeliveryError(text, permanent=False, kind="rate_limited", retry_after=wait)
    if word in _PASSING:
        text = f"Slack failed ({word})"
        return DeliveryError(text, permanent=False, kind="server", maybe_delivered=word in _HALF_DONE)
    if word in _CHANNEL:
        return DeliveryError(f"{_CHANNEL[word].format(channel, channel)} ({word})", permanent=True, kind="bad_request")
    # A word that is not known yet is tried again: nothing is lost by it.
    is_faulty = _FAULTY.fullmatch(word) is not None
    return DeliveryError(f"Slack refused the message ({word})", permanent=is_faulty, kind="bad_request")


def _scope(said: Said) -> str:
    needed = said.body.get("needed")
    scope = needed if isinstance(needed, str) and _SCOPE.fullmatch(needed) else "chat:write"
    return f"the token lacks the scope {scope}; add it to the app and install it again"
