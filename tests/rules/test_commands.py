"""Commands that people paste into a shell, made of names that Azure and people have chosen."""

import shlex
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_account, make_deployment, make_job
from watcher.rules import commands

NAMES = st.text(min_size=1, max_size=20)
ACCOUNT = make_account()


def url_of(command: str) -> str:
    """The one address in it, as the program receives it."""
    (url,) = (word for word in shlex.split(command) if word.startswith(("https://", "/subscriptions/")))
    return url


@given(name=NAMES)
def test_a_name_stays_one_part_of_the_path(name: str) -> None:
    """Whatever is in it: slashes, question marks, quotes, line breaks, halves of character pairs."""
    plain = urlsplit(url_of(commands.call_deployment(ACCOUNT, make_deployment("plain"))))
    url = urlsplit(url_of(commands.call_deployment(ACCOUNT, make_deployment(name))))
    assert (url.scheme, url.netloc, url.query, url.fragment) == (plain.scheme, plain.netloc, plain.query, "")
    assert len(url.path.split("/")) == len(plain.path.split("/"))
    assert url.path.isascii() and not set(url.path) & set(" \r\n\t'\"")


@given(name=NAMES)
def test_a_command_has_as_many_words_whatever_the_names_are(name: str) -> None:
    job, deployment = replace(make_job(), id=name), make_deployment(name)
    hostile = [
        commands.resume_job(ACCOUNT, job),
        commands.read_job_events(ACCOUNT, job),
        commands.delete_file(ACCOUNT, name),
        commands.delete_deployment(ACCOUNT, deployment),
        commands.resume_deployment(deployment),
    ]
    tame = [
        commands.resume_job(ACCOUNT, make_job()),
        commands.read_job_events(ACCOUNT, make_job()),
        commands.delete_file(ACCOUNT, "file-1"),
        commands.delete_deployment(ACCOUNT, make_deployment("plain")),
        commands.resume_deployment(make_deployment("plain")),
    ]
    assert [len(shlex.split(one)) for one in hostile] == [len(shlex.split(one)) for one in tame]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("chat-1.x_y~z", "chat-1.x_y~z"),
        ("a/../b?c=d#e", "a%2F..%2Fb%3Fc%3Dd%23e"),
        ("a\nrm -rf", "a%0Arm%20-rf"),
        ("..", "%2E%2E"),
        ("ü", "%C3%BC"),
    ],
)
def test_how_a_name_is_written(name: str, written: str) -> None:
    assert f"/openai/deployments/{written}/chat/completions?" in commands.call_deployment(
        ACCOUNT, make_deployment(name)
    )
