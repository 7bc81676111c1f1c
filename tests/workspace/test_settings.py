"""Settings: where each may be set, which place wins, and what a folder from a stranger may say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nbvc.environment import Environment
from nbvc.errors import InvalidConfig
from nbvc.workspace.core import Workspace
from nbvc.workspace.settings import SETTINGS, Settings, set_user_value, write_workspace_file
from tests.conftest import make_workspace

BUCKET = "s3://bucket"


@pytest.fixture
def folder(environment: Environment) -> Path:
    """Return a workspace with settings of its own."""
    (environment.cwd / ".nbvc").mkdir()
    write_workspace_file(environment.cwd, store=BUCKET, namespace="team", token="token")
    return environment.cwd


def user_file(environment: Environment, text: str) -> None:
    """Write the user's own settings."""
    environment.user_config_file.parent.mkdir(exist_ok=True)
    environment.user_config_file.write_text(text)


class TestPrecedence:
    """Flag > environment > workspace > user > default."""

    @pytest.mark.parametrize("name", sorted(SETTINGS))
    def test_each_place_wins_over_those_below_it(
        self, environment: Environment, folder: Path, name: str
    ) -> None:
        """And the origin says which one won."""
        setting = SETTINGS[name]
        bare = replace(environment, variables={})
        found = Settings(bare, None).find(name, store_url=BUCKET)
        assert (found.value, found.origin) == (setting.default, "default")
        if setting.in_workspace:
            found = Settings(bare, folder).find(name)
            origin = f"workspace ({folder / '.nbvc/config.toml'})"
        else:
            table = f'[stores."{BUCKET}"]\n' if setting.per_store else ""
            user_file(environment, f'{table}{name} = "7"\n')
            found = Settings(bare, folder).find(name, store_url=BUCKET)
            origin = f"user ({environment.user_config_file})"
        assert found.origin == origin
        variable = f"NBVC_{name.upper()}"
        with_variable = replace(environment, variables={variable: "8"})
        found = Settings(with_variable, folder).find(name, store_url=BUCKET)
        assert (found.value, found.origin) == ("8", f"environment ({variable})")
        found = Settings(with_variable, folder, {name: "9"}).find(name, store_url=BUCKET)
        assert (found.value, found.origin) == ("9", "command line")

    def test_a_setting_of_one_store_is_not_that_of_another(
        self, environment: Environment, folder: Path
    ) -> None:
        """Where signed requests go is decided for each store alone."""
        user_file(environment, '[stores."s3://other"]\nendpoint_url = "http://other"\n')
        settings = Settings(environment, folder)
        assert settings.connection(BUCKET).endpoint_url is None
        assert settings.connection("s3://other").endpoint_url == "http://other"

    def test_a_value_that_is_set_and_removed_leaves_the_rest_alone(
        self, environment: Environment
    ) -> None:
        """Comments too."""
        user_file(environment, '# mine\nauthor = "Ada"\n')
        file = environment.user_config_file
        set_user_value(file, "region", "eu-west-1", store_url=BUCKET, token="t")
        assert Settings(environment, None).get("region", store_url=BUCKET) == "eu-west-1"
        set_user_value(file, "region", None, store_url=BUCKET, token="t")
        assert Settings(environment, None).get("region", store_url=BUCKET) is None
        assert file.read_text().startswith('# mine\nauthor = "Ada"\n')

    def test_what_belongs_elsewhere_is_refused(self, environment: Environment) -> None:
        """A workspace's setting, one that needs a store, one that does not exist."""
        file = environment.user_config_file
        with pytest.raises(InvalidConfig, match="belongs to a workspace"):
            set_user_value(file, "namespace", "x", store_url=None, token="t")
        with pytest.raises(InvalidConfig, match="for each store"):
            set_user_value(file, "profile", "x", store_url=None, token="t")
        with pytest.raises(InvalidConfig) as caught:
            set_user_value(file, "auhtor", "x", store_url=None, token="t")
        assert caught.value.hint == "Did you mean author?"
        assert not file.exists()


class TestAHostileFolder:
    """A workspace that was downloaded, unpacked or cloned from somebody."""

    @pytest.mark.parametrize(
        "text",
        [
            'endpoint_url = "http://evil"',
            'profile = "production"',
            'region = "eu-west-1"',
            'pager = "rm -rf"',
            'author = "somebody else"',
            "cache_size_mb = 0",
            'unknown = "x"',
            '[stores."s3://bucket"]\nendpoint_url = "http://evil"',
            "[credentials]\nsecret = 1",
            "store = 3",
            "store = true",
            'store = ["s3://bucket"]',
            "namespace = 3",
            'namespace = "../../else"',
            'namespace = "//"',
            'namespace = "a//b"',
            'namespace = ".git"',
            'namespace = "a\\u001b[31mb"',
            "this is no TOML",
            'store = "s3://bucket"\nstore = "s3://other"',
            "\x00",
        ],
    )
    def test_its_settings_can_redirect_nothing_and_run_nothing(
        self, environment: Environment, folder: Path, text: str
    ) -> None:
        """The whole file is refused, by name, with exit code 2."""
        (folder / ".nbvc/config.toml").write_text(text)
        with pytest.raises(InvalidConfig) as caught:
            Workspace.open(environment=environment)
        assert str(folder / ".nbvc/config.toml") in caught.value.message
        assert "\x1b" not in caught.value.message

    def test_bytes_that_are_no_text_are_refused(
        self, environment: Environment, folder: Path
    ) -> None:
        """So is a file that is far too large to be settings."""
        for data in (b"\xff\xfe", b"#" * 1_000_001):
            (folder / ".nbvc/config.toml").write_bytes(data)
            with pytest.raises(InvalidConfig):
                Workspace.open(environment=environment)

    @pytest.mark.parametrize("name", ["store", "namespace"])
    def test_a_missing_setting_is_said(self, environment: Environment, name: str) -> None:
        """With how to get it back."""
        make_workspace(environment)
        file = environment.cwd / ".nbvc/config.toml"
        lines = file.read_text().splitlines()
        file.write_text("\n".join(line for line in lines if not line.startswith(name)))
        with (
            Workspace.open(environment=environment) as workspace,
            pytest.raises(InvalidConfig, match=f"names no {name}") as caught,
        ):
            workspace.status()
        assert caught.value.hint is not None
        assert "nbvc init" in caught.value.hint


class TestTheUsersFile:
    """The user may decide, but not by accident."""

    @pytest.mark.parametrize(
        "text",
        [
            'store = "s3://bucket"',
            'endpoint_url = "http://here"',
            'unknown = "x"',
            "author = 3",
            'author = ["Ada"]',
            "cache_size_mb = true",
            "cache_size_mb = 1.5",
            "timeout_seconds = true",
            '[stores]\n"s3://bucket" = 3',
            '[stores."s3://bucket"]\nauthor = "Ada"',
            '[stores."s3://bucket"]\nregion = 3',
            "stores = 3",
            "no TOML",
        ],
    )
    def test_what_cannot_be_used_is_refused_by_name(
        self, environment: Environment, text: str
    ) -> None:
        """A typing error there must not pass for a setting."""
        user_file(environment, text)
        with pytest.raises(InvalidConfig) as caught:
            Settings(environment, None)
        assert str(environment.user_config_file) in caught.value.message

    @pytest.mark.parametrize(("text", "seconds"), [("30", 30), ("0.5", 0.5), ('"2"', 2)])
    def test_how_long_to_wait_for_a_store_is_a_number_of_seconds(
        self, environment: Environment, text: str, seconds: float
    ) -> None:
        """Whole or not; 20 where nothing is set."""
        assert Settings(environment, None).connection(BUCKET).timeout_seconds == 20
        user_file(environment, f"timeout_seconds = {text}")
        assert Settings(environment, None).connection(BUCKET).timeout_seconds == seconds

    @pytest.mark.parametrize("text", ["0", "-1", "soon", "inf", "nan", "3601", ""])
    def test_a_wait_that_makes_no_sense_is_refused(
        self, environment: Environment, text: str
    ) -> None:
        """With where it was set."""
        wrong = replace(environment, variables={"NBVC_TIMEOUT_SECONDS": text})
        with pytest.raises(InvalidConfig, match="NBVC_TIMEOUT_SECONDS"):
            Settings(wrong, None).connection(BUCKET)

    def test_the_size_of_the_cache_is_a_number(self, environment: Environment) -> None:
        """In megabytes; 0 turns it off; anything else is refused with its origin."""
        user_file(environment, "cache_size_mb = 20")
        assert Settings(environment, None).cache_size_bytes == 20_000_000
        wrong = replace(environment, variables={"NBVC_CACHE_SIZE_MB": "much"})
        with pytest.raises(InvalidConfig, match="NBVC_CACHE_SIZE_MB"):
            _ = Settings(wrong, None).cache_size_bytes
