"""Where an account's data plane is reached, and which account a request is for.

Real accounts have a host each. On loopback all share one port, so a host may become a path (`/account/<key>/`, the
default), an address of 127.0.0.0/8 of its own (`hosts`), or, in process, stay what it is (`AZURE_HOSTS`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from watcher.simulator.scenario import Account

_OPENAI = "openai.azure.com"
_COGNITIVE = "cognitiveservices.azure.com"
_FOUNDRY = "services.ai.azure.com"
_SUFFIXES = (_OPENAI, _COGNITIVE, _FOUNDRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """How accounts are addressed. Without anything given: by path on whatever address the request came to."""

    hosts: Mapping[str, str] = field(default_factory=dict)  # account key → IP address, on the port of the request
    azure: bool = False  # https://<key>.openai.azure.com/ and kin, for ASGITransport
    _keys: dict[str, str] = field(init=False, repr=False, compare=False)  # IP address → account key

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keys", {address: key for key, address in self.hosts.items()})

    def endpoint(self, account: Account, scheme: str, netloc: str) -> str:
        """`properties.endpoint`, as told to a client that asked `scheme://netloc`."""
        if self.azure:
            suffix = _COGNITIVE if account.kind == "AIServices" else _OPENAI
            return f"https://{account.key}.{suffix}/"
        if account.key in self.hosts:
            port = netloc.rpartition(":")[2]
            return f"{scheme}://{self.hosts[account.key]}:{port}/"
        return f"{scheme}://{netloc}/account/{account.key}/"

    def endpoints(self, account: Account, scheme: str, netloc: str) -> dict[str, str]:
        """`properties.endpoints`. The names of its keys are not documented."""
        if self.azure and account.kind == "AIServices":
            return {
                "AI Foundry API": f"https://{account.key}.{_FOUNDRY}/",
                "Azure AI Model Inference API": f"https://{account.key}.{_FOUNDRY}/",
                "OpenAI Language Model Instance API": f"https://{account.key}.{_OPENAI}/",
                "Content Safety": f"https://{account.key}.{_COGNITIVE}/",
            }
        endpoint = self.endpoint(account, scheme, netloc)
        if account.kind == "AIServices":
            return {"AI Foundry API": endpoint, "OpenAI Language Model Instance API": endpoint}
        return {"OpenAI Language Model Instance API": endpoint}

    def key_of(self, netloc: str) -> str | None:
        """The account that owns a host; None when the host is nobody's own."""
        host = netloc.rsplit(":", 1)[0] if ":" in netloc else netloc
        name, _, suffix = host.lower().partition(".")
        if suffix in _SUFFIXES:
            return name
        return self._keys.get(host)


AZURE_HOSTS = Addresses(azure=True)


def loopback_hosts(keys: list[str]) -> dict[str, str]:
    """An address of 127.1.0.0/16 for each key: 127.1.0.1, 127.1.0.2, …; some 65,000 fit.

    Linux answers on all of 127.0.0.0/8; elsewhere each address needs an alias on the loopback interface.
    """
    return {key: f"127.1.{number >> 8}.{number & 255}" for number, key in enumerate(keys, start=1)}
