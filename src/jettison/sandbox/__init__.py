"""Namespaces, overlay mounts, the OCI runtime, and what this host can do.

`namespace.enter` isolates the process once, before any thread starts; from then on root and an
unprivileged user share one code path. `container.run_in` is what the solver and ``jettison run``
call: it mounts a root, runs one command in it and leaves nothing behind.
"""
