"""Tests of the extension in Jupyter servers that run as processes, as people start them."""
