"""The errors' texts: they say what to do and hold no secret."""

from datetime import timedelta

import pytest

from watcher import errors
from watcher.errors import AzureError, ConfigurationError, DeliveryError, ForbiddenError, ThrottledError, WatcherError


def test_a_problem_reads_as_path_message_and_cure() -> None:
    error = ConfigurationError([("a.b", "is wrong", "mend it"), ("", "no file", ""), ("c", "is late", "")])
    assert str(error) == "a.b: is wrong; mend it\nno file\nc: is late"
    assert error.problems[0].cure == "mend it"


@pytest.mark.parametrize(
    "url", ["https://u:canary@h.example.com/p?sig=canary#canary", "https://h.example.com/p?api-key=canary"]
)
def test_an_azure_error_keeps_no_secret_of_its_address(url: str) -> None:
    error = AzureError(url=url, status=500, request_id="r")
    assert (error.url, error.status, error.request_id) == ("https://h.example.com/p", 500, "r")


def test_an_error_carries_what_its_catcher_needs() -> None:
    assert ThrottledError(retry_after=timedelta(seconds=3)).retry_after == timedelta(seconds=3)
    assert ForbiddenError(reason="network").reason == "network"
    delivery = DeliveryError("no", permanent=True, kind="auth")
    assert (delivery.permanent, delivery.kind, delivery.retry_after, delivery.message) == (True, "auth", None, "no")


def test_every_error_is_exported_and_says_something_by_default() -> None:
    kinds = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, WatcherError)}
    assert {kind.__name__ for kind in kinds} <= set(errors.__all__)
    for kind in kinds - {ConfigurationError, DeliveryError}:
        assert str(kind()).endswith(".")
        assert kind.__name__ in (errors.__doc__ or "")
