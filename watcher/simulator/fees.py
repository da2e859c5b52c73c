"""What deployments and jobs truly cost: which meter of the price list counts them, and how much of it. Pure, and exact.

A deployment of a fine-tuned model costs by the hour while it stands, called or not; a Developer one has no such fee,
and provisioned and batch ones none of these meters. A job costs its tokens, or the hours that it trained. One that
fails or is refused is free; of one that is cancelled, what was done by then is charged.

Source: article on the cost of fine-tuning. What cancelling bills is not documented in figures: taken is the share of
the training time that had passed.
"""

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

from watcher.simulator import jobs
from watcher.simulator.deployments import DEVELOPER, Life, is_fine_tuned, model_of
from watcher.simulator.scenario import Account, Job, Price
from watcher.simulator.world import World

_HOSTING_TIERS = {"standard": "", "globalstandard": " Glbl", "datazonestandard": " DZ"}
_TRAINING_TIERS = {
    "": "",
    "standard": "",
    "globalstandard": " Glbl",
    "global": " Glbl",
    "developer": " Dev",
    "developertier": " Dev",
}
_TOKENS = {"1K": 1_000, "1M": 1_000_000}
_MILLION = 1_000_000
_MICROSECOND = timedelta(microseconds=1)


def base_behind(account: Account, life: Life) -> str:
    """The base model at the root of what is deployed, with its version where the name has it."""
    deployment = life.deployment
    name = model_of(account, deployment)
    if deployment.job is not None:
        name = next(job.model for job in account.jobs if job.name == deployment.job)
    return name.removeprefix("ft:").partition(".ft-")[0].partition(":")[0]


def hosting_price(world: World, account: Account, life: Life) -> Price | None:
    """The meter that counts the hours of this life; None: it costs nothing by the hour, or no meter is known."""
    tier = _HOSTING_TIERS.get(life.deployment.sku.lower())
    if tier is None or not is_fine_tuned(life.deployment):
        return None
    base = base_behind(account, life)
    for wanted in (tier, ""):
        for row in _rows(world, account.location):
            if _is_of(row, base) and row.meter.partition("-FTuned")[2] == f"{wanted} Deployment Hosting Unit":
                return row
    return None


def hosting_rate(world: World, account: Account, life: Life) -> Fraction | None:
    """Dollars an hour by the list; None: no meter of the list counts its hours, so that they cost nobody knows what."""
    if life.deployment.sku.lower() in DEVELOPER:
        return Fraction(0)
    price = hosting_price(world, account, life)
    return None if price is None else Fraction(str(price.price))


def training_rate(world: World, account: Account, job: Job) -> Fraction | None:
    """Dollars by the million tokens, of reinforcement by the hour; None: the list has no such meter."""
    for row in _rows(world, account.location):
        price = Fraction(str(row.price))
        if job.method == "reinforcement":
            if row.meter.endswith("RFT Training Hours") and _is_version(job.model, row.meter.partition(" ")[0]):
                return price
            continue
        tier = _TRAINING_TIERS.get((job.training_type or "").lower())
        if _is_of(row, job.model) and row.meter.partition("-FTuned")[2] == f"{tier} Training Unit":
            return price * _MILLION / _TOKENS[row.unit]
    return None


def tokens_billed(job: Job, phases: jobs.Timeline) -> Fraction:
    """How many tokens are billed for a job that went through `phases`, at its end; of reinforcement see `trained`."""
    if job.method == "reinforcement" or not phases:
        return Fraction(0)
    status = phases[-1][1]
    whole = job.billed_tokens if job.billed_tokens is not None else job.trained_tokens * 3 // 4
    if status == "succeeded":
        return Fraction(whole)
    if status != "cancelled" or not job.running_for:
        return Fraction(0)
    return whole * min(Fraction(trained(phases) // _MICROSECOND, job.running_for // _MICROSECOND), Fraction(1))


def trained(phases: jobs.Timeline) -> timedelta:
    """How long a job trained by the last of its phases, the evaluation at the end left out.

    Waiting, pauses and the way into and out of them do not count.
    """
    spans = sum((end - begins for begins, end in _running(phases)), timedelta(0))
    has_evaluated = bool(phases) and phases[-1][1] == "succeeded"  # of a model that is refused nothing is billed
    return max(spans - jobs.EVALUATION, timedelta(0)) if has_evaluated else spans


def _running(phases: jobs.Timeline) -> Iterator[tuple[timedelta, timedelta]]:
    for (begins, phase), (ends, _) in pairwise(phases):
        if phase == "running":
            yield begins, ends


def _rows(world: World, region: str) -> Iterator[Price]:
    """What anybody pays there; not reservations, nor what only great quantities cost."""
    return (
        row
        for row in world.prices()
        if row.region == region and row.type == "Consumption" and not row.tier_minimum_units
    )


def _is_of(row: Price, base: str) -> bool:
    return _is_version(base, row.meter.partition("-FTuned")[0])


def _is_version(base: str, model: str) -> bool:
    return base == model or base.startswith(f"{model}-20")  # a version is a date
