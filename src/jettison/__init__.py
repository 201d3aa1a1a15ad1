"""jettison: container images that ship only what runs."""

__version__ = "0.1.0"
