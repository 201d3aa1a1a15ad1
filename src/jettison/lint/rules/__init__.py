"""One rule a module: its documentation, its examples and its check, as ``RULE``."""
