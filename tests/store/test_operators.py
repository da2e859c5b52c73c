"""What operators said: silences and keeps, each audited."""

from dataclasses import replace
from datetime import timedelta

from tests.alerts.factories import ACCOUNT, DAY, HOUR, NOW, make_keep, make_silence
from watcher.alerts.silence import Silence
from watcher.store import operators


def test_a_silence_lasts_until_it_ends_or_is_ended(store):
    silence = store.write_now(
        operators.add_silence,
        ['rule=~"job_.+"', "account!=x"],
        ends_at=NOW + DAY,
        author="me",
        comment="known",
        now=NOW,
    )
    assert isinstance(silence, Silence)
    assert store.read_now(operators.silences, since=NOW) == (silence,)
    assert store.read_now(operators.silences, since=NOW + DAY) == ()
    expired = store.write_now(operators.expire_silence, silence.id, author="you", now=NOW + HOUR)
    assert expired == replace(silence, ends_at=NOW + HOUR)
    assert store.write_now(operators.expire_silence, silence.id, author="you", now=NOW + HOUR) is None
    assert store.write_now(operators.expire_silence, "sil_none", author="you", now=NOW) is None
    actions = [(entry.action, entry.author, entry.subject) for entry in store.read_now(operators.audit)]
    assert actions == [("silence.expire", "you", silence.id), ("silence.add", "me", silence.id)]
    assert silence.matches({"rule": "job_failed", "account": "y"})
    assert make_silence("rule=x", until=NOW + DAY).is_active(NOW)


def test_a_later_keep_replaces_an_earlier_one_of_the_same_name(store):
    keep = make_keep(NOW + DAY, deployment="Chat")
    store.write_now(operators.save_keep, keep, now=NOW)
    longer = replace(keep, deployment="chat", until=NOW + timedelta(days=9))
    store.write_now(operators.save_keep, longer, now=NOW)
    assert store.read_now(operators.keeps, since=NOW) == (longer,)
    assert len(store.read_now(operators.audit)) == 2
    store.write_now(operators.drop_keep, ACCOUNT, "CHAT")
    assert store.read_now(operators.keeps, since=NOW) == ()


UNREAD = 'rule=~"(a+)+!"'


def test_a_silence_that_cannot_be_read_hides_nothing_and_takes_no_other_with_it(store):
    for matcher in ("rule=job_failed", UNREAD, "rule"):
        known = {"author": "me", "comment": matcher, "now": NOW}
        store.write_now(operators.add_silence, [matcher, "owner=x"], ends_at=NOW + DAY, **known)
    found = {silence.comment: silence for silence in store.read_now(operators.silences, since=NOW)}
    names = ("job_failed", "aaa", "")
    hidden = [
        (comment, name)
        for comment, silence in found.items()
        for name in names
        if silence.matches({"rule": name, "owner": "x"})
    ]
    assert hidden == [("rule=job_failed", "job_failed")]
    assert found["rule=job_failed"].unread_because == ""
    assert "could take for ever" in found[UNREAD].unread_because
    assert [str(matcher) for matcher in found[UNREAD].matchers] == [UNREAD, 'owner="x"']
    expired = store.write_now(operators.expire_silence, found[UNREAD].id, author="you", now=NOW + HOUR)
    assert expired == replace(found[UNREAD], ends_at=NOW + HOUR)
