"""People with rights of their own on S3: the policies of the page, on a moto that checks them.

moto knows actions and resources of IAM, and no conditions.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from moto.s3.responses import ACTION_MAP

from tests.pages import PROJECT

POLICY = re.compile(r"<!-- policy: (\w+) -->\n```json\n(.*?)```", re.DOTALL)


def policies() -> dict[str, str]:
    """Return the policies of the page by the words above them."""
    page = PROJECT / "docs" / "how-to" / "s3-setup.md"
    return dict(POLICY.findall(page.read_text(encoding="utf-8")))


def correct_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto ask for the action that AWS asks for; its own is none that IAM has."""
    monkeypatch.setitem(ACTION_MAP["BUCKET"]["HEAD"], "DEFAULT", "ListBucket")


def make_user(iam: Any, name: str, *policies: str) -> dict[str, str]:
    """Make a user with these policies; return the variables with its keys."""
    iam.create_user(UserName=name)
    for number, policy in enumerate(policies):
        iam.put_user_policy(UserName=name, PolicyName=f"nbvc{number}", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
