"""Base images composed from signed distribution packages.

The way of trust: a keyring signs a Release file, that has the hashes of indexes, those have the
hashes of packages. A lock pins packages by hash, so that composing again needs no index.
"""
