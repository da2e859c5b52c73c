"""All that a run is held against."""

import gc
import traceback
from dataclasses import dataclass

from watcher.simulator.generator import account_month

from . import again, gone, holdings, idle, jobs, money, sight, stock, telling
from .drive import run
from .record import Record, Violation

SUBJECTS = (jobs, idle, gone, sight, stock, holdings, telling, money, again)


def violations(record: Record) -> tuple[Violation, ...]:
    """Everything in a run that does not agree with the truth, oldest first."""
    found = [record.violation(at, what) for at, what in record.problems]
    for subject in SUBJECTS:
        found.extend(subject.check(record))
    return tuple(sorted(found, key=lambda violation: violation.at))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one month came to."""

    seed: int
    accounts: int  #: that were there
    polls: int
    said: int  #: words of alerts
    found: tuple[str, ...]  #: what does not agree with the truth


def spare_the_collector() -> None:
    """A month is held to its end and then let go whole: to look through it for garbage again and again is of no use."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def watch(seed: int) -> Outcome:
    """One month, from start to end."""
    try:
        record = run(account_month(seed), seed=seed)
        found = tuple(map(str, violations(record)))
    except Exception:  # the other months are to be seen all the same
        return Outcome(seed, 0, 0, 0, (f"the run itself failed: {traceback.format_exc(limit=-4)}",))
    polls = sum(len(step.polled) for step in record.steps)
    return Outcome(seed, len(record.accounts), polls, sum(len(step.alerts) for step in record.steps), found)
