"""RUN and its mounts (checklist sections R, M as far as planning decides)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jettison.errors import JettisonError
from jettison.model.platform import parse_platform
from jettison.plan.options import NETWORK_HOST, SECURITY_INSECURE
from jettison.plan.steps import (
    BindMount,
    BuildPlan,
    CacheMount,
    FileSource,
    Local,
    Run,
    RunMount,
    SecretMount,
    SshMount,
    TmpfsMount,
    Ulimit,
)

Planned = Callable[..., BuildPlan]


def run_of(plan: BuildPlan) -> Run:
    root = plan.images[0].root
    assert isinstance(root, Run)
    return root


def mounts_of(plan: BuildPlan) -> tuple[RunMount, ...]:
    return run_of(plan).mounts


def test_shell_and_exec_form(planned: Planned) -> None:
    made = planned('FROM base\nUSER u\nWORKDIR /w\nRUN echo "$x"   y\n')
    run = run_of(made)
    assert run.argv == ("/bin/sh", "-c", 'echo "$x"   y')
    assert (run.cwd, run.user, run.platform) == ("/w", "u", parse_platform("linux/amd64"))
    assert run.env == (("PATH", "/bin"), ("FROM_BASE", "yes"))
    made = planned('FROM base\nRUN ["a", "$b"]\n')
    assert (run_of(made).argv, run_of(made).cwd) == (("a", "$b"), "/")
    assert made.images[0].history[0].created_by == "RUN a $b # buildkit"


@pytest.mark.parametrize(
    ("text", "command", "files"),
    [
        ("RUN <<EOF\na\n  b\nEOF\n", "a\n  b\n", ()),
        ("RUN <<-EOF\n\ta\n\tEOF\n", "a\n", ()),
        ("RUN <<'E O'\na\nE O\n", "a\n", ()),
        (
            "RUN <<F\n#!/usr/bin/env python\nx\nF\n",
            "/dev/pipes/F",
            (FileSource(name="F", content=b"#!/usr/bin/env python\nx\n", mode=0o755),),
        ),
        ("RUN cat <<A <<B\n1\nA\n2\nB\n", "cat <<A <<B\n1\nA\n2\nB", ()),
        ("RUN <<A cat\n1\nA\n", "<<A cat\n1\nA", ()),
    ],
)
def test_heredocs(planned: Planned, text: str, command: str, files: tuple[FileSource, ...]) -> None:
    run = run_of(planned(f"FROM base\n{text}"))
    assert run.argv == ("/bin/sh", "-c", command)
    assert run.files == files


def test_options_reach_the_step(planned: Planned) -> None:
    limits = (Ulimit(name="nofile", soft=1, hard=2),)
    run = run_of(
        planned(
            "FROM base\nRUN x\n",
            network="none",
            add_hosts=(("h", "1.2.3.4"),),
            shm_size=5,
            ulimits=limits,
            cgroup_parent="/c",
        )
    )
    assert (run.network, run.extra_hosts, run.shm_size) == ("none", (("h", "1.2.3.4"),), 5)
    assert (run.ulimits, run.cgroup_parent, run.hostname) == (limits, "/c", "buildkitsandbox")


@pytest.mark.parametrize(
    ("flag", "allowed", "error"),
    [
        ("--network=host", frozenset(), "network.host is not allowed"),
        ("--security=insecure", frozenset({NETWORK_HOST}), "security.insecure is not allowed"),
        ("--network=host", frozenset({NETWORK_HOST}), None),
        ("--security=insecure", frozenset({SECURITY_INSECURE}), None),
        ("--network=none", frozenset(), None),
        ("--security=sandbox", frozenset(), None),
    ],
)
def test_entitlements(
    planned: Planned, flag: str, allowed: frozenset[str], error: str | None
) -> None:
    text = f"FROM base\nRUN {flag} x\n"
    if error is None:
        run = run_of(planned(text, entitlements=allowed))
        assert (run.network, run.insecure) == (
            flag.removeprefix("--network=") if "network" in flag else "default",
            flag == "--security=insecure",
        )
        return
    with pytest.raises(JettisonError, match=error) as caught:
        planned(text, entitlements=allowed)
    assert caught.value.hint == f"allow it with --allow {error.split()[0]}"


def test_a_run_may_leave_the_network_of_the_build(planned: Planned) -> None:
    text = "FROM base\nRUN {} x\n"
    assert run_of(planned(text.format("--network=none"), network="host")).network == "none"
    assert run_of(planned(text.format("--network=default"), network="host")).network == "host"
    assert run_of(planned(text.format("--network=host"), network="host")).network == "host"


def test_bind(planned: Planned) -> None:
    text = "FROM scratch AS s\nCOPY a /\nFROM base\nWORKDIR /w\nENV d=dir\n"
    made = planned(text + "RUN --mount=target=m --mount=from=S,source=$d,dst=/n/,rw x\n")
    first, second = mounts_of(made)
    assert isinstance(first, BindMount)
    assert isinstance(first.step, Local)
    assert (first.target, first.source, first.read_only) == ("/w/m", "/", True)
    assert isinstance(second, BindMount)
    assert (second.target, second.source, second.read_only) == ("/n", "/dir", False)


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ("type=cache,target=/c", CacheMount(target="/c", id="/c")),
        (
            "type=cache,target=c/,sharing=LOCKED,ro",
            CacheMount(target="/c", id="c", sharing="locked", read_only=True),
        ),
        (
            "type=cache,target=/c,id=x,uid=1,gid=2,mode=0700",
            CacheMount(target="/c", id="x", uid=1, gid=2, mode=0o700),
        ),
        ("type=tmpfs,target=/t", TmpfsMount(target="/t")),
        ("type=tmpfs,target=/t,size=1m", TmpfsMount(target="/t", size=1 << 20)),
        ("type=tmpfs,target=/t,ro", TmpfsMount(target="/t", read_only=True)),
        ("type=secret,id=k", SecretMount(id="k", target="/run/secrets/k")),
        ("type=secret,src=a/k", SecretMount(id="a/k", target="/run/secrets/k")),
        ("type=secret,target=/t/k", SecretMount(id="k", target="/t/k")),
        ("type=secret,id=k,env=K", SecretMount(id="k", target=None, env="K")),
        (
            "type=secret,id=k,env=K,target=t,required,uid=5,mode=0444",
            SecretMount(id="k", target="/t", env="K", required=True, uid=5, mode=0o444),
        ),
        ("type=ssh", SshMount(id="default", target="/run/buildkit/ssh_agent.0")),
        (
            "type=ssh,id=i,target=/s,required=true,mode=0666,gid=3",
            SshMount(id="i", target="/s", required=True, mode=0o666, gid=3),
        ),
    ],
)
def test_mounts(planned: Planned, mount: str, expected: RunMount) -> None:
    assert mounts_of(planned(f"FROM base\nRUN --mount={mount} x\n")) == (expected,)


def test_ssh_sockets_are_numbered(planned: Planned) -> None:
    made = planned(
        "FROM base\nRUN --mount=type=ssh --mount=type=ssh,target=/s --mount=type=ssh x\n"
    )
    targets = [mount.target for mount in mounts_of(made) if isinstance(mount, SshMount)]
    assert targets == ["/run/buildkit/ssh_agent.0", "/s", "/run/buildkit/ssh_agent.2"]


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ("target=/", "invalid mount target"),
        ("type=tmpfs,target=..", "invalid mount target"),
        ("type=ssh,source=x", "ssh does not support source"),
        ("type=tmp,target=/x", "unsupported mount type"),
        ("type=cache,target=/x,sharing=${s}", "sharing"),
        ("from=$x,target=/x", "from"),
        ("type=secret,id=", "target"),
    ],
)
def test_errors(planned: Planned, mount: str, message: str) -> None:
    with pytest.raises(JettisonError, match=message) as caught:
        planned(f"FROM base\nENV s=odd\nRUN --mount={mount} x\n")
    assert caught.value.span is not None
    assert caught.value.span.line == 3


def test_names_show_values_but_no_secrets(planned: Planned) -> None:
    made = planned("FROM base\nENV K=old V=1\nRUN --mount=type=secret,id=k,env=K use $K ${V} $x\n")
    assert made.infos[run_of(made)].name == (
        "[2/2] RUN --mount=type=secret,id=k,env=K use **** 1 $x"
    )


def test_ignored_cache(planned: Planned) -> None:
    text = "FROM base AS a\nRUN a\nCOPY a b\nFROM a AS b\nRUN b\n"
    made = planned(text, no_cache=("A",))
    steps: list[Any] = [entry.step for entry in made.images[0].history]
    assert [made.infos[step].ignore_cache for step in steps] == [True, True, False]
