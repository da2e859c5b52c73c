"""The bill divided by account, owner, model, SKU and each label; by day; and the prices behind it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from watcher.costs.money import Cost, Total, Unknown, together, total
from watcher.costs.prices import Price
from watcher.costs.uses import State
from watcher.report.hosted import Hosted
from watcher.report.statement import Bill, BillLine, DayOfCost, HostedLine, Place, PriceUsed, TrainingLine
from watcher.report.trained import Trained
from watcher.resources.model import base_of, family

#: In place of a SKU, what training came to.
TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What an account holds that nobody has read: a part of the bill of which nothing is known."""

    place: Place
    hosting: Unknown | None
    training: Unknown | None


def bills(
    hosted: Sequence[HostedLine],
    trained: Sequence[TrainingLine],
    missing: Sequence[Missing],
    *,
    labels: Iterable[str],
    currency: str,
) -> tuple[Bill, ...]:
    """Each way to divide it; the lines of each together are the whole."""

    def by(what: str, of_place: Callable[[Place], str]) -> Bill:
        def of_line(line: HostedLine | TrainingLine) -> str:
            return of_place(line.place)

        return _bill(what, hosted, trained, missing, currency, of_line, of_line, of_place)

    return (
        by("account", lambda place: place.account),
        by("owner", lambda place: place.owner),
        _bill("model", hosted, trained, missing, currency, _model_of_hosted, _model_of_trained, lambda _: ""),
        _bill("sku", hosted, trained, missing, currency, lambda line: line.sku, lambda _: TRAINING, lambda _: ""),
        *(by(name, _label(name)) for name in labels),
    )


def _label(name: str) -> Callable[[Place], str]:
    return lambda place: place.labels.get(name, "")


def _model_of_hosted(line: HostedLine) -> str:
    return line.base or base_of(line.model)


def _model_of_trained(line: TrainingLine) -> str:
    return base_of(line.model)


@dataclass(slots=True)
class _Share:
    hosting: list[Cost] = field(default_factory=list)
    training: list[Cost] = field(default_factory=list)
    idle: list[Cost] = field(default_factory=list)
    unread: list[Cost] = field(default_factory=list)
    deployments: set[str] = field(default_factory=set)
    jobs: int = 0


def _bill(
    by: str,
    hosted: Iterable[HostedLine],
    trained: Iterable[TrainingLine],
    missing: Iterable[Missing],
    currency: str,
    of_hosted: Callable[[HostedLine], str],
    of_trained: Callable[[TrainingLine], str],
    of_place: Callable[[Place], str],
) -> Bill:
    shares: defaultdict[str, _Share] = defaultdict(_Share)
    for line in hosted:
        share = shares[of_hosted(line)]
        share.hosting.append(line.cost)
        if line.missing is not None:
            share.hosting.append(line.missing)
        share.deployments.add(line.id.lower())
        if (idle := line.by_state.get(State.IDLE)) is not None:
            share.idle.append(idle)
        if (unread := line.by_state.get(State.UNKNOWN)) is not None:
            share.unread.append(unread)
    for job in trained:
        share = shares[of_trained(job)]
        share.training.append(job.cost)
        share.jobs += 1
    for one in missing:
        share = shares[of_place(one.place)]
        share.hosting.extend([one.hosting] if one.hosting else [])
        share.training.extend([one.training] if one.training else [])
    lines = [
        BillLine(
            value=value,
            hosting=total(share.hosting, currency),
            training=total(share.training, currency),
            idle=total(share.idle, currency),
            unread=total(share.unread, currency),
            deployments=len(share.deployments),
            jobs=share.jobs,
        )
        for value, share in shares.items()
    ]
    return Bill(by=by, lines=tuple(sorted(lines, key=_dearest)))


def _dearest(line: BillLine) -> tuple[float, str]:
    return -float(line.hosting.known.high + line.training.known.high), line.value


def costs_of(line: HostedLine) -> Iterator[Cost]:
    """What it cost, and that something is missing from that."""
    yield line.cost
    if line.missing is not None:
        yield line.missing


def in_state(lines: Iterable[HostedLine], state: State, currency: str) -> Total:
    return total((line.by_state[state] for line in lines if state in line.by_state), currency)


def until_deletion(lines: Iterable[HostedLine], currency: str) -> Total:
    """What is idle costs on until Azure deletes it. Each line is one part, also where its least alone is known."""
    found = (line.idle for line in lines if line.idle is not None)
    return together((idle if isinstance(idle, Unknown) else idle.part for idle in found), currency)


def by_day(lines: Iterable[HostedLine], currency: str) -> tuple[DayOfCost, ...]:
    """All hosting by local day and use."""
    found: dict[tuple[date, State], list[Cost]] = {}
    for line in lines:
        for one in line.days:
            for state, cost in one.costs.items():
                costs = found.get((one.day, state))
                if costs is None:
                    found[one.day, state] = [cost]
                else:
                    costs.append(cost)
    days: dict[date, dict[State, Total]] = {}
    for (day, state), costs in found.items():
        days.setdefault(day, {})[state] = total(costs, currency)
    return tuple(
        DayOfCost(day=day, costs={state: costs[state] for state in State if state in costs})
        for day, costs in sorted(days.items())
    )


def prices_used(hosted: Sequence[Hosted], trained: Iterable[Trained], now: datetime) -> tuple[PriceUsed, ...]:
    """The prices behind the figures, those that were used most first."""
    uses: Counter[tuple[str, int]] = Counter()  # by identity first: thousands share few prices
    prices: dict[int, Price | Unknown] = {}

    def use(what: str, price: Price | Unknown) -> None:
        prices[id(price)] = price
        uses[what, id(price)] += 1

    names = {name: family(name) or "unknown model" for name in {one.line.base or one.line.model for one in hosted}}
    for one in hosted:
        line = one.line
        use(f"hosting, {line.sku or 'unknown SKU'}, {names[line.base or line.model]}", line.price)
    for job in trained:
        if job.price is not None:
            kind = f", {job.line.training_type}" if job.line.training_type else ""
            use(f"training, {family(job.line.model) or 'unknown model'}{kind}", job.price)
    found: dict[tuple[str, object], tuple[Price | Unknown, int]] = {}
    for (what, which), count in uses.items():
        price = prices[which]
        key = price.because if isinstance(price, Unknown) else (price.rate.low, price.rate.high, price.source)
        first, before = found.get((what, key), (price, 0))
        found[what, key] = first, before + count
    used = [
        PriceUsed(
            what=what,
            price=price,
            origin=price.because if isinstance(price, Unknown) else price.origin(now),
            uses=count,
            is_stale=isinstance(price, Price) and price.is_stale(now),
        )
        for (what, _), (price, count) in found.items()
    ]
    return tuple(sorted(used, key=lambda one: (-one.uses, one.what, one.origin)))
