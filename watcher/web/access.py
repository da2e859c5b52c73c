"""Who may see and do what: tokens, sessions of browsers, a proxy's word, and proof that a form is ours.

On loopback without a token everybody who can connect may read and write. With one, each request carries it, or a cookie
that was got with it. A cookie holds no secret: it is signed with the token, so it ends with it. What changes something
needs write scope, and from a browser the page's own proof besides: other sites can send forms here, and read nothing.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

#: How long a browser stays known.
SESSION = timedelta(hours=12)
_COOKIE = "watcher_session"
#: With this prefix a browser takes the cookie over TLS alone, and for this host alone.
_SECURE_COOKIE = f"__Host-{_COOKIE}"
#: Who reads or acts where no token is asked for.
ANYBODY = "loopback"
#: A reverse proxy on this machine.
LOCAL = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
#: Of a name that a proxy gives.
_LONGEST_NAME = 200


class Right(StrEnum):
    """What somebody may do."""

    READ = "read"
    WRITE = "write"  #: and read


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A token, and whom it stands for."""

    name: str  #: stands in the audit
    right: Right
    secret: str = field(repr=False)
    is_named: bool = True  #: False: many may hold it, so the name says nobody's


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whoever asks."""

    name: str
    right: Right
    is_browser: bool  #: known by what a browser sends along by itself; so a form needs proof that it is ours
    proof: str = field(default="", repr=False)  #: that a form is ours
    is_named: bool = True  #: whether the name says who it is; else a form asks
    has_session: bool = False  #: and may end it

    @property
    def may_write(self) -> bool:
        return self.right is Right.WRITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration says of access."""

    keys: Sequence[Key] = ()  #: none, and no proxy: the page listens on loopback, and nobody needs one
    is_tls: bool = False  #: browsers come over TLS
    public_host: str = ""  #: host and port by which browsers know us, where a proxy may ask for another
    #: The header in which a reverse proxy names the user it has let in, and addresses from which it is believed.
    user_header: str = ""
    proxies: Sequence[IPv4Network | IPv6Network] = LOCAL
    proxy_right: Right = Right.READ


class Door:
    """Knows who stands before it."""

    def __init__(self, rules: Rules, *, seed: bytes | None = None) -> None:
        """`seed`: what proofs are made with; of a process of its own by default, so that they end with it."""
        self._rules = rules
        self._seed = seed or secrets.token_bytes(32)

    @property
    def has_keys(self) -> bool:
        return bool(self._rules.keys)

    @property
    def is_open(self) -> bool:
        """Whether everybody who can connect may come in."""
        return not self._rules.keys and not self._rules.user_header

    def who(self, request: HTTPConnection, now: datetime) -> Person | None:
        """The person that asks; `None`: a token is needed."""
        if (given := bearer_of(request)) is not None:
            key = self.key_of(given)
            if key is None:
                return None
            return Person(name=key.name, right=key.right, is_browser=False, is_named=key.is_named)
        if named := self._by_proxy(request):
            return self._browser(named, self._rules.proxy_right)
        if self.is_open:
            return self._browser(ANYBODY, Right.WRITE, is_named=False)
        key = self._by_session(request.cookies.get(self._cookie, ""), now)
        if key is None:
            return None
        return self._browser(key.name, key.right, is_named=key.is_named, has_session=True)

    def key_of(self, given: bytes) -> Key | None:
        """The key that was given. All are compared, each in constant time: no time tells of length, order or text."""
        seen = hashlib.sha256(given).digest()
        matches = [
            key for key in self._rules.keys if hmac.compare_digest(seen, hashlib.sha256(key.secret.encode()).digest())
        ]
        return matches[0] if matches and given else None

    def remember(self, response: Response, key: Key, now: datetime) -> None:
        """Give a browser the cookie by which it is known from now on."""
        ends = int((now + SESSION).timestamp())
        said = f"{ends}.{quote(key.name, safe='')}"
        response.set_cookie(
            self._cookie,
            f"{said}.{_signed(key.secret.encode(), said)}",
            max_age=int(SESSION.total_seconds()),
            path="/",
            secure=self._rules.is_tls,
            httponly=True,
            samesite="lax",  # a link in a message must find its reader signed in; acts need more than the cookie
        )

    def forget(self, response: Response) -> None:
        """Take the cookie back."""
        response.delete_cookie(self._cookie, path="/", secure=self._rules.is_tls, httponly=True, samesite="lax")

    def is_proven(self, person: Person, request: HTTPConnection, proof: str) -> bool:
        """Whether what a browser sends was filled in on our own page."""
        if not person.is_browser:
            return True
        return self.is_from_here(request) and hmac.compare_digest(proof.encode(), person.proof.encode())

    def is_from_here(self, request: HTTPConnection) -> bool:
        """Whether it does not come from another site's page; what says nothing is no browser of today."""
        return is_same_origin(request.headers, public_host=self._rules.public_host)

    @property
    def _cookie(self) -> str:
        return _SECURE_COOKIE if self._rules.is_tls else _COOKIE

    def _by_proxy(self, request: HTTPConnection) -> str:
        """Whom a proxy that we believe has let in; "": nobody."""
        if not self._rules.user_header or request.client is None or not self._is_proxy(request.client.host):
            return ""
        given = request.headers.getlist(self._rules.user_header)
        if len(given) != 1:  # two: one of them is not the proxy's
            return ""
        try:
            name = given[0].encode("latin-1").decode("utf-8").strip()
        except UnicodeDecodeError:
            return ""
        return name if name.isprintable() and len(name) <= _LONGEST_NAME else ""

    def _is_proxy(self, host: str) -> bool:
        try:
            peer = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        peer = getattr(peer, "ipv4_mapped", None) or peer  # a socket that takes both kinds writes ::ffff:127.0.0.1
        return any(peer in network for network in self._rules.proxies)

    def _by_session(self, cookie: str, now: datetime) -> Key | None:
        said, _, signature = cookie.rpartition(".")
        ends, _, name = said.partition(".")
        if not (ends.isascii() and ends.isdigit() and now.timestamp() < int(ends[:12])):
            return None
        mine = [
            key
            for key in self._rules.keys
            if quote(key.name, safe="") == name
            and hmac.compare_digest(signature.encode(), _signed(key.secret.encode(), said).encode())
        ]
        return mine[0] if mine else None

    def _browser(self, name: str, right: Right, *, is_named: bool = True, has_session: bool = False) -> Person:
        proof = _signed(self._seed, f"form:{name}")
        return Person(name=name, right=right, is_browser=True, proof=proof, is_named=is_named, has_session=has_session)


def bearer_of(request: HTTPConnection) -> bytes | None:
    """The token that a program sends along, as it came over the wire; `None`: it sends none."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip().encode("latin-1") if scheme.lower() == "bearer" else None


def is_same_origin(headers: Mapping[str, str], *, public_host: str = "") -> bool:
    """Whether a browser says that the request comes from a page of ours; what says nothing is no browser of today."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        host = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    return host != "" and host in (headers.get("host", "").lower(), public_host.lower())


def _signed(secret: bytes, said: str) -> str:
    return hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()
