"""The site: it composes `progress` and `charts`."""

__version__ = "0.1.0"
