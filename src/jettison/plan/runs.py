"""RUN."""

from __future__ import annotations

from jettison.dockerfile.heredoc import script
from jettison.dockerfile.instructions import Run as RunInstruction
from jettison.dockerfile.instructions import ShellWords
from jettison.errors import PlanError
from jettison.plan.build import StageBuild
from jettison.plan.mounts import plan_mounts
from jettison.plan.options import NETWORK_HOST, SECURITY_INSECURE
from jettison.plan.state import StageState
from jettison.plan.steps import FileSource, Run, SecretMount, StepInfo

_DEFAULT_HOSTNAME = "buildkitsandbox"


def run(build: StageBuild, instruction: RunInstruction) -> None:
    """Plan a RUN as one step."""
    state, shared, options = build.state, build.shared, build.shared.options
    if state.platform.os != "linux":
        raise PlanError(
            f"a RUN for {state.platform} cannot be executed on Linux",
            hint="run it in a stage FROM --platform=$BUILDPLATFORM and COPY what it makes",
            span=instruction.span,
        )
    _check_entitlements(instruction, options.entitlements, options.network)
    argv, files = command_of(instruction.command, state.shell)
    bodies = instruction.command.heredocs
    alone = bool(bodies) and argv[-1] in (bodies[0].content, f"/dev/pipes/{bodies[0].name}")
    mounts = plan_mounts(build, instruction)
    network = instruction.network or "default"
    step = Run(
        root=state.root,
        argv=argv,
        env=tuple(state.env.items()),
        cwd=state.workdir,
        user=state.config.User,
        mounts=mounts,
        files=files,
        network=options.network if network == "default" else network,
        insecure=instruction.security == "insecure",
        hostname=shared.build_args.get("BUILDKIT_SANDBOX_HOSTNAME") or _DEFAULT_HOSTNAME,
        extra_hosts=options.add_hosts,
        shm_size=options.shm_size,
        ulimits=options.ulimits,
        cgroup_parent=options.cgroup_parent,
        platform=state.platform,
    )
    summary = f" ({_first_line(bodies[0].content)})" if alone else ""
    secrets = {m.env: "****" for m in mounts if isinstance(m, SecretMount) and m.env}
    shared.infos[step] = StepInfo(
        name=build.name(instruction, {**state.env, **secrets}) + summary,
        span=instruction.span,
        ignore_cache=build.ignore_cache,
        proxy=shared.proxy,
    )
    state.record(f"RUN {history_of(argv, state)} # buildkit", step)


def command_of(
    command: ShellWords, shell: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[FileSource, ...]]:
    """What a RUN executes, and the files it needs in /dev/pipes."""
    if not command.shell:
        return command.words, ()
    made = script(command)
    if made.file is None:
        return (*shell, made.text), ()
    content = made.file.content.encode("utf-8", "surrogateescape")
    file = FileSource(name=made.file.name, content=content, mode=0o755)
    return (*shell, made.text), (file,)


def _first_line(script: str) -> str:
    first, *more = script.strip().split("\n")
    return first.rstrip("\r") + ("..." if more else "")


def history_of(argv: tuple[str, ...], state: StageState) -> str:
    """``|2 a=1 b=2 /bin/sh -c …``: the declared ARGs, each once, and the command."""
    values = {arg.key: state.env.get(arg.key, arg.value or "") for arg in state.args}
    words = [f"{key}={value}" for key, value in values.items()]
    if words:
        words.insert(0, f"|{len(words)}")
    return " ".join([*words, *argv])


def _check_entitlements(instruction: RunInstruction, allowed: frozenset[str], network: str) -> None:
    wanted = []
    if instruction.network == "host" and network != "host":
        wanted.append(NETWORK_HOST)
    if instruction.security == "insecure":
        wanted.append(SECURITY_INSECURE)
    for entitlement in wanted:
        if entitlement not in allowed:
            raise PlanError(
                f"{entitlement} is not allowed",
                hint=f"allow it with --allow {entitlement}",
                span=instruction.span,
            )
