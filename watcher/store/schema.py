"""The tables. A change here needs a migration; a test holds the two together.

`accounts` holds the due times and the digests of what was last read, so that an unchanged poll writes one row. The
history (`transitions`, `attempts`, `audit`) is only ever appended to. What two processes could do twice has a unique
key.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
    text,
)

from watcher.resources.account import Account
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment, Usage
from watcher.resources.file import File
from watcher.resources.fine_tuning import FineTuningJob
from watcher.resources.model import CustomModel, Retirement
from watcher.resources.price import RetailPrice
from watcher.resources.training import Training
from watcher.rules.finding import Finding
from watcher.store.types import Noun, UtcDateTime, Words

#: The newest migration, known here too so that an ordinary start need not load alembic.
HEAD = "0001"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("key", String, primary_key=True),
    Column("label", String, nullable=False),
    Column("noun", Noun(Account), nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),  # no longer in the scope of discovery
    Column("revision", Integer, nullable=False, server_default="0"),  # counts changes of what is stored of the account
    Column("snapshot_at", UtcDateTime),  # of the newest snapshot recorded; an older one is refused
    Column("polled_at", UtcDateTime),  # last tried, gaps included
    Column("next_jobs_at", UtcDateTime),
    Column("next_deployments_at", UtcDateTime),
    Column("next_metrics_at", UtcDateTime),
    Column("next_files_at", UtcDateTime),
    Column("next_models_at", UtcDateTime),
    Column("jobs_at", UtcDateTime),
    Column("deployments_at", UtcDateTime),
    Column("usage_at", UtcDateTime),
    Column("files_at", UtcDateTime),
    Column("models_at", UtcDateTime),
    Column("jobs_digest", String, nullable=False, server_default=""),
    Column("deployments_digest", String, nullable=False, server_default=""),
    Column("files_digest", String, nullable=False, server_default=""),
    Column("models_digest", String, nullable=False, server_default=""),
    Column("dialect", String, nullable=False, server_default=""),
)

gaps = Table(
    "gaps",
    metadata,
    Column("account", String, primary_key=True),
    Column("section", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("reason", String, primary_key=True),
    Column("plane", String, nullable=False),
    Column("message", Words, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", Integer),
    Column("request_id", String, nullable=False),
    Column("stood_at", UtcDateTime),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
)

#: Gaps that have closed: the same, with when.
past_gaps = Table(
    "past_gaps",
    metadata,
    Column("account", String, primary_key=True),
    Column("section", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("reason", String, primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("plane", String, nullable=False),
    Column("message", Words, nullable=False),
    Column("status", Integer),
    Column("request_id", String, nullable=False),
    Column("stood_at", UtcDateTime),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
)

jobs = Table(
    "jobs",
    metadata,
    Column("account", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("status", String, nullable=False),
    Column("fine_tuned_model", String, nullable=False),
    Column("status_since", UtcDateTime, nullable=False),
    Column("is_status_dated", Boolean, nullable=False),  # false: first seen then, and it may have begun before
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime),
    Column("is_listed", Boolean, nullable=False),  # false: the newest complete listing lacks it
    Column("left_at", UtcDateTime),  # since when; null: it is listed
    Column("noun", Noun(FineTuningJob), nullable=False),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
    Index(None, "fine_tuned_model"),
    Index(None, "status"),
    Index(None, "created_at"),
)

job_events = Table(
    "job_events",
    metadata,
    Column("account", String, primary_key=True),
    Column("job", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("level", String, nullable=False),
    Column("type", String, nullable=False),
    Column("message", Words, nullable=False),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
)

deployments = Table(
    "deployments",
    metadata,
    Column("key", String, primary_key=True),
    Column("incarnation", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("name", String, nullable=False),
    Column("model", String, nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),  # when it was seen to be gone or replaced
    Column("outcome", String, nullable=False, server_default=""),  # how it ended: "gone" or "replaced"
    Column("noun", Noun(Deployment), nullable=False),
    Column("departure", Noun(Departure)),  # what the activity log said of its end; null: it was not asked
    ForeignKeyConstraint(["account"], ["accounts.key"]),
    Index(None, "account", "ended_at"),
    Index(None, "model"),
)

usage = Table(
    "usage",
    metadata,
    Column("account", String, primary_key=True),
    Column("deployment", String, primary_key=True),
    Column("noun", Noun(Usage), nullable=False),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
)

#: Calls by the hour: a row for each UTC day on which a deployment had any.
calls = Table(
    "calls",
    metadata,
    Column("account", String, primary_key=True),
    Column("deployment", String, primary_key=True),  # name in lower case; "": calls without a name
    Column("day", String, primary_key=True),
    Column("hours", Noun(list[tuple[int, float, float, float, int | None]]), nullable=False),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
    Index(None, "day"),
)

#: Spans of an account's metrics that were read whole, and that `usage` no longer tells of.
readings = Table(
    "readings",
    metadata,
    Column("account", String, primary_key=True),
    Column("begins", UtcDateTime, primary_key=True),
    Column("ends", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
)

files = Table(
    "files",
    metadata,
    Column("account", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("is_listed", Boolean, nullable=False),  # false: the newest complete listing lacks it
    Column("left_at", UtcDateTime),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("noun", Noun(File), nullable=False),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
)

#: Custom models as their accounts list them.
models = Table(
    "models",
    metadata,
    Column("account", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("is_listed", Boolean, nullable=False),
    Column("left_at", UtcDateTime),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("noun", Noun(CustomModel), nullable=False),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
    Index(None, "id"),
)

#: The inside of jobs, as last read.
training = Table(
    "training",
    metadata,
    Column("account", String, primary_key=True),
    Column("job", String, primary_key=True),
    Column("read_at", UtcDateTime, nullable=False),
    Column("is_final", Boolean, nullable=False),  # not asked for again
    Column("checkpoints", Words, nullable=False),  # ids and names, a line each: to be found without reading the curve
    Column("noun", Noun(Training), nullable=False),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
)

#: How long jobs have waited and run, in seconds: one row a job, as far as its times are known.
durations = Table(
    "durations",
    metadata,
    Column("account", String, primary_key=True),
    Column("job", String, primary_key=True),
    Column("model", String, nullable=False),
    Column("location", String, nullable=False),
    Column("training_type", String, nullable=False),
    Column("method", String, nullable=False),
    Column("queued", Float),
    Column("ran", Float),
    Column("at", UtcDateTime, nullable=False),  # when the later of the two ended
    ForeignKeyConstraint(["account"], ["accounts.key"]),
    Index(None, "model", "location", "training_type", "method", "at"),
)

#: When base models retire, region by region, as the service says.
retirements = Table(
    "retirements",
    metadata,
    Column("location", String, primary_key=True),
    Column("model", String, primary_key=True),
    Column("at", UtcDateTime, nullable=False),  # when it was read
    Column("noun", Noun(Retirement), nullable=False),
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False),
    Column("account", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("resource", String, nullable=False),
    Column("name", String, nullable=False),
    Column("incarnation", String, nullable=False),
    Column("change", String, nullable=False),
    Column("attribute", String, nullable=False),
    Column("before", Words),
    Column("after", Words),
    Column("observed_at", UtcDateTime, nullable=False),
    Column("occurred_at", UtcDateTime),
    Column("source", String, nullable=False),
    Column("is_history", Boolean, nullable=False),
    Column("is_undecided", Boolean, nullable=False),  # some rule could not judge it yet: it is shown to the rules again
    UniqueConstraint("key"),
    ForeignKeyConstraint(["account"], ["accounts.key"]),
    Index(None, "account", "observed_at"),
    Index(None, "account", "name", "attribute"),  # of one resource, however long the history
    Index(None, "observed_at"),
    Index(
        "ix_transitions_undecided", "account", sqlite_where=text("is_undecided"), postgresql_where=text("is_undecided")
    ),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("account", String, nullable=False),  # "" where it spans accounts
    Column("rule", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("finding", Noun(Finding), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime),
    Column("ended_because", Words, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("raised_at", UtcDateTime, nullable=False),
    Column("unverified_since", UtcDateTime),
    Column("unverified_because", Words, nullable=False),
    Column("is_first_sight", Boolean, nullable=False),
    Column("acked_at", UtcDateTime),
    Column("acked_by", String, nullable=False),
    Column("is_settled", Boolean, nullable=False),  # everyone who was to be told was told: dispatch passes it over
    Column("stamp", BigInteger, nullable=False, server_default="0"),  # anew whenever what dispatch reads changes
    Index(
        "uq_alerts_open",
        "fingerprint",
        unique=True,
        sqlite_where=text("ends_at IS NULL"),
        postgresql_where=text("ends_at IS NULL"),
    ),
    Index(
        "ix_alerts_unsettled",
        "stamp",  # so that the index alone tells whether anything changed, and what changed last
        "id",
        sqlite_where=text("NOT is_settled"),
        postgresql_where=text("NOT is_settled"),
    ),
    # Events never end, and so stand among what has not ended for ever.
    Index(
        "ix_alerts_firing",
        "account",
        sqlite_where=text("ends_at IS NULL AND kind = 'condition'"),
        postgresql_where=text("ends_at IS NULL AND kind = 'condition'"),
    ),
    Index(
        "ix_alerts_ended",
        "account",
        "ends_at",
        sqlite_where=text("ends_at IS NOT NULL"),
        postgresql_where=text("ends_at IS NOT NULL"),
    ),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", String, primary_key=True),
    Column("sequence", Integer, nullable=False),  # the order of decisions; deliveries of one alert keep it
    Column("receiver", String, nullable=False),
    Column("route", String, nullable=False),
    Column("group_key", String, nullable=False),
    Column("group_labels", Noun(dict[str, str]), nullable=False),
    Column("reason", String, nullable=False),
    Column("alerts", Text, nullable=False),  # what is told, as it was when it was decided: NotificationAlert as JSON
    Column("covers", Text, nullable=False),  # the ended alerts that it stands for: Alert as JSON
    Column("created_at", UtcDateTime, nullable=False),
    Column("state", String, nullable=False),  # pending, delivered, dead, dropped, merged
    Column("due_at", UtcDateTime, nullable=False),  # wall time, as the lease
    Column("first_tried_at", UtcDateTime),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_owner", String),
    Column("lease_until", UtcDateTime),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("ended_at", UtcDateTime),
    Column("last_error", Words, nullable=False, server_default=""),
    Column("notes", Noun(list[str]), nullable=False, server_default="[]"),  # lines about the whole
    Column("queued_at", UtcDateTime, nullable=False),  # wall time, from which its three days count
    Column("is_uncertain", Boolean, nullable=False, server_default=false()),  # it may have arrived all the same
    Column("merged_into", String),  # id of the notification that says what this one would have said
    Column("reference", String, nullable=False, server_default=""),  # what the notifier calls the message it sent
    Index(
        "ix_notifications_pending",
        "receiver",
        "sequence",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_notifications_dead",
        "receiver",
        sqlite_where=text("state = 'dead'"),
        postgresql_where=text("state = 'dead'"),
    ),
    Index(
        "ix_notifications_reference",
        "receiver",
        sqlite_where=text("reference <> ''"),
        postgresql_where=text("reference <> ''"),
    ),
    Index(None, "created_at"),
    UniqueConstraint("sequence"),
)

#: As literals: neither database uses a partial index where the state is a parameter, nor SQLite where it is compared
#: with 0 or 1, as SQLAlchemy would.
IS_UNDECIDED: ColumnElement[bool] = literal_column("transitions.is_undecided")
IS_UNSETTLED: ColumnElement[bool] = literal_column("NOT alerts.is_settled")
#: (Every account is at least "": said so, SQLite takes the index of those that fire, and not that of all that is open.)
IS_FIRING = (
    alerts.c.ends_at.is_(None)
    & (alerts.c.kind == literal_column("'condition'"))
    & (alerts.c.account >= literal_column("''"))
)
IS_PENDING = notifications.c.state == literal_column("'pending'")
IS_DEAD = notifications.c.state == literal_column("'dead'")

told = Table(
    "told",
    metadata,
    Column("alert_id", String, primary_key=True),
    Column("receiver", String, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("status", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("step", String, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("notification_id", String, nullable=False),
    Column("group_key", String, nullable=False),
    Column("route", String, nullable=False),
    ForeignKeyConstraint(["alert_id"], ["alerts.id"]),
    Index(None, "notification_id"),
    Index(None, "sequence"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("notification_id", String, nullable=False),  # a notification, or a report that is sent
    Column("at", UtcDateTime, nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("outcome", String, nullable=False),  # delivered, retry, dead
    Column("kind", String, nullable=False),  # why it failed: auth, rate_limited, timeout, …
    Column("detail", Words, nullable=False),  # what the other side said, without secrets
    Index(None, "notification_id"),
)

silences = Table(
    "silences",
    metadata,
    Column("id", String, primary_key=True),
    Column("matchers", Noun(list[str]), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("author", String, nullable=False),
    Column("comment", Words, nullable=False),
    Column("is_forced", Boolean, nullable=False, server_default=false()),  # hides the last day before a deletion too
)

keeps = Table(
    "keeps",
    metadata,
    Column("account", String, primary_key=True),  # key of the account
    Column("deployment", String, primary_key=True),  # name in lower case: a keep carries over to a new life of the name
    Column("until", UtcDateTime, nullable=False),
    Column("author", String, nullable=False),
    Column("reason", Words, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("author", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("comment", Words, nullable=False),
)

#: How each receiver's channel does, so that all processes go easy on one that fails. Wall time.
channels = Table(
    "channels",
    metadata,
    Column("receiver", String, primary_key=True),
    Column("failing_since", UtcDateTime),  # of the first failure since it last took something; NULL: it works
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("retry_at", UtcDateTime),  # one message is tried then, and none before
    Column("last_ok_at", UtcDateTime),
    Column("kind", String, nullable=False, server_default=""),  # of the newest failure: auth, timeout, …
    Column("detail", Words, nullable=False, server_default=""),
    Column("tokens", Float),  # messages that its rate allows at `tokens_at`; NULL: a full bucket
    Column("tokens_at", UtcDateTime),
    Column("refused_since", UtcDateTime),  # since when it answers with refusals that may pass, and nothing else
)

#: Azure's public price list, whole, by currency.
retail_prices = Table(
    "retail_prices",
    metadata,
    Column("currency", String, primary_key=True),
    Column("tried_at", UtcDateTime, nullable=False),  # last asked for
    Column("read_at", UtcDateTime),  # last read to its end; NULL: never yet
    Column("prices", Noun(tuple[RetailPrice, ...])),
)

#: What Azure billed, by account, meter and day, beside our estimates and never mixed with them.
actuals = Table(
    "actuals",
    metadata,
    Column("subscription", String, primary_key=True),
    Column("account", String, primary_key=True),  # its key; also of accounts that are not watched
    Column("meter", String, primary_key=True),
    Column("day", String, primary_key=True),  # 2026-11-22, in UTC
    Column("currency", String, primary_key=True),
    Column("cost", String, nullable=False),  # decimal, as billed
    Column("read_at", UtcDateTime, nullable=False),
    Index(None, "day"),
)

#: What of the bills was read: every day from `since` on, up to but not including `until`.
billed_spans = Table(
    "billed_spans",
    metadata,
    Column("subscription", String, primary_key=True),
    Column("tried_at", UtcDateTime, nullable=False),
    Column("read_at", UtcDateTime),
    Column("since", String),
    Column("until", String),
)

#: One row a purpose: locked by whoever does what only one process may do at a time, and remembers times of the whole.
state = Table(
    "state",
    metadata,
    Column("name", String, primary_key=True),
    Column("at", UtcDateTime),
    Column("value", Words, nullable=False, server_default=""),
    Column("fence", Integer, nullable=False, server_default="0"),
)

#: One issue of a report: its edition of one period, for one receiver. Leases and due times are wall time.
reports = Table(
    "reports",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),  # of the report, as configured
    Column("edition", String, nullable=False),  # all, finance, or "owner " and the owner's name
    Column("receiver", String, nullable=False),
    Column("period_name", String, nullable=False),
    Column("period_begin", UtcDateTime, nullable=False),
    Column("period_end", UtcDateTime, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),  # when the schedule wanted it: it says what was known then
    Column("state", String, nullable=False),  # pending, delivered, dead, dropped
    Column("due_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),  # from which its three days count
    Column("first_tried_at", UtcDateTime),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_owner", String),
    Column("lease_until", UtcDateTime),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("ended_at", UtcDateTime),
    Column("last_error", Words, nullable=False, server_default=""),
    Column("is_uncertain", Boolean, nullable=False, server_default=false()),  # it may have arrived all the same
    UniqueConstraint("name", "edition", "receiver", "period_end"),
    Index(
        "ix_reports_undelivered",
        "state",
        sqlite_where=text("state IN ('pending', 'dead')"),
        postgresql_where=text("state IN ('pending', 'dead')"),
    ),
)
