"""The benchmarks: they count what they say, and tell when a target is missed. Nothing is timed."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nbvc.stores.local import LocalStore
from scripts.benchmarks import (
    corpus,
    diffing,
    growth,
    hard_pairs,
    main,
    measuring,
    peers,
    reporting,
    s3,
    sizes,
    startup,
)
from scripts.benchmarks.measuring import Case, Row
from scripts.benchmarks.notebooks import notebook
from scripts.benchmarks.proxy import DelayProxy, Traffic, delay_proxy
from scripts.benchmarks.surroundings import Surroundings
from scripts.benchmarks.warm import Stopped, worker
from tests.s3_server import isolate_aws_settings, real_endpoint

ANSWER = b"HTTP/1.1 200"
NOTHING = Traffic(requests=0, round_trips=0, connections=0, sent_bytes=0, received_bytes=0)


def takes(*seconds: float) -> Case:
    """Return a case whose runs say that they took so long, the last of them ever after."""
    left = list(seconds)
    return Case(run=lambda: left.pop(0) if len(left) > 1 else left[0])


def surroundings(folder: Path, endpoint: str = "") -> Surroundings:
    """Return those of a quick run with one round."""
    return Surroundings(folder=folder, endpoint=endpoint, quick=True, rounds=1)


# What a row says


def test_the_ratio_is_the_median_of_the_rounds_and_the_first_does_not_count() -> None:
    """It is not the ratio of the medians."""
    cases = {"nbvc": takes(9, 1, 2, 30), "peer": takes(9, 10, 1, 10)}
    (row,) = measuring.compare("x", cases, rounds=3)
    assert (row.ours, row.theirs, row.ratio) == (2000, 10000, 2)


@pytest.mark.parametrize(("seconds", "met"), [(0.9, True), (1.0, True), (1.1, False)])
def test_a_target_is_met_up_to_its_limit(seconds: float, met: bool) -> None:
    """The limit itself is allowed."""
    cases = {"nbvc": takes(seconds), "peer": takes(0.5)}
    (row,) = measuring.compare("x", cases, rounds=2, at_most={"peer": 2.0})
    assert (row.target, row.met) == ("at most 2 x", met)


def test_without_a_target_nothing_is_met_or_missed() -> None:
    """A peer that wins is said, and is no failure."""
    (row,) = measuring.compare("x", {"nbvc": takes(2), "peer": takes(1)}, rounds=1)
    assert (row.target, row.met) == (None, None)
    assert reporting.cells(row)[4] == "2.00, peer wins"


def test_the_cases_take_turns() -> None:
    """Round by round, each after what it needs."""
    done: list[str] = []
    cases = {
        name: Case(
            prepare=lambda name=name: done.append(f"-{name}"),
            run=lambda name=name: done.append(name),
        )
        for name in "ab"
    }
    measuring.compare("x", cases, rounds=2, warm_up=False)
    assert done == ["-a", "a", "-b", "b"] * 2


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (1, 2, "nbvc wins"),
        (100, 101, "even"),
        (2, 1, "peer wins"),
        (0, 0, "even"),
        (1, 0, "peer wins"),
        (0, 3, "nbvc wins"),
    ],
)
def test_less_wins(ours: int, theirs: int, said: str) -> None:
    """Also where one of the two is nothing."""
    row = measuring.counted("x", "things", ours, "peer", theirs)
    assert reporting.winner(row) == said


def test_a_number_is_held_against_the_peer_or_against_a_limit() -> None:
    """At most so many times, or so much."""
    assert measuring.counted("x", "bytes", 95, "git", 100, at_most=0.95).met is True
    assert measuring.counted("x", "bytes", 96, "git", 100, at_most=0.95).met is False
    assert measuring.limited("x", "ms", 500, 500).met is True
    assert measuring.limited("x", "ms", 501, 500).met is False


def test_a_peer_that_was_stopped_gives_a_bound() -> None:
    """It would have taken longer, so the ratio would be less."""
    row = measuring.counted("x", "ms", 10, "nbdime", 2000, is_bound=True)
    assert reporting.cells(row)[3:5] == ("over 2,000 ms", "under 0.005, nbvc wins")
    slow = measuring.counted("x", "ms", 4000, "nbdime", 2000, is_bound=True)
    assert reporting.cells(slow)[4] == "under 2.00"


# What is printed


def rows() -> list[Row]:
    """Return a row with everything, and one with nothing."""
    traffic = Traffic(requests=1, round_trips=1, connections=1, sent_bytes=1500, received_bytes=20)
    full = Row(
        what="save",
        ours=12.5,
        peer="a | b",
        theirs=25.0,
        ratio=0.5,
        latency_ms=50.0,
        target="at most 1 x",
        met=True,
        traffic=traffic,
        peer_traffic=NOTHING,
        note="noted",
        family="s3",
    )
    return [full, Row(what="missing", note="why")]


def test_the_table_says_all_that_was_measured() -> None:
    """Latency, both sides' traffic, and the note."""
    first, full, empty = reporting.table(rows()).splitlines()
    assert first.split() == list(reporting.HEADERS)
    assert full.startswith(
        "save, 50 ms away  12.5 ms  a | b  25.0 ms  0.50, nbvc wins  at most 1 x  yes"
    )
    assert full.endswith(
        "nbvc: 1 request, 1.5 kB up, 20 B down; peer: 0 requests, 0 B up, 0 B down; noted"
    )
    assert empty.split() == ["missing", "why"]


def test_the_markdown_table_has_the_same_cells() -> None:
    """A bar in a name does not end its cell."""
    lines = reporting.markdown(rows()).splitlines()
    assert len(lines) == 4
    assert "| a \\| b |" in lines[2]


def test_the_json_holds_each_row_with_its_winner() -> None:
    """Numbers as numbers, in one document."""
    found = json.loads(reporting.document({"commit": "abc"}, rows()))
    assert found["commit"] == "abc"
    full, empty = found["rows"]
    assert (full["ours"], full["unit"], full["winner"], full["family"]) == (
        12.5,
        "ms",
        "nbvc wins",
        "s3",
    )
    assert full["traffic"]["sent_bytes"] == 1500
    assert (empty["ours"], empty["winner"], empty["met"]) == (None, None, None)


# The command


def run_main(monkeypatch: pytest.MonkeyPatch, row: Row, *arguments: str) -> int:
    """Run the command with one family that has one row."""
    families = {"one": main.Family(about="one row", benchmarks=(lambda _: [row],))}
    monkeypatch.setattr(main, "FAMILIES", families)
    monkeypatch.setenv("NBVC_TEST_S3_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    return main.main(list(arguments))


@pytest.mark.parametrize(("met", "status"), [(True, 0), (None, 0), (False, 1)])
def test_a_missed_target_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, met: bool | None, status: int
) -> None:
    """The table and the file are written all the same."""
    file = tmp_path / "result.json"
    assert run_main(monkeypatch, Row(what="x", met=met), "--json", str(file)) == status
    found = json.loads(file.read_text())
    assert [row["what"] for row in found["rows"]] == ["x"]
    assert found["rows"][0]["family"] == "one"
    assert {"command", "commit", "machine", "load before", "load after"} <= found.keys()


def test_a_run_that_is_stopped_keeps_the_rows_that_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file is written after each benchmark."""

    def stopped(_: Surroundings) -> list[Row]:
        raise KeyboardInterrupt

    two = main.Family(about="two", benchmarks=(lambda _: [Row(what="x")], stopped))
    monkeypatch.setattr(main, "FAMILIES", {"two": two})
    monkeypatch.setenv("NBVC_TEST_S3_URL", "")
    monkeypatch.setenv("NO_PROXY", "")
    file = tmp_path / "result.json"
    with pytest.raises(KeyboardInterrupt):
        main.main(["--json", str(file)])
    assert [row["what"] for row in json.loads(file.read_text())["rows"]] == ["x"]


def test_an_unknown_family_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is measured."""
    with pytest.raises(SystemExit, match="2"):
        run_main(monkeypatch, Row(what="x"), "two")
    assert "there is no family two" in capsys.readouterr().err


def test_the_list_names_every_family(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each."""
    assert main.main(["--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == list(main.FAMILIES)


@pytest.mark.parametrize("error", [corpus.MissingCorpus(), peers.MissingPeer("no bookstore")])
def test_what_is_missing_is_said_in_its_row(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The other families are measured."""
    monkeypatch.setenv("NBVC_TEST_S3_URL", "")

    def fails(_: Surroundings) -> list[Row]:
        raise error

    (row,) = main.measured("one", fails, main.parse([]))
    assert (row.note, row.met, row.family) == (str(error), None, "one")


def test_a_peer_that_cannot_be_installed_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Here no folder for its environment can be made."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("NBVC_SERVERS_DIR", str(tmp_path / "file"))
    with pytest.raises(peers.MissingPeer, match="aws cannot be installed: no folder"):
        peers.program("aws")


# The proxy


@contextmanager
def answering() -> Iterator[str]:
    """Serve: answer each message that ends in a line end, on any number of connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(connection: socket.socket) -> None:
            with connection:
                while data := connection.recv(1 << 16):
                    if data.endswith(b"\n"):
                        connection.sendall(ANSWER)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield "http://{}:{}".format(*server.getsockname())
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def exchange(proxy: DelayProxy, *messages: bytes) -> None:
    """Send *messages* on one connection, each after what the one before led to."""
    host, _, port = proxy.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        for message in messages:
            before = proxy.traffic.sent_bytes
            connection.sendall(message)
            if message.endswith(b"\n"):
                assert connection.recv(1 << 16) == ANSWER
            while proxy.traffic.sent_bytes < before + len(message):
                time.sleep(0.001)


def test_the_proxy_counts_requests_round_trips_connections_and_bytes() -> None:
    """A body that waits for an answer is a round trip, and one that does not is none."""
    messages = (b"PUT /b/k HTTP/1.1\r\n", b"the", b"body\n")
    with answering() as url, delay_proxy(url) as proxy:
        exchange(proxy, *messages)
        exchange(proxy, b"GET /b HTTP/1.1\r\n")
        assert proxy.requests == [("PUT", "/b/k"), ("GET", "/b")]
        assert proxy.traffic == Traffic(
            requests=2,
            round_trips=3,
            connections=2,
            sent_bytes=sum(map(len, messages)) + len(b"GET /b HTTP/1.1\r\n"),
            received_bytes=3 * len(ANSWER),
        )
        proxy.reset()
        assert proxy.traffic == NOTHING


# Processes


def test_a_process_that_fails_ends_the_measurement(tmp_path: Path) -> None:
    """A command that fails quickly is no result."""
    run = measuring.process(
        measuring.PYTHON, "-c", "raise SystemExit('no such')", cwd=tmp_path, env={}
    )
    with pytest.raises(RuntimeError, match="no such"):
        run()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a worker's program that can wait, print and fail."""
    path = tmp_path / "program.py"
    path.write_text(
        f"import sys, time; sys.path.insert(0, {str(measuring.Path(startup.BARE).parent)!r})\n"
        "from serving import serve\n"
        "def fail(): raise ValueError('broken')\n"
        "serve({'say': lambda: print('noise') or {'seconds': 7}, 'wait': lambda: time.sleep(60),"
        " 'fail': fail})\n"
    )
    return path


def test_a_worker_answers_with_the_seconds_that_it_measured(tmp_path: Path, program: Path) -> None:
    """What a library prints is no answer."""
    with worker(sys.executable, str(program), cwd=tmp_path, env={}) as process:
        assert [process.seconds("say") for _ in range(2)] == [7, 7]


def test_a_worker_that_takes_too_long_is_ended(tmp_path: Path, program: Path) -> None:
    """Nothing is left behind that would disturb what is measured next."""
    with worker(sys.executable, str(program), cwd=tmp_path, env={}) as process:
        with pytest.raises(Stopped):
            process.ask("wait", timeout_seconds=0.1)
        assert process._process.returncode is not None


def test_a_worker_that_fails_says_why(tmp_path: Path, program: Path) -> None:
    """Its traceback is in the error."""
    with (
        worker(sys.executable, str(program), cwd=tmp_path, env={}) as process,
        pytest.raises(RuntimeError, match="broken"),
    ):
        process.ask("fail")


# The families


def test_the_bare_script_imports_what_nbvc_itself_imports() -> None:
    """Neither what those import in turn, nor nbvc's own modules."""
    report = """\
import time: self [us] | cumulative | imported package
import time:       10 |         10 | site
import time:       10 |         10 |     json.decoder
import time:       10 |         20 |   json
import time:       10 |         10 |     nbvc.text
import time:       10 |         10 |     rich
import time:       10 |         30 |   nbvc.cli
import time:       10 |         60 | nbvc.__main__
import time:       10 |         10 |   sqlite3.dbapi2
import time:       10 |         10 | sqlite3
"""
    assert startup.direct_imports(report) == ["site", "json", "rich", "sqlite3"]


def test_the_bare_script_repeats_the_requests_of_a_command(tmp_path: Path) -> None:
    """A first save looks for older versions between two puts; the bare ones become none."""
    around = surroundings(tmp_path)
    folder = around.workspace("work", files={"mine.ipynb": notebook(1)})
    file, store = tmp_path / "requests", folder / ".nbvc" / "store"
    run = {"cwd": folder, "env": around.env}
    measuring.output(measuring.PYTHON, startup.RECORDING, str(file), "save", **run)
    requests = [json.loads(line) for line in file.read_text().splitlines()]
    assert [name for name, *_ in requests] == ["put", "list_keys", "put"]
    bare = (measuring.PYTHON, startup.BARE_LOCAL, str(store), "json,no.such.module")
    measuring.output(*bare, typed=file.read_text(), **run)
    with closing(LocalStore(store)) as opened:
        put = [entry.key for entry in opened.list_keys("bare/")]
    assert sorted(put) == sorted(arguments[0] for name, arguments, _ in requests if name == "put")
    log = measuring.output(measuring.NBVC, "log", "--json", **run)
    assert [version["number"] for version in json.loads(log)] == [1]


def compared(
    name: str, ours: float, theirs: float, cells: int, patches: bool = True
) -> diffing.Compared:
    """Return a pair where nbdime's diff has 100 of everything."""
    sizes = {"cells": cells, "operations": 100, "bytes": 100}
    hundred = dict.fromkeys(sizes, 100)
    return diffing.Compared(
        name=name, ours=ours, theirs=theirs, our_sizes=sizes, their_sizes=hundred, patches=patches
    )


def test_the_rows_of_the_diff_name_the_pairs_that_miss() -> None:
    """In all, the slowest, the broken ones, and the one that is larger."""
    good = [compared("a", 10, 900, 100), compared("b", 20, 600, 105)]
    assert [row.met for row in diffing.summary(good, 5)] == [
        True,
        True,
        None,
        True,
        None,
        True,
        None,
        True,
        None,
        None,
    ]
    bad = [compared("a", 501, 900, 100), compared("b", 20, 600, 106, patches=False)]
    found = diffing.summary(bad, 5)
    assert [row.met for row in found][:6] == [False, False, None, False, None, False]
    assert found[1].note == "a"
    assert found[5].note.startswith("b; 1 of 2 pairs")


def test_the_size_of_a_diff_counts_cells_and_operations(tmp_path: Path) -> None:
    """A patch is no operation itself, and a range counts each of its cells."""
    old, new = ({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []} for _ in "ab")
    old["metadata"], new["metadata"] = {"a": 1, "b": 1}, {"a": 2, "b": 2}
    new["cells"] = json.loads(hard_pairs.regenerated_ids(20)[0])["cells"]
    paths = {"old": str(tmp_path / "old"), "new": str(tmp_path / "new")}
    Path(paths["old"]).write_text(json.dumps(old))
    Path(paths["new"]).write_text(json.dumps(new))
    with diffing._diff_worker(surroundings(tmp_path)) as process:
        process.ask("load", **paths)
        found = [process.ask("diff", engine=engine) for engine in ("nbvc", "nbdime")]
        process.ask("load", old=paths["new"], new=paths["old"])
        found += [process.ask("diff", engine=engine) for engine in ("nbvc", "nbdime")]
        process.ask("load", old=paths["old"], new=paths["old"])
        same = process.ask("diff", engine="nbvc")
    assert [(size["cells"], size["operations"]) for size in found] == [(20, 3)] * 4
    assert all(size["patches"] for size in found)
    assert {name: same[name] for name in diffing.SIZES} == {"cells": 0, "operations": 0, "bytes": 2}


@pytest.mark.parametrize("name", hard_pairs.PAIRS)
def test_the_hard_pairs_are_the_same_in_each_run(name: str) -> None:
    """And the two notebooks of a pair differ."""
    old, new = hard_pairs.PAIRS[name]()
    assert (old, new) == hard_pairs.PAIRS[name]()
    assert old != new


def test_memory_is_that_of_the_command_alone(tmp_path: Path) -> None:
    """Not what this process has taken already."""
    held = bytearray(300_000_000)
    around = surroundings(tmp_path)
    peak = growth.peak_bytes("--version", cwd=tmp_path, env=around.env)
    assert 5_000_000 < peak < len(held) // 2


def test_the_bytes_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    """At any depth."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"12345")
    (tmp_path / "d").write_bytes(b"678")
    assert sizes.size_bytes(tmp_path) == 8


@pytest.mark.real_s3
def test_a_put_is_one_round_trip_where_boto3_makes_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees boto3 wait for ``100 Continue``, and nbvc not."""
    isolate_aws_settings(monkeypatch, tmp_path)
    found = s3.puts(surroundings(tmp_path, real_endpoint()))
    assert [row.note for row in found] == ["round trips: 1, boto3 2"] * 2
    assert all(row.met for row in found)
