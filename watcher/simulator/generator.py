"""Whole account-months from a seed: accounts, jobs, deployments, traffic, deletions and troubles, for tests in bulk.

The same seed gives the same scenario everywhere. A calm majority: half of the months have no faults at all, and most
accounts little more than an ordinary month. `python -m watcher.simulator.generator SEED` prints what really happens.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from watcher.simulator import catalogue
from watcher.simulator.chances import Chances
from watcher.simulator.deployment_shapes import base_deployment, deployments_of, drawn_deployments
from watcher.simulator.fault_shapes import drawn_faults
from watcher.simulator.ids import guid
from watcher.simulator.job_shapes import deployable, drawn_job
from watcher.simulator.ledger import as_json, ledger
from watcher.simulator.scenario import (
    SPEAKING_KINDS,
    ZERO,
    Account,
    BaseModel,
    Deployment,
    File,
    Job,
    ResourceGroup,
    Scenario,
    Subscription,
)
from watcher.simulator.world import World

M, H, D = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

EARLIEST = datetime(2026, 1, 5, tzinfo=UTC)
LEAVING = 10 * M  # how long an account says that it is being deleted or moved
NAMES = ("contoso-ft", "contoso-west", "contoso-lab", "Fabrikam-AI", "search-ft", "support-ft", "evals")
GROUPS = ("rg-ml-prod", "rg-ml-dev", "RG-Research")
REGIONS = ("eastus2", "swedencentral", "northcentralus", "westus3")
NOISE = ("SpeechServices", "FormRecognizer", "TextAnalytics", "CognitiveServices")
DEPLOYMENTS = ("support-bot", "Ranker", "intent", "summaries", "moderation", "translate", "triage", "sql-gen")


def account_month(seed: int, *, accounts: int | None = None) -> Scenario:
    """A month of 30 to 32 days in `accounts` accounts; None: two to six of them."""
    chances = Chances("account-month", seed)
    number = chances.number(2, 6) if accounts is None else accounts
    subscriptions = _subscriptions(chances.fork("subscriptions"))
    watched = [_account(chances.fork("account", index), index, subscriptions) for index in range(number)]
    everyone = [later for account in watched for later in _fates(chances.fork("fate", account.key), account)]
    return Scenario(
        title=f"account-month {seed}",
        start=EARLIEST + chances.moment(ZERO, 300 * D),
        length=chances.number(30, 32) * D,
        page_size=chances.weighted(((70, 100), (15, 2), (15, 5))),
        metrics_delay=chances.length(3 * M, 20 * M),
        activity_delay=chances.weighted(((40, ZERO), (60, chances.length(1 * M, 20 * M)))),
        failed_calls_keep_alive=chances.happens(8),
        subscriptions=subscriptions,
        resource_groups=tuple(_groups(chances.fork("groups"), subscriptions)),
        accounts=(*everyone, *_noise(chances.fork("noise"), subscriptions)),
        models=_models(chances.fork("models")),
        faults=drawn_faults(chances.fork("faults"), everyone),
    )


def _subscriptions(chances: Chances) -> tuple[Subscription, ...]:
    number = chances.number(1, 3)
    draws = [chances.number(0, 10**9) for _ in range(number)]
    return tuple(
        Subscription(id=guid("subscription", draw), name=f"Contoso AI {index}") for index, draw in enumerate(draws, 1)
    )


def _groups(chances: Chances, subscriptions: Sequence[Subscription]) -> Iterator[ResourceGroup]:
    for subscription in subscriptions:
        for name in chances.some(GROUPS, 0, 3):
            yield ResourceGroup(name=name, subscription=subscription.id, tags={"owner": "ml-platform"})


def _account(chances: Chances, index: int, subscriptions: Sequence[Subscription]) -> Account:
    """One account with all that is in it. Names may repeat in other groups; subdomains never do."""
    name = chances.weighted(((80, NAMES[index % len(NAMES)]), (20, NAMES[0])))
    group = chances.one_of(GROUPS)
    if index and (name == NAMES[0] or index >= len(NAMES)):
        group = f"{group}-{index}"  # a name that repeats needs a group of its own
    jobs = tuple(drawn_job(chances.fork("job", number), f"job-{number}") for number in range(chances.number(0, 6)))
    return Account(
        name=name,
        subdomain=f"{name.lower()}-{index}",
        resource_group=group,
        subscription=chances.one_of(subscriptions).id,
        location=chances.one_of(REGIONS),
        kind=chances.weighted(((65, "OpenAI"), (35, "AIServices"))),
        tags={"environment": chances.one_of(("production", "dev"))} if chances.happens(50) else {},
        created=chances.moment(-400 * D, -90 * D),
        disable_local_auth=chances.happens(20),
        dialects=chances.weighted(((60, ("v1", "dated")), (20, ("dated",)), (20, ("v1",)))),
        job_order=chances.weighted(((80, "newest"), (10, "oldest"), (10, "shuffled"))),
        metrics=chances.weighted(
            ((70, ("AzureOpenAIRequests", "ModelRequests")), (15, ("AzureOpenAIRequests",)), (15, ("ModelRequests",)))
        ),
        logs_platform_deletions=chances.happens(30),
        jobs=jobs,
        deployments=tuple(_deployments(chances.fork("deployments"), jobs)),
        files=tuple(_files(chances.fork("files"))),
    )


def _deployments(chances: Chances, jobs: Sequence[Job]) -> Iterator[Deployment]:
    """Deployments of models old and new, and base models between them; now and then more than ten at once."""
    number = chances.weighted(((85, chances.number(0, 5)), (15, chances.number(11, 14))))
    names = (f"{DEPLOYMENTS[index % len(DEPLOYMENTS)]}-{index}" for index in range(100))
    for _ in range(number):
        yield from drawn_deployments(chances.fork(name := next(names)), name, jobs)
    for job in jobs:
        if job.created >= ZERO and deployable(job, 26 * D) and chances.happens(50):
            yield from deployments_of(chances.fork(name := next(names)), name, job)
    for _ in range(chances.number(0, 2)):
        yield base_deployment(chances.fork(name := next(names)), f"base-{name}")


def _files(chances: Chances) -> Iterator[File]:
    """Uploads of no job: good ones, ones that are refused, ones that never get anywhere."""
    for index in range(chances.weighted(((60, 0), (25, 1), (15, 2)))):
        file = File(filename=f"upload-{index}.jsonl", created=chances.moment(-90 * D, 27 * D))
        refused = (("pending", ZERO), ("error", chances.length(1 * M, 3 * H)))
        fate = chances.weighted(((40, "good"), (45, "refused"), (15, "stuck")))
        if fate == "refused":
            file = replace(file, status=refused, status_details="Line 12: expected a JSON object.")
        elif fate == "stuck":
            file = replace(file, status=(("uploaded", ZERO), ("pending", 1 * M)), bytes=None)
        yield file


def _fates(chances: Chances, account: Account) -> Iterator[Account]:
    """What becomes of an account: most stay, some are new, are deleted, are made again, or move."""
    yield from chances.weighted(((80, _stays), (5, _is_new), (5, _is_deleted), (4, _is_made_again), (6, _moves)))(
        chances, account
    )


def _stays(chances: Chances, account: Account) -> Iterator[Account]:
    yield account


def _is_new(chances: Chances, account: Account) -> Iterator[Account]:
    """Created in the month, with what was created after it."""
    created = chances.moment(1 * H, 12 * D)
    words = (("Accepted", ZERO), ("Creating", 10 * timedelta(seconds=1)), ("Succeeded", chances.length(1 * M, 40 * M)))
    yield _since(replace(account, created=created, provisioning=words))


def _is_deleted(chances: Chances, account: Account) -> Iterator[Account]:
    """Deleted with all that is in it, with or without an entry in the activity log."""
    deleted_by = chances.one_of((None, "operator@contoso.example"))
    deleted = chances.moment(1 * D, 28 * D)
    words = _last_words("Deleting", account, deleted)
    yield replace(account, deleted=deleted, deleted_by=deleted_by, provisioning=words)


def _is_made_again(chances: Chances, account: Account) -> Iterator[Account]:
    """Deleted, and created again under its id, empty but for what is created later."""
    gone = replace(account, deleted=chances.moment(2 * D, 15 * D), deleted_by="operator@contoso.example")
    yield gone
    yield _since(replace(account, created=(gone.deleted or ZERO) + chances.length(30 * M, 3 * D)))


def _moves(chances: Chances, account: Account) -> Iterator[Account]:
    """Moved to another resource group: one id goes, another comes with everything in it."""
    moved = chances.moment(1 * D, 28 * D)
    yield replace(account, deleted=moved, provisioning=_last_words("Moving", account, moved))
    yield replace(account, created=moved, resource_group=f"{account.resource_group}-moved")


def _last_words(word: str, account: Account, end: timedelta) -> tuple[tuple[str, timedelta], ...]:
    """What it says of its provisioning in its last minutes."""
    return (("Succeeded", ZERO), (word, end - LEAVING - account.created))


def _since(account: Account) -> Account:
    """The account without what would be older than itself."""
    jobs = tuple(job for job in account.jobs if job.created > account.created)
    names = {job.name for job in jobs}
    deployments = tuple(
        deployment
        for deployment in account.deployments
        if deployment.created > account.created and (deployment.job is None or deployment.job in names)
    )
    files = tuple(file for file in account.files if file.created > account.created)
    return replace(account, jobs=jobs, deployments=deployments, files=files)


def _noise(chances: Chances, subscriptions: Sequence[Subscription]) -> Iterator[Account]:
    """Accounts of other kinds, which a client has to pass over."""
    for index in range(chances.number(0, 2)):
        kind = chances.one_of(NOISE)
        assert kind not in SPEAKING_KINDS
        subscription = chances.one_of(subscriptions).id
        yield Account(name=f"other-{index}", kind=kind, subscription=subscription, location=chances.one_of(REGIONS))


def _models(chances: Chances) -> tuple[BaseModel, ...]:
    """The catalogue; in some months a model of it is being retired, or has been."""
    if chances.happens(70):
        return ()
    retiring = chances.number(0, len(catalogue.MODELS) - 1)
    until = EARLIEST + chances.moment(-60 * D, 420 * D)
    changed = replace(
        catalogue.MODELS[retiring],
        lifecycle=chances.one_of(("Deprecating", "Deprecated", "Legacy", "Preview")),
        deprecation_status=chances.one_of((None, "Planned", "Tentative")),
        fine_tune_until=until,
        inference_until=until + 180 * D,
    )
    return tuple(changed if index == retiring else model for index, model in enumerate(catalogue.MODELS))


if __name__ == "__main__":
    month = World(account_month(int(sys.argv[1])))
    json.dump(as_json(ledger(month)), sys.stdout, indent=1)
    print()
