"""nbvc: every save of a Jupyter notebook becomes an immutable version, in storage you own."""

__version__ = "0.1.0"
