"""Tests of the server extension, in a Jupyter server within the test's own process."""
