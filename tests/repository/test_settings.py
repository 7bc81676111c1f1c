"""Store settings: found out by trying, written once, and damage shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from nbvc.errors import IntegrityError, StoreMisconfigured, VersioningOff
from nbvc.manifest.layout import STORE_FILE, Layout
from nbvc.manifest.sealing import seal
from nbvc.repository.settings import decode, encode, prepare, probe, read_settings
from nbvc.stores.base import Capabilities, Create, Overwrite
from tests.manifest.damage import assert_damage_shows
from tests.repository.support import NOON
from tests.stores.contract import write
from tests.stores.memory import MemoryStore
from tests.stores.wrapping import Request, WrappedStore

T = TypeVar("T")


@pytest.mark.parametrize("conditional", [True, False], ids=["honest", "lying"])
def test_conditions_are_found_out_by_trying(conditional: bool) -> None:
    """A store that ignores a condition and answers success is found out; nothing is left there."""
    store = MemoryStore(conditional=conditional)
    found = probe(store, "token")
    assert found == Capabilities(conditional_create=conditional, conditional_replace=conditional)
    assert list(store.list_versions("")) == []


class NotImplementedStore(WrappedStore):
    """Answers 501 to conditional writes, as Swift and B2 do."""

    def put(self, key: str, data: bytes, **options: object) -> object:
        """Refuse what is not a plain write."""
        if not isinstance(options["mode"], Overwrite):
            raise StoreMisconfigured("501 Not Implemented")
        return self.inner.put(key, data, **options)  # type: ignore[arg-type]


def test_a_store_that_knows_no_conditions_is_usable() -> None:
    """Its refusal is an answer, not a failure."""
    store = NotImplementedStore(MemoryStore())
    found = probe(store, "token")
    assert found == Capabilities(conditional_create=False, conditional_replace=False)
    assert prepare(store, token="token", now=NOON).capabilities == found


class ForgetfulStore(WrappedStore):
    """Keeps only the newest version, and makes up version IDs all the same."""

    def around(self, request: Request, send: Callable[[], T]) -> T:
        """Forget the older versions after each write."""
        reply = send()
        if request.name == "put":
            for entry in list(self.inner.list_versions(request.key))[1:]:
                self.inner.delete_version(entry.key, entry.version_id)
        return reply


def test_a_store_that_keeps_no_versions_is_refused() -> None:
    """Nothing would be safe there, whatever it answers; nothing is prepared."""
    store = ForgetfulStore(MemoryStore())
    with pytest.raises(VersioningOff):
        prepare(store, token="token", now=NOON)
    assert read_settings(store) is None


def test_a_store_is_prepared_once() -> None:
    """The first settings hold; a second call returns them."""
    store = MemoryStore()
    layout = Layout(workspace="team/work", published="team/out")
    first = prepare(store, token="one", now=NOON, layout=layout)
    second = prepare(store, token="two", now=NOON)
    assert first == second == read_settings(store)
    assert (first.store_id, first.layout, first.created_at) == ("one", layout, NOON)
    assert len(list(store.list_versions(STORE_FILE))) == 1


@pytest.mark.parametrize("conditional", [True, False], ids=["honest", "lying"])
def test_of_two_who_prepare_at_once_the_first_one_holds(conditional: bool) -> None:
    """Whoever comes second meets the condition, or finds an older file, and takes what is there."""
    store = MemoryStore(conditional=conditional)
    layout = Layout(workspace="team/work", published="team/out")
    first = prepare(store.clone(), token="one", now=NOON, layout=layout)

    class Meanwhile(WrappedStore):
        def around(self, request: Request, send: Callable[[], T]) -> T:
            if request.name == "put" and request.key == STORE_FILE:
                write(self.inner, STORE_FILE, encode(first), Create())
            return send()

    assert prepare(Meanwhile(store), token="two", now=NOON) == first == read_settings(store)
    assert len(list(store.list_versions(STORE_FILE))) == 1


def test_settings_that_were_deleted_do_not_stand_in_the_way() -> None:
    """A store whose settings somebody took away can be prepared again, also without conditions."""
    store = MemoryStore(conditional=False)
    prepare(store, token="one", now=NOON)
    store.delete(STORE_FILE)
    second = prepare(store, token="two", now=NOON)
    assert (second.store_id, second) == ("two", read_settings(store))


def test_every_damaged_byte_of_the_settings_shows() -> None:
    """Each byte flipped, removed, doubled or cut at gives the error."""
    store = MemoryStore()
    assert_damage_shows(encode(prepare(store, token="one", now=NOON)), decode)


@pytest.mark.parametrize(
    "document",
    [{}, {"areas": {"workspace": "..", "published": "b"}}, {"areas": 1}, {"created_at": "soon"}],
)
def test_settings_that_cannot_be_are_an_integrity_error(document: dict[str, object]) -> None:
    """Members missing, of another kind, or with prefixes that lead upwards."""
    complete = {
        "format": 1,
        "store_id": "x",
        "capabilities": {"conditional_create": True, "conditional_replace": True},
        "areas": {"workspace": "a", "published": "b"},
        "created_at": "2026-08-01T12:00:00Z",
    }
    assert decode(seal(complete)).layout == Layout(workspace="a", published="b")
    with pytest.raises(IntegrityError):
        decode(seal({**complete, **document} if document else {"format": 1}))


def test_unknown_settings_are_kept() -> None:
    """What a later release adds survives in this one."""
    settings = prepare(MemoryStore(), token="one", now=NOON)
    settings.extra["retention"] = {"days": 30}
    assert decode(encode(settings)) == settings
