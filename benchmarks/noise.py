"""How many messages one team with forty accounts gets in a quiet week, a bad one, and one with outages.

    python benchmarks/noise.py [quiet] [bad] [outage] [--config config.example.toml] [--bodies]

The real machine watches a simulated Azure at the intervals of the configuration, under its routes, rules and receivers;
only that each receiver keeps its messages instead of sending them. Times are those of the configured zone. Prints each
message's title, and how many came to a receiver, of a rule, on a day and at night.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the weeks, and what watches them, are the tests' own

from tests.flows.forty import weeks  # noqa: E402  # found by the line above
from tests.flows.paged import EXAMPLE, Page, pages  # noqa: E402  # as above
from tests.truth.checks import spare_the_collector  # noqa: E402  # as above

ZONE = ZoneInfo("Europe/Berlin")


def show(page: Page, *, bodies: bool) -> None:
    """One message."""
    at = page.at.astimezone(ZONE)
    night = "night" if page.is_at_night(ZONE) else ""
    print(f"{at:%a %d %H:%M} {night:<5} {page.receiver:<11} {page.message.title}", flush=True)
    if bodies:
        print("\n".join(f"    {line}" for line in page.message.text().splitlines()), flush=True)


def report(name: str, found: list[Page], *, took_s: float) -> None:
    """The figures of one week."""
    print(f"{name} week: {_counted(found)} ({took_s:.0f} s)")
    for title, key in (
        ("receiver", lambda page: [page.receiver]),
        ("day", lambda page: [f"{page.at.astimezone(ZONE):%a}"]),
        ("reason", lambda page: [str(page.notification.reason)]),
        ("rule", lambda page: page.rules),
    ):
        counts: Counter[str] = Counter(one for page in found for one in key(page))
        print(f"  by {title}: {', '.join(f'{one} {count}' for one, count in counts.items())}")


def _counted(found: Iterable[Page]) -> str:
    found = list(found)
    alerts = sum(len(page.notification.alerts) for page in found)
    nights = sum(page.is_at_night(ZONE) for page in found)
    return f"{len(found)} messages, with {alerts} alerts in them; {nights} at night"


def main() -> None:
    known = weeks()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weeks", nargs="*", help=f"of {', '.join(known)}; all if left out")
    parser.add_argument("--config", type=Path, default=EXAMPLE, help="whose routes, rules and receivers (%(default)s)")
    parser.add_argument("--bodies", action="store_true", help="print whole messages")
    given = parser.parse_args()
    unknown = set(given.weeks) - known.keys()
    if unknown:
        parser.error(f"there is no {sorted(unknown)[0]!r}")
    spare_the_collector()
    for name in given.weeks or known:
        began = time.perf_counter()
        print(f"\n===== {name} week", flush=True)
        found = pages(known[name], given.config.read_text(), show=partial(show, bodies=given.bodies))
        report(name, found, took_s=time.perf_counter() - began)


if __name__ == "__main__":
    main()
