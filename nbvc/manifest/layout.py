"""Where everything lies in a store: the keys of notebooks, records and states.

The index tree mirrors the data tree, so one prefix per person covers both (see docs/format.md).
"""

from __future__ import annotations

from nbvc.errors import InvalidKey
from nbvc.model import (
    MAX_KEY_BYTES,
    MAX_NUMBER,
    NOTEBOOK_SUFFIX,
    Area,
    Digest,
    NotebookKey,
    check_key_path,
)
from nbvc.values import dataclass

INDEX_FOLDER = ".nbvc"
STORE_FILE = f"{INDEX_FOLDER}/store.json"
SCRATCH_PREFIX = f"{INDEX_FOLDER}/scratch/"
_INDEX_OVERHEAD = len("/v/0000000000.json")
_SHORTENED_DIGITS = _INDEX_OVERHEAD - len("/d/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The prefixes of the two areas; all keys follow from them.

    Attributes:
        workspace: Prefix of the drafts, without slashes at its ends.
        published: Prefix of the shared copies.
    """

    workspace: str = Area.WORKSPACE.value
    published: str = Area.PUBLISHED.value

    def __post_init__(self) -> None:
        """Refuse prefixes that hide one another."""
        for prefix in (self.workspace, self.published):
            check_key_path(prefix)
        one, other = f"{self.workspace}/", f"{self.published}/"
        if one.startswith(other) or other.startswith(one):
            raise InvalidKey(f"The areas {one!r} and {other!r} overlap.")

    def prefix(self, area: Area) -> str:
        """Return the prefix of *area*."""
        return self.workspace if area is Area.WORKSPACE else self.published

    def data_key(self, area: Area, key: NotebookKey) -> str:
        """Return where the notebook's bytes are.

        Raises:
            InvalidKey: The keys of its index would be longer than a store allows.
        """
        data_key = f"{self.prefix(area)}/{key}"
        index_bytes = len(f"{INDEX_FOLDER}/{data_key}".encode()) + _INDEX_OVERHEAD
        if index_bytes > MAX_KEY_BYTES:
            raise InvalidKey(
                f"The key of {key[-40:]!r} is {index_bytes - MAX_KEY_BYTES} bytes too long "
                f"(S3 allows {MAX_KEY_BYTES} in all).",
                hint="Use a shorter path or a shorter namespace.",
            )
        return data_key

    def index(self, area: Area, key: NotebookKey) -> str:
        """Return the prefix of all that describes a notebook."""
        return f"{INDEX_FOLDER}/{self.data_key(area, key)}/"

    def records(self, area: Area, key: NotebookKey) -> str:
        """Return the prefix of the records of a notebook."""
        return f"{self.index(area, key)}v/"

    def states(self, area: Area, key: NotebookKey) -> str:
        """Return the prefix of the states of a notebook."""
        return f"{self.index(area, key)}s/"

    def packs(self, area: Area, key: NotebookKey) -> str:
        """Return the prefix of the packs of a notebook."""
        return f"{self.index(area, key)}p/"

    def pack_key(self, area: Area, key: NotebookKey, digest: Digest) -> str:
        """Return where the pack of these bytes is: as long as the key of a record."""
        return f"{self.packs(area, key)}{digest[:_SHORTENED_DIGITS]}"

    def index_prefix(self, area: Area) -> str:
        """Return the prefix of all that describes the notebooks of *area*."""
        return f"{INDEX_FOLDER}/{self.prefix(area)}/"

    def described_key(self, area: Area, index_key: str) -> NotebookKey | None:
        """Return the notebook that an object of the index is about, ``None`` where it is none's."""
        root = self.index_prefix(area)
        # No folder's name ends in .ipynb, so that the first such name is the notebook's.
        name, mark, _ = index_key.removeprefix(root).partition(f"{NOTEBOOK_SUFFIX}/")
        if not mark or not index_key.startswith(root):
            return None
        try:
            return NotebookKey(name + NOTEBOOK_SUFFIX)
        except InvalidKey:
            return None

    def notebook_key(self, area: Area, data_key: str) -> NotebookKey | None:
        """Return the notebook key of a data key, or ``None`` where it is not a notebook's."""
        prefix = f"{self.prefix(area)}/"
        if not data_key.startswith(prefix):
            return None
        try:
            return NotebookKey(data_key.removeprefix(prefix))
        except InvalidKey:
            return None


def entry_key(prefix: str, number: int) -> str:
    """Return the key of entry *number* of a sequence; a plain listing gives the newest first."""
    if not 1 <= number <= MAX_NUMBER:
        raise ValueError(f"not a version number: {number}")
    return f"{prefix}{MAX_NUMBER - number:010d}.json"


def entry_number(prefix: str, key: str) -> int | None:
    """Return the number that *key* claims in a sequence, or ``None`` where it is no entry of it."""
    digits = key.removeprefix(prefix).removesuffix(".json")
    if not key.startswith(prefix) or len(digits) != 10 or not digits.isdecimal():
        return None
    number = MAX_NUMBER - int(digits)
    return number if number >= 1 and entry_key(prefix, number) == key else None


def damaged_key(key: str, digest: Digest) -> str:
    """Return where a repair keeps bytes that lay in the place of *key*, a record or a state.

    Beside it, where who may write the one may write the other; as long as the longest of those.
    """
    return f"{key.rpartition('/')[0].rpartition('/')[0]}/d/{digest[:_SHORTENED_DIGITS]}"
