"""Until when calls are known, of alerts that say that nobody calls something."""

from tests.alerts.factories import ACCOUNT, HOUR, NOW, ended, make_alert, make_subject
from tests.factories import make_account, make_usage
from watcher.store import known_calls, schema, scope

IDLE = {"idle_since": "2026-11-10T08:00:00Z"}


def test_of_what_fires_since_nobody_calls_it_the_end_of_its_metrics_is_told(store):
    def save(tx):
        for name, end in (("contoso-ft", NOW - HOUR), ("west", NOW - 2 * HOUR)):
            place = make_account(name)
            scope.save_accounts(tx, [place], is_complete=False, now=NOW)
            for deployment in ("chat", "other"):
                row = {"account": place.key, "deployment": deployment, "noun": make_usage(deployment, read_to=end)}
                tx.execute(schema.usage.insert().values(**row))

    store.write_now(save)
    here, west = make_account("contoso-ft").key, make_account("west").key
    of = {
        "here": make_alert(values=IDLE, subject=make_subject("Chat", account=here), account=here),
        "there": make_alert(values=IDLE, subject=make_subject(account=west), account=west),
        "over all": make_alert(values=IDLE, subject=make_subject(account=west), account="", at=NOW - HOUR),
        "unread": make_alert(values=IDLE, subject=make_subject("new", account=here), account=here),
        "elsewhere": make_alert(values=IDLE, subject=make_subject(account=ACCOUNT), account=ACCOUNT),
        "of no calls": make_alert(subject=make_subject("other", account=here), account=here),
        "an event": make_alert("deployment_gone", values=IDLE, subject=make_subject(account=here), account=here),
    }
    over = ended(make_alert(values=IDLE, subject=make_subject("other", account=here), account=here), NOW)
    found = store.read_now(known_calls.known_to, [*of.values(), over])
    told = {what: found[alert.id] for what, alert in of.items() if alert.id in found}
    assert told == {"here": NOW - HOUR, "there": NOW - 2 * HOUR, "over all": NOW - 2 * HOUR}
    assert over.id not in found
