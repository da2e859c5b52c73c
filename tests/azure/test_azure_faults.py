import json
import socket
import ssl
from datetime import timedelta

import pytest
from azure_factories import NOW

from watcher.azure.faults import (
    fault_of,
    fault_of_exception,
    forbidden_reason,
    may_retry,
    read_error,
    request_id_of,
    retry_after,
)
from watcher.errors import (
    AzureError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from watcher.transport import ConnectError, DecodingError, Headers, ReadTimeout, RemoteProtocolError

URL = "https://ft.openai.azure.com/openai/v1/fine_tuning/jobs?after=secret"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "60"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "60"}, 60),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 08:10:30 GMT"}, 30),
        ({"retry-after": "Sun, 22 Nov 2026 08:00:00 GMT"}, 0),
        ({"retry-after": "Sunday, 22-Nov-26 08:10:30 GMT"}, 30),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e300"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_reads_every_form_of_retry_after(headers, seconds):
    wanted = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(Headers(headers), NOW) == wanted


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (
            "AuthorizationFailed",
            "The client 'x' with object id 'y' does not have authorization to perform action",
            "role",
        ),
        (
            "PermissionDenied",
            "The principal `p` lacks the required data action `Microsoft.CognitiveServices/…`",
            "role",
        ),
        ("", "Principal does not have permission to access API/Operation.", "role"),
        ("403", "Public access is disabled. Please configure private endpoint.", "network"),
        ("403", "Access denied due to Virtual Network/Firewall rules.", "network"),
        ("AccessDenied", "Please use the private endpoint of this resource; you do not have permission", "network"),
        ("AuthenticationTypeDisabled", "Key based authentication is disabled for this resource.", "keys_disabled"),
        ("", "Key based authentication is disabled", "keys_disabled"),
        ("403", "Local authentication is disabled", "keys_disabled"),
        ("403", "This resource has been temporarily blocked because of suspicious activity.", "blocked"),
        (
            "403",
            "Your resource has been temporarily blocked because we detected behavior that may violate …",
            "blocked",
        ),
        ("Forbidden", "The resource is blocked.", "blocked"),
        ("403", "Access to this account has been suspended; see your firewall rules and permissions.", "blocked"),
        ("403", "Key authentication is disabled here", "keys_disabled"),
        ("", "disableLocalAuth is set to true for this resource", "keys_disabled"),
        ("403", "Traffic is not from an approved private endpoint.", "network"),
        ("403", "Public network access is disabled on this resource.", "network"),
        ("DisallowedByPrivateLink", "The request is not allowed.", "network"),
        ("Forbidden", "Client address is not authorized and caller is not a trusted service.", "network"),
        ("403", "The request was denied by Network Security\nPerimeter rules", "network"),
        ("ForbiddenByFirewall", "", "network"),
        ("AuthorizationFailed", "… or the scope is invalid. If access was recently granted, refresh.", "role"),
        ("PermissionDenied", "You do not have permission to do this.", "role"),
        ("401", "Identity(object id: x) does not have permissions for Microsoft.CognitiveServices/x actions.", "role"),
        ("InsufficientPermissions", "", "role"),
        ("LinkedAuthorizationFailed", "x", "role"),
        ("Forbidden", "The caller is not authorized to perform this action.", "role"),
        ("Forbidden", "Missing role assignment.", "role"),
        ("403", "The request is blocked.", "unknown"),
        ("401", "Access denied due to invalid subscription key or wrong API endpoint.", "unknown"),
        ("Forbidden", "No.", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_tells_why_a_403_was_given(code, message, reason):
    assert forbidden_reason(code, message) == reason


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error":{"code":"NotFound","message":"gone"}}', ("NotFound", "gone")),
        (b'{"error":{"code":429,"message":"slow\\n down"}}', ("429", "slow down")),
        (b'{"code":"BadRequest","message":"bare"}', ("BadRequest", "bare")),
        (b'{"error":"a text"}', ("", "a text")),
        (b'{"error":null}', ("", "")),
        (b'{"error":{"code":{"a":1},"message":["x"]}}', ("", "")),
        (b"[1]", ("", "")),
        (b"", ("", "")),
        (b"upstream connect error\r\n", ("", "upstream connect error")),
        (b"<html><body>Bad gateway</body></html>", ("", "the answer is a web page, not JSON")),
        (b"\xff\xfe\x00", ("", "\ufffd\ufffd\x00".strip())),
    ],
)
def test_reads_error_bodies_of_every_gateway(body, expected):
    assert read_error(body) == expected


def test_long_texts_are_cut():
    assert len(read_error(b'{"message":"' + b"x" * 9000 + b'"}')[1]) == 400


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, MalformedError),
        (400, AzureError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (408, UnavailableError),
        (410, AzureError),
        (423, AzureError),
        (429, ThrottledError),
        (500, UnavailableError),
        (503, UnavailableError),
        (529, ThrottledError),
    ],
)
def test_each_status_has_its_error(status, kind):
    error = fault_of(status, {"apim-request-id": "r-1", "retry-after": "9"}, b"", url=URL, now=NOW)
    assert type(error) is kind
    assert (error.status, error.request_id) == (status, "r-1")
    assert error.url == "https://ft.openai.azure.com/openai/v1/fine_tuning/jobs"
    if isinstance(error, ThrottledError):
        assert error.retry_after == timedelta(seconds=9)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "PermissionDenied", "message": "The principal lacks the required data action"}, "role"),
        ({"code": "401", "message": "The principal lacks the required data action `x`"}, "role"),
        ({"code": "AuthorizationFailed", "message": "no"}, "role"),
        ({"message": "The client does not have authorization to perform action"}, "role"),
        ({"code": "AuthenticationTypeDisabled", "message": "no"}, "keys_disabled"),
        ({"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."}, None),
        ({"code": "ExpiredAuthenticationToken", "message": "The access token expiry UTC time is earlier"}, None),
        ({"code": "InvalidAuthenticationTokenTenant", "message": "The access token is from the wrong issuer"}, None),
    ],
)
def test_tells_a_missing_role_from_a_refused_credential_at_401(error, reason):
    fault = fault_of(401, {}, json.dumps({"error": error}).encode(), url=URL, now=NOW)
    assert fault.status == 401
    assert getattr(fault, "reason", None) == reason
    assert isinstance(fault, ForbiddenError if reason else UnauthorizedError)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"apim-request-id": "a", "x-ms-request-id": "b"}, "a"),
        ({"x-ms-request-id": "b"}, "b"),
        ({}, ""),
    ],
)
def test_finds_the_request_id(headers, expected):
    assert request_id_of(headers) == expected


@pytest.mark.parametrize(
    ("status", "word", "expected"),
    [
        (429, "", True),
        (429, "false", False),
        (409, "", False),
        (409, "true", True),
        (302, "true", False),
        (404, "", False),
        (503, "maybe", True),
    ],
)
def test_the_service_has_the_last_word_on_retries(status, word, expected):
    assert may_retry(status, {"x-should-retry": word}) is expected


def caused(exc: Exception, cause: BaseException) -> Exception:
    exc.__cause__ = cause
    return exc


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (caused(ConnectError("x"), socket.gaierror(-2, "Name or service not known")), "DNS"),
        (caused(ConnectError("x"), ssl.SSLCertVerificationError("bad certificate")), "TLS"),
        (caused(ConnectError("x"), ConnectionRefusedError()), "refused"),
        (caused(RemoteProtocolError("x"), ConnectionResetError()), "reset"),
        (ReadTimeout("x"), "too long"),
        (ConnectError("x"), "no connection"),
        (OSError("x"), "failed"),
    ],
)
def test_says_what_kept_us_from_an_answer(exc, words):
    error = fault_of_exception(exc, URL)
    assert type(error) is UnavailableError
    assert words in error.message


def test_a_body_that_cannot_be_unpacked_is_malformed():
    assert type(fault_of_exception(DecodingError("zlib"), URL)) is MalformedError
