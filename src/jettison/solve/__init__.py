"""Step graph -> snapshots: cache keys, cache look-ups, scheduling, one executor a kind of step.

A snapshot is a tuple of layer ids, lowest first; it is named, not mounted. Every step has two keys:

- the *definition key*: the step with the definition keys of its inputs, and with the content of
  what it selects from a build context. It needs nothing on disk, so an unchanged build is answered
  from the target downwards without unpacking or even pulling its base image;
- the *content key*: the step with the layers it builds on and the content of exactly what it reads
  elsewhere, known once its inputs are. So a COPY from a stage that ran again is still a hit if
  what it copies came out the same.
"""
