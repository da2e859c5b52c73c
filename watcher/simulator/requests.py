"""A record of what was asked, so that tests and the demo can say how little a client needs."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

KEPT = 20_000  # records; counters go on


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request that has been answered, or given up."""

    at: datetime  # simulated
    method: str
    path: str
    query: str
    plane: str  # arm, data, metrics, activity, prices, costs; "" for a path that nobody serves
    api: str  # name of the operation, such as "jobs"; "" likewise, "refused" for a write or an inference request
    account: str  # the account's name; "" where the request is about none
    status: int  # 0: no answer was given


class RequestLog:
    """The last `KEPT` requests, and counts of all."""

    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=KEPT)
        self.total = 0
        self.refused_writes = 0
        self.by_api: Counter[tuple[str, str, int]] = Counter()  # (plane, api, status)

    def __iter__(self) -> Iterator[RequestRecord]:
        return iter(tuple(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: RequestRecord) -> None:
        self._records.append(record)
        self.total += 1
        self.by_api[record.plane, record.api, record.status] += 1
        if record.api == "refused":
            self.refused_writes += 1

    def clear(self) -> None:
        """Forget all, counters included."""
        self._records.clear()
        self.by_api.clear()
        self.total = self.refused_writes = 0

    def matching(
        self, *, plane: str = "*", api: str = "*", account: str = "*", path: str = "", status: int | None = None
    ) -> list[RequestRecord]:
        """The kept records under these globs (`path`: substring), oldest first."""
        return [
            record
            for record in self
            if fnmatchcase(record.plane, plane)
            and fnmatchcase(record.api, api)
            and fnmatchcase(record.account, account)
            and path in record.path
            and status in (None, record.status)
        ]
