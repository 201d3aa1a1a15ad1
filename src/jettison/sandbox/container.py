"""Running one command on a stack of layers: what RUN and ``jettison run`` come down to.

Everything is set up in a scratch directory: a tmpfs for what must not reach a disk (secrets,
sockets, generated files, the runtime's state), and directories for writes that are thrown away.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from jettison.errors import SandboxError
from jettison.sandbox import etcfiles, hostca, inroot, mounts, snapshots, stubs, syscalls
from jettison.sandbox.runtime import OnOutput, Runtime, discard_output
from jettison.sandbox.secrets import MemoryFiles
from jettison.sandbox.spec import ContainerSpec, Host, Mount


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A file or directory of the host. ``discard``: writes succeed and are thrown away."""

    source: str
    target: str
    read_only: bool = True
    discard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeBind:
    """``source`` (links resolved) in the tree of ``layers``; writes are refused or thrown away."""

    layers: Sequence[str]
    target: str
    source: str = "/"
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tmpfs:
    """An empty file system in memory; ``size`` in bytes, 0 for the kernel's default.

    Its mode is that of the directory it hides, 1777 if there is none.
    """

    target: str
    size: int = 0
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """A read-only file that exists in memory only; executable if ``mode`` says so."""

    target: str
    data: bytes
    uid: int = 0
    gid: int = 0
    mode: int = 0o400


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSocket:
    """A socket that leads to the agent listening at ``agent`` on the host (see `ssh.agent`)."""

    target: str
    agent: str
    uid: int = 0
    gid: int = 0
    mode: int = 0o600


ContainerMount = Bind | TreeBind | Tmpfs | SecretFile | SshSocket


def run_in(
    runtime: Runtime,
    spec: ContainerSpec,
    *,
    layers: Sequence[str],
    base: str,
    upper: str | None,
    work: str | None,
    scratch: str,
    container_mounts: Sequence[ContainerMount] = (),
    ca_bundle: str | None = None,
    on_output: OnOutput = discard_output,
    cancel: threading.Event | None = None,
    inherit: bool = False,
) -> int:
    """Run ``spec`` on the layers ``base``/id (bottom first) and return its exit status.

    What it changes is in ``upper``, in overlay form, when this returns; ``work`` is an empty
    directory beside it, spoiled afterwards. Without them changes are thrown away. ``scratch`` is an
    empty private directory on a real file system, for the caller to delete. ``ca_bundle`` is shown
    to the command as in `hostca`. ``spec.rootfs`` and ``spec.mounts`` are filled in here; targets
    are absolute, and one mount on the target of another replaces it.

    Raises what `Runtime.run` raises, and SandboxError if something cannot be mounted.
    """
    try:
        with ExitStack() as context:
            memory, root = _directories(scratch, "memory", "root")
            context.enter_context(mounts.tmpfs(memory, mode=0o700))
            bundle, kept = _directories(memory, "bundle", "files")
            setup = _Setup(context, scratch, base, MemoryFiles(kept), runtime.host)
            made: list[stubs.MountPoints] = []
            if upper is not None:
                # Entered before the mount, hence left after its end.
                context.callback(_drop_copies, made, upper)
            setup.mount_root(root, layers, upper, work)
            spec, generated = _generated(spec, setup.files, ca_bundle)
            wanted = [setup.mount(item, _mode_below(item, root)) for item in container_mounts]
            ordered = _in_order(generated, wanted, root)
            points = stubs.MountPoints(root, [(m.target, _is_directory(m)) for m in ordered])
            context.enter_context(points)
            made.append(points)
            inroot.make_directories(root, spec.cwd, spec.uid, spec.gid)
            return runtime.run(
                replace(spec, rootfs=root, mounts=ordered),
                bundle=bundle,
                on_output=on_output,
                cancel=cancel,
                inherit=inherit,
            )
    except OSError as error:
        raise SandboxError(f"cannot set up the container: {error}") from error


def _mode_below(item: ContainerMount, root: str) -> int:
    """The mode a tmpfs gets: that of the directory it hides, as runc does it; 1777 on none."""
    try:
        found = os.stat(inroot.resolve(root, item.target), follow_symlinks=False)
    except OSError:
        return 0o1777
    return stat.S_IMODE(found.st_mode)


def _is_directory(mount: Mount) -> bool:
    return mount.type == "tmpfs" or os.path.isdir(mount.source)


def _drop_copies(made: Sequence[stubs.MountPoints], upper: str) -> None:
    for points in made:
        points.drop_copies(upper)


def _directories(parent: str, *names: str) -> list[str]:
    paths = [os.path.join(parent, name) for name in names]
    for path in paths:
        os.mkdir(path, 0o700)
    return paths


def _generated(
    spec: ContainerSpec, files: MemoryFiles, ca_bundle: str | None
) -> tuple[ContainerSpec, list[Mount]]:
    """The files made for every container, and ``spec`` with the variables that name them."""
    hosts = etcfiles.hosts(spec.hostname, spec.extra_hosts)
    resolv = etcfiles.resolv_conf(shared_network=spec.network != "none")
    wanted = [
        files.add("/etc/hosts", hosts, mode=0o644),
        files.add("/etc/resolv.conf", resolv, mode=0o644),
    ]
    if ca_bundle is not None:
        mount, env = hostca.give(ca_bundle, files, spec.env)
        wanted.append(mount)
        spec = replace(spec, env=env)
    return spec, wanted


def _in_order(generated: Sequence[Mount], wanted: Sequence[Mount], root: str) -> tuple[Mount, ...]:
    """Outer targets first; the last mount on a target wins.

    The generated files come before all others, which may thus hide them (as in BuildKit,
    executor/oci/spec.go: a tmpfs on /etc is empty).
    """
    by_target: dict[str, Mount] = {}
    for mount in wanted:
        place = inroot.resolve(root, mount.target)
        if place == root or not mount.target.startswith("/"):
            raise SandboxError(f"cannot mount on {mount.target!r}", hint="name a path below /")
        by_target[place] = mount
    first = [m for m in generated if inroot.resolve(root, m.target) not in by_target]
    return (*first, *(by_target[place] for place in sorted(by_target)))


@dataclass(slots=True)
class _Setup:
    """Turns mount descriptions into the runtime's mounts, making what they need."""

    context: ExitStack
    scratch: str
    base: str
    files: MemoryFiles
    host: Host
    count: int = 0

    def mount_root(
        self, root: str, layers: Sequence[str], upper: str | None, work: str | None
    ) -> None:
        keep = upper is not None
        if upper is None:
            upper, work = _directories(self._directory(), "upper", "work")
            os.chmod(upper, 0o755)
        # Where no device cgroup does it, this keeps RUN from the host's disks.
        flags = 0 if self.host.cgroups or self.host.rootless else syscalls.MS_NODEV
        self._stack(root, self.base, layers, upper, work, flags=flags, keep=keep)

    def mount(self, item: ContainerMount, mode: int) -> Mount:
        """The runtime's mount for ``item``; ``mode`` is what a tmpfs has."""
        if isinstance(item, SecretFile):
            return self.files.add(
                item.target, item.data, uid=item.uid, gid=item.gid, mode=item.mode
            )
        if isinstance(item, Tmpfs):
            return self._tmpfs(item, mode)
        if isinstance(item, SshSocket):
            return self._socket(item)
        if isinstance(item, TreeBind):
            return self._tree(item)
        if not os.path.lexists(item.source):
            raise SandboxError(f"cannot mount {item.source}: no such file or directory")
        source = self._discarding(item.source) if item.discard else item.source
        read_only = item.read_only and not item.discard
        return self._bind(item.target, source, read_only=read_only)

    def _bind(self, target: str, source: str, *, read_only: bool) -> Mount:
        options = ["rbind", "ro" if read_only else "rw"]
        if self.host.rootless:
            options += _locked_options(source)
        return Mount(target=target, source=source, options=tuple(options))

    def _tmpfs(self, item: Tmpfs, mode: int) -> Mount:
        """Mounted here and shown there, since runtimes differ in the mode they give to their own.

        On /dev it has to be the runtime's, which then puts the devices into it.
        """
        if item.target == "/dev":
            size = (f"size={item.size}",) if item.size else ()
            access = ("ro",) if item.read_only else ()
            options = ("nosuid", f"mode={mode:o}", *size, *access)
            return Mount(target="/dev", type="tmpfs", source="tmpfs", options=options)
        path = self._directory()
        flags = syscalls.MS_NOSUID
        if not (self.host.cgroups or self.host.rootless):
            flags |= syscalls.MS_NODEV
        self.context.enter_context(mounts.tmpfs(path, mode=mode, size=item.size, flags=flags))
        shown = self._bind(item.target, path, read_only=item.read_only)
        return replace(shown, options=(*shown.options, "nosuid"))

    def _socket(self, item: SshSocket) -> Mount:
        from jettison.sandbox import ssh

        path = self.files.path()
        self.context.enter_context(
            ssh.forwarded(path, item.agent, uid=item.uid, gid=item.gid, mode=item.mode)
        )
        return Mount(target=item.target, source=path, options=("rbind", "nosuid", "nodev"))

    def _tree(self, item: TreeBind) -> Mount:
        directory = self._directory()
        upper = work = None
        if not item.read_only:
            upper, work = _directories(directory, "upper", "work")
            os.chmod(upper, 0o755)
        tree = _directories(directory, "tree")[0]
        self._stack(tree, self.base, item.layers, upper, work)
        source = inroot.resolve(tree, item.source)
        if not os.path.lexists(source):
            raise SandboxError(f"cannot mount {item.source}: no such file or directory")
        return self._bind(item.target, source, read_only=item.read_only)

    def _discarding(self, source: str) -> str:
        """An overlay over ``source`` (or over the directory of a file) that takes the writes."""
        folder = source if os.path.isdir(source) else os.path.dirname(source)
        directory = self._directory()
        upper, work, merged = _directories(directory, "upper", "work", "merged")
        state = os.stat(folder)
        os.chown(upper, state.st_uid, state.st_gid)
        os.chmod(upper, state.st_mode & 0o7777)
        parent, name = os.path.split(os.path.realpath(folder))
        self._stack(merged, parent, [name], upper, work)
        return merged if folder == source else os.path.join(merged, os.path.basename(source))

    def _stack(
        self,
        target: str,
        base: str,
        layers: Sequence[str],
        upper: str | None,
        work: str | None,
        *,
        flags: int = 0,
        keep: bool = False,
    ) -> None:
        self.context.enter_context(
            snapshots.mounted(
                self.host.snapshotter,
                target,
                base=base,
                lowers=layers,
                upper=upper,
                work=work,
                keep=keep,
                userxattr=self.host.rootless,
                flags=flags,
            )
        )

    def _directory(self) -> str:
        self.count += 1
        return _directories(self.scratch, str(self.count))[0]


_LOCKED_NAMES: Mapping[int, str] = {
    syscalls.MS_NOSUID: "nosuid",
    syscalls.MS_NODEV: "nodev",
    syscalls.MS_NOEXEC: "noexec",
    syscalls.MS_NOATIME: "noatime",
    syscalls.MS_NODIRATIME: "nodiratime",
    syscalls.MS_RELATIME: "relatime",
}


def _locked_options(path: str) -> list[str]:
    """The options a bind mount must repeat in a user namespace (`mounts.locked_flags`)."""
    flags = mounts.locked_flags(path)
    names = [name for flag, name in _LOCKED_NAMES.items() if flags & flag]
    return names
