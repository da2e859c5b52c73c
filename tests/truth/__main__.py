"""`make truth`: simulated months of a few accounts each, through the real program, held against what really happened.

    python -m tests.truth [--seeds N] [--first N] [--seed N] [--workers N]

Prints what does not agree with the truth, with its seed; exit code 1 where there is any.
"""

import argparse
import multiprocessing
import sys
import time
from datetime import datetime

from watcher.simulator.generator import account_month

from .checks import Outcome, spare_the_collector, violations, watch
from .drive import run
from .record import Record

#: Months, of three or four accounts each: about two minutes on two cores.
_SEEDS = 22
#: From here on so many months hold every kind of trouble that a generated month can have.
_FIRST = 572
_WORKERS = 2
#: Violations of one seed that are printed; most of them have one cause.
_MOST_SHOWN = 5


def main() -> int:
    options = _options()
    if options.seed is not None:
        return replay(options.seed)
    began, accounts, polls, said, failed = time.monotonic(), 0, 0, 0, []
    seeds = range(options.first, options.first + options.seeds)
    print(
        f"Watching {len(seeds)} simulated months of several accounts each, seeds {seeds[0]} to {seeds[-1]}.", flush=True
    )
    with multiprocessing.get_context("spawn").Pool(options.workers, initializer=spare_the_collector) as pool:
        for number, outcome in enumerate(pool.imap_unordered(watch, seeds), start=1):
            accounts, polls, said = accounts + outcome.accounts, polls + outcome.polls, said + outcome.said
            if outcome.found:
                failed.append(outcome.seed)
                _show(outcome)
            if number % 10 == 0 or number == len(seeds):
                print(
                    f"{number} of {len(seeds)} months ({accounts} account-months), {time.monotonic() - began:.0f} s",
                    flush=True,
                )
    print(f"{polls} polls said {said} things about alerts, in {time.monotonic() - began:.0f} s")
    if failed:
        print(f"Failed seeds: {', '.join(map(str, sorted(failed)))}")
    print(f"{len(seeds) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--seeds", type=_count, default=_SEEDS, help="how many months of a few accounts each (%(default)s)"
    )
    parser.add_argument("--first", type=int, default=_FIRST, help="the first seed (%(default)s)")
    parser.add_argument("--seed", type=int, help="replay this one, and print all that was said")
    parser.add_argument("--workers", type=_count, default=_WORKERS, help="processes (%(default)s)")
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _show(outcome: Outcome) -> None:
    print(f"\nseed {outcome.seed}: {len(outcome.found)} disagree with the truth")
    for what in outcome.found[:_MOST_SHOWN]:
        print(f"  {what}")
    if len(outcome.found) > _MOST_SHOWN:
        print(f"  and {len(outcome.found) - _MOST_SHOWN} more")
    print(f"  replay: make truth SEED={outcome.seed}\n", flush=True)


def replay(seed: int) -> int:
    """One month, with everything that was said in it beside what does not agree with the truth."""
    record = run(account_month(seed), seed=seed)
    found = violations(record)
    lines = [(violation.at, f"!! {violation.what}") for violation in found] + _story(record)
    for at, what in sorted(lines, key=lambda line: line[0]):
        print(f"{at:%Y-%m-%d %H:%M:%S}  {what}")
    print(f"{len(found)} disagree with the truth")
    return 1 if found else 0


def _story(record: Record) -> list[tuple[datetime, str]]:
    lines: list[tuple[datetime, str]] = []
    for blind in record.ledger.blinds:
        lines.append(
            (blind.begins, f"fault  {blind.kind} on {blind.plane} until {blind.ends:%m-%d %H:%M}: {blind.fault}")
        )
    for step in record.steps:
        for one in step.transitions:
            if not one.is_history:
                lines.append((step.at, f"saw    {one.name} {one.change} {one.before} → {one.after}"))
        for alert in step.alerts:
            finding, why = alert.finding, f" ({alert.ended_because})" if alert.ends_at else ""
            what = f"{finding.rule} {alert.status} {alert.severity} {finding.step}: {finding.summary}{why}"
            lines.append((step.at, f"said   {what}"))
        for notification in step.notifications:
            rules = ", ".join(f"{entry.alert.finding.rule}" for entry in notification.alerts)
            lines.append((step.at, f"told   {notification.receiver} ({notification.reason}): {rules}"))
    return lines


if __name__ == "__main__":
    sys.exit(main())
