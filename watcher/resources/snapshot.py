"""What one account said at one time, what it kept back and why, and what was known of it before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from watcher.resources.account import Account
from watcher.resources.calls import Calls
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, Usage
from watcher.resources.file import File
from watcher.resources.fine_tuning import FineTuningJob, JobEvent, JobStatus
from watcher.resources.model import CustomModel
from watcher.resources.training import Training


class Section(StrEnum):
    """The parts of an account that are read on their own, each with its own rights and its own failures."""

    ACCOUNT = "account"
    JOBS = "jobs"
    DEPLOYMENTS = "deployments"
    METRICS = "metrics"
    FILES = "files"
    MODELS = "models"
    TRAINING = "training"  #: the inside of single jobs: read along with the jobs, never due by itself


class Plane(StrEnum):
    """Which of Azure's faces a request goes to."""

    ARM = "arm"
    DATA = "data"
    METRICS = "metrics"


PLANE_OF = {
    Section.ACCOUNT: Plane.ARM,
    Section.JOBS: Plane.DATA,
    Section.DEPLOYMENTS: Plane.ARM,
    Section.METRICS: Plane.METRICS,
    Section.FILES: Plane.DATA,
    Section.MODELS: Plane.DATA,
    Section.TRAINING: Plane.DATA,
}


class GapReason(StrEnum):
    """Why a section could not be read. Each asks for another cure."""

    CREDENTIAL = "credential"  #: no token, or the token was refused (401)
    ROLE = "role"  #: 403, or 401 of the data plane: the credential lacks a role
    NETWORK = "network"  #: 403: a firewall or a private endpoint keeps us out
    KEY = "key"  #: the account's own api-key was refused (401)
    KEYS_DISABLED = "keys_disabled"  #: 403: local authentication is disabled, and we came with a key
    BLOCKED = "blocked"  #: 403: the resource has been temporarily blocked
    FORBIDDEN = "forbidden"  #: 403 without a cause that we know
    THROTTLED = "throttled"  #: 429 until the budget of retries was spent
    UNREACHABLE = "unreachable"  #: no answer: DNS, TLS, refused, reset, or the time limit
    NO_ENDPOINT = "no_endpoint"  #: ARM names no data-plane address that a token may be sent to
    BROKEN = "broken"  #: 5xx, or an answer that is no sense
    NOT_FOUND = "not_found"  #: 404 where a list was expected
    INCOMPLETE = "incomplete"  #: pages that do not move on, or as many series as were asked for at most


FORBIDDEN_REASONS = frozenset(
    {
        GapReason.ROLE,
        GapReason.NETWORK,
        GapReason.KEY,
        GapReason.KEYS_DISABLED,
        GapReason.BLOCKED,
        GapReason.FORBIDDEN,
    }
)

#: The `subject` of the gap that items of a listing leave which are unreadable, their ids too. While there are such,
#: nothing that is not listed counts as missing: it may be one of them.
NAMELESS = "an item without an id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A section that could not be read, or not whole."""

    section: Section
    plane: Plane
    reason: GapReason
    message: str  #: the service's own words, or ours; never with a secret
    at: datetime  #: when it was met; in a stored reading, when it was met first
    status: int | None = None
    request_id: str = ""
    subject: str = ""  #: id of the one resource it concerns; "": the whole section
    #: Of a deployment that its listing lacks, and that cannot be read itself: when it was listed last.
    stood_at: datetime | None = None

    def is_about(self, deployment: Deployment) -> bool:
        """Whether it is this one that could not be read: gaps name it by its id, and metrics by its name."""
        return self.subject.lower() in (deployment.key, deployment.name.lower())


#: In place of a listing's digest: the account's service knows of no such listing.
NOT_OFFERED = "not offered"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """A section read to its end.

    `items` is `None` when the answer is, byte for byte, that of the last reading: then nothing was decoded, and the
    stored items hold.
    """

    digest: str
    items: tuple[T, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One account at one time. A section is `None` when it was not asked (see `asked`) or not read (see `gaps`)."""

    account: Account
    at: datetime
    asked: frozenset[Section]
    jobs: Listing[FineTuningJob] | None = None
    deployments: Listing[Deployment] | None = None
    usage: Mapping[str, Usage] | None = None  #: by deployment's name in lower case
    calls: Mapping[str, Calls] = field(default_factory=dict)  #: read along with `usage`: of those that had any
    events: Mapping[str, tuple[JobEvent, ...]] = field(default_factory=dict)  #: by job id, oldest first
    absent: frozenset[str] = frozenset()  #: keys of deployments that a complete listing lacks and whose own GET is 404
    departures: Mapping[str, Departure] = field(default_factory=dict)  #: by key, of `absent` and of those unexplained
    files: Listing[File] | None = None
    models: Listing[CustomModel] | None = None
    training: Mapping[str, Training] = field(default_factory=dict)  #: by job id: those read this time
    gaps: tuple[Gap, ...] = ()
    dialect: str = ""  #: `v1` or `dated`: the one that answered; "" if the data plane was not read
    requests: int = 0  #: how many requests this took

    def gap(self, section: Section) -> Gap | None:
        """Why the whole of a section could not be read, or `None`."""
        return next((gap for gap in self.gaps if gap.section is section and not gap.subject), None)

    def unread_items(self, section: Section) -> frozenset[str]:
        """What of a section's items stayed unread: their ids, and `NAMELESS` for those whose id did so too."""
        return frozenset(gap.subject for gap in self.gaps if gap.section is section and gap.subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the store last knew of one account: the newest reading of each section, with its age.

    A section is `None` until its first complete reading; from then on it stays, however old.
    """

    account: Account
    jobs: tuple[FineTuningJob, ...] | None = None
    jobs_at: datetime | None = None
    deployments: tuple[Deployment, ...] | None = None  #: those that live; each with its incarnation
    deployments_at: datetime | None = None
    usage: Mapping[str, Usage] | None = None
    usage_at: datetime | None = None
    files: tuple[File, ...] | None = None
    files_at: datetime | None = None
    models: tuple[CustomModel, ...] | None = None
    models_at: datetime | None = None
    gaps: tuple[Gap, ...] = ()  #: still open
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What `collect` is given of an account, so that it asks for no more than it needs."""

    jobs_digest: str = ""
    deployments_digest: str = ""
    statuses: Mapping[str, JobStatus] | None = None  #: of each recorded job; `None`: no complete list was read yet
    deployments: tuple[Deployment, ...] = ()  #: those that live, to be asked for by id when a listing lacks them
    usage: Mapping[str, Usage] = field(default_factory=dict)
    dialect: str = ""
    #: Ids of jobs whose ending no rule could judge yet, or that are under way, and whose events could not be read: to
    #: be asked for again.
    unexplained: frozenset[str] = frozenset()
    files_digest: str = ""
    models_digest: str = ""
    #: By job id, of jobs whose inside was read: when, and whether that was the last time.
    training: Mapping[str, tuple[datetime, bool]] = field(default_factory=dict)
    #: By id, of ended jobs whose inside is still to be read: when their end was seen. None of them is history.
    unread_training: Mapping[str, datetime] = field(default_factory=dict)
    #: Deployments that are gone and of which the activity log had said nothing, to be asked for once more.
    departed: tuple[Deployment, ...] = ()
    deployments_at: datetime | None = None  #: when they were last read: a deletion seen now lies after it
    #: By key, of deployments that could not be read themselves of late: when they were listed last; `None`: not known.
    doubted: Mapping[str, datetime | None] = field(default_factory=dict)
    #: Names of the models and checkpoints that jobs and listings know as customised; `None`: not told, so that any
    #: deployment may be of one.
    custom_models: frozenset[str] | None = None
    #: Ids of checkpoints, in lower case, that the deployments name and no known job is known to have made.
    unplaced: frozenset[str] = frozenset()
