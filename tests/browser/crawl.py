"""Every kind of page there is, found by following links from the overview."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx

#: Each address is of the first kind that it fits.
KINDS = {
    "overview": r"/",
    "jobs": r"/jobs",
    "job": r"/jobs/[^/]+/[^/]+",
    "deployments": r"/deployments",
    "deployment": r"/deployments/[^/]+/[^/]+",
    "alerts": r"/alerts",
    "acknowledge": r"/alerts/[^/]+/acknowledge",
    "alert": r"/alerts/[^/]+",
    "silence": r"/silences/new",
    "expire": r"/silences/[^/]+/expire",
    "keep": r"/keep",
    "keep no longer": r"/keep/end",
    "deliveries": r"/deliveries",
    "retry": r"/deliveries/[^/]+/retry",
    "drop": r"/deliveries/[^/]+/drop",
    "delivery": r"/deliveries/[^/]+",
    "report": r"/report",
    "report file": r"/report/.+",
    "static": r"/static/.+",
    "api": r"/api/v1/.+",
    "metrics": r"/metrics",
    "calendar": r"/calendar\.ics",
}
#: So many addresses of one kind are asked for, and as many that filter or sort; of reports, which take long, fewer.
_MOST = 8
_MOST_REPORTS = 2


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


@dataclass
class Crawl:
    """What a crawl found."""

    pages: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  #: by kind, paths with queries
    sizes: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)  #: of no known kind, or elsewhere

    def worst(self, kind: str, most: int = 2) -> list[str]:
        """Those that hold the most, with the hostile ones first."""
        found = self.pages.get(kind, [])
        return sorted(found, key=lambda one: (-("%3Cimg" in one), -self.sizes[one]))[:most]


def kind_of(path: str) -> str | None:
    return next((kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, path)), None)


async def crawl(address: str) -> Crawl:
    """Follow all links, but no more than some of each kind."""
    found, seen, waiting = Crawl(), {"/"}, [("/", "the address bar")]
    asked: dict[tuple[str, bool], int] = defaultdict(int)
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        while waiting:
            path, source = waiting.pop(0)
            kind = kind_of(urlsplit(path).path)
            if kind is None:
                found.strange.append(f"{path}, from {source}")
                continue
            is_filtered = bool(urlsplit(path).query) and kind not in ("silence", "keep", "keep no longer")
            asked[kind, is_filtered] += 1
            if asked[kind, is_filtered] > (_MOST_REPORTS if kind.startswith("report") else _MOST):
                continue
            answer = await client.get(path)
            if answer.status_code != 200:
                found.broken.append(f"{answer.status_code} at {path}, from {source}")
                continue
            if "html" not in answer.headers["content-type"]:
                continue
            found.pages[kind].append(path)
            found.sizes[path] = len(answer.text)
            links = _Links()
            links.feed(answer.text)
            for link in links.found:
                to = urldefrag(urljoin(address + path, link)).url
                if not to.startswith(f"{address}/"):
                    if not to.startswith(("https://portal.azure.com/", "https://learn.microsoft.com/", "data:")):
                        found.strange.append(f"{to}, from {path}")
                elif (local := to.removeprefix(address)) not in seen:
                    seen.add(local)
                    waiting.append((local, path))
    return found
