"""Money in a few words."""

from watcher.answers.money import Money
from watcher.costs.money import Unknown


def cost_words(money: Money) -> str:
    """What idleness has cost; of what is called, the price by the hour."""
    if isinstance(money.price, Unknown):
        return "cost unknown"
    if money.is_free:
        return "no fee by the hour"
    if money.idle is None:
        return f"{money.price.rate.text} an hour"
    if isinstance(money.idle, Unknown):
        return "idle cost unknown"
    least = "at least " if money.is_least else ""
    return f"{least}{money.idle.so_far.text} idle"
