import socket
import ssl

import pytest
import trustme

from watcher.transport import open_client

from .servers import hook_server


@pytest.fixture
async def hook():
    async with hook_server() as hook:
        yield hook


@pytest.fixture
async def client():
    client = open_client(trust_env=False)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def server_tls(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
