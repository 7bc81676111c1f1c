"""Do acts on request, in a process that is warm: JSON lines in, JSON lines out.

Needs nothing but the standard library: it also runs in environments of peers.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Act = Callable[..., "dict[str, Any] | None"]


def serve(acts: Mapping[str, Act]) -> None:
    """Answer requests ``{"act": NAME, ...}`` until the input ends.

    An answer has what the act returned, and ``seconds``: how long it took, unless it says itself.
    """
    answers = sys.stdout
    # What a library prints must not pass for an answer.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        act = acts[asked.pop("act")]
        start = time.perf_counter()
        found = act(**asked) or {}
        answer = {"seconds": time.perf_counter() - start, **found}
        print(json.dumps(answer), file=answers, flush=True)
