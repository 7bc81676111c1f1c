"""How botocore reads its description of S3: quickly, and the same."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.session import Session

from nbvc.stores.s3_models import quick_session
from tests.s3_server import REGION


@pytest.mark.parametrize("service", ["s3", "sts"])
@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1"])
def test_a_description_is_the_one_that_botocore_reads(service: str, kind: str) -> None:
    """To the order of its parts, with the additions that botocore ships beside it."""
    ours, usual = (
        session.get_component("data_loader").load_service_model(service, kind)
        for session in (quick_session(None), Session())
    )
    assert json.dumps(ours) == json.dumps(usual)


def test_a_client_is_made_without_a_look_at_all_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are four hundred, each a folder."""

    def look(*_: object) -> list[str]:
        raise AssertionError

    monkeypatch.setattr(Loader, "list_available_services", look)
    client = quick_session(None).create_client("s3", region_name=REGION)
    client.close()


def test_other_services_are_found_too() -> None:
    """An assumed role asks STS; a name that is none is told with all that there are."""
    session = quick_session(None)
    session.create_client("sts", region_name=REGION).close()
    with pytest.raises(UnknownServiceError, match=r"Unknown service: 's4'.*, s3, "):
        session.create_client("s4", region_name=REGION)


def test_a_description_of_the_users_own_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """``AWS_DATA_PATH`` holds for nbvc as for any other tool."""
    folder = f"{tmp_path}/own"
    monkeypatch.setenv("AWS_DATA_PATH", folder)
    assert folder in quick_session(None).get_component("data_loader").search_paths
