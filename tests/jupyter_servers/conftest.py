"""What holds for all tests of servers that run as processes."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.jupyter_servers.scenes")
