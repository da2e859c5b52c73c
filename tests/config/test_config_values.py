"""Single values: addresses and where to listen."""

import pytest

from watcher.config.values import Invalid, check_url, is_loopback, parse_listen


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_knows_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "url", ["https://h.example.com", "https://h.example.com:8443/a?b=c", "http://localhost:80/x", "http://[::1]:9/"]
)
def test_accepts_https_and_plain_http_to_loopback(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    ["", "h.example.com", "ftp://h", "https://", "https://h:99999", "https://[::1", "http://h", "https://h/a b", "http://127.0.0.1@h/"],
)  # fmt: skip
def test_refuses_other_addresses(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url)


def test_reads_addresses_to_listen_on() -> None:
    assert (parse_listen("localhost:1").host, parse_listen("localhost:1").port) == ("localhost", 1)
    assert parse_listen(":8787").host == ""
    for text in ("8787", "localhost", "::1:80", "h:99999", "h:", 80):
        with pytest.raises(Invalid):
            parse_listen(text)
