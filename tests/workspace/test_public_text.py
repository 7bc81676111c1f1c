"""Text for strangers: what is taken out of it, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.environment import Environment
from nbvc.workspace.public_text import PublicText

VARIABLES = {
    "AWS_SECRET_ACCESS_KEY": "canary/secret+key",
    "AWS_SESSION_TOKEN": "canary-session-token",
    "JUPYTERHUB_API_TOKEN": "canary-hub-token",
    "DB_PASSWORD": "canary-password",
    "SHORT_TOKEN": "test",
    "JUPYTERHUB_USER": "lovelace",
    "EDITOR": "editor-is-no-secret",
}


@pytest.fixture
def public(environment: Environment, tmp_path: Path) -> PublicText:
    """Return what makes texts public for ada, who lives in /home/ada."""
    return PublicText(replace(environment, home=Path("/home/ada"), variables=VARIABLES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user (/home/ada/.config/nbvc/config.toml)", "user (~/.config/nbvc/config.toml)"),
        ("file:///home/ada/rain/.nbvc/store", "file://~/rain/.nbvc/store"),
        ("There is no store in /home/ada.", "There is no store in ~."),
        ("/scratch/ada/rain", "/scratch/<you>/rain"),
        ("/mnt/ada", "/mnt/<you>"),
        ("s3://bucket/workspace/ada/rain/x.ipynb", "s3://bucket/workspace/<you>/rain/x.ipynb"),
        ("namespace ada/rain", "namespace <you>/rain"),
        ("namespace lovelace/rain", "namespace <you>/rain"),
        ("https://key:secret@host:9000/x", "https://host:9000/x"),
        ("get https://host/k?X-Amz-Signature=abc&x=1 now", "get https://host/k now"),
        ("s3://b/k?versionId=v1", "s3://b/k"),
        ("https://host/#token=abc", "https://host/"),
        ("AKIAIOSFODNN7EXAMPLE is unknown", "<key> is unknown"),
        ("as arn:aws:sts::123456789012:assumed-role/Admin/ada here", "as <resource> here"),
        ("s3://assets-123456789012-eu/x", "s3://assets-<account>-eu/x"),
        ("it said canary/secret+key!", "it said <hidden>!"),
        ("canary-session-token canary-hub-token canary-password", "<hidden> <hidden> <hidden>"),
    ],
)
def test_what_is_nobody_elses_business_is_taken_out(
    public: PublicText, text: str, expected: str
) -> None:
    """Homes, names, accounts, keys, user information and queries of URLs, values of secrets."""
    assert public.clean(text) == expected
    assert public.clean(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The workspace is /srv/adams/rain.",
        "/home/adam/x and /mnt/ada-2/x and /x/ada.txt",
        "Canada/Adagio, s3://ada-bucket/x",
        "nbvc init s3://bucket/team --create",
        "EDITOR=editor-is-no-secret in test",
        "size 1234567890123 bytes, 2026-11-23T22:05:49Z",
        "Does it work? nbvc doctor URL # yes",
    ],
)
def test_other_text_is_left_alone(public: PublicText, text: str) -> None:
    """Words that only look alike stay, and so do commands to type."""
    assert public.clean(text) == text


def test_a_home_that_is_the_root_replaces_nothing(environment: Environment) -> None:
    """As in some containers; every path would begin with it."""
    public = PublicText(replace(environment, home=Path("/"), login=""))
    assert public.clean("/srv/rain") == "/srv/rain"
    assert PublicText(replace(environment, home=None)).clean("/srv/rain") == "/srv/rain"


def test_a_login_with_odd_characters_is_found_in_both_spellings(environment: Environment) -> None:
    """In a namespace, what a key should not hold was replaced."""
    public = PublicText(replace(environment, login="DOMAIN\\ada"))
    assert public.clean("s3://b/workspace/DOMAIN-ada/x") == "s3://b/workspace/<you>/x"
