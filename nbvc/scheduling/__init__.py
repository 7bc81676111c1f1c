"""Versions as schedulers use them: runs of notebooks, and ``nbvc://`` for papermill and fsspec."""
