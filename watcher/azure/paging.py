"""Reads a listing to its end, page by page, or says that it cannot: a half-read listing is none.

Pages are kept as they came, since an account that has not changed is told by the digest of its pages and never
decoded. Only the place of the next page is looked up, and not even that where a lone page is the one of last time.

Source: azure-rest-api-specs: `nextLink` is an address to be followed unchanged (ARM); `has_more` asks for `after` with
the last item's id (data plane). The guards are ours: a list that does not move on would never end.
"""

import hashlib
from collections.abc import Callable, Hashable, Iterable
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from watcher.azure.auth import Authorizer
from watcher.azure.client import Allowance, AzureClient
from watcher.azure.lenient import BadItem, Page
from watcher.errors import IncompleteError, MalformedError

T = TypeVar("T")

#: More pages than this are no listing of ours: 100 jobs an account, some thousand accounts a subscription.
PAGE_CAP = 200

#: Ends a digest that must not be taken for "unchanged" next time, since something was left open.
OPEN_END = "~"


class Bodies(tuple[bytes, ...]):
    """The pages of a listing as they came."""

    @cached_property
    def digest(self) -> str:
        return digest_of(self)


class _Link(msgspec.Struct, rename="camel"):
    next_link: str | None = None


class _More(msgspec.Struct):
    has_more: bool | None = False


class _Ids(msgspec.Struct):
    data: list[Any]


_LINK = msgspec.json.Decoder(_Link)
_MORE = msgspec.json.Decoder(_More)
_IDS = msgspec.json.Decoder(_Ids)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


async def linked_pages(
    client: AzureClient,
    url: str,
    *,
    api: str,
    auth: Authorizer,
    lane: str,
    allowance: Allowance | None,
    known_digest: str = "",
) -> Bodies:
    """All pages from `url` on, by `nextLink`.

    Args:
        known_digest: Of the listing that was read to its end last time: a first page that is the whole of it is all.

    Raises:
        IncompleteError: the links lead in a circle, or on and on.
        MalformedError: a link leads to another host, where our token has no business; or a page is no JSON.
    """
    first_url = url
    bodies: list[bytes] = []
    seen: set[str] = set()
    while url:
        if url in seen or len(seen) >= PAGE_CAP:
            raise IncompleteError(f"the pages do not come to an end after {len(seen)}", url=url)
        seen.add(url)
        answer = await client.get(url, api=api, auth=auth, lane=lane, allowance=allowance)
        bodies.append(answer.body)
        if known_digest and len(bodies) == 1 and (lone := Bodies(bodies)).digest == known_digest:
            return lone
        try:
            next_url = _LINK.decode(answer.body).next_link or ""
        except _UNREADABLE as exc:
            raise MalformedError(f"the answer is no page of a list: {exc}", status=answer.status, url=url) from exc
        if next_url and not is_same_origin(next_url, first_url):
            raise MalformedError("`nextLink` leads to another host: refused, the token stays here", url=url)
        url = next_url
    return Bodies(bodies)


async def cursor_pages(
    client: AzureClient,
    url: str,
    *,
    api: str,
    auth: Authorizer,
    lane: str,
    allowance: Allowance | None,
    page_cap: int = PAGE_CAP,
    known_digest: str = "",
) -> tuple[Bodies, bool]:
    """All pages of `url`, by `after`; and whether that is all: `False` at `page_cap`. Lists that know of no paging end
    with their first page.

    Args:
        known_digest: As of `linked_pages`.

    Raises:
        IncompleteError: the cursor does not move, or there is more after nothing.
        MalformedError: a page is no JSON.
    """
    bodies: list[bytes] = []
    seen: set[str] = set()
    page_url = url
    while len(bodies) < page_cap:
        answer = await client.get(page_url, api=api, auth=auth, lane=lane, allowance=allowance)
        bodies.append(answer.body)
        if known_digest and len(bodies) == 1 and (lone := Bodies(bodies)).digest == known_digest:
            return lone, True
        try:
            if not _MORE.decode(answer.body).has_more:
                return Bodies(bodies), True
        except _UNREADABLE as exc:
            raise MalformedError(f"the answer is no page of a list: {exc}", status=answer.status, url=url) from exc
        cursor = _last_id(answer.body)
        if not cursor or cursor in seen:
            raise IncompleteError("the list says that there is more, and does not move on", url=url)
        seen.add(cursor)
        page_url = f"{url}{'&' if '?' in url else '?'}after={quote(cursor, safe='')}"
    return Bodies(bodies), False


def _last_id(body: bytes) -> str:
    """The id of the page's last item that has one: what follows it without an id is only read twice."""
    try:
        items = _IDS.decode(body).data
    except _UNREADABLE:
        return ""
    ids = (item.get("id") for item in reversed(items) if isinstance(item, dict))
    return next((found for found in ids if isinstance(found, str) and found), "")


def digest_of(bodies: Iterable[bytes]) -> str:
    """Equal for pages that are equal byte for byte."""
    whole = hashlib.sha256()
    for body in bodies:
        whole.update(len(body).to_bytes(8, "big"))
        whole.update(body)
    return whole.hexdigest()


def decode_pages(
    bodies: Iterable[bytes],
    decode: Callable[[bytes], Page[T]],
    key: Callable[[T], Hashable],
    *,
    may_lack_ids: bool = False,
) -> tuple[tuple[T, ...], tuple[BadItem, ...]]:
    """The items of all pages, and those that could not be read; of two items with one key the later page's.

    Args:
        may_lack_ids: Give the good items even where a bad one has no id; then none that is not listed is missing.

    Raises:
        IncompleteError: an item could not be read, nor its id: anything may be missing from the list.
        MalformedError: a page is no list.
    """
    items: dict[Hashable, T] = {}
    bad: list[BadItem] = []
    for body in bodies:
        page = decode(body)
        items.update((key(item), item) for item in page.items)
        bad.extend(page.bad)
    nameless = next((item for item in bad if not item.id), None)
    if nameless is not None and not may_lack_ids:
        raise IncompleteError(f"an item of the list cannot be read, nor its id: {nameless.problem}")
    return tuple(items.values()), tuple(bad)


def is_same_origin(one: str, other: str) -> bool:
    """Whether two addresses lead to the same host by the same scheme and port."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", "", None
    return parts.scheme, (parts.hostname or "") if parts.username is None else "", port
