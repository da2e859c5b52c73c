"""Money in a few words."""

import re

from watcher.answers.money import Money
from watcher.costs.money import Unknown


def cost_words(money: Money) -> str:
    """What idleness has cost; of what is called, the price by the hour."""
    if isinstance(money.price, Unknown):
        return "cost unknown"
    if money.is_free:
        return "no fee by the hour"
    if money.idle is None:
        return f"{grouped(money.price.rate.text)} an hour"
    if isinstance(money.idle, Unknown):
        return "idle cost unknown"
    least = "at least " if money.is_least else ""
    return f"{least}{grouped(money.idle.so_far.text)} idle"


def grouped(text: str) -> str:
    """`151,803.79 USD`: amounts in a text with their thousands apart."""
    return re.sub(r"\d{4,}(?=\.\d\d\b)", lambda found: f"{int(found[0]):,}", text)
