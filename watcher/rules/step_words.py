"""The steps of an alert as people read them: a rule may mark its steps in a way that says nothing by itself."""

from watcher.costs.training import CapStep, hours_left
from watcher.rules.countdown import OVERDUE

#: `job_cost` marks a step by the hours of training that lie between it and the cap: what comes nearer is smaller.
_OF_THE_CAP = {f"{hours_left(step)}h": step for step in CapStep if step}


def step_name(rule: str, step: str) -> str:
    """`3d`, as configured; of a job's spending cap `50 % of the cap: 25 h`, so much training lies in it."""
    if rule != "job_cost":
        return step
    if step == OVERDUE:
        return "beyond the cap"
    passed = _OF_THE_CAP.get(step)
    if passed is None:
        return step
    trained = hours_left(CapStep.NONE) - hours_left(passed)
    return f"{passed.value} % of the cap: {trained} h"


def step_reached(rule: str, step: str, *, is_over: bool) -> str:
    """How far an alert has come, in a sentence; "" where it has no steps.

    Args:
        is_over: It has ended since.
    """
    if not step:
        return ""
    if rule == "job_cost":
        verb = "had" if is_over else "has"
        if step == OVERDUE:
            return "It had been resumed beyond the cap by then." if is_over else "It was resumed beyond the cap."
        return f"It {verb} passed {step_name(rule, step)} of training."
    if rule == "model_retiring":
        return f"The last step that it crossed {'was' if is_over else 'is'} {step} before the retirement."
    if rule == "job_paused":
        return f"The reminder was due after {step} of pause."
    return f"The step reached is {step}."
