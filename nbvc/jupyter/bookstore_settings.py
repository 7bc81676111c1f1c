"""bookstore's own configuration, ``c.BookstoreSettings``: what of it still means something.

Each setting has a successor, which counts where both are given. ``JPYNB_S3_*`` variables are not
read, as bookstore did not read them either: it only named them in its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from traitlets import Bool, Integer, Unicode
from traitlets.config import Configurable

from nbvc.environment import Environment
from nbvc.errors import InvalidConfig, InvalidInput
from nbvc.manifest.layout import Layout
from nbvc.stores.opening import parse_s3_url
from nbvc.values import dataclass
from nbvc.workspace.binding import session_as_bound
from nbvc.workspace.settings import WHOLE_AREA

_AWS = "https://s3.amazonaws.com"
"""bookstore's default: it stands for AWS itself, whose addresses depend on the region."""

SUCCESSORS: Mapping[str, str] = {
    "s3_bucket": 'c.NbvcExtension.store = "s3://..."',
    "workspace_prefix": "c.NbvcExtension.namespace, and nbvc init --workspace-prefix",
    "published_prefix": "c.NbvcExtension.namespace, and nbvc init --published-prefix",
    "s3_endpoint_url": "nbvc config set endpoint_url, or NBVC_ENDPOINT_URL",
    "s3_region_name": "nbvc config set region, or NBVC_REGION",
    "s3_access_key_id": "aws configure, AWS_PROFILE or a role; this setting is not used any more",
    "s3_secret_access_key": "aws configure, AWS_PROFILE or a role; this setting is not used "
    "any more, so take the key out of the file",
    "enable_s3_cloning": "c.NbvcExtension.s3_clone_enabled",
    "fs_cloning_basedir": "c.NbvcExtension.fs_cloning_basedir",
    "max_threads": "nothing; it is not used any more",
}
"""What to write instead of each setting."""


class BookstoreSettings(Configurable):
    """The settings of bookstore 2.5.1, for a server that was configured for it."""

    workspace_prefix = Unicode("workspace", help="Deprecated.").tag(config=True)
    published_prefix = Unicode("published", help="Deprecated.").tag(config=True)
    enable_s3_cloning = Bool(True, help="Deprecated.").tag(config=True)
    s3_access_key_id = Unicode(None, allow_none=True, help="Not used.").tag(config=True)
    s3_secret_access_key = Unicode(None, allow_none=True, help="Not used.").tag(config=True)
    s3_endpoint_url = Unicode(_AWS, help="Deprecated.").tag(config=True)
    s3_region_name = Unicode("us-east-1", help="Deprecated.").tag(config=True)
    s3_bucket = Unicode("", help="Deprecated.").tag(config=True)
    max_threads = Integer(16, help="Not used.").tag(config=True)
    fs_cloning_basedir = Unicode("", help="Deprecated.").tag(config=True)

    @property
    def given(self) -> frozenset[str]:
        """The names of the settings that the server's configuration gives."""
        return frozenset(self.config.get(type(self).__name__, {})) & frozenset(SUCCESSORS)

    @property
    def store(self) -> str | None:
        """URL of the bucket, or ``None`` where there is none.

        Raises:
            InvalidConfig: It cannot be a bucket.
        """
        if not self.s3_bucket:
            return None
        url = f"s3://{self.s3_bucket}"
        try:
            _, root = parse_s3_url(url)
        except InvalidInput as error:
            raise InvalidConfig(
                f"c.BookstoreSettings.s3_bucket cannot be used: {error.message}"
            ) from error
        if root:
            raise InvalidConfig("c.BookstoreSettings.s3_bucket is more than the name of a bucket.")
        return url

    @property
    def connection(self) -> Mapping[str, str]:
        """Where the configuration says that the server of the bucket is."""
        address = self.s3_endpoint_url.rstrip("/")
        found = {}
        if "s3_endpoint_url" in self.given and address not in {"", _AWS}:
            found["endpoint_url"] = self.s3_endpoint_url
        if "s3_region_name" in self.given and self.s3_region_name:
            found["region"] = self.s3_region_name
        return found

    @property
    def places(self) -> Places:
        """What the prefixes mean.

        Raises:
            InvalidConfig: They cannot be the areas of a store.
        """
        return split_prefixes(self.workspace_prefix, self.published_prefix)

    def target(self, root: Path, environment: Environment, *, namespace: str) -> Target | None:
        """Return where the notebooks of a server go that is told so by bookstore's settings alone.

        ``None`` where they name no bucket, or ``NBVC_STORE`` names another store. A root that is
        bound to the bucket keeps the namespace that it was given then.

        Args:
            root: The server's root.
            environment: Surroundings of the process.
            namespace: What ``c.NbvcExtension.namespace`` says.

        Raises:
            InvalidConfig: They cannot be used.
        """
        store = self.store
        if store is None or environment.variables.get("NBVC_STORE"):
            return None
        places = self.places
        bound = session_as_bound(root, environment).settings.get("store")
        if not namespace and bound != store and not environment.variables.get("NBVC_NAMESPACE"):
            namespace = places.namespace
        return Target(store=store, namespace=namespace, layout=places.layout)

    def note(self) -> str | None:
        """Return what to say of the settings that are given; their values may be secret."""
        if not self.given:
            return None
        lines = [f"  {name}: {SUCCESSORS[name]}" for name in SUCCESSORS if name in self.given]
        return "\n".join(("c.BookstoreSettings is deprecated. Use instead, of", *lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A store, and the place in it.

    Attributes:
        store: Its URL.
        namespace: The part of the keys; empty where the root has one already.
        layout: The prefixes that the store must have.
    """

    store: str
    namespace: str
    layout: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where bookstore's prefixes put notebooks.

    Attributes:
        layout: The areas.
        namespace: The part of the keys behind them; ``/`` where there is none.
    """

    layout: Layout
    namespace: str


def split_prefixes(workspace: str, published: str) -> Places:
    """Return the areas and the namespace that two prefixes of bookstore mean together.

    People had ``/workspace/kylek/notebooks`` and ``/published/kylek/notebooks``: what both end
    with is the namespace.

    Raises:
        InvalidConfig: They cannot be the areas of a store.
    """
    one, other = workspace.strip("/").split("/"), published.strip("/").split("/")
    common: list[str] = []
    while len(one) > 1 and len(other) > 1 and one[-1] == other[-1]:
        common.insert(0, one.pop())
        other.pop()
    try:
        # bookstore takes an empty prefix as a way to turn an area off.
        layout = Layout(
            workspace="/".join(one) or Layout().workspace,
            published="/".join(other) or Layout().published,
        )
    except InvalidInput as error:
        raise InvalidConfig(
            f"The prefixes in c.BookstoreSettings cannot be used: {error.message}"
        ) from error
    return Places(layout=layout, namespace="/".join(common) or WHOLE_AREA)


def is_absolute(folder: str) -> bool:
    """Return whether *folder* may be cloned from."""
    return Path(folder).is_absolute() and "\0" not in folder
