"""What wakes dispatch."""

from tests.alerts.factories import make_alert
from tests.factories import MINUTE, NOW, make_account, make_gap
from watcher.cycles import Recorded
from watcher.daemon.poller import News
from watcher.resources.snapshot import GapReason, Section

ONE, OTHER = make_account("one"), make_account("other")


def recorded(*gaps, account=ONE, alerts=()):
    return Recorded(account=account, gaps=gaps, alerts=alerts)


def gap(section=Section.JOBS, reason=GapReason.UNREACHABLE, at=NOW):
    return make_gap(section, reason, at=at)


def test_a_gap_is_news_when_it_opens_changes_or_closes_and_not_while_it_goes_on():
    news = News()
    assert not news.has(recorded())
    assert news.has(recorded(gap()))
    assert not news.has(recorded(gap(at=NOW + MINUTE)))
    assert news.has(recorded(gap(), account=OTHER)), "of each account by itself"
    assert news.has(recorded(gap(), gap(Section.METRICS)))
    assert news.has(recorded(gap(reason=GapReason.CREDENTIAL), gap(Section.METRICS)))
    assert news.has(recorded())
    assert not news.has(recorded())


def test_an_alert_is_news_beside_a_gap_that_goes_on():
    news = News()
    news.has(recorded(gap()))
    assert news.has(recorded(gap(), alerts=(make_alert(),)))
