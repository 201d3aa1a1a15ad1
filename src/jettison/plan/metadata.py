"""The instructions that change only the image's configuration, and WORKDIR."""

from __future__ import annotations

import posixpath

from jettison.dockerfile import instructions as ins
from jettison.dockerfile.ports import parse_port
from jettison.dockerfile.signals import check_signal
from jettison.errors import PlanError
from jettison.model.oci import Healthcheck
from jettison.plan.args import UNEXPORTED
from jettison.plan.build import StageBuild
from jettison.plan.configs import replace_variable
from jettison.plan.goformat import go_healthcheck, go_list, go_quoted_list
from jettison.plan.outline import declared
from jettison.plan.rules import names_a_secret
from jettison.plan.steps import Mkdir


def arg(build: StageBuild, instruction: ins.Arg) -> None:
    """ARG: --build-arg, else the default, else the global value.

    Unlike in other instructions each word sees those before it on the line.
    """
    shared, state = build.shared, build.state
    texts = []
    for item in instruction.values:
        _no_secret(build, "ARG", item.key, instruction)
        value = item.value
        inherited = value is None and item.key in shared.global_args
        if item.key in shared.build_args:
            value = shared.build_args[item.key]
        elif value is not None:
            words = build.words(instruction)
            value = words.word(value)
            build.report_undefined(words)
        else:
            value = shared.global_args.get(item.key)
        state.capture.used.add(item.key)
        if item.key in shared.build_args or not inherited:
            state.capture.declared[item.key] = declared(instruction, item.key, value)
        if value is not None and item.key not in UNEXPORTED:
            state.set_env(item.key, value)
        state.args.append(ins.ArgValue(item.key, value))
        texts.append(item.key if value is None else f"{item.key}={value}")
    state.record("ARG " + " ".join(texts))


def env(build: StageBuild, instruction: ins.Env) -> None:
    state = build.state
    texts = []
    for key, value in _pairs(build, instruction, "ENV"):
        _no_secret(build, "ENV", key, instruction)
        state.set_env(key, value)
        state.configure(Env=replace_variable(state.config.Env, key, value))
        texts.append(f"{key}={value}")
    state.record("ENV " + " ".join(texts))


def label(build: StageBuild, instruction: ins.Label) -> None:
    state = build.state
    pairs = _pairs(build, instruction, "LABEL")
    state.configure(Labels={**(state.config.Labels or {}), **dict(pairs)})
    state.record(" ".join(["LABEL", *(f"{key}={value}" for key, value in pairs)]))


def _pairs(build: StageBuild, instruction: ins.Env | ins.Label, name: str) -> list[tuple[str, str]]:
    words = build.words(instruction)
    pairs = [(words.word(pair.key), words.word(pair.value)) for pair in instruction.values]
    build.report_undefined(words)
    if any(pair.legacy for pair in instruction.values):
        build.checks.report(
            "LegacyKeyValueFormat",
            f'"{name} key=value" should be used instead of "{name} key value"',
            instruction.span,
        )
    return pairs


def user(build: StageBuild, instruction: ins.User) -> None:
    name = _word(build, instruction, instruction.user)
    build.state.configure(User=name)
    build.state.record(f"USER {name}")


def workdir(build: StageBuild, instruction: ins.Workdir) -> None:
    """WORKDIR: an absolute path is stored as written, a relative one is resolved and cleaned."""
    state = build.state
    path = _word(build, instruction, instruction.path)
    if not state.absolute_workdir and not path.startswith("/"):
        build.checks.report(
            "WorkdirRelativePath",
            f"Relative workdir {path!r} can change its meaning with the base image",
            instruction.span,
        )
    state.absolute_workdir = True
    path = resolve_workdir(state.config.WorkingDir, path)
    state.configure(WorkingDir=path)
    step = None
    if path != "/":
        step = Mkdir(root=state.root, path=path, user=state.config.User, mtime=build.shared.epoch)
        build.describe(step, instruction, build.name(instruction))
    state.record(f"WORKDIR {path}", step)


def resolve_workdir(current: str, path: str) -> str:
    """The working directory after ``WORKDIR path``; never above the root."""
    current = "/" + current.lstrip("/") if not current.startswith("/") else current
    if not path:
        return current
    if path.startswith("/"):
        return path
    return posixpath.normpath("/" + posixpath.join(current, path).lstrip("/"))


def expose(build: StageBuild, instruction: ins.Expose) -> None:
    """EXPOSE: its words are split again after expansion."""
    state = build.state
    words = build.words(instruction)
    ports: list[str] = []
    for word in instruction.ports:
        for written in words.words(word):
            ports += _ports(build, written, instruction)
    exposed = dict(state.config.ExposedPorts or {})
    exposed.update({port: {} for port in ports})
    state.configure(ExposedPorts=exposed)
    state.record(f"EXPOSE {go_list(ports)}")


def _ports(build: StageBuild, word: str, instruction: ins.Expose) -> tuple[str, ...]:
    exposed = parse_port(word, instruction.span)
    if exposed.protocol != exposed.protocol.lower():
        build.checks.report(
            "ExposeProtoCasing",
            f"Protocol in EXPOSE {word!r} should be lowercase",
            instruction.span,
        )
    if exposed.mapped:
        build.checks.report(
            "ExposeInvalidFormat",
            f"EXPOSE should not name an address or port of the host, as {word!r} does",
            instruction.span,
        )
    return exposed.ports


def volume(build: StageBuild, instruction: ins.Volume) -> None:
    state = build.state
    words = build.words(instruction)
    paths = [words.word(path) for path in instruction.paths]
    build.report_undefined(words)
    if not all(paths):
        raise PlanError("VOLUME specified can not be an empty string", span=instruction.span)
    state.configure(Volumes={**(state.config.Volumes or {}), **{path: {} for path in paths}})
    state.record(f"VOLUME {go_list(paths)}")


def stop_signal(build: StageBuild, instruction: ins.StopSignal) -> None:
    signal = _word(build, instruction, instruction.signal)
    check_signal(signal, instruction.span)
    build.state.configure(StopSignal=signal)
    build.state.record(f"STOPSIGNAL {signal}")


def shell(build: StageBuild, instruction: ins.Shell) -> None:
    build.state.configure(Shell=instruction.words)
    build.state.record(f"SHELL {go_list(instruction.words)}")


def cmd(build: StageBuild, instruction: ins.Cmd) -> None:
    _used_once(build, "CMD", instruction)
    words = _command(build, instruction.command, instruction, "CMD")
    build.state.configure(Cmd=words or None, ArgsEscaped=True)
    build.state.record(f"CMD {go_quoted_list(words)}")


def entrypoint(build: StageBuild, instruction: ins.Entrypoint) -> None:
    """ENTRYPOINT: an inherited CMD goes, one given earlier in this stage stays."""
    state = build.state
    _used_once(build, "ENTRYPOINT", instruction)
    words = _command(build, instruction.command, instruction, "ENTRYPOINT")
    state.configure(Entrypoint=words or None)
    if "CMD" not in state.last:
        state.configure(Cmd=None)
    state.record(f"ENTRYPOINT {go_quoted_list(words)}")


def healthcheck(build: StageBuild, instruction: ins.Healthcheck) -> None:
    _used_once(build, "HEALTHCHECK", instruction)
    check = Healthcheck(
        Test=instruction.test,
        Interval=instruction.interval,
        Timeout=instruction.timeout,
        StartPeriod=instruction.start_period,
        StartInterval=instruction.start_interval,
        Retries=instruction.retries,
    )
    build.state.configure(Healthcheck=check)
    build.state.record(f"HEALTHCHECK {go_healthcheck(check)}")


def maintainer(build: StageBuild, instruction: ins.Maintainer) -> None:
    build.state.set_author(instruction.name)
    build.state.record(f"MAINTAINER {instruction.name}")


def onbuild(build: StageBuild, instruction: ins.Onbuild) -> None:
    state = build.state
    state.configure(OnBuild=(*(state.config.OnBuild or ()), instruction.expression))


def _word(build: StageBuild, instruction: ins.Instruction, text: str) -> str:
    words = build.words(instruction)
    value = words.word(text)
    build.report_undefined(words)
    return value


def _command(
    build: StageBuild, command: ins.ShellWords, instruction: ins.Instruction, name: str
) -> tuple[str, ...]:
    if not command.shell:
        return command.words
    if not build.state.config.Shell:
        build.checks.report(
            "JSONArgsRecommended",
            f"JSON arguments recommended for {name}, so that signals reach the program",
            instruction.span,
        )
    return (*build.state.shell, " ".join(command.words))


def _used_once(build: StageBuild, name: str, instruction: ins.Instruction) -> None:
    before = build.state.last.get(name)
    if before is not None:
        build.checks.report(
            "MultipleInstructionsDisallowed",
            f"Multiple {name} instructions in a stage: only the last one will be used",
            before,
        )
    build.state.last[name] = instruction.span


def _no_secret(build: StageBuild, name: str, key: str, instruction: ins.Instruction) -> None:
    if names_a_secret(key):
        build.checks.report(
            "SecretsUsedInArgOrEnv",
            f"Do not use ARG or ENV instructions for sensitive data ({name} {key!r})",
            instruction.span,
        )
