"""Statements to draw: a rich one, a huge one, one of which nothing was seen, and names that mean harm."""

import shlex
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from tests.factories import DAY, HOUR, NOW
from tests.report.factories import (
    UNKNOWN,
    WEEK,
    make_actual,
    make_advice,
    make_busy,
    make_date,
    make_days,
    make_ended,
    make_exemption,
    make_hosted,
    make_leftover,
    make_place,
    make_price,
    make_price_used,
    make_realised,
    make_refused,
    make_statement,
    make_trained,
    make_trickle,
    make_unread,
    sum_of,
    usd,
)
from watcher.costs.advice import Move
from watcher.costs.hosting import Period
from watcher.costs.idle import IdleMoney
from watcher.costs.money import Unknown
from watcher.costs.uses import State
from watcher.report.statement import Bill, BillLine, Date, DateKind, HostedLine, Statement

#: Whole days of Berlin.
LOCAL_WEEK = Period(begin=WEEK.begin - HOUR, end=WEEK.end - HOUR)
ACCOUNTS = ("contoso-ft", "contoso-west", "fabrikam-ai", "adatum-eval", "northwind-prod")
OWNERS = ("search-team", "support", "legal-ops", "unowned")

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|'/c calc'!A0",
    "<!channel> @here <@U123>",
    "a|b|c\nsecond line",
    "n" * 300,
    "abc\u202egnp.exe\u200f",
    "\x1b[31mred\x07",
    "`code` *bold* _it_ [x](http://evil.example) ![i](http://evil.example/i.png)",
    '" onmouseover="alert(1)',
    "{{ 7 * 7 }}",
    "@SUM(1+1)*cmd",
    "&lt;b&gt; &amp;",
)


def rich(**changes: object) -> Statement:
    """Thirty deployments in five accounts."""
    hosted: list[HostedLine] = []
    for number in range(30):
        place = make_place(
            ACCOUNTS[number % 5],
            owner=OWNERS[number % 4],
            labels={"environment": ("production", "test")[number % 2], "cost-center": str(4711 + number % 3)},
        )
        name = f"{('support-bot', 'search-ranker', 'contract-review', 'triage')[number % 4]}-v{number}"
        sku = ("Standard", "GlobalStandard", "ProvisionedManaged")[number % 3 if number % 7 == 0 else number % 2]
        match number % 10:
            case 0 | 1 | 2:
                made = _idle(name, number, place=place, sku=sku)
            case 3:
                made = make_trickle(name, place=place, sku=sku)
            case 4:
                made = make_unread(name, place=place, sku=sku)
            case 5 if number == 5:
                made = make_busy(
                    name,
                    place=place,
                    sku="ProvisionedManaged",
                    price=UNKNOWN,
                    cost=UNKNOWN,
                    by_state={State.USED: UNKNOWN},
                    days=(),
                )
            case 6 if number == 16:
                made = make_ended(name, place=place, sku=sku)
            case 7 if number == 17:
                made = make_busy(name, place=place, sku=sku, successor="search-ranker-v31 in contoso-west")
            case _:
                made = make_busy(name, place=place, sku=sku, calls=1200.0 * number)
        hosted.append(made)
    trained = [
        *(
            make_trained(
                f"ftjob-{number:04}", place=make_place(ACCOUNTS[number % 5]), cost=usd(Decimal("10.40") * number)
            )
            for number in range(1, 9)
        ),
        make_trained(
            "ftjob-0100",
            status="running",
            finished_at=None,
            made="",
            cost=Unknown(because="how many tokens a job trains on is told at its end"),
            basis="how many tokens a job trains on is told at its end",
        ),
        make_refused("ftjob-0200"),
        make_refused("ftjob-0201", harm_types=("violence",)),
        make_trained(
            "ftjob-0300",
            status="failed",
            made="",
            cost=usd(0),
            basis="jobs that fail are not billed",
            failure="Invalid training file: line 17 is not JSON.",
        ),
    ]
    return _statement(
        hosted,
        trained,
        **{
            "accounts": 6,
            "accounts_seen": 4,
            "unseen": (
                "Account adatum-eval: its metrics were not read from 2026-11-18 02:00 to 2026-11-19 14:00 UTC: "
                "HTTP 403, Monitoring Reader is missing.",
                "Account woodgrove-lab has never been read: its firewall refuses this address.",
            ),
            "actuals": (
                make_actual(),
                make_actual(
                    "contoso-west",
                    actual=Unknown(because="Cost Management has no figures yet"),
                    drift_percent=None,
                    note="figures come up to 72 h late",
                ),
            ),
            "undeployed": tuple(
                make_leftover(f"ft-{n}", name=f"gpt-4o-mini-2024-07-18.ft-{n:032x}", bytes=None) for n in range(3)
            ),
            "orphans": tuple(make_leftover(f"file-{n}") for n in range(14)),
            **changes,
        },
    )


def _idle(name: str, number: int, **changes: object) -> HostedLine:
    day = Decimal("40.80")
    days = 1 + number % 7
    since = LOCAL_WEEK.end - days * DAY
    ends = since + 15 * DAY
    left = max(ends - NOW, timedelta()) / HOUR
    return make_hosted(
        name,
        by_state={State.USED: usd((7 - days) * day), State.IDLE: usd(days * day)},
        calls=float(12 * (7 - days)),
        days=make_days(used=[day] * (7 - days), idle=[0] * (7 - days) + [day] * days),
        idle_since=(since - HOUR, since),
        last_call_at=since - HOUR,
        deletion=(ends - HOUR, ends),
        idle=IdleMoney(
            so_far=usd(days * day),
            per_day=usd(day),
            until_deletion=usd(Decimal("1.70") * Decimal(left - 1), Decimal("1.70") * Decimal(left)),
        ),
        **changes,
    )


def _statement(hosted: list[HostedLine], trained: list, **changes: object) -> Statement:
    hosted.sort(key=lambda line: (-float(getattr(line.cost, "high", 10**9)), line.place.account, line.name))
    advice = [
        make_advice(
            line.name,
            account=line.place.account,
            owner=line.place.owner,
            move=Move.CONSOLIDATE if line.successor else Move.DEVELOPER if line.trickle_calls else Move.DELETE,
            because=f"a newer model of its line is deployed as {line.successor}"
            if line.successor
            else "15 calls in 15 d"
            if line.trickle_calls
            else "nobody calls it",
            saving_until_deletion=line.idle.until_deletion if isinstance(line.idle, IdleMoney) else None,
            command="az cognitiveservices account deployment delete --subscription "
            "00000000-0000-0000-0000-000000000000 -g rg-ml "
            f"-n {line.place.account} --deployment-name {line.name}",
        )
        for line in hosted
        if line.successor or line.trickle_calls or (line.idle and line.end is None)
    ]
    whole = make_statement(hosted, trained)
    bills = [_bill(whole, by, pick) for by, pick in _WAYS.items()]
    return replace(
        whole,
        **{
            "period": LOCAL_WEEK,
            "bills": tuple(bills),
            "advice": tuple(advice),
            "saving_per_month": sum_of(*(each.saving_per_month for each in advice if each.saving_per_month)),
            "dates": (*(_deletion(line) for line in hosted if line.idle and line.deletion), _RETIREMENT),
            "exceptions": (make_exemption(), make_exemption("silver", is_over=True, by="", until=NOW - 2 * DAY)),
            "realised": (make_realised(), make_realised("older-bot", by="")),
            "saved": sum_of(usd(Decimal("652.80"))),
            "prices": (
                make_price_used(uses=len(hosted)),
                make_price_used(
                    what="training, gpt-4.1, global",
                    price=make_price(2, is_estimate=True),
                    uses=len(trained),
                    is_stale=True,
                ),
                make_price_used(what="hosting, ProvisionedManaged", price=UNKNOWN, uses=1),
            ),
            "remarks": ("Whether a pause ends the fee is not documented: it is assumed that it does not.",),
            **changes,
        },
    )


def _deletion(line: HostedLine) -> Date:
    assert line.deletion
    return make_date(
        f"deletion-{line.name}",
        at=line.deletion[0],
        latest=line.deletion[1],
        title=f"{line.place.account}/{line.name} may be deleted",
        account=line.place.account,
        owner=line.place.owner,
    )


_RETIREMENT = make_date(
    "retire",
    kind=DateKind.RETIREMENT,
    at=NOW + 90 * DAY,
    latest=None,
    is_certain=True,
    title="gpt-4o-mini-2024-07-18 retires: inference",
    text="Fine-tuned models of it can no longer be called.",
)
_WAYS = {
    "account": lambda line: line.place.account,
    "owner": lambda line: line.place.owner,
    "environment": lambda line: line.place.labels.get("environment", ""),
    "model": lambda line: line.model,
    "sku": lambda line: getattr(line, "sku", None) or "training",
}


def _bill(whole: Statement, by: str, pick) -> Bill:
    values = sorted({pick(line) for line in (*whole.hosted, *whole.trained)})
    lines = [
        BillLine(
            value=value,
            hosting=sum_of(*(line.cost for line in whole.hosted if pick(line) == value)),
            training=sum_of(*(line.cost for line in whole.trained if pick(line) == value)),
            idle=sum_of(
                *(
                    line.by_state[State.IDLE]
                    for line in whole.hosted
                    if pick(line) == value and State.IDLE in line.by_state
                )
            ),
            unread=sum_of(
                *(
                    line.by_state[State.UNKNOWN]
                    for line in whole.hosted
                    if pick(line) == value and State.UNKNOWN in line.by_state
                )
            ),
            deployments=sum(pick(line) == value for line in whole.hosted),
            jobs=sum(pick(line) == value for line in whole.trained),
        )
        for value in values
    ]
    return Bill(by=by, lines=tuple(sorted(lines, key=lambda line: (-line.total.known.high, line.value))))


def huge(count: int = 2000) -> Statement:
    """So many deployments in a tenth of as many accounts, and as many jobs."""
    hosted = []
    for number in range(count):
        place = make_place(f"account-{number % max(count // 10, 1):04}", owner=f"team-{number % 40:02}")
        make = number % 4
        name = f"deployment-{number:05}"
        hosted.append(
            _idle(name, number, place=place)
            if make == 0
            else make_trickle(name, place=place)
            if make == 1
            else make_busy(name, place=place)
        )
    return _statement(
        hosted,
        [make_trained(f"ftjob-{n:05}", place=make_place(f"account-{n % 100:04}")) for n in range(count // 2)],
        orphans=tuple(make_leftover(f"file-{n}") for n in range(count // 2)),
    )


def unseen() -> Statement:
    """Five accounts, none of which could be read."""
    return make_statement(
        (),
        (),
        accounts=5,
        accounts_seen=0,
        unseen=tuple(
            f"Account {name} could not be read: HTTP 403, the role Cognitive Services User is missing."
            for name in ACCOUNTS
        ),
        **{
            key: ()
            for key in ("bills", "undeployed", "orphans", "dates", "exceptions", "advice", "realised", "days", "prices")
        },
        saving_per_month=sum_of(),
        idle_until_deletion=sum_of(),
        saved=sum_of(),
    )


def hostile(name: str) -> Statement:
    """That name wherever a name or a text from outside may stand."""
    place = make_place(name, account_id=name, location=name, owner=name, labels={name: name})
    return make_statement(
        (
            make_hosted(
                name, place=place, model=name, sku=name, successor=name, deletion_why=name, remarks=(name,), id=name
            ),
            make_trickle(name, place=place, model=name, id=name),
            make_ended(name, place=place, ended_by=name, id=name, recipe=make_ended().recipe),
        ),
        (
            make_refused(name, place=place, model=name, failure=name, harm_types=(name,)),
            make_trained(name, place=place, basis=name, made=name, status=name),
        ),
        watcher=name,
        price_words="list price, not an invoice",
        bills=(
            Bill(
                by=name,
                lines=(
                    BillLine(
                        value=name,
                        hosting=sum_of(usd(1)),
                        training=sum_of(),
                        idle=sum_of(),
                        unread=sum_of(),
                        deployments=1,
                        jobs=0,
                    ),
                )
                * 2,
            ),
        ),
        advice=(
            make_advice(
                name,
                account=name,
                owner=name,
                because=name,
                risk=name,
                command=f"az delete -n {shlex.quote(' '.join(name.split()))}",
            ),
        ),
        undeployed=(make_leftover(name, name=name, place=place, note=name),),
        orphans=(make_leftover(name, name=name, place=place),),
        dates=(make_date(name, title=name, text=name, account=name, owner=name),),
        exceptions=(make_exemption(name, place=place, by=name, reason=name),),
        realised=(make_realised(name, account=name, owner=name, by=name),),
        prices=(make_price_used(what=name, origin=name),),
        actuals=(make_actual(name, note=name),),
        unseen=(name,),
        remarks=(name,),
    )
