from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.costs.factories import make_book, own
from tests.factories import DAY, HOUR, MINUTE, NOW, SECOND, make_event, make_job, make_transition
from watcher.costs.money import Unknown
from watcher.costs.training import (
    CapStep,
    billed_tokens,
    cap_watch,
    epochs,
    has_begun,
    resumed_at_cap,
    spent,
    trained_for,
)
from watcher.resources.changes import Change

BOOK = make_book(table=(own(training_per_million=3),))
FIVE_EPOCHS = {"hyperparameters": {"n_epochs": "5"}}


def told(found):
    return found.cost.because if isinstance(found.cost, Unknown) else found.cost.text


@pytest.mark.parametrize(
    ("messages", "tokens"),
    [
        pytest.param(["Job started.", "Training tokens billed: 8000"], 8000, id="the recorded wording"),
        pytest.param(["training tokens BILLED:12,345,678."], 12_345_678, id="in groups"),
        pytest.param(["Training tokens billed: 0"], 0, id="none"),
        pytest.param(["Job succeeded."], None, id="not said"),
        pytest.param(["Training tokens billed: unknown"], None, id="no number"),
        pytest.param([], None, id="no log"),
    ],
)
def test_the_services_own_count(messages, tokens):
    assert billed_tokens([make_event(message) for message in messages]) == tokens


def test_the_newest_count_holds():
    events = [make_event("Training tokens billed: 9", at=NOW), make_event("Training tokens billed: 5", at=NOW - HOUR)]
    assert billed_tokens(events) == billed_tokens(events[::-1]) == 9


@pytest.mark.parametrize(("text", "count"), [("3", 3), ("auto", None), ("-1", None), ("0", None), ("", None)])
def test_epochs_once_they_are_settled(text, count):
    assert epochs(make_job(hyperparameters={"n_epochs": text})) == count


@pytest.mark.parametrize(
    ("job", "options", "expected"),
    [
        pytest.param(
            make_job(status="succeeded", trained_tokens=10_440, **FIVE_EPOCHS),
            {"billed": 2_000_000},
            "6.00 USD",
            id="billed",
        ),
        pytest.param(make_job(status="succeeded"), {"billed": 1}, "0.00 USD", id="a single token"),
        pytest.param(
            make_job(status="succeeded", trained_tokens=1_000_000, **FIVE_EPOCHS),
            {},
            "1.50 to 15.00 USD",
            id="tokens × epochs",
        ),
        pytest.param(
            make_job(status="succeeded", trained_tokens=1_000_000, hyperparameters={"n_epochs": "1"}),
            {},
            "1.50 to 3.00 USD",
            id="one epoch",
        ),
        pytest.param(
            make_job(status="succeeded", trained_tokens=1_000_000),
            {},
            "how many epochs were trained is not known",
            id="epochs unknown",
        ),
        pytest.param(
            make_job(status="succeeded", **FIVE_EPOCHS),
            {},
            "the service does not say how many tokens were trained",
            id="no tokens",
        ),
        pytest.param(
            make_job(status="running", **FIVE_EPOCHS),
            {},
            "how many tokens a job trains on is told at its end",
            id="running",
        ),
        pytest.param(
            make_job(status="novel", **FIVE_EPOCHS),
            {},
            "how many tokens a job trains on is told at its end",
            id="a new word",
        ),
        pytest.param(make_job(status="queued", trained_tokens=9), {}, "0.00 USD", id="queue"),
        pytest.param(
            make_job(status="failed", trained_tokens=9_000_000, **FIVE_EPOCHS),
            {"billed": 9_000_000},
            "0.00 USD",
            id="failed",
        ),
        pytest.param(
            make_job(status="succeeded", **FIVE_EPOCHS),
            {"billed": 9_000_000, "is_refused": True},
            "0.00 USD",
            id="refused",
        ),
        pytest.param(
            make_job(status="cancelled", trained_tokens=1_000_000, **FIVE_EPOCHS),
            {},
            "0.00 to 15.00 USD",
            id="cancelled on the way",
        ),
        pytest.param(
            make_job(status="cancelled", **FIVE_EPOCHS), {"billed": 1_000_000}, "3.00 USD", id="cancelled, and counted"
        ),
        pytest.param(make_job(status="cancelled"), {"has_begun": False}, "0.00 USD", id="cancelled before training"),
        pytest.param(
            make_job(status="cancelled"),
            {"has_begun": True},
            "the service does not say how many tokens were trained",
            id="cancelled, not counted",
        ),
    ],
)
def test_what_tokens_cost(job, options, expected):
    assert told(spent(job, BOOK, **options)) == expected


def test_an_unknown_price_is_told_with_what_it_would_be_for():
    found = spent(make_job(status="succeeded"), make_book(), billed=5)
    assert (told(found), found.basis) == (
        "the price of training gpt-4o-mini is not known",
        "5 tokens billed, by the job's own log",
    )


def test_a_job_on_a_custom_model_costs_what_its_base_costs():
    book = make_book(table=(own(model="gpt-4.1", training_per_million=7), own(training_per_million=3)))
    job = make_job(status="succeeded", model=f"gpt-4.1.ft-{'0' * 32}-support")
    assert told(spent(job, book, billed=1_000_000)) == "7.00 USD"


RFT = {"method": "reinforcement", "model": "o4-mini-2025-04-16"}


@pytest.mark.parametrize(
    ("status", "trained", "options", "expected"),
    [
        pytest.param("running", (HOUR, HOUR), {}, "100.00 USD", id="an hour"),
        pytest.param("succeeded", (90 * MINUTE, 2 * HOUR), {}, "150.00 to 200.00 USD", id="between"),
        pytest.param("paused", (50 * HOUR, 51 * HOUR), {}, "5000.00 USD", id="at the cap"),
        pytest.param(
            "running", (50 * HOUR, 51 * HOUR), {"is_uncapped": True}, "5000.00 to 5100.00 USD", id="resumed beyond it"
        ),
        pytest.param("cancelled", (HOUR, 2 * HOUR), {}, "100.00 to 200.00 USD", id="cancelled: work done"),
        pytest.param("failed", (HOUR, HOUR), {}, "0.00 USD", id="failed"),
        pytest.param("queued", (HOUR * 0, HOUR * 0), {}, "0.00 USD", id="queued"),
        pytest.param("running", None, {}, "how long a reinforcement job has trained is not known", id="nobody knows"),
    ],
)
def test_what_reinforcement_costs(status, trained, options, expected):
    found = spent(make_job(status=status, **RFT), make_book(), trained=trained, **options)
    assert told(found) == expected


@pytest.mark.parametrize(
    ("more", "words"),
    [(0 * SECOND, "33.00 h"), (5 * SECOND, "33.00 h"), (MINUTE, "33.00 to 33.02 h")],
    ids=["one time", "written alike", "an interval"],
)
def test_hours_that_are_written_alike_are_written_once(more, words):
    found = spent(make_job(status="succeeded", **RFT), make_book(), trained=(33 * HOUR, 33 * HOUR + more))
    assert found.basis.startswith(f"{words} of training; ")


def test_a_job_whose_method_is_not_told_is_of_the_only_one_that_its_model_has():
    """The stable dated API tells no method; o4-mini is trained by reinforcement alone, and not billed by tokens."""
    book = make_book(table=(own(training_per_million=3),))
    job = make_job(status="succeeded", method="", model="o4-mini-2025-04-16", trained_tokens=2_000_000)
    assert told(spent(job, book, billed=1_000_000, trained=(HOUR, HOUR))) == "100.00 USD"
    other = make_job(status="succeeded", method="", model="gpt-4.1-2025-04-14")
    assert told(spent(other, book, billed=1_000_000, trained=(HOUR, HOUR))) == "3.00 USD"


def test_a_discount_comes_off_the_cap_too():
    book = make_book(discount_percent=Decimal(10))
    assert told(spent(make_job(status="paused", **RFT), book, trained=(60 * HOUR, 60 * HOUR))) == "4500.00 USD"


def changes(*steps):
    """(hours ago seen, status, hours ago by the service's word)."""
    before, found = None, []
    for seen, status, occurred in steps:
        found.append(
            make_transition(
                make_job(status=status),
                before,
                change=Change.CHANGED if before else Change.DISCOVERED,
                observed_at=NOW - seen * HOUR,
                occurred_at=None if occurred is None else NOW - occurred * HOUR,
            )
        )
        before = status
    return found


@pytest.mark.parametrize(
    ("steps", "trained"),
    [
        pytest.param([(10, "queued", None), (8, "running", 8), (3, "succeeded", 3)], (5, 5), id="all dated"),
        pytest.param(
            [(10, "queued", None), (8, "running", None), (3, "succeeded", 3)], (5, 7), id="its start is not dated"
        ),
        pytest.param([(8, "running", None), (3, "succeeded", None)], (0, 9), id="seen running first, nothing dated"),
        pytest.param([(8, "running", 8)], (8, 8), id="trains on"),
        pytest.param([(8, "running", 8), (6, "pausing", 6), (5, "paused", 5)], (2, 3), id="pausing may be billed"),
        pytest.param(
            [(8, "running", 8), (5, "paused", 5), (2, "resuming", 2), (1, "running", 1)],
            (4, 5),
            id="paused time is free",
        ),
        pytest.param([(8, "queued", None)], (0, 0), id="never trained"),
        pytest.param([(3, "succeeded", 3)], (0, 9), id="over when it was first seen"),
        pytest.param([(3, "cancelled", None)], (0, 9), id="over when it was first seen, and not dated"),
        pytest.param([(5, "paused", None), (2, "running", 2)], (2, 9), id="first seen paused"),
        pytest.param([(6, "pausing", 6), (5, "paused", 5)], (0, 7), id="first seen on its way to a pause"),
        pytest.param(
            [(8, "running", 8), (5, "paused", 5), (2, "succeeded", 2)],
            (3, 6),
            id="succeeded after a pause: resumed unseen",
        ),
        pytest.param([(8, "queued", None), (2, "succeeded", 2)], (0, 10), id="succeeded: ran unseen"),
        pytest.param([(8, "queued", None), (2, "cancelled", 2)], (0, 10), id="cancelled: may have run unseen"),
        pytest.param([(8, "running", 8), (5, "paused", 5), (2, "cancelled", 2)], (3, 3), id="cancelled in its pause"),
        pytest.param([], None, id="nothing is known"),
    ],
)
def test_how_long_a_job_trained(steps, trained):
    found = trained_for(changes(*steps)[::-1], created_at=NOW - 12 * HOUR, until=NOW)
    assert found == (None if trained is None else tuple(hours * HOUR for hours in trained))


def test_without_its_creation_a_start_that_was_not_seen_has_no_bound():
    assert trained_for(changes((8, "running", None)), created_at=None, until=NOW) is None
    assert trained_for(changes((8, "queued", None)), created_at=None, until=NOW) == (0 * HOUR, 0 * HOUR)
    assert trained_for(changes((3, "succeeded", 3)), created_at=None, until=NOW) is None


@given(st.lists(st.tuples(st.integers(1, 600), st.integers(1, 60)), min_size=1, max_size=6), st.data())
def test_the_bounds_of_training_hold_the_truth(phases, data):
    """Phases of running and pausing in turn; each change is seen some time later, before the next, dated or not."""
    at, truth, steps, before, created = NOW - 100 * DAY, 0 * SECOND, [], None, NOW - 100 * DAY
    for number, (minutes, delay) in enumerate(phases):
        status = "paused" if number % 2 else "running"
        seen = min(at + delay * SECOND, at + minutes * MINUTE)
        occurred = at if data.draw(st.booleans()) else None
        steps.append(make_transition(make_job(status=status), before, observed_at=seen, occurred_at=occurred))
        truth += minutes * MINUTE if status == "running" else 0 * MINUTE
        at, before = at + minutes * MINUTE, status
    least, most = trained_for(steps, created_at=created, until=at)
    assert least <= truth <= most


@pytest.mark.parametrize(
    ("hours", "step", "percent", "left"),
    [
        (24.9, CapStep.NONE, 49.8, 25.1),
        (25, CapStep.HALF, 50, 25),
        (39.9, CapStep.HALF, 79.8, 10.1),
        (40, CapStep.NEAR, 80, 10),
        (49.5, CapStep.NEAR, 99, 0.5),
        (50, CapStep.REACHED, 100, None),
        (60, CapStep.REACHED, 120, None),
    ],
)
def test_how_near_the_cap_is(hours, step, percent, left):
    found = cap_watch(make_job(**RFT), (hours * HOUR, hours * HOUR), was_resumed_at_cap=False)
    assert (found.step, round(found.percent, 6)) == (step, percent)
    assert found.paused_in == (None if left is None else left * HOUR)


def test_only_what_is_surely_trained_nears_the_cap():
    found = cap_watch(make_job(**RFT), (HOUR, 60 * HOUR), was_resumed_at_cap=False)
    assert found.step is CapStep.NONE


def test_after_a_resume_there_is_no_pause_to_come():
    found = cap_watch(make_job(**RFT), (45 * HOUR, 45 * HOUR), was_resumed_at_cap=True)
    assert (found.paused_in, found.is_uncapped) == (None, True)
    assert cap_watch(make_job("x", "paused", **RFT), (HOUR, HOUR), was_resumed_at_cap=False).paused_in is None


def test_which_resume_lifts_the_cap():
    at_cap = changes((60, "running", 60), (10, "paused", 10), (2, "running", 2))
    early = changes((60, "running", 60), (50, "paused", 50), (2, "running", 2))
    assert resumed_at_cap(at_cap, created_at=NOW - 70 * HOUR)
    assert not resumed_at_cap(at_cap[:2], created_at=NOW - 70 * HOUR)
    assert not resumed_at_cap(early, created_at=NOW - 70 * HOUR)


def test_the_evaluation_of_the_model_is_free_though_the_status_stays_running():
    phases = [
        make_transition(make_job(status="running"), None, observed_at=NOW - 10 * HOUR, occurred_at=NOW - 10 * HOUR)
    ]
    known = {"created_at": NOW - 11 * HOUR, "until": NOW}
    over = make_event("Completed results file: file-1", at=NOW - 4 * HOUR)
    late = make_event("Job succeeded", at=NOW + HOUR)
    assert trained_for(phases, **known) == (10 * HOUR, 10 * HOUR)
    assert trained_for(phases, **known, events=[over]) == (6 * HOUR, 10 * HOUR)
    assert trained_for(phases, **known, events=[over, late]) == (10 * HOUR, 10 * HOUR)
    assert trained_for([], **known, events=[over]) is None


def test_a_pause_that_nobody_saw_is_told_by_the_log():
    """Seen running ten hours ago, and succeeded now; for some of the time between it was paused."""
    phases = changes((10, "running", 10), (0, "succeeded", 0))
    known = {"created_at": NOW - 11 * HOUR, "until": NOW}
    began = make_event("Job paused: capacity was reclaimed. It resumes later.", at=NOW - 6 * HOUR)
    ended = make_event("Job resumed.", at=NOW - 4 * HOUR)
    assert trained_for(phases, **known, events=[ended, began]) == (8 * HOUR, 10 * HOUR)
    assert trained_for(phases, **known, events=[began]) == (4 * HOUR, 10 * HOUR)
    assert trained_for(phases, **known, events=[ended]) == (10 * HOUR, 10 * HOUR)


def test_a_pause_that_was_seen_is_taken_off_once():
    phases = changes((10, "running", 10), (6, "paused", 6), (4, "running", 4), (0, "succeeded", 0))
    known = {"created_at": NOW - 11 * HOUR, "until": NOW}
    log = [make_event("Job paused.", at=NOW - 6 * HOUR), make_event("Job resumed.", at=NOW - 4 * HOUR)]
    assert trained_for(phases, **known, events=log) == trained_for(phases, **known) == (8 * HOUR, 8 * HOUR)


ENQUEUED, CANCELLED = make_event("Job enqueued.", at=NOW - 9 * HOUR), make_event("Job cancelled.", at=NOW)
AT_ITS_END = make_event("It is over.", at=NOW)
QUEUE = ((8, "validating_files", None), (6, "queued", None))


@pytest.mark.parametrize(
    ("steps", "log", "expected"),
    [
        pytest.param((*QUEUE, (0, "cancelled", 0)), [ENQUEUED, CANCELLED], False, id="cancelled in the queue"),
        pytest.param((*QUEUE, (0, "cancelled", None)), [CANCELLED], False, id="its end is not dated"),
        pytest.param((*QUEUE, (0, "cancelled", 0)), [ENQUEUED, AT_ITS_END], False, id="its log reaches to its end"),
        pytest.param((*QUEUE, (0, "cancelled", 0)), [ENQUEUED], None, id="its log was read while it waited"),
        pytest.param((*QUEUE, (0, "cancelled", 0)), [], None, id="its log was not read"),
        pytest.param(((0, "cancelled", 0),), [ENQUEUED, CANCELLED], None, id="never seen to wait"),
        pytest.param(
            (*QUEUE, (0, "cancelled", 0)),
            [make_event("Fine-tuning started."), CANCELLED],
            None,
            id="its log speaks of some beginning",
        ),
        pytest.param((*QUEUE, (3, "evaluating", None), (0, "cancelled", 0)), [CANCELLED], None, id="an unknown word"),
        pytest.param((*QUEUE, (2, "running", 2), (0, "cancelled", 0)), [CANCELLED], True, id="seen to run"),
        pytest.param((*QUEUE, (2, "paused", 2), (0, "cancelled", 0)), [CANCELLED], True, id="paused: it ran unseen"),
        pytest.param((*QUEUE,), [ENQUEUED], None, id="it may begin yet"),
    ],
)
def test_whether_a_job_has_begun(steps, log, expected):
    assert has_begun(changes(*steps), log, shows_training=False) is expected
    assert has_begun(changes(*steps), log, shows_training=True) is True


# At the edges


def test_no_tokens_billed_is_a_count():
    """Of one whose log says 0, nothing is guessed from the service's other figures."""
    job = make_job(status="succeeded", trained_tokens=1_000_000, **FIVE_EPOCHS)
    assert spent(job, BOOK, billed=0).basis == "0 tokens billed, by the job's own log"
    assert spent(job, BOOK, billed=0).cost.is_zero


def test_what_was_billed_before_it_was_cancelled_is_billed_though_no_beginning_was_seen():
    job = make_job(status="cancelled")
    assert told(spent(job, BOOK, billed=1_000_000, has_begun=False)) == "3.00 USD"
    assert told(spent(job, BOOK, billed=0, has_begun=False)) == "0.00 USD"
    assert isinstance(spent(job, BOOK, has_begun=None).cost, Unknown)


def changed(*steps):
    """Hours ago (of its sight, and by the service: `None`: it does not date it), and the status from then on."""
    before, found = None, []
    for seen, occurred, after in steps:
        job = make_job(status=after)
        at = None if occurred is None else NOW - occurred * HOUR
        found.append(make_transition(job, before, observed_at=NOW - seen * HOUR, occurred_at=at))
        before = after
    return found


def test_the_evaluation_is_free_and_never_makes_the_training_less_than_nothing():
    changes = changed((9, 9, "running"), (2, 2, "succeeded"))
    asked = {"created_at": NOW - 9 * HOUR, "until": NOW - 2 * HOUR}
    over = {hours: [make_event("Job succeeded.", at=NOW - hours * HOUR)] for hours in (1, 4, 20)}
    assert trained_for(changes, **asked) == (7 * HOUR, 7 * HOUR)
    assert trained_for(changes, **asked, events=over[4]) == (5 * HOUR, 7 * HOUR)
    assert trained_for(changes, **asked, events=over[1]) == (7 * HOUR, 7 * HOUR)  # said after it was over
    assert trained_for(changes, **asked, events=over[20]) == (0 * HOUR, 7 * HOUR)


def test_two_changes_of_one_sight_may_lie_anywhere_before_it():
    """The first sight of them all tells of each, and when the first was nobody saw."""
    changes = changed((9, 9, "queued"), (3, None, "running"), (3, None, "paused"))
    assert trained_for(changes, created_at=NOW - 9 * HOUR, until=NOW) == (0 * HOUR, 6 * HOUR)

    dated = changed((3, 9, "running"), (3, None, "paused"))
    assert trained_for(dated, created_at=NOW - 9 * HOUR, until=NOW) == (0 * HOUR, 6 * HOUR)


def test_a_change_that_is_not_dated_comes_after_one_that_is():
    """The service's clock may run ahead of the sight."""
    changes = changed((9, 9, "queued"), (5, 4, "running"), (4.5, None, "paused"))
    least, most = trained_for(changes, created_at=NOW - 9 * HOUR, until=NOW)
    assert least == 0 * HOUR <= most
    resumed = changed((9, 9, "queued"), (5, 4, "resuming"), (4.5, None, "running"))
    assert trained_for(resumed, created_at=NOW - 9 * HOUR, until=NOW) == (4 * HOUR, 4 * HOUR)


def test_a_job_that_came_from_training_has_begun_though_no_training_is_listed():
    """Its first change that is on record leads away from it."""
    left = [make_transition(make_job(status="cancelled"), "running", observed_at=NOW)]
    assert has_begun(left, (), shows_training=False) is True
    waited = changed((9, 9, "queued"), (5, 5, "cancelled"))
    said = {
        "cancelled": [make_event("Job cancelled", at=NOW - 9 * HOUR)],
        "ended": [make_event("x", at=NOW - 5 * HOUR)],
    }
    assert has_begun(waited, (), shows_training=False) is None
    assert has_begun(waited, said["cancelled"], shows_training=False) is False
    assert has_begun(waited, said["ended"], shows_training=False) is False
    assert has_begun(waited, [make_event("x", at=NOW - 5 * HOUR - SECOND)], shows_training=False) is None
    assert has_begun(waited[1:], said["ended"], shows_training=False) is None  # what came before was not seen


@pytest.mark.parametrize(
    ("hours", "is_resumed"), [(39, False), (40, True), (50, True)], ids=["too soon", "at four fifths", "at the cap"]
)
def test_who_resumes_near_the_cap_resumes_at_it(hours, is_resumed):
    """A pause that nobody saw to begin may have come earlier: what may have been trained counts."""
    changes = changed((100, 100, "running"), (100 - hours, 100 - hours, "paused"), (10, 10, "running"))
    assert resumed_at_cap(changes, created_at=NOW - 100 * HOUR) is is_resumed
    unsure = changed((100, 100, "running"), (100 - hours, None, "paused"), (10, 10, "running"))
    assert resumed_at_cap(unsure, created_at=NOW - 100 * HOUR) is is_resumed


@pytest.mark.parametrize(("hours", "step", "left"), [(25, 50, 25), (40, 80, 10), (49, 80, 1), (50, 100, None)])
def test_a_step_is_passed_when_it_is_reached(hours, step, left):
    job = make_job(status="running", **RFT)
    watch = cap_watch(job, (hours * HOUR, hours * HOUR), was_resumed_at_cap=False)
    assert (watch.step, watch.paused_in) == (CapStep(step), None if left is None else left * HOUR)
