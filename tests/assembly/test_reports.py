"""Which reports a configuration asks for, and by what they go."""

from datetime import time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.factories import NOW
from watcher import config
from watcher.assembly.judgement import tariff_of, terms_of
from watcher.assembly.reports import edition_of, reporting_of
from watcher.report.schedule import Timetable
from watcher.report.statement import Audience
from watcher.settings import frame_of

TEXT = """
[watcher]
name = "prod"
timezone = "Europe/Berlin"
critical_environments = ["eu-1"]
[azure.discovery]
owner_tag = "team"
tag_labels = ["cost-center"]
[poll]
quiet = "8h"
metrics = "12h"
[pricing]
source = "table"
discount_percent = 10
[rules.deployment_trickle]
max_calls = 7
[rules.deployment_wasting]
after = "5d"
[rules.deployment_idle]
lifetime = "10d"
[[receivers]]
name = "screen"
type = "console"
[route]
receiver = "screen"
[[owners]]
match = ['owner=~"search|chat"']
name = "Search"
receivers = ["screen"]
[[reports]]
name = "weekly"
schedule = "mon 08:00"
period = "14d"
receivers = ["screen"]
[[reports]]
name = "monthly"
schedule = "1st 07:30"
period = "month"
edition = "finance"
receivers = ["screen"]
"""


def test_reports_go_by_the_configuration():
    loaded = config.parse(TEXT, environ={})
    found = reporting_of(loaded, terms_of(loaded), tariff_of(loaded))
    weekly, monthly = found.scheduled
    berlin = ZoneInfo("Europe/Berlin")
    assert weekly.timetable == Timetable(weekday=0, at=time(8), zone=berlin)
    assert (weekly.length, weekly.period_name, weekly.audience) == (timedelta(days=14), "14d", Audience.ALL)
    assert monthly.timetable == Timetable(day=1, at=time(7, 30), zone=berlin)
    assert (monthly.length, monthly.period_name, monthly.audience) == ("month", "month", Audience.FINANCE)
    [own] = found.owners
    assert (own.owner, own.receivers) == ("Search", ("screen",))
    assert [own.concerns({"owner": owner}) for owner in ("chat", "Search", "other")] == [True, True, False]
    terms = found.terms
    assert (terms.watcher, terms.zone, terms.owner_tag, terms.tag_labels) == ("prod", berlin, "team", ("cost-center",))
    assert terms.critical_environments == {"eu-1"}
    assert (terms.trickle.max_calls, terms.wasting_after, terms.lifetimes.idle) == (
        7,
        timedelta(days=5),
        timedelta(days=10),
    )
    assert terms.book.terms.discount_percent == Decimal(10)
    assert terms.metrics_stale_after == timedelta(hours=12 * 12 + 1)  # so long they rest far from any end
    assert terms.near_stale_after == frame_of(loaded, NOW).stale_after == timedelta(hours=24)
    assert (terms.deployments_stale_after, terms.jobs_stale_after) == (timedelta(hours=3), timedelta(hours=16))


def test_an_owner_whom_no_report_can_reach_is_warned_of():
    pager = '[[receivers]]\nname = "pager"\ntype = "pagerduty"\nrouting_key_env = "KEY"\n'
    text = TEXT.replace('name = "Search"\nreceivers = ["screen"]', 'name = "Search"\nreceivers = ["pager"]') + pager
    loaded = config.parse(text, environ={"KEY": "k" * 32})
    assert config.warnings(loaded) == [
        "owners[0].receivers: none of them takes reports, so Search gets no edition of them"
    ]
    assert config.warnings(config.parse(TEXT, environ={})) == []


def test_an_owner_is_sent_what_the_page_shows():
    loaded = config.parse(TEXT, environ={})
    [own] = reporting_of(loaded, terms_of(loaded), tariff_of(loaded)).owners
    _, concerns = edition_of(loaded, "Search")
    seen = [{"owner": owner} for owner in ("Search", "search", "chat", "other", "")]
    assert [own.concerns(one) for one in seen] == [concerns(one) for one in seen] == [True, True, True, False, False]
