"""Shapes that a deployment can take in a generated month: model, SKU, quirks, and how its life ends. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from watcher.simulator.chances import Chances
from watcher.simulator.deployments import DEVELOPER, end_of
from watcher.simulator.ids import hex32, letters24
from watcher.simulator.job_shapes import deployable
from watcher.simulator.jobs import ended_at
from watcher.simulator.scenario import ZERO, Deployment, Job
from watcher.simulator.traffic_shapes import SHAPES as TRAFFIC
from watcher.simulator.traffic_shapes import Traffic, refused_between
from watcher.simulator.training import CHECKPOINTS_KEPT

S, M, H, D = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

SKUS = (
    (20, "Standard"),
    (6, "standard"),
    (20, "GlobalStandard"),
    (4, "globalstandard"),
    (10, "DataZoneStandard"),
    (7, "DeveloperTier"),
    (4, "developertier"),
    (4, "Developer"),
    (4, "ProvisionedManaged"),
    (3, "GlobalProvisionedManaged"),
    (2, "DataZoneProvisionedManaged"),
    (3, "GlobalBatch"),
    (2, "DataZoneBatch"),
)
BASES = ("gpt-4.1", "gpt-4o", "gpt-4o-mini", "text-embedding-3-large", "o4-mini")
FORGOTTEN = "gpt-4.1-mini-2025-04-14"  # base of models whose job nobody lists any more
PEOPLE = ("cleanup-pipeline@contoso.example", "operator@contoso.example", "9b7c2c1e-52a4-4a55-8b0d-0d6f2f9f3c11")

Quirk = Callable[[Chances, Deployment], Deployment]
Ending = Callable[[Chances, Deployment], Iterator[Deployment]]


# ------------------------------------------------------------------------------------------------------------- models


def by_job(chances: Chances, deployment: Deployment, job: Job) -> Deployment:
    return replace(deployment, job=job.name)


def by_checkpoint(chances: Chances, deployment: Deployment, job: Job) -> Deployment:
    """The oldest of those that are kept: what the service has let go of cannot be deployed."""
    epoch = max(job.epochs - CHECKPOINTS_KEPT + 1, 1)
    return replace(deployment, job=job.name, checkpoint=job.steps * epoch // job.epochs)


def by_checkpoint_id(chances: Chances, deployment: Deployment, job: Job) -> Deployment:
    return replace(by_checkpoint(chances, deployment, job), checkpoint_form="id")


def by_plain_name(chances: Chances, deployment: Deployment) -> Deployment:
    """A model of a job that is no longer listed, with or without a suffix."""
    digits = hex32("forgotten", deployment.name, chances.number(0, 10**9))
    return replace(deployment, model=f"{FORGOTTEN}.ft-{digits}{chances.one_of(('', '-prod', ':ckpt-step-40'))}")


def by_platform_name(chances: Chances, deployment: Deployment) -> Deployment:
    """The spelling of OpenAI's own platform."""
    tail = letters24("platform", deployment.name)[:8]
    return replace(deployment, model=f"ft:{FORGOTTEN}:contoso:{deployment.name}:{tail}")


def by_open_model(chances: Chances, deployment: Deployment) -> Deployment:
    """An open model's fine-tuned form."""
    digits = hex32("open", deployment.name)
    return replace(deployment, model=f"gpt-oss-20b.ft-{digits}-triage", format="Microsoft")


OF_A_JOB = ((70, by_job), (15, by_checkpoint), (15, by_checkpoint_id))
OF_NONE = ((70, by_plain_name), (20, by_platform_name), (10, by_open_model))


# ------------------------------------------------------------------------------------------------------------- quirks


def without_system_data(chances: Chances, deployment: Deployment) -> Deployment:
    return replace(deployment, system_data=False)


def edited(chances: Chances, deployment: Deployment) -> Deployment:
    """Touched by somebody, which calls nothing."""
    return replace(deployment, modified=chances.moment(max(deployment.created, ZERO) + 1 * H, 29 * D))


def paused(chances: Chances, deployment: Deployment) -> Deployment:
    """Paused at some time, and perhaps resumed; meanwhile calls are refused."""
    since = chances.moment(max(ZERO, -deployment.created), 20 * D)
    until = since + chances.length(1 * H, 6 * D) if chances.happens(50) else None
    states: tuple[tuple[str, timedelta], ...] = (("Running", ZERO), ("Paused", since))
    if until is not None:
        states = (*states, ("Running", until))
    begins, ends = deployment.created + since, None if until is None else deployment.created + until
    calls = tuple(part for calls in deployment.calls for part in refused_between(calls, begins, ends))
    return replace(deployment, deployment_state=states, calls=calls)


def failed(chances: Chances, deployment: Deployment) -> Deployment:
    """Its provisioning fails."""
    lasts = chances.length(1 * M, 40 * M)
    return replace(deployment, provisioning=(("Accepted", ZERO), ("Creating", 20 * S), ("Failed", lasts)), calls=())


def slow(chances: Chances, deployment: Deployment) -> Deployment:
    """Takes its time to be created."""
    lasts = chances.length(10 * M, 5 * H)
    return replace(deployment, provisioning=(("Accepted", ZERO), ("Creating", 20 * S), ("Succeeded", lasts)))


QUIRKS: tuple[tuple[int, Quirk | None], ...] = (
    (70, None),
    (7, without_system_data),
    (7, edited),
    (7, paused),
    (4, failed),
    (5, slow),
)


# ------------------------------------------------------------------------------------------------------------ endings


def by_rule(chances: Chances, deployment: Deployment) -> Iterator[Deployment]:
    """Nobody touches it: it stands, or a rule of Azure's ends it."""
    yield deployment


def by_person(chances: Chances, deployment: Deployment) -> Iterator[Deployment]:
    """Deleted, and the activity log says by whom."""
    yield replace(_deleted(chances, deployment), deleted_by=chances.one_of(PEOPLE))


def unexplained(chances: Chances, deployment: Deployment) -> Iterator[Deployment]:
    """Deleted, and no log knows of it."""
    yield _deleted(chances, deployment)


def replaced(chances: Chances, deployment: Deployment) -> Iterator[Deployment]:
    """Redeployed under its name while it stands, or seconds after its deletion."""
    if chances.happens(50):
        yield deployment
        yield _next_life(chances, deployment, _deletion(chances, deployment))
    else:
        gone = replace(_deleted(chances, deployment), deleted_by=chances.one_of(PEOPLE))
        yield gone
        yield _next_life(chances, gone, (gone.deleted or ZERO) + chances.number(1, 90) * S)


def returning(chances: Chances, deployment: Deployment) -> Iterator[Deployment]:
    """Deleted by a person or by rule, and deployed again under its name hours or days later."""
    ended = end_of(deployment)
    gone = deployment
    if ended is None or chances.happens(50):
        gone = replace(_deleted(chances, deployment), deleted_by=chances.one_of((None, *PEOPLE)))
        ended = end_of(gone)
    yield gone
    if ended is not None and ended.at < 27 * D:
        yield _next_life(chances, gone, ended.at + chances.length(20 * M, 3 * D))


ENDINGS: tuple[tuple[int, Ending], ...] = (
    (70, by_rule),
    (9, by_person),
    (6, unexplained),
    (7, replaced),
    (8, returning),
)


# ---------------------------------------------------------------------------------------------------------- the whole


def drawn_deployments(chances: Chances, name: str, jobs: Sequence[Job]) -> Iterator[Deployment]:
    """Every life of one deployment of a fine-tuned model."""
    traffic = chances.weighted(TRAFFIC)(chances.fork("traffic"))
    ready = [job for job in jobs if deployable(job, traffic.created)]
    yield from _lives(chances, _begun(chances, name, traffic), chances.one_of(ready) if ready else None)


def deployments_of(chances: Chances, name: str, job: Job) -> Iterator[Deployment]:
    """Every life of a deployment that follows a job's success within two days."""
    traffic = chances.weighted(TRAFFIC)(chances.fork("traffic"))
    created = (ended_at(job) or ZERO) + chances.length(10 * M, 2 * D)
    yield from _lives(chances, _begun(chances, name, _moved(traffic, created)), job)


def base_deployment(chances: Chances, name: str) -> Deployment:
    """Noise: a base model, which no rule ever deletes."""
    traffic = chances.weighted(TRAFFIC)(chances.fork("traffic"))
    sku = chances.one_of(("Standard", "GlobalStandard", "GlobalBatch", "ProvisionedManaged"))
    return replace(_begun(chances, name, traffic), sku=sku, model=chances.one_of(BASES), version="2025-04-14")


def _begun(chances: Chances, name: str, traffic: Traffic) -> Deployment:
    return Deployment(
        name=name,
        created=traffic.created,
        calls=traffic.calls,
        sku=chances.weighted(SKUS),
        capacity=chances.number(1, 100),
        tags={"owner": chances.one_of(("search-team", "support-team"))} if chances.happens(40) else {},
    )


def _lives(chances: Chances, begun: Deployment, job: Job | None) -> Iterator[Deployment]:
    if job is not None:
        deployment = chances.weighted(OF_A_JOB)(chances, begun, job)
    else:
        deployment = chances.weighted(OF_NONE)(chances, begun)
    if deployment.sku.lower() in DEVELOPER and deployment.created < -1 * D:
        deployment = _shifted(deployment, chances.moment(-20 * H, 25 * D))  # an older one would be over
    quirk = chances.weighted(QUIRKS)
    if quirk is not None:
        deployment = quirk(chances.fork("quirk"), deployment)
    yield from chances.weighted(ENDINGS)(chances.fork("ending"), deployment)


def _deleted(chances: Chances, deployment: Deployment) -> Deployment:
    return replace(deployment, deleted=_deletion(chances, deployment))


def _deletion(chances: Chances, deployment: Deployment) -> timedelta:
    """Some time in the month in which it stands."""
    ended = end_of(deployment)
    last = 28 * D if ended is None else min(28 * D, ended.at - 10 * M)
    return chances.moment(max(deployment.created, ZERO) + 10 * M, last)


def _next_life(chances: Chances, deployment: Deployment, created: timedelta) -> Deployment:
    """The next life of the name: the same model or not, with traffic of its own."""
    traffic = _moved(chances.weighted(TRAFFIC)(chances.fork("next")), created)
    same = replace(deployment, created=created, calls=traffic.calls, deleted=None, deleted_by=None, modified=None)
    plain = replace(same, provisioning=(("Accepted", ZERO), ("Succeeded", 30 * S)), deployment_state=())
    return plain if chances.happens(50) else replace(plain, sku="GlobalStandard")


def _shifted(deployment: Deployment, created: timedelta) -> Deployment:
    traffic = _moved(Traffic(created=deployment.created, calls=deployment.calls), created)
    return replace(deployment, created=created, calls=traffic.calls)


def _moved(traffic: Traffic, created: timedelta) -> Traffic:
    """The same story, begun at another time."""
    by = created - traffic.created
    calls = tuple(
        replace(calls, from_=calls.from_ + by, until=None if calls.until is None else calls.until + by)
        for calls in traffic.calls
    )
    return Traffic(created=created, calls=calls)
