"""What the API does: what the commands print with `--json`, by pages, and what operators do.

Records are those of the commands. Every operation stands in `OPERATIONS`, from which the routes and the OpenAPI
document are made, so that neither can forget the other. What may be long is written in the reader's thread.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from starlette.responses import Response

from watcher.answers import acts, deliveries, dossier, handover, happenings, holdings, listings
from watcher.answers.explanation import explanation
from watcher.answers.query import Frame, Page
from watcher.answers.status import load as load_summary
from watcher.report.holdings import file_record, model_record
from watcher.report.records import Record, document, keep_record, silence_record, transition_record
from watcher.report.summary_record import summary_record
from watcher.resources.changes import ResourceKind
from watcher.rules.text import rfc3339
from watcher.web.asking import limit_of, moment_of, span_of
from watcher.web.operation import Answer, Call, Field, Operation, text_in, texts_in
from watcher.web.problem import ProblemError, written
from watcher.web.site import ReportAsked

PREFIX = "/api/v1"


async def _status(call: Call) -> Response:
    settings, since = call.site.settings(), call.query().since
    most = limit_of(call.request.query_params)

    def load(tx: Connection) -> Response:
        summary = load_summary(tx, call.frame, since, routing=settings.routing)
        record = summary_record(summary, name=settings.name, since=since, most=most)
        shift = None if since is None else handover.load(tx, summary, settings.routing, since)
        record["status"]["handover"] = None if shift is None else handover.handover_record(shift, call.now, most=most)
        return written(record)

    return await call.site.store.read(load)


def _listing(
    name: str,
    find: Callable[..., Page[Any]],
    record: Callable[[Any, Frame], Record],
) -> Answer:
    """Answers with a page of a listing."""

    def load(tx: Connection, call: Call) -> Response:
        params = call.request.query_params
        page = find(tx, call.frame, call.query(), limit=limit_of(params), cursor=params.get("cursor", ""))
        records = [record(item, call.frame) for item in page.items]
        return written(document(name, records, now=call.now, cursor=page.cursor))

    async def answer(call: Call) -> Response:
        return await call.site.store.read(load, call)

    return answer


def _whole(only: ResourceKind | None) -> Answer:
    """Answers with all that is known of one job, deployment or alert: what `explain --json` prints."""

    async def answer(call: Call) -> Response:
        params = call.request.path_params

        def load(tx: Connection) -> Response:
            settings = call.site.settings()
            found = dossier.find(tx, "/".join(params.values()), call.frame, routing=settings.routing, only=only)
            if only is None and not found.is_of_alert:
                raise ProblemError(404, f"no alert has the id {params['id']}")
            whole = explanation(tx, found, settings.book, settings.routing)
            return written(document("explanation", whole.record(), now=call.now))

        return await call.site.store.read(load)

    return answer


async def _add_silence(call: Call) -> Response:
    body = await call.body()
    ends_at = _ends_at(body, call)
    is_forced = body.get("is_forced", False)
    if not isinstance(is_forced, bool):
        raise ProblemError(422, "is_forced is true or false")
    done = await call.site.store.write(
        acts.silence,
        texts_in(body, "matchers"),
        ends_at=ends_at,
        author=call.author(body),
        comment=text_in(body, "comment"),
        is_forced=is_forced,
        known=call.site.settings().known,
        now=call.now,
    )
    call.site.wake()
    record = silence_record(done.silence, now=call.now) | {
        "quiets": [alert.id for alert in done.quiets],
        "comes_through": [alert.id for alert in done.comes_through],
        "warnings": list(done.warnings),
    }
    address = f"{PREFIX}/silences/{done.silence.id}"
    return written(document("silence", record, now=call.now), 201, headers={"location": address})


def _ends_at(body: Mapping[str, Any], call: Call) -> datetime:
    """From `ends_at`, or `for`."""
    given = [name for name in ("ends_at", "for") if name in body]
    if len(given) != 1:
        raise ProblemError(422, 'give one of ends_at ("2026-12-31T18:00:00Z") and for ("3d")')
    text = text_in(body, given[0])
    if given[0] == "for":
        return call.now + span_of(text, name="for")
    at = moment_of(text, name="ends_at", zone=call.site.settings().zone)
    if at <= call.now:
        raise ProblemError(422, "ends_at is past")
    return at


async def _expire_silence(call: Call) -> Response:
    body = await call.body() if call.request.headers.get("content-type") else {}
    comment = body.get("comment", "")
    author = call.author(body)
    if not isinstance(comment, str):
        raise ProblemError(422, "comment is a text")
    wanted = [call.request.path_params["id"]]
    (silence,) = await call.site.store.write(acts.expire, wanted, author=author, comment=comment.strip(), now=call.now)
    call.site.wake()
    return written(document("silence", silence_record(silence, now=call.now), now=call.now))


async def _acknowledge(call: Call) -> Response:
    body = await call.body()
    wanted = call.request.path_params["id"]
    (done,) = await call.site.store.write(
        acts.acknowledge, [wanted], author=call.author(body), comment=text_in(body, "comment"), now=call.now
    )
    call.site.wake()
    return written(
        document(
            "ack", {"alert": done.alert.id, "acked_at": rfc3339(call.now), "acked_by": call.author(body)}, now=call.now
        )
    )


async def _keeps(call: Call) -> Response:
    rows = await call.site.store.read(acts.keeps, call.now)
    records = [keep_record(row.keep, row.label) | {"deployment": row.name} for row in rows]
    return written(document("keeps", records, now=call.now, cursor=None))


async def _add_keep(call: Call) -> Response:
    body = await call.body()
    until = moment_of(text_in(body, "until"), name="until", zone=call.site.settings().zone, is_end=True)
    if until <= call.now:
        raise ProblemError(422, "until is past")
    done = await call.site.store.write(
        acts.keep,
        call.frame,
        text_in(body, "deployment"),
        until=until,
        author=call.author(body),
        reason=text_in(body, "reason"),
    )
    call.site.wake()
    record = keep_record(done.keep, done.row.seen.account.label) | {"warnings": list(done.warnings)}
    return written(document("keep", record, now=call.now), 201)


async def _drop_keep(call: Call) -> Response:
    body = await call.body()
    wanted = f"{call.request.path_params['account']}/{call.request.path_params['deployment']}"
    row, warnings = await call.site.store.write(
        acts.drop, wanted, author=call.author(body), reason=text_in(body, "reason"), now=call.now
    )
    call.site.wake()
    record = keep_record(row.keep, row.label) | {"deployment": row.name, "warnings": list(warnings)}
    return written(document("keep", record, now=call.now))


async def _retry(call: Call) -> Response:
    body = await call.body()
    wanted = call.request.path_params["id"]
    author = call.author(body)
    done = await call.site.store.write(deliveries.retry, [wanted], author=author, comment="", now=call.now)
    call.site.wake()
    return written(document("retried", done.count, now=call.now))


async def _report(call: Call) -> Response:
    params = call.request.query_params
    asked = ReportAsked(
        format="json",
        period=params.get("period", "7d"),
        as_of=params.get("as_of", ""),
        owner=params.get("owner", ""),
        person=call.person.name if call.person.is_named else "",
    )
    return Response(await call.site.report(asked), media_type="application/json")


_FILTERS = (
    Field(name="account", text="only accounts of this name or label; a glob", is_repeated=True),
    Field(name="status", text="only what has this status; a glob", is_repeated=True),
    Field(name="owner", text="only what this owner has; a glob", is_repeated=True),
    Field(name="since", text='a span back ("12h"), a date or an RFC 3339 time'),
)
_PAGES = (
    Field(name="limit", text="items on a page, 1 to 1000", kind="integer"),
    Field(name="cursor", text="of the page before: what follows it"),
)
_AUTHOR = Field(name="author", text="who acts, where no token names somebody; needed where there is no token")
_COMMENT = Field(name="comment", text="why; kept in the audit", is_required=True)


def _list(name: str, text: str, answer: Answer, params: tuple[Field, ...] = (*_FILTERS, *_PAGES)) -> Operation:
    return Operation(
        name=f"list_{name}",
        path=f"/{name}",
        method="GET",
        text=text,
        answer=answer,
        params=params,
        result=name,
        is_list=True,
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="status",
        path="/status",
        method="GET",
        text="One screen: what could be seen and as of when, and what needs attention.",
        answer=_status,
        params=(_FILTERS[-1], Field(name="limit", text="items of each list, 1 to 1000", kind="integer")),
        result="status",
    ),
    _list(
        "accounts",
        "Accounts, and how much of each could be seen.",
        _listing("accounts", listings.accounts, lambda one, _: listings.watched_record(one)),
    ),
    _list("jobs", "Fine-tuning jobs, the newest first.", _listing("jobs", listings.jobs, lambda one, f: one.record(f))),
    Operation(
        name="read_job",
        path="/jobs/{account}/{job}",
        method="GET",
        text="All about one job.",
        answer=_whole(ResourceKind.JOB),
        result="explanation",
    ),
    _list(
        "deployments",
        "Deployments and the time they have left; with `since` also those that ended since then.",
        _listing("deployments", listings.deployments, lambda one, f: one.record(f)),
    ),
    Operation(
        name="read_deployment",
        path="/deployments/{account}/{name}",
        method="GET",
        text="All about one deployment, over all its lives.",
        answer=_whole(ResourceKind.DEPLOYMENT),
        result="explanation",
    ),
    _list("models", "Custom models.", _listing("models", holdings.models, lambda one, _: model_record(one))),
    _list("files", "Files of fine-tuning.", _listing("files", holdings.files, lambda one, _: file_record(one))),
    _list(
        "transitions",
        "What changed, the newest first.",
        _listing("transitions", happenings.transitions, lambda one, _: transition_record(one.label, one.one)),
    ),
    _list(
        "alerts",
        "What fires, and what happened or ended in the last 7 days, or since `since`; the newest first.",
        _listing("alerts", happenings.alerts, lambda one, _: one.record()),
    ),
    Operation(
        name="read_alert",
        path="/alerts/{id}",
        method="GET",
        text="All about one alert, with what it is about.",
        answer=_whole(None),
        result="explanation",
    ),
    Operation(
        name="acknowledge_alert",
        path="/alerts/{id}/ack",
        method="POST",
        text="Say that somebody looks after an alert: its reminders and its escalation stop.",
        answer=_acknowledge,
        body=(_COMMENT, _AUTHOR),
        result="ack",
    ),
    _list(
        "silences",
        "Silences, the newest first; with `since` also those that ended since then.",
        _listing("silences", happenings.silences, lambda one, frame: silence_record(one, now=frame.now)),
        (_FILTERS[-1], *_PAGES),
    ),
    Operation(
        name="add_silence",
        path="/silences",
        method="POST",
        text="Keep quiet what all the matchers match. A deletion less than 24 h away comes through, unless forced.",
        answer=_add_silence,
        body=(
            Field(name="matchers", text='rule=deployment_idle, account=~"dev-.*"', kind="array", is_required=True),
            Field(name="for", text='how long: "3d"; or give ends_at'),
            Field(name="ends_at", text="until when, RFC 3339; or give for"),
            Field(name="is_forced", text="also hide the last 24 h before a deletion", kind="boolean"),
            _COMMENT,
            _AUTHOR,
        ),
        result="silence",
        status=201,
    ),
    Operation(
        name="expire_silence",
        path="/silences/{id}",
        method="DELETE",
        text="End a silence now. What it kept quiet and still fires is told.",
        answer=_expire_silence,
        body=(Field(name="comment", text="why; kept in the audit"), _AUTHOR),
        result="silence",
    ),
    _list("keeps", "Deployments that somebody wants kept, the next to end first.", _keeps, ()),
    Operation(
        name="add_keep",
        path="/keeps",
        method="POST",
        text="Keep a deployment until a time: no waste advice and no early steps. Azure knows nothing of it.",
        answer=_add_keep,
        body=(
            Field(name="deployment", text="[ACCOUNT/]DEPLOYMENT", is_required=True),
            Field(name="until", text="a date (to its end) or an RFC 3339 time", is_required=True),
            Field(name="reason", text="why; kept in the audit", is_required=True),
            _AUTHOR,
        ),
        result="keep",
        status=201,
    ),
    Operation(
        name="drop_keep",
        path="/keeps/{account}/{deployment}",
        method="DELETE",
        text="Keep a deployment no longer.",
        answer=_drop_keep,
        body=(Field(name="reason", text="why; kept in the audit", is_required=True), _AUTHOR),
        result="keep",
    ),
    _list(
        "notifications",
        "Notifications that wait or are dead, in the order in which they were decided; `status` names other states.",
        _listing("notifications", deliveries.notifications, lambda one, _: one.record()),
        (_FILTERS[1], *_PAGES),
    ),
    Operation(
        name="retry_notification",
        path="/notifications/{id}/retry",
        method="POST",
        text="Try a notification again now.",
        answer=_retry,
        body=(_AUTHOR,),
        result="retried",
    ),
    Operation(
        name="report",
        path="/report",
        method="GET",
        text="The cost hygiene report.",
        answer=_report,
        params=(
            Field(name="period", text='a span back ("7d", "30d"), or "month"'),
            Field(name="as_of", text="a date or an RFC 3339 time: what was known then"),
            Field(name="owner", text="what this owner has alone"),
        ),
        result="report",
    ),
)
