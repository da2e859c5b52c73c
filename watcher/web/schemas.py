"""What the API's records hold, as JSON Schema; keys are always there, and `null` is what is not known.

Written as words: `text`, `time`, `whole`, `truth`, `texts`, `list` and `map`, with `?` where `null` may stand. A record
may gain keys, so more than these are allowed.
"""

from collections.abc import Mapping
from typing import Any

_KINDS: Mapping[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
    "whole": {"type": "integer"},
    "truth": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "list": {"type": "array", "items": {"type": "object"}},
    "map": {"type": "object"},
}

_JOB = """
id text, account text, account_id text, status text, raw_status text, status_since time, model text,
fine_tuned_model text?, owner text, method text?, training_type text?, suffix text?, created_at time?,
finished_at time?, estimated_finish_at time?, trained_tokens whole?, training_file text?, validation_file text?,
result_files texts, hyperparameters map, metadata map, error map?, first_seen_at time, is_listed truth, as_of time?,
owner_source text?, is_status_dated truth
"""
_DEPLOYMENT = """
id text, name text, account text, account_id text, model text, model_version text?, sku text, capacity whole,
provisioning_state text, deployment_state text?, owner text, tags map, created_at time?, created_by text?,
modified_at time?, first_seen_at time, ended_at time?, outcome text?, risk text?, is_fine_tuned truth?,
idle_since time?, deletion_earliest time?, deletion_latest time?, seconds_until_deletion whole?,
unknown_because text?, unknown_since time?, last_success_at time?, last_failure_at time?, usage_from time?,
usage_to time?, alert text?, as_of time?, owner_source text?, keep_tag_unreadable text?
"""
_SILENCE = """
id text, status text, matchers texts, starts_at time, ends_at time, author text, comment text, is_forced truth,
unread_because text?
"""
_KEEP = "account text, account_id text, deployment text, until time, author text, reason text"

#: By the name of the member that holds them.
_RECORDS: Mapping[str, str] = {
    "status": """
        name text, last_complete_cycle_at time?, counts map, since time?, coverage map, jobs list,
        jobs_unknown_in whole, deployments_at_risk list, deployments_unknown list, alerts list, undelivered list,
        happened list, clock_skew_seconds whole?, clock_skew_at time?, clock_host text?, handover map?
    """,
    "accounts": """
        id text, name text, label text, kind text, cloud text, location text, subscription text, resource_group text,
        endpoint text, owner text, labels map, tags map, status text, first_seen_at time, polled_at time?,
        jobs_at time?, deployments_at time?, metrics_at time?, jobs_under_way whole?, deployments whole?, gaps list,
        owner_source text?, files_at time?, models_at time?
    """,
    "jobs": _JOB,
    "deployments": _DEPLOYMENT,
    "models": """
        id text, account text, account_id text, base text?, trained_from text?, suffix text?, job text?, owner text,
        created_at time?, training_file text?, validation_file text?, deployments list, unread_because text?,
        retires_at time?, is_retired truth, retirement_certainty text?, as_of time?
    """,
    "files": """
        id text, account text, account_id text, filename text?, purpose text?, bytes whole?, status text,
        raw_status text, reason text?, owner text, created_at time?, expires_at time?, used_by texts?, as_of time?
    """,
    "transitions": """
        id text, account text, account_id text, kind text, resource text, name text, change text, attribute text?,
        before text?, after text?, observed_at time, occurred_at time?, source text, is_history truth
    """,
    "alerts": """
        id text, fingerprint text, status text, kind text, rule text, severity text, step text?, starts_at time,
        ends_at time?, ended_because text?, updated_at time, raised_at time?, occurred_at time?, labels map,
        annotations map, values map, links map, unverified_since time?, unverified_because text?,
        is_first_sight truth, acked_at time?, acked_by text?, silenced_by texts
    """,
    "explanation": """
        account text?, job map?, deployment map?, inputs map?, keep map?, alerts list, transitions list, events list,
        audit list, owner map?, training map?, results_waiting map?, estimates list, pace map?, made_by map?,
        deployed_as list, deployments_unread_in texts, recipe map?, departure map?, unread list, cost map?
    """,
    "silences": _SILENCE,
    "silence": _SILENCE,
    "ack": "alert text, acked_at time, acked_by text",
    "keeps": _KEEP,
    "keep": f"{_KEEP}, warnings texts",
    "notifications": """
        id text, receiver text, route text, group map, reason text, alerts texts, state text, created_at time,
        due_at time?, ended_at time?, attempts whole, last_error text?, merged_into text?, may_have_arrived truth,
        notes texts, contents list, tries list
    """,
    "report": "",
}


def record_schema(name: str) -> dict[str, Any]:
    """The schema of a record by the member of the answer that holds it; `retried` is a number."""
    if name == "retried":
        return {"type": "integer"}
    keys = dict(part.split() for part in _RECORDS[name].replace("\n", " ").split(",") if part.strip())
    made: dict[str, Any] = {"type": "object"}
    if keys:
        made |= {"required": list(keys), "properties": {key: _of_kind(word) for key, word in keys.items()}}
    return made


def _of_kind(word: str) -> dict[str, Any]:
    kind = _KINDS[word.removesuffix("?")]
    return kind | {"type": [kind["type"], "null"]} if word.endswith("?") else dict(kind)
