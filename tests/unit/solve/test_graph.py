"""Walking the step graph."""

from __future__ import annotations

from jettison.model.platform import Platform
from jettison.plan.ancestors import ancestors
from jettison.plan.steps import BindMount, Copy, Local, Merge, Mkdir, PathSource, Run, Source, Step
from jettison.solve.graph import base_sources, readers

LINUX = Platform(architecture="amd64", os="linux")


def test_inputs_come_before_their_users_and_only_once() -> None:
    base = Source(diff_ids=())
    left, right = (Mkdir(root=base, path=p) for p in ("/l", "/r"))
    top = Merge(root=left, upper=right)
    order = ancestors([top, left])
    assert sorted(map(id, order)) == sorted(map(id, (base, left, right, top)))
    assert order.index(base) < order.index(left) < order.index(top)
    assert order.index(right) < order.index(top)


def test_a_chain_of_ten_thousand_steps() -> None:
    step: Step = Source(diff_ids=())
    for _ in range(10_000):
        step = Mkdir(root=step, path="/d")
    assert len(ancestors([step])) == 10_001


def test_readers_tell_how_an_input_is_read() -> None:
    context, root = Local(name="context"), Source(diff_ids=())
    source = PathSource(step=context, path="a")
    mount = BindMount(target="/m", step=context)
    copy = Copy(root=root, sources=(source,), dest="/")
    run = Run(root=copy, argv=(), env=(), cwd="/", mounts=(mount,), platform=LINUX)
    assert list(readers(copy)) == [(None, root), (source, context)]
    assert list(readers(run)) == [(None, copy), (mount, context)]


def test_base_sources_go_down_roots_and_merges_only() -> None:
    base, tool = Source(diff_ids=()), Source(diff_ids=())
    linked = Copy(root=None, sources=(PathSource(step=tool, path="/t"),), dest="/")
    top = Merge(root=Mkdir(root=base, path="/a"), upper=linked)
    assert list(base_sources(top)) == [base]
