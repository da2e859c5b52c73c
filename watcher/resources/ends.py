"""When a custom model is no longer served, and its base no longer trained on, by all that say so. Pure.

A date may come from three places, the firmest first: ARM's catalogue of the region, the account's own listing of its
models, and the table in Azure's documentation.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from watcher.resources.model import Certainty, Retirement

#: ARM's word for a retired model; what its documentation calls deprecated is `Deprecating` there.
_RETIRED = "deprecated"

_TABLE = "the table in Azure's documentation that this version of watcher ships"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """When something ends, by one source."""

    at: datetime | None  #: `None`: it is said to be over, and not since when
    certainty: Certainty
    source: str  #: in words
    is_retired: bool = False  #: by the source's own word, whatever the date


class Ends:
    """What is said of base models, region by region. Built once, asked often."""

    def __init__(self, catalogue: Iterable[Retirement], documented: Iterable[Retirement]) -> None:
        self._catalogue = _by_model(catalogue)
        self._documented = _by_model(documented)

    def of_serving(self, base: str, location: str, *, own: datetime | None = None) -> Iterator[End]:
        """When calls are no longer answered: what each source says, the one that counts first.

        Args:
            base: Full name of the base model; "": unknown.
            location: The account's region.
            own: The model's own date, where its account's listing names one.
        """
        rows = [row for row in _fitting(self._catalogue, base, location) if row.inference_until or _is_retired(row)]
        for row in sorted(rows, key=lambda row: _first(row, row.inference_until))[:1]:
            is_retired = _is_retired(row)
            yield End(at=row.inference_until, certainty=row.certainty, source=_catalogue(row), is_retired=is_retired)
        if own is not None:
            yield End(at=own, certainty=Certainty.UNSTATED, source="the account's own listing of its models")
        rows = [row for row in _fitting(self._documented, base, location) if row.inference_until]
        for row in sorted(rows, key=lambda row: _first(row, row.inference_until))[:1]:
            yield End(at=row.inference_until, certainty=row.certainty, source=_TABLE)

    def of_training(self, base: str, location: str) -> End | None:
        """When the base can no longer be trained on, by the firmest source that says so."""
        for known in (self._catalogue, self._documented):
            rows = [row for row in _fitting(known, base, location) if row.fine_tune_until]
            for row in sorted(rows, key=lambda row: _first(row, row.fine_tune_until))[:1]:
                source = _catalogue(row) if known is self._catalogue else _TABLE
                return End(at=row.fine_tune_until, certainty=row.certainty, source=source)
        return None


_Known = Mapping[str, tuple[Retirement, ...]]


def _by_model(retirements: Iterable[Retirement]) -> _Known:
    sorted_: dict[str, tuple[Retirement, ...]] = {}
    for each in retirements:
        sorted_[each.model.lower()] = (*sorted_.get(each.model.lower(), ()), each)
    return sorted_


def _fitting(known: _Known, base: str, location: str) -> Iterator[Retirement]:
    """What is said of the base model for a region, or for everywhere."""
    here = (_folded(location), "")
    return (each for each in known.get(base.lower(), ()) if _folded(each.location) in here)


def _folded(location: str) -> str:
    """ARM writes a region as `swedencentral` and as `Sweden Central`."""
    return location.lower().replace(" ", "")


def _first(row: Retirement, at: datetime | None) -> tuple[bool, bool, float]:
    """What is said of the region before what holds everywhere, the earliest date first."""
    return not row.location, at is None, at.timestamp() if at else 0.0


def _is_retired(row: Retirement) -> bool:
    return row.lifecycle.lower() == _RETIRED


def _catalogue(row: Retirement) -> str:
    where = f" of {row.location}" if row.location else ""
    said = f", which calls the model {row.lifecycle}" if row.lifecycle else ""
    return f"ARM's model catalogue{where}{said}"
