"""The OCI distribution protocol: pull, push, credentials.

From the bottom up: ``settings`` (what may be tuned), ``hosts`` (where a registry's API is),
``transport`` (HTTP with retries and guarded redirects), ``config`` and ``helpers`` (stored
credentials), ``auth`` (challenges and tokens), ``session`` (authorised requests to one
repository), ``client`` with ``stream`` and ``upload`` (the protocol's verbs), and on top of it
``source``, ``pull``, ``push`` and ``login``.
"""
