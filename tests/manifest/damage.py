"""Every way of damaging one byte of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from nbvc.errors import IntegrityError


def damaged(data: bytes) -> Iterator[bytes]:
    """Yield *data* with each byte changed in three ways, removed, or doubled, and cut off there."""
    for index, byte in enumerate(data):
        before, after = data[:index], data[index + 1 :]
        for other in (byte ^ 0x01, byte ^ 0x20, byte ^ 0x80):
            yield before + bytes([other]) + after
        yield before + after
        yield before
        yield before + bytes([byte, byte]) + after


def assert_damage_shows(data: bytes, decode: Callable[[bytes], object]) -> None:
    """Check that every damaged form of *data* is refused, and never read as anything else."""
    meaning = decode(data)
    for altered in damaged(data):
        try:
            assert decode(altered) == meaning
        except IntegrityError:
            continue
    for foreign in (b"", b"{}", b"null", b"[]", b"\xff\xfe", b"<xml/>", data + b"\n", data * 2):
        with pytest.raises(IntegrityError):
            decode(foreign)
