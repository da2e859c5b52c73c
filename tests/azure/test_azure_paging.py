from functools import partial

import pytest
from azure_factories import KEY, FakeAzure, answer, make_account, make_client, raw_event, raw_job, static_credentials

from watcher.azure import paging
from watcher.azure.decode import decode_jobs
from watcher.azure.openai import OpenAI
from watcher.azure.paging import decode_pages, digest_of, linked_pages
from watcher.errors import ForbiddenError, IncompleteError, MalformedError, NotFoundError, UnavailableError

TOKEN = static_credentials().for_scope("s")
BASE = "https://management.azure.com"
V1, DATED = "/openai/v1/fine_tuning/jobs", "/openai/fine_tuning/jobs"


def arm_page(*items, next_link=None):
    return answer({"value": list(items), "nextLink": next_link})


def jobs_page(*ids, has_more=False):
    return answer({"object": "list", "data": [raw_job(job) for job in ids], "has_more": has_more})


async def read_links(azure):
    return await linked_pages(make_client(azure), f"{BASE}/a?x=1", api="arm", auth=TOKEN, lane="", allowance=None)


async def test_follows_next_link_unchanged():
    link = f"{BASE}:443/b?$skiptoken=a%2Fb%3D&x=1"
    azure = FakeAzure({"/a": arm_page(1, next_link=link), "/b": arm_page(2, next_link="")})
    assert len(await read_links(azure)) == 2
    assert azure.requests[1].url.raw_path == b"/b?$skiptoken=a%2Fb%3D&x=1"


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example.com/b",
        "http://management.azure.com/b",
        "https://management.azure.com:8443/b",
        "https://management.azure.com@evil.example.com/b",
        "https://user@management.azure.com/b",
        "https://management.azure.com.evil.example.com/b",
        "//evil.example.com/b",
        "/b",
        "https://[",
    ],
)
async def test_no_token_goes_to_another_host(link):
    azure = FakeAzure({"/a": arm_page(1, next_link=link), "/b": arm_page(2)})
    with pytest.raises(MalformedError, match="another host"):
        await read_links(azure)
    assert len(azure.requests) == 1


async def test_links_in_a_circle_are_no_listing():
    azure = FakeAzure({"/a": arm_page(next_link=f"{BASE}/b"), "/b": arm_page(next_link=f"{BASE}/b")})
    with pytest.raises(IncompleteError):
        await read_links(azure)
    assert len(azure.requests) == 2


async def test_links_without_end_are_no_listing(monkeypatch):
    monkeypatch.setattr(paging, "PAGE_CAP", 5)
    numbers = iter(range(99))
    azure = FakeAzure({"": lambda _: arm_page(next_link=f"{BASE}/{next(numbers)}")})
    with pytest.raises(IncompleteError, match="after 5"):
        await read_links(azure)


@pytest.mark.parametrize("body", ["<html>", "[]", '{"value": [], "nextLink": 7}', ""])
async def test_a_page_that_is_none_is_malformed(body):
    with pytest.raises(MalformedError):
        await read_links(FakeAzure({"/a": answer(body)}))


async def read_jobs(azure, *, api="auto", dialect=""):
    client = OpenAI(make_client(azure), api=api)
    pages = await client.job_pages(make_account(), TOKEN, dialect=dialect)
    jobs, _ = decode_pages(pages.bodies, partial(decode_jobs, account=KEY), lambda job: job.id)
    return [job.id for job in jobs], pages.dialect


async def test_reads_jobs_page_by_page_with_the_last_id_as_cursor():
    azure = FakeAzure({V1: [jobs_page("c", "b/?&", has_more=True), jobs_page("a")]})
    assert await read_jobs(azure) == (["c", "b/?&", "a"], "v1")
    assert [str(request.url).partition("jobs")[2] for request in azure.requests] == [
        "?limit=100",
        "?limit=100&after=b%2F%3F%26",
    ]


@pytest.mark.parametrize(
    "pages",
    [
        [answer({"data": [], "has_more": True})],
        [answer({"data": [{"no": "id"}], "has_more": True})],
        [jobs_page("a", has_more=True)],
        [jobs_page("a", has_more=True), jobs_page("b", has_more=True), jobs_page("a", has_more=True)],
    ],
    ids=["nothing and more", "no id", "same page", "circle"],
)
async def test_a_cursor_that_does_not_move_is_no_listing(pages):
    azure = FakeAzure({V1: pages})
    with pytest.raises(IncompleteError):
        await read_jobs(azure)
    assert len(azure.requests) <= 4


@pytest.mark.parametrize(
    ("replies", "api", "known", "asked", "dialect"),
    [
        ({V1: jobs_page(), DATED: jobs_page()}, "auto", "", [V1], "v1"),
        ({DATED: jobs_page()}, "auto", "", [V1, DATED], "dated"),
        ({DATED: jobs_page()}, "auto", "dated", [DATED], "dated"),
        ({V1: jobs_page()}, "auto", "dated", [DATED, V1], "v1"),
        ({DATED: jobs_page()}, "auto", "v1", [V1, DATED], "dated"),
        ({V1: jobs_page(), DATED: jobs_page()}, "dated", "v1", [DATED], "dated"),
        ({V1: jobs_page(), DATED: jobs_page()}, "v1", "dated", [V1], "v1"),
    ],
)
async def test_finds_the_dialect_and_remembers_it(replies, api, known, asked, dialect):
    azure = FakeAzure(replies)
    assert await read_jobs(azure, api=api, dialect=known) == ([], dialect)
    assert [request.url.path for request in azure.requests] == asked
    assert ("api-version=2024-10-21" in str(azure.requests[-1].url)) is (dialect == "dated")


@pytest.mark.parametrize("api", ["auto", "v1", "dated"])
async def test_no_dialect_at_all_is_not_found(api):
    with pytest.raises(NotFoundError):
        await read_jobs(FakeAzure({}), api=api)


async def test_only_404_asks_for_the_other_dialect():
    azure = FakeAzure({V1: answer("", 403), DATED: jobs_page()})
    with pytest.raises(ForbiddenError):
        await read_jobs(azure)
    assert len(azure.requests) == 1


async def test_an_account_without_an_address_is_not_asked():
    with pytest.raises(UnavailableError):
        await OpenAI(make_client(FakeAzure({}))).job_pages(make_account(endpoint=""), TOKEN)


async def test_events_come_oldest_first_from_all_pages_and_once():
    pages = [
        answer({"data": [raw_event("e3", "c", 1756781403), raw_event("e2", "b", 1756781402)], "has_more": True}),
        answer({"data": [raw_event("e2", "b", 1756781402), raw_event("e1", "a", 1756781402)], "has_more": False}),
    ]
    azure = FakeAzure({"/events": pages})
    events, bad = await OpenAI(make_client(azure)).events(make_account(), "ftjob/1", TOKEN, dialect="dated")
    assert [event.message for event in events] == ["a", "b", "c"]
    assert bad == ()
    assert azure.requests[0].url.raw_path.startswith(
        b"/openai/fine_tuning/jobs/ftjob%2F1/events?limit=100&api-version="
    )


async def test_a_long_log_ends_at_its_cap():
    numbers = iter(range(9999))
    azure = FakeAzure({"/events": lambda _: answer({"data": [raw_event(f"e{next(numbers)}", "x")], "has_more": True})})
    events, _ = await OpenAI(make_client(azure)).events(make_account(), "j", TOKEN, dialect="v1")
    assert len(events) == len(azure.requests) == 30


async def test_reads_one_job_and_its_checkpoints():
    checkpoints = [{"id": f"c{step}", "step_number": step, "created_at": 1756781454} for step in (20, 10)]
    azure = FakeAzure(
        {"/jobs/j": answer(raw_job("j")), "/checkpoints": answer({"data": checkpoints, "has_more": False})}
    )
    client = OpenAI(make_client(azure))
    assert (await client.job(make_account(), "j", TOKEN, dialect="v1")).id == "j"
    found = await client.checkpoints(make_account(), "j", TOKEN, dialect="v1")
    assert [checkpoint.step for checkpoint in found] == [10, 20]


def test_digests_tell_pages_apart():
    assert digest_of([b"a", b"b"]) == digest_of([b"a", b"b"])
    assert len({digest_of(pages) for pages in ([b"ab"], [b"a", b"b"], [b"", b"ab"], [], [b"b", b"a"])}) == 5


async def test_a_first_page_is_taken_for_the_whole_only_where_it_was_the_whole():
    """A page with more behind it is never taken for the listing of last time, whose digest is that of all pages."""
    link = f"{BASE}/b"
    azure = FakeAzure({"/a": arm_page(1, next_link=link), "/b": arm_page(2)})
    both = await read_links(azure)
    options = {"api": "arm", "auth": TOKEN, "lane": "", "allowance": None}
    again = await linked_pages(make_client(azure), f"{BASE}/a?x=1", known_digest=both.digest, **options)
    assert again == both
    assert again.digest == digest_of(both)
    lone = await linked_pages(make_client(azure), link, **options)
    assert await linked_pages(make_client(azure), link, known_digest=lone.digest, **options) == lone
