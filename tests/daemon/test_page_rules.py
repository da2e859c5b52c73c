"""What `[web]` and `public_url` come to: who may ask, under which names, and what is remarked upon."""

from ipaddress import ip_network

import pytest

from watcher.config import parse, warnings
from watcher.daemon.page import _hosts, rules_of
from watcher.web.access import Right

ENVIRON = {"TOKEN": "canary-shared", "GRAFANA": "canary-grafana"}


def test_a_shared_token_writes_and_names_nobody_and_a_named_one_reads_by_default() -> None:
    rules = rules_of(
        parse('[web]\ntoken_env = "TOKEN"\n[[web.tokens]]\nname = "grafana"\ntoken_env = "GRAFANA"\n', environ=ENVIRON)
    )
    assert [(key.name, key.right, key.is_named) for key in rules.keys] == [
        ("web", Right.WRITE, False),
        ("grafana", Right.READ, True),
    ]
    assert (rules.user_header, rules.is_tls, rules.public_host) == ("", False, "")


def test_a_proxy_is_believed_from_this_machine_and_for_reading_unless_it_is_said_otherwise() -> None:
    rules = rules_of(parse('[web]\nuser_header = "X-Forwarded-User"\n', environ={}))
    assert (rules.user_header, rules.proxy_right) == ("X-Forwarded-User", Right.READ)
    assert list(rules.proxies) == [ip_network("127.0.0.1"), ip_network("::1")]
    said = '[web]\nuser_header = "X-User"\nproxies = ["10.1.2.0/24"]\nuser_scope = "write"\n'
    rules = rules_of(parse(said, environ={}))
    assert (list(rules.proxies), rules.proxy_right) == ([ip_network("10.1.2.0/24")], Right.WRITE)


@pytest.mark.parametrize(
    ("listen", "url", "hosts"),
    [
        ("127.0.0.1", None, {"127.0.0.1", "localhost", "[::1]"}),
        ("::1", "https://watcher.example.com:8443/", {"127.0.0.1", "localhost", "[::1]", "::1", "watcher.example.com"}),
        ("10.0.0.5", None, {"10.0.0.5", "127.0.0.1", "localhost", "[::1]"}),
        ("0.0.0.0", "https://watcher.example.com", {"*"}),
    ],
)
def test_our_names_are_the_address_and_the_public_one(listen: str, url: str | None, hosts: set[str]) -> None:
    assert set(_hosts(listen, url)) == hosts


def test_the_public_url_says_whether_browsers_come_over_tls_and_what_they_call_us() -> None:
    rules = rules_of(parse('[watcher]\npublic_url = "https://watcher.example.com:8443"\n', environ={}))
    assert (rules.is_tls, rules.public_host) == (True, "watcher.example.com:8443")


@pytest.mark.parametrize(
    ("web", "is_remarked"),
    [
        ('user_header = "X-User"', False),
        ('user_header = "X-User"\nlisten = "0.0.0.0:8787"\ntoken_env = "TOKEN"', True),
        ('listen = "0.0.0.0:8787"\ntoken_env = "TOKEN"', False),
    ],
)
def test_a_header_believed_beside_an_open_port_is_remarked_upon(web: str, is_remarked: bool) -> None:
    lines = warnings(parse(f"[web]\n{web}\n", environ=ENVIRON))
    assert [line for line in lines if line.startswith("[web] user_header: 0.0.0.0:8787")] == lines
    assert bool(lines) == is_remarked
