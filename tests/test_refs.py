"""Refs: what people type means one thing, or is refused with InvalidRef; nothing else happens."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvc.errors import InvalidRef
from nbvc.model import Digest
from nbvc.refs import (
    MAX_REF_LENGTH,
    AsOf,
    Base,
    Latest,
    Name,
    Number,
    Published,
    Ref,
    check_tag,
    parse_moment,
    parse_ref,
    parse_selector,
)

NOW = datetime(2026, 8, 15, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DIGEST = Digest.of(b"x")

typed_texts = st.text(max_size=30) | st.text("v0123456789abcdef~@{}. -/latesipynb", max_size=20)
bases = (
    st.integers(1, 9_999_999_999).map(lambda number: f"v{number}")
    | st.just("latest")
    | st.just("published")
    | st.from_regex(r"[0-9a-f]{4,64}", fullmatch=True)
    | st.from_regex(r"[g-uw-z][\w.+-]{0,20}", fullmatch=True).filter(
        lambda name: not name.endswith(".ipynb")
    )
    | st.from_regex(r"\{[0-9a-z: -]*[0-9a-z][0-9a-z: -]*\}", fullmatch=True)
)


def moment(
    text: str,
    *,
    now: datetime = NOW,
    timezone: tzinfo | None = UTC,
    end_of_day: bool = False,
) -> datetime:
    """Read *text* with what does not matter to most tests filled in."""
    return parse_moment(text, now=now, timezone=timezone, end_of_day=end_of_day)


# -- versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "base", "back"),
    [
        ("v1", Number(number=1), 0),
        ("v9999999999", Number(number=9_999_999_999), 0),
        ("v3~", Number(number=3), 1),
        ("v3~2", Number(number=3), 2),
        ("latest", Latest(), 0),
        ("LATEST", Latest(), 0),
        ("latest~0", Latest(), 0),
        ("latest~12", Latest(), 12),
        ("published", Published(), 0),
        ("published~1", Published(), 1),
        ("{2026-08-01}", AsOf(text="2026-08-01"), 0),
        ("{ 2 days ago }", AsOf(text="2 days ago"), 0),
        ("{yesterday}~3", AsOf(text="yesterday"), 3),
        ("{a~2}", AsOf(text="a~2"), 0),
        ("3f9a", Name(text="3f9a"), 0),
        ("3F9A1C2", Name(text="3F9A1C2"), 0),
        (DIGEST, Name(text=DIGEST), 0),
        ("release", Name(text="release"), 0),
        ("release-1.0~1", Name(text="release-1.0"), 1),
        ("entwürfe", Name(text="entwürfe"), 0),
        ("v0", Name(text="v0"), 0),
        ("v01", Name(text="v01"), 0),
        ("V3", Name(text="V3"), 0),
        ("v10000000000", Name(text="v10000000000"), 0),
        ("3HL4kqtJvjVBH40Nrjfkd._x-", Name(text="3HL4kqtJvjVBH40Nrjfkd._x-"), 0),
        ("-IEl2zll9DpxnRQFrwScYFTs59AM6Ew", Name(text="-IEl2zll9DpxnRQFrwScYFTs59AM6Ew"), 0),
        ("null", Name(text="null"), 0),
    ],
)
def test_a_version_means_one_thing(text: str, base: Base, back: int) -> None:
    """Each way of naming a version, with and without steps back."""
    selector = parse_selector(text)
    assert (selector.base, selector.back, selector.text) == (base, back, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "v 3",
        "~1",
        "~",
        "{}",
        "{ }",
        "{2026",
        "-v3",
        "--json",
        "-v3~1",
        "@v3",
        "a b",
        "\t",
        "1",
        "3f",
        "abc",
        "ABC",
        "3f9~1",
    ],
)
def test_what_names_no_version_is_refused(text: str) -> None:
    """Empty, with blanks, like an option, or a digest that is too short."""
    with pytest.raises(InvalidRef) as caught:
        parse_selector(text)
    assert "v3" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "fits"),
    [("3f9a", True), ("3F9A", True), (DIGEST, True), (f"{DIGEST}0", False), ("3f9g", False)],
)
def test_a_digest_prefix_is_told_from_other_names(text: str, fits: bool) -> None:
    """4 to 64 hexadecimal digits may begin a digest."""
    assert Name(text=text).is_digest_prefix is fits


@given(bases, st.none() | st.integers(0, 999_999_999))
def test_a_version_survives_being_printed(base: str, back: int | None) -> None:
    """What was read says as its text what was typed, and means the same when read again."""
    text = base if back is None else f"{base}~{back}"
    selector = parse_selector(text)
    assert selector.text == text
    assert selector.back == (back or 0)
    assert selector.base == parse_selector(base).base
    assert parse_ref(f"@{text}").selector == selector
    assert parse_ref(f"k/a@b.ipynb@{text}") == Ref(path="k/a@b.ipynb", selector=selector)


@given(typed_texts)
def test_any_text_is_a_ref_or_is_refused(text: str) -> None:
    """No other exception, whatever is typed."""
    with suppress(InvalidRef):
        assert parse_selector(text).back >= 0
    with suppress(InvalidRef):
        ref = parse_ref(text)
        assert ref.path is not None or ref.selector is not None


# -- refs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "version"),
    [
        ("mine.ipynb", "mine.ipynb", None),
        ("mine.ipynb@v3", "mine.ipynb", "v3"),
        ("a b/ü#?.ipynb@{2 days ago}", "a b/ü#?.ipynb", "{2 days ago}"),
        ("me@home/a.ipynb", "me@home/a.ipynb", None),
        ("me@home/a.ipynb@latest~2", "me@home/a.ipynb", "latest~2"),
        ("a.ipynb@v1/b.ipynb@v2", "a.ipynb@v1/b.ipynb", "v2"),
        ("@mine.ipynb", "@mine.ipynb", None),
        ("@mine.ipynb@v3", "@mine.ipynb", "v3"),
        ("@v3", None, "v3"),
        ("v3", None, "v3"),
        ("@{2026-08-01 10:00}", None, "{2026-08-01 10:00}"),
        ("release", None, "release"),
        ("kylek/notebooks/", "kylek/notebooks/", None),
        ("s3://b/workspace/k/mine.ipynb", "s3://b/workspace/k/mine.ipynb", None),
        ("s3://b/workspace/k/mine.ipynb@v3", "s3://b/workspace/k/mine.ipynb", "v3"),
        ("s3://b/k/a.ipynb?versionId=x", "s3://b/k/a.ipynb?versionId=x", None),
    ],
)
def test_a_ref_is_a_notebook_a_version_or_both(
    text: str, path: str | None, version: str | None
) -> None:
    """The version begins after the last ``.ipynb@``; everything before it is the path."""
    ref = parse_ref(text)
    assert ref.path == path
    assert ref.selector == (parse_selector(version) if version else None)


@pytest.mark.parametrize("text", ["", "  ", "\n", "x" * (MAX_REF_LENGTH + 1), "a.ipynb@", "@"])
def test_a_ref_without_meaning_is_refused(text: str) -> None:
    """Empty, endless, or with an ``@`` and nothing after it."""
    with pytest.raises(InvalidRef):
        parse_ref(text)


# -- tags -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["release", "release-1.0", "2026", "a_b+c.d", "entwürfe", "日本", "x" * 100, "v0", "V3"]
)
def test_a_plain_word_can_be_a_tag(name: str) -> None:
    """Letters and digits of any alphabet, and ``- _ . +`` inside."""
    check_tag(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "latest",
        "LATEST",
        "published",
        "working",
        "head",
        "HEAD",
        "v3",
        "v9999999999",
        "a b",
        "a~1",
        "a@b",
        "{a}",
        "-a",
        "_a",
        ".a",
        "+a",
        "a/b",
        "a\\b",
        "a\n",
        "a.ipynb",
        "x" * 101,
        "3f",
        "abc",
        "1",
        "�",
        "a\u202e",
    ],
)
def test_what_means_something_else_cannot_be_a_tag(name: str) -> None:
    """Reserved words, numbers, short digests, and what a shell or a ref would take apart."""
    with pytest.raises(InvalidRef):
        check_tag(name)


@given(typed_texts | bases)
def test_every_tag_can_be_typed_as_a_ref(name: str) -> None:
    """Whatever passes as a tag is read back as that very name, alone and after a path."""
    try:
        check_tag(name)
    except InvalidRef:
        return
    assert parse_selector(name).base == Name(text=name)
    assert parse_ref(name) == parse_ref(f"@{name}") == Ref(path=None, selector=parse_selector(name))
    assert parse_ref(f"a.ipynb@{name}~2").selector == parse_selector(f"{name}~2")


# -- moments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("2 days ago", NOW - timedelta(days=2)),
        ("  2  Days  AGO ", NOW - timedelta(days=2)),
        ("a day ago", NOW - timedelta(days=1)),
        ("an hour ago", NOW - timedelta(hours=1)),
        ("1 week ago", NOW - timedelta(weeks=1)),
        ("30 seconds ago", NOW - timedelta(seconds=30)),
        ("5min ago", NOW - timedelta(minutes=5)),
        ("3 h ago", NOW - timedelta(hours=3)),
        ("0 days ago", NOW),
        ("1 month ago", NOW - timedelta(seconds=2_629_746)),
        ("1 year ago", NOW - timedelta(seconds=31_556_952)),
        ("today", datetime(2026, 8, 15, tzinfo=UTC)),
        ("yesterday", datetime(2026, 8, 14, tzinfo=UTC)),
        ("2026-08-01", datetime(2026, 8, 1, tzinfo=UTC)),
        ("20260801", datetime(2026, 8, 1, tzinfo=UTC)),
        ("2026-W31-6", datetime(2026, 8, 1, tzinfo=UTC)),
        ("2026W31T12", datetime(2026, 7, 27, 12, tzinfo=UTC)),
        ("2026-08-01 14:30", datetime(2026, 8, 1, 14, 30, tzinfo=UTC)),
        ("2026-08-01T14:30:15.5Z", datetime(2026, 8, 1, 14, 30, 15, 500_000, tzinfo=UTC)),
        ("2026-08-01T14:30:00+02:00", datetime(2026, 8, 1, 12, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_means_one_moment(text: str, expected: datetime) -> None:
    """Each way of naming a moment, at its start where it is a day."""
    assert moment(text) == expected


@pytest.mark.parametrize("text", ["today", "yesterday", "2026-08-01", "20260801", "2026-W31-6"])
def test_a_bare_day_means_all_of_it_where_its_end_is_asked_for(text: str) -> None:
    """As of a day includes what was saved on that day."""
    start, end = moment(text), moment(text, end_of_day=True)
    assert end - start == timedelta(days=1) - timedelta(microseconds=1)


@pytest.mark.parametrize(
    "text", ["now", "2 days ago", "2026-08-01 14:30", "2026-08-01T00:00Z", "2026W31T12"]
)
def test_a_time_of_day_is_not_stretched_to_the_end_of_the_day(text: str) -> None:
    """Only a bare day has an end."""
    assert moment(text, end_of_day=True) == moment(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-01", datetime(2026, 7, 31, 22, tzinfo=UTC)),
        ("2026-01-01", datetime(2025, 12, 31, 23, tzinfo=UTC)),
        ("2026-08-01 14:30", datetime(2026, 8, 1, 12, 30, tzinfo=UTC)),
        ("2026-08-01 14:30Z", datetime(2026, 8, 1, 14, 30, tzinfo=UTC)),
        ("2026-03-29 02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("2026-10-25 02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
    ids=["summer", "winter", "time", "own zone", "hour that is skipped", "hour that comes twice"],
)
def test_a_time_without_a_zone_is_local(text: str, expected: datetime) -> None:
    """Summer and winter time are told apart by the date, not by today's offset."""
    assert moment(text, timezone=BERLIN) == expected


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-08-01", 24), ("2026-10-25", 25)]
)
def test_a_day_on_which_the_clocks_change_is_shorter_or_longer(day: str, hours: int) -> None:
    """From its start to its end is the whole local day."""
    start, end = (moment(day, timezone=BERLIN, end_of_day=end) for end in (False, True))
    assert end - start == timedelta(hours=hours) - timedelta(microseconds=1)


def test_today_is_the_day_of_the_zone() -> None:
    """Late in the evening in UTC it is tomorrow already in Tokyo."""
    late = datetime(2026, 8, 15, 23, tzinfo=UTC)
    tokyo = moment("today", now=late, timezone=ZoneInfo("Asia/Tokyo"))
    assert tokyo == datetime(2026, 8, 15, 15, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-08-01", "2026-08-01 14:30", "today", "yesterday"])
def test_without_a_zone_the_machine_decides(text: str) -> None:
    """The machine's own zone, whichever it is, gives the same local time."""
    read = moment(text, timezone=None)
    assert read.tzinfo is UTC
    assert read == read.astimezone().replace(tzinfo=None).astimezone(UTC)


def test_now_in_another_zone_comes_back_in_utc() -> None:
    """Every result is in UTC, also one that is counted back from now."""
    local = NOW.astimezone(BERLIN)
    for text in ("now", "2 days ago", "today"):
        assert moment(text, now=local).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "2026-13-01",
        "2026-02-30",
        "999999 years ago",
        "2000000 days ago",
        "-1 days ago",
        "two days ago",
        "2 days",
        "ago",
        "2026-08-01T25:00",
        "1e5 days ago",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Not a date, not a time, or before the calendar begins."""
    with pytest.raises(InvalidRef):
        moment(text)


zones = st.none() | st.timezones() | st.just(UTC)
moment_texts = (
    st.dates().map(date.isoformat)
    | st.datetimes(timezones=st.none() | st.timezones()).map(datetime.isoformat)
    | st.builds("{} {}s ago".format, st.integers(0, 10**7), st.sampled_from(["day", "year", "h"]))
    | st.sampled_from(
        ["0001-01-01", "9999-12-31", "0001-01-01T00:00", "9999-12-31T23:59:59.999999"]
    )
    | typed_texts
)


@given(moment_texts, zones, st.booleans())
def test_any_text_is_a_moment_or_is_refused(
    text: str,
    timezone: tzinfo | None,
    end_of_day: bool,
) -> None:
    """No other exception, in any zone, also in the years that UTC cannot express."""
    with suppress(InvalidRef):
        read = moment(text, timezone=timezone, end_of_day=end_of_day)
        assert read.utcoffset() == timedelta(0)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.timezones())
def test_a_printed_moment_is_read_back(naive: datetime, zone: tzinfo) -> None:
    """RFC 3339 as ``log --json`` prints it, and local time, mean the moment that was printed."""
    aware = naive.replace(tzinfo=zone).astimezone(UTC)
    assert moment(aware.isoformat()) == aware
    assert moment(naive.isoformat(), timezone=zone) == aware


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.timezones())
def test_the_end_of_a_day_is_in_that_day(day: date, zone: tzinfo) -> None:
    """Whatever the zone does that day, its first and last moments are the local ones."""
    end = moment(day.isoformat(), timezone=zone, end_of_day=True)
    assert end == datetime.combine(day, time.max, zone).astimezone(UTC)
    start = moment(day.isoformat(), timezone=zone)
    assert start == datetime.combine(day, time.min, zone).astimezone(UTC)
