"""Bytes that call themselves a notebook: broken, old, odd, hostile, huge.

Each is made when it is asked for, so that the large ones cost nothing until then.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.notebook_samples import code, display, markdown, notebook, old_notebook, stream

Make = Callable[[], bytes]

FINE = notebook(markdown("# Churn"), code("x = 1"))
DEEP = 200_000
MANY_CELLS = 100_000
MEGABYTE = 1_000_000

OBEYED = (
    "\x1b[31m\x1b]0;title\x07\x1b[2J"  # colour, title, clear: what a terminal obeys
    "\x9b31m\x85\x00\x08\r\x7f"  # the same from C1, and what moves the cursor
    "\u202eevil\u2066\u200f\u2028"  # what changes the order in which text is read
)
r"""Characters that must never reach a terminal as they are; each is shown as an escape."""


def raw(cell: str, *, minor: int = 5, metadata: str = "{}") -> Make:
    """Return what makes a notebook whose only cell is exactly this text of JSON."""
    return lambda: (
        f'{{"nbformat": 4, "nbformat_minor": {minor}, "metadata": {metadata}, "cells": [{cell}]}}'
    ).encode("utf-8", "surrogatepass")


def cells(*given: Any, **members: Any) -> Make:
    """Return what makes a notebook of these cells, which need not be any; *members* win."""
    values = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(given)}
    return lambda: json.dumps({**values, **members}).encode()


def outputs(*given: Any) -> Make:
    """Return what makes a notebook of one code cell with these outputs."""
    return cells(code("x", outputs=list(given)))


def nested(opening: str, closing: str, depth: int) -> str:
    """Return JSON that is nested so deeply."""
    return opening * depth + "1" + closing * depth


def _with_metadata(text: str) -> bytes:
    return FINE.replace(b'"metadata": {}', f'"metadata": {text}'.encode(), 1)


NOT_NOTEBOOKS: dict[str, Make] = {
    "empty": lambda: b"",
    "blank": lambda: b" \n\t\n",
    "one NUL": lambda: b"\0",
    "only a byte order mark": lambda: b"\xef\xbb\xbf",
    "two byte order marks": lambda: b"\xef\xbb\xbf\xef\xbb\xbf" + FINE,
    "no JSON": lambda: b"x = 1\n",
    "cut off": lambda: FINE[:-20],
    "two notebooks": lambda: FINE + FINE,
    "a notebook and more": lambda: FINE + b"x",
    "a notebook and NUL": lambda: FINE + b"\0",
    "JSON of something else": lambda: b'{"name": "package", "version": 1}',
    "a list": lambda: b"[1, 2]",
    "null": lambda: b"null",
    "a text": lambda: b'"nbformat"',
    "a number as cells": lambda: b'{"nbformat": 4, "cells": 3}',
    "an object as cells": lambda: b'{"nbformat": 4, "cells": {"0": {}}}',
    "null as a cell": lambda: b'{"nbformat": 4, "cells": [null]}',
    "a list as a cell": lambda: b'{"nbformat": 4, "cells": [[]]}',
    "null as cells": lambda: b'{"nbformat": 4, "cells": null}',
    "null as worksheet": lambda: b'{"nbformat": 3, "worksheets": [null]}',
    "an object as worksheets": lambda: b'{"nbformat": 3, "worksheets": {}}',
    "cells of a worksheet that are none": lambda: b'{"nbformat": 3, "worksheets": [{"cells": 1}]}',
    "no format": lambda: b'{"cells": []}',
    "null as format": lambda: b'{"nbformat": null, "cells": []}',
    "text as format": lambda: b'{"nbformat": "4", "cells": []}',
    "a fraction as format": lambda: b'{"nbformat": 4.5, "cells": []}',
    "NaN as format": lambda: b'{"nbformat": NaN, "cells": []}',
    "a format of 5,000 digits": lambda: b'{"nbformat": %s, "cells": []}' % (b"9" * 5_000),
    "format 1": lambda: b'{"nbformat": 1, "cells_": []}',
    "no UTF-8": lambda: b'{"nbformat": 4, "cells": [{"source": "caf\xe9"}]}',
    "overlong UTF-8": lambda: b'{"nbformat": 4, "cells": [{"source": "\xc0\xaf"}]}',
    "a surrogate as UTF-8": raw('{"cell_type": "raw", "source": "\ud800"}'),
    "UTF-16": lambda: FINE.decode().encode("utf-16"),
    "UTF-32": lambda: FINE.decode().encode("utf-32"),
    "compressed": lambda: gzip.compress(b" " * MEGABYTE, mtime=0),
    "deep lists": lambda: _with_metadata("[" * DEEP + "]" * DEEP),
    "deep lists without end": lambda: b"[" * DEEP,
    "deep objects": lambda: _with_metadata(nested('{"a":', "}", DEEP)),
    "a deep cell": raw('{"cell_type": "raw", "source": ' + nested("[", "]", DEEP) + "}"),
    "a literal newline in a text": raw('{"cell_type": "raw", "source": "a\nb"}'),
    "a literal escape in a text": raw('{"cell_type": "raw", "source": "a\x1b[31mb"}'),
    "an unknown escape": raw(r'{"cell_type": "raw", "source": "\q"}'),
    "half an escape": raw(r'{"cell_type": "raw", "source": "\u12"}'),
    "a number with a leading zero": raw('{"cell_type": "raw", "source": 01}'),
    "a comment": raw('{"cell_type": "raw"} // no JSON'),
    "a comma too many": raw('{"cell_type": "raw"},'),
    "conflict markers": lambda: b"<<<<<<< HEAD\n" + FINE,
    "binary": lambda: bytes(range(256)) * 100,
    "HTML": lambda: b"<!doctype html><script>alert(1)</script>",
    "a pickle": lambda: b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    "what a terminal obeys": OBEYED.encode,
}
"""Refused with a reason, and kept byte for byte where somebody insists."""

_CODE_3 = {"cell_type": "code", "language": "python", "outputs": []}

ODD: dict[str, Make] = {
    "format 2": lambda: old_notebook({**_CODE_3, "input": ["x = 1"]}, nbformat=2),
    "format 3": lambda: old_notebook(
        {"cell_type": "heading", "level": 2, "source": "Title"},
        {
            **_CODE_3,
            "input": "x = 1",
            "outputs": [{"output_type": "pyout", "prompt_number": 1, "text": ["1"]}],
            "prompt_number": 1,
        },
    ),
    "format 3 with outputs of all kinds": lambda: old_notebook(
        {
            **_CODE_3,
            "input": ["x", "y"],
            "outputs": [
                {"output_type": "pyerr", "ename": OBEYED, "evalue": [1], "traceback": None},
                {"output_type": "display_data", "png": 3, "html": None, "json": {"a": [OBEYED]}},
                {"output_type": "stream", "stream": {"a": 1}, "text": {"b": 2}},
                {"output_type": ["pyout"], "metadata": 1},
                None,
                3,
            ],
        },
    ),
    "format 3 without worksheets": lambda: b'{"nbformat": 3}',
    "format 3 with null": lambda: b'{"nbformat": 3, "worksheets": null, "metadata": null}',
    "format 3 with cells of none": lambda: old_notebook(
        {}, {"cell_type": None}, {"cell_type": 3, "source": None, "input": 4}
    ),
    "format 0": lambda: FINE.replace(b'"nbformat": 4', b'"nbformat": 0'),
    "format -1": lambda: FINE.replace(b'"nbformat": 4', b'"nbformat": -1'),
    "format 5": lambda: FINE.replace(b'"nbformat": 4', b'"nbformat": 5'),
    "a huge format": lambda: FINE.replace(b'"nbformat": 4', b'"nbformat": 9223372036854775807'),
    "no minor version": lambda: b'{"nbformat": 4, "metadata": {}, "cells": []}',
    "a minor version of another type": cells(nbformat_minor={"a": [OBEYED]}),
    "metadata of another type": cells(code("x"), metadata=[OBEYED, None]),
    "null everywhere": lambda: (
        b'{"nbformat": 4, "nbformat_minor": null, "metadata": null, "cells": [{"cell_type": null,'
        b' "id": null, "source": null, "metadata": null, "outputs": null, "attachments": null,'
        b' "execution_count": null}]}'
    ),
    "objects for all": lambda: (
        b'{"nbformat": 4, "nbformat_minor": {}, "metadata": {}, "cells": [{"cell_type": {},'
        b' "id": {}, "source": {}, "metadata": {}, "outputs": {}, "attachments": {},'
        b' "execution_count": {}}]}'
    ),
    "lists for all": lambda: (
        b'{"nbformat": 4, "nbformat_minor": [], "metadata": [], "cells": [{"cell_type": [],'
        b' "id": [], "source": [], "metadata": [], "outputs": [], "attachments": [],'
        b' "execution_count": []}]}'
    ),
    "NaN and infinity": raw(
        '{"cell_type": "code", "source": "", "metadata": {"a": NaN, "b": [-Infinity, 1e999]},'
        ' "outputs": [], "execution_count": NaN}'
    ),
    "numbers without measure": raw(
        '{"cell_type": "code", "source": "", "metadata": {}, "outputs": [], "execution_count": '
        + "9" * 4_000
        + "}"
    ),
    "5,000 digits": raw(
        '{"cell_type": "raw", "source": "", "metadata": {"n": %s}}' % ("9" * 5_000)
    ),
    "5,000 digits as a count": raw(
        '{"cell_type": "code", "source": "", "outputs": [], "execution_count": -%s}' % ("9" * 5_000)
    ),
    "duplicate keys": raw(
        '{"cell_type": "raw", "cell_type": "markdown", "source": "a", "source": "b"}'
    ),
    "duplicate cells": lambda: (
        b'{"nbformat": 4, "cells": [{"source": "a"}], "metadata": {}, "cells": []}'
    ),
    "duplicate ids": cells(code("x", id="same"), code("y", id="same")),
    "missing ids": cells(code("x"), code("y")),
    "wrong ids": cells(code("x", id=""), code("y", id="a b/" * 100), code("z", id=OBEYED)),
    "ids that are no text": cells(*(code("x", id=i) for i in (1, 1, True, None, [], {"a": 1}))),
    "lone surrogate": raw(r'{"cell_type": "markdown", "source": "\ud800 alone", "metadata": {}}'),
    "lone surrogates everywhere": raw(
        r'{"cell_type": "\udfff", "id": "\ud800", "source": ["\udc00\ud800"],'
        r' "metadata": {"\ud801": "\ud802"}, "outputs": [{"output_type": "\ud803",'
        r' "data": {"text/\ud804": "\ud805"}}], "attachments": {"\ud806": {"\ud807": "\ud808"}}}',
        metadata=r'{"language_info": {"name": "\ud809"}}',
    ),
    "byte order mark": lambda: b"\xef\xbb\xbf" + FINE,
    "CRLF": lambda: FINE.replace(b"\n", b"\r\n"),
    "white space around": lambda: b"\r\n\t " + FINE + b"\n" * 10_000,
    "no newline, tabs": lambda: json.dumps(json.loads(FINE), indent="\t").encode(),
    "unknown cell type": cells({"cell_type": "sql", "source": "select 1", "metadata": {}}),
    "no cell type": cells({"source": "x", "metadata": {}}),
    "empty cells": cells({}, {}, {}),
    "source of wrong type": cells({"cell_type": "code", "source": 3, "metadata": {}}),
    "source of no texts": cells(code([1, None, {"a": OBEYED}, ["b"]])),  # type: ignore[list-item]
    "a source of lines without ends": cells(code(["a", "b", "", "\r", "\u2028"])),
    "outputs of wrong type": cells({"cell_type": "code", "source": "x", "outputs": "none"}),
    "outputs of unknown kinds": outputs(
        None, 3, "x", [], {}, {"output_type": OBEYED}, {"output_type": 7, "data": 7}
    ),
    "a stream of wrong types": outputs(stream({"a": 1}, name=["stdout"]), stream(None)),  # type: ignore[arg-type]
    "an error of wrong types": outputs(
        {"output_type": "error", "ename": 1, "evalue": None, "traceback": {"a": 1}},
        {"output_type": "error", "traceback": [1, [OBEYED], OBEYED]},
    ),
    "data of wrong types": outputs(
        display({"text/plain": 1, "image/png": {"a": 1}, OBEYED: OBEYED, "": None}),
        display([1]),  # type: ignore[arg-type]
        display({"application/json": [[{"a": OBEYED}]], "text/html": [[["x"]]]}),
    ),
    "a display of nothing": outputs({"output_type": "display_data"}),
    "hostile metadata": cells(
        code("x"), metadata={"__proto__": {"polluted": 1}, "constructor": {}}
    ),
    "hostile attachments": cells(
        markdown(
            "![](attachment:../../x.png)",
            attachments={
                "../../../etc/passwd": {"image/png": "AAAA"},
                OBEYED: {OBEYED: OBEYED},
                "": None,
                "x": 3,
            },
        )
    ),
    "attachments of wrong type": cells(markdown("x", attachments=[1, 2])),
    "widget state": cells(
        code("w"),
        metadata={
            "widgets": {
                "application/vnd.jupyter.widget-state+json": {
                    "state": {str(n): {"model_name": OBEYED, "state": {}} for n in range(100)}
                }
            }
        },
    ),
    "what a terminal obeys, everywhere": cells(
        {
            "cell_type": OBEYED,
            "id": OBEYED,
            "source": [OBEYED, f"\n{OBEYED}\n"],
            "metadata": {OBEYED: OBEYED},
            "attachments": {OBEYED: {OBEYED: OBEYED}},
            "outputs": [],
        },
        code(
            OBEYED,
            execution_count=OBEYED,
            outputs=[
                stream(OBEYED, name=OBEYED),
                display({OBEYED: OBEYED, "text/plain": OBEYED, "image/png": OBEYED}),
                {
                    "output_type": "error",
                    "ename": OBEYED,
                    "evalue": OBEYED,
                    "traceback": [OBEYED, f"\x1b[0;31m{OBEYED}"],
                },
                {"output_type": OBEYED},
            ],
        ),
        metadata={
            OBEYED: OBEYED,
            "kernelspec": {"name": OBEYED, "display_name": OBEYED, "language": OBEYED},
            "language_info": {"name": OBEYED},
        },
    ),
    "template and shell texts": cells(
        code("$(touch pwned) `touch pwned` ; touch pwned", id="$(id)"),
        markdown("{{7*7}} ${7*7} %s %(x)s {0} {x!r} \\N{BULLET}"),
    ),
    "rich markup": cells(code("[red]x[/red] [link=file:///etc/passwd]y[/link]", id="[/]")),
    "500 levels deep": raw(
        '{"cell_type": "code", "source": "", "outputs": [], "metadata": {"a": '
        + nested("[", "]", 500)
        + "}}"
    ),
    "900 levels deep": raw(
        '{"cell_type": "code", "source": "", "outputs": [{"output_type": "display_data", "data": '
        '{"application/json": ' + nested('{"a":', "}", 900) + "}}]}"
    ),
    "a long line": cells(code("x" * MEGABYTE)),
    "a long line of escapes": raw(
        '{"cell_type": "raw", "source": "' + r"\u001b" * 50_000 + '", "metadata": {}}'
    ),
    "a long line of wide text": cells(markdown("\U0001f642" * 100_000)),
    "many lines": cells(code("\n".join(f"x = {n}" for n in range(20_000)))),
    "many lines of source, each empty": cells(code([""] * 100_000)),
    "many outputs": outputs(*(stream(f"{n}\n") for n in range(2_000))),
    "many keys": cells(code("x"), metadata={f"k{n}": n for n in range(20_000)}),
    "many cells": cells(*(code(f"x = {n}") for n in range(2_000))),
    "a large output": outputs(display({"image/png": "iVBORw0K" * (2 * MEGABYTE // 8)})),
}
"""Stored as they are; what cannot be shown of them or compared is refused with a reason."""

LARGE: dict[str, Make] = {
    "100,000 cells": lambda: _many_cells(MANY_CELLS),
    "50 MB of base64": lambda: notebook(
        code("x", outputs=[display({"image/png": "iVBORw0K" * (50 * MEGABYTE // 8)})])
    ),
    "5,000,000 escapes": raw(
        '{"cell_type": "raw", "source": "' + r"\u001b" * 5_000_000 + '", "metadata": {}}'
    ),
    "a million lines": lambda: notebook(code("\n".join(f"x = {n}" for n in range(MEGABYTE)))),
    "100,000 outputs": lambda: notebook(
        code("x", outputs=[stream(f"{n}\n") for n in range(100_000)])
    ),
}
"""Odd ones that take seconds each."""


def _many_cells(number: int) -> bytes:
    return notebook(*(code(f"x = {n}") for n in range(number)))


def everything() -> Iterator[tuple[str, Make]]:
    """Yield all of them but the large ones, by name."""
    yield from NOT_NOTEBOOKS.items()
    yield from ODD.items()
