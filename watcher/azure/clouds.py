"""The clouds: where each one's faces are, and for whom a token must be made out.

Source: Azure's public address lists; those of the sovereign clouds are well known but were not verified against a live
service, so every address can be set through `cloud = "custom"`.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from watcher.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One cloud's addresses (bases without a slash at their end) and token scopes."""

    name: str
    management_url: str
    management_scope: str
    metrics_url: str  #: base of one resource's metrics; in the named clouds ARM itself
    #: Of the metrics of many accounts at once; `{region}` stands for the region's name.
    metrics_batch_url: str
    metrics_batch_scope: str
    prices_url: str  #: of the public price list; "": none is published, or none is known
    authority_url: str
    data_scope: str
    portal_url: str
    #: Ends of data-plane hosts, best first; empty: any host that ARM names.
    host_suffixes: tuple[str, ...] = ()

    @property
    def is_custom(self) -> bool:
        return self.name == "custom"

    def portal_link(self, resource_id: str) -> str:
        """The portal's page of an ARM resource."""
        return f"{self.portal_url}/#@/resource{quote(resource_id)}"


def _named(name: str, management: str, authority: str, data: str, portal: str, prices: str, tld: str) -> Cloud:
    return Cloud(
        name=name,
        management_url=f"https://{management}",
        management_scope=f"https://{management}/.default",
        metrics_url=f"https://{management}",
        metrics_batch_url=f"https://{{region}}.metrics.monitor.azure.{tld}",
        metrics_batch_scope=f"https://metrics.monitor.azure.{tld}/.default",
        prices_url=f"https://{prices}" if prices else "",
        authority_url=f"https://{authority}",
        data_scope=f"https://{data}/.default",
        portal_url=f"https://{portal}",
        host_suffixes=(f".openai.azure.{tld}", f".cognitiveservices.azure.{tld}", f".services.ai.azure.{tld}"),
    )


PUBLIC = _named(
    "public",
    "management.azure.com",
    "login.microsoftonline.com",
    "cognitiveservices.azure.com",
    "portal.azure.com",
    "prices.azure.com",
    "com",
)
USGOVERNMENT = _named(
    "usgovernment",
    "management.usgovcloudapi.net",
    "login.microsoftonline.us",
    "cognitiveservices.azure.us",
    "portal.azure.us",
    "",
    "us",
)
CHINA = _named(
    "china",
    "management.chinacloudapi.cn",
    "login.chinacloudapi.cn",
    "cognitiveservices.azure.cn",
    "portal.azure.cn",
    "",
    "cn",
)

CLOUDS = {cloud.name: cloud for cloud in (PUBLIC, USGOVERNMENT, CHINA)}


def custom_cloud(
    *,
    management_url: str,
    metrics_url: str = "",
    prices_url: str = "",
    authority_url: str = "",
    data_scope: str = PUBLIC.data_scope,
    portal_url: str = PUBLIC.portal_url,
) -> Cloud:
    """A cloud whose addresses are given; those left out are ARM's own address, or the public cloud's. A price list is
    none that was not given: the public cloud's prices are not those of another.

    Raises:
        ConfigurationError: an address is no base without a path, or is plain http to another host than this one.
    """
    bases = {
        "management_url": management_url,
        "metrics_url": metrics_url or management_url,
        "authority_url": authority_url or PUBLIC.authority_url,
    }
    if prices_url:
        bases["prices_url"] = prices_url
    problems = [problem for key, url in bases.items() if (problem := _problem_of(f"azure.{key}", url))]
    if problems:
        raise ConfigurationError(problems)
    management = bases["management_url"].rstrip("/")
    return Cloud(
        name="custom",
        management_url=management,
        management_scope=f"{management}/.default",
        metrics_url=bases["metrics_url"].rstrip("/"),
        metrics_batch_url=bases["metrics_url"].rstrip("/"),
        metrics_batch_scope=f"{bases['metrics_url'].rstrip('/')}/.default",
        prices_url=prices_url.rstrip("/"),
        authority_url=bases["authority_url"].rstrip("/"),
        data_scope=data_scope,
        portal_url=portal_url.rstrip("/"),
    )


def is_safe_base(url: str) -> bool:
    """Whether tokens may be sent there: https, or plain http to this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # a port out of range raises
    except ValueError:
        return False
    if not host or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine; names are not resolved."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _problem_of(path: str, url: str) -> tuple[str, str, str] | None:
    if not is_safe_base(url):
        return path, "is not an https address", "plain http is taken for loopback only"
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        return path, "is not a base address", "leave out the path: it is appended"
    return None
