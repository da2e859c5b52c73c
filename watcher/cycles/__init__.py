"""The verbs that drive everything: discover, poll, review, dispatch, deliver.

Each is "load, decide with pure functions, save", may be killed at any point, and is safe to repeat. They meet in the
database alone.
"""

from watcher.cycles.delivery import bury, deliver
from watcher.cycles.discovery import Discover, Discovery, ReadLog, departures_of, discover, save_discovery
from watcher.cycles.dispatching import Claims, Dispatched, decide, dispatch, dispatch_and_claim, dispatch_now, let_go
from watcher.cycles.inventory import FindRetirements, inventory_now, take_inventory
from watcher.cycles.judgement import Cadence, Judgement
from watcher.cycles.memory import Memory
from watcher.cycles.polling import EVERYTHING, Collect, Recorded, poll, record, unchanged, without_secrets
from watcher.cycles.pricing import ReadPrices, Tariff, refresh_prices
from watcher.cycles.recall import Recall
from watcher.cycles.reconciling import ReadBill, refresh_actuals
from watcher.cycles.refreshing import refresh, refreshing
from watcher.cycles.reporting import Reported, report
from watcher.cycles.reviewing import Reviewer, note_itself, note_skew, review, review_now
from watcher.cycles.settling import Delivered
from watcher.cycles.timetables import Reporting, plan_now

__all__ = [
    "EVERYTHING",
    "Cadence",
    "Claims",
    "Collect",
    "Delivered",
    "Discover",
    "Discovery",
    "Dispatched",
    "FindRetirements",
    "Judgement",
    "Memory",
    "ReadBill",
    "ReadLog",
    "ReadPrices",
    "Recall",
    "Recorded",
    "Reported",
    "Reporting",
    "Reviewer",
    "Tariff",
    "bury",
    "decide",
    "deliver",
    "departures_of",
    "discover",
    "dispatch",
    "dispatch_and_claim",
    "dispatch_now",
    "inventory_now",
    "let_go",
    "note_itself",
    "note_skew",
    "plan_now",
    "poll",
    "record",
    "refresh",
    "refresh_actuals",
    "refresh_prices",
    "refreshing",
    "report",
    "review",
    "review_now",
    "save_discovery",
    "take_inventory",
    "unchanged",
    "without_secrets",
]
