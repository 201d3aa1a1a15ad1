"""Build checks: BuildKit's, by planning without any network, and jettison's own.

engine.lint      a text -> hits: findings, and the edits that mend them
edit             edits by offset; everything else stays as it is
rules/           one rule a module, with its documentation;  catalog: all of them
view, shell      what rules look at: stages, bases, the commands of RUN
"""
