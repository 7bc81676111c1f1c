from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvc.text import printable, printable_line, without_secrets


def test_a_terminal_escape_becomes_visible() -> None:
    """ESC and the C1 form of CSI are written as escapes, so no terminal obeys them."""
    assert printable("\x1b[2J\x9b31m") == r"\x1b[2J\x9b31m"


def test_a_bidirectional_override_becomes_visible() -> None:
    """Text cannot be made to read differently from what it is."""
    assert printable("a\u202eb\u2066c") == r"a\u202eb\u2066c"


def test_newlines_and_tabs_stay_in_text_and_not_in_a_line() -> None:
    """``printable`` keeps the shape of a text; ``printable_line`` keeps it on one line."""
    assert printable("a\n\tb") == "a\n\tb"
    assert printable_line("a\n\tb") == r"a\x0a\x09b"


def test_other_scripts_stay_as_they_are() -> None:
    """Only control characters change: accents, scripts and emoji do not."""
    text = "Zürich 東京 שלום 🎉"
    assert printable_line(text) == text


@given(st.text(st.characters()))
def test_any_text_can_be_encoded_and_escaping_twice_changes_nothing(text: str) -> None:
    """What comes out is UTF-8 text, even of lone surrogates, and stays as it is."""
    once = printable_line(text)
    once.encode()
    assert printable_line(once) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at https://key:secret@host:9000/x now", "at https://host:9000/x now"),
        ("https:/key:secret@host/x", "https:/host/x"),
        ("'https://h/k?X-Amz-Signature=abc&x=1'", "'https://h/k'"),
        ("https://h/k?versionId=a.b&X-Amz-Signature=c d", "https://h/k?versionId=a.b d"),
        ("s3://b/k.ipynb?versionId=a_b", "s3://b/k.ipynb?versionId=a_b"),
        ("s3://b/k.ipynb@v3, why? mine.ipynb@v2", "s3://b/k.ipynb@v3, why? mine.ipynb@v2"),
    ],
)
def test_what_may_be_secret_leaves_a_url(text: str, expected: str) -> None:
    """User information and queries go; versions stay, and so does what is no URL."""
    assert without_secrets(text) == expected
    assert without_secrets(expected) == expected
