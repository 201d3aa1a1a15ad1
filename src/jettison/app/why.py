"""``jettison why``: why a file is in an image."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct

from jettison.app.planning import build_platform
from jettison.app.session import Session, open_session
from jettison.app.sources import LAYOUT_PREFIX
from jettison.closure.engine import closure_of
from jettison.closure.launch import launch_of
from jettison.closure.model import Closure, Gap, Launch, Options
from jettison.closure.owners import Owners
from jettison.errors import Cancelled, JettisonError, NotFoundError, PathError
from jettison.fs.stack import Stack
from jettison.fs.tree import Entry, clean
from jettison.fs.whiteout import is_whiteout
from jettison.model.event import Observer
from jettison.model.platform import Platform
from jettison.model.source import ResolvedImage
from jettison.packages.model import Package
from jettison.packages.scan import scan

if TYPE_CHECKING:
    from jettison.image.archive import ImageArchive


class WhyRequest(Struct, frozen=True, kw_only=True):
    """``path`` None: the whole image. ``command`` None: what the image's config starts."""

    image: str
    path: str | None = None
    platform: Platform | None = None
    command: tuple[str, ...] | None = None
    options: Options = Options()


class LayerOrigin(Struct, frozen=True):
    """A layer by its number from 1, its blob, and the instruction in the history that made it."""

    number: int
    digest: str
    instruction: str


class Step(Struct, frozen=True):
    """A file of a chain; ``rule`` and ``text`` say why the next one, or the launch, needs it."""

    path: str
    rule: str
    text: str
    weak: bool


class Share(Struct, frozen=True, order=True):
    """Files and bytes of a group, and how many of them something at run time needs."""

    size: int
    files: int
    needed_size: int
    needed_files: int
    name: str


class WhyFile(Struct, frozen=True, kw_only=True):
    """Why one path is there. ``chain`` begins with it and ends with what the launch starts; empty
    if nothing is known to need it. ``others`` counts further files that need it.
    """

    path: str
    kind: str
    size: int
    target: str = ""
    layer: LayerOrigin | None = None
    hidden: tuple[LayerOrigin, ...] = ()
    packages: tuple[Package, ...] = ()
    chain: tuple[Step, ...] = ()
    others: int = 0
    below: Share | None = None


class Why(Struct, frozen=True, kw_only=True):
    """``file`` if a path was asked for, else the shares of packages and of rules, largest first."""

    image: str
    digest: str
    launch: tuple[str, ...]
    layers: int
    gaps: tuple[Gap, ...]
    file: WhyFile | None = None
    total: Share | None = None
    packages: tuple[Share, ...] = ()
    rules: tuple[Share, ...] = ()


def why(
    request: WhyRequest,
    observer: Observer,
    *,
    environ: Mapping[str, str],
    cancel: threading.Event,
) -> Why:
    """What is known of a path of an image, or of all of them.

    The image is one of the store, or an archive or layout at a path. Raises NotFoundError if there
    is no such image, PathError if there is no such path in it.
    """
    with open_session(environ) as session, ExitStack() as stack:
        image = _resolve(request, session, stack)
        return _Answer(request, session, image, observer, cancel).answer()


def _resolve(request: WhyRequest, session: Session, stack: ExitStack) -> ResolvedImage:
    platform = request.platform or build_platform()
    name, tag = request.image, ""
    if name.startswith(LAYOUT_PREFIX):
        rest, _, digest = name.removeprefix(LAYOUT_PREFIX).partition("@")
        head, slash, last = rest.rpartition("/")
        path, _, tag = last.partition(":")
        name, tag = f"{head}{slash}{path}", digest or tag
    else:
        try:
            return session.store.images.resolve(name, platform)
        except JettisonError as error:
            if not os.path.exists(name):
                if isinstance(error, NotFoundError) and error.hint is None:
                    error.hint = "jettison images lists what is in the store; jettison pull fetches"
                raise
    from jettison.image.archive import open_archive

    scratch = stack.enter_context(session.store.staging.directory())
    archive: ImageArchive = stack.enter_context(open_archive(name, scratch=str(scratch)))
    return archive.resolve(tag, platform)


class _Answer:
    def __init__(
        self,
        request: WhyRequest,
        session: Session,
        image: ResolvedImage,
        observer: Observer,
        cancel: threading.Event,
    ) -> None:
        from jettison.solve.images import ImageUnpacker

        prefix = "user" if session.rootless else "trusted"
        self._request = request
        self._image = image
        self._cancel = cancel
        ids = ImageUnpacker(session.store, observer, cancel, prefix).unpack(image, "unpack")
        self._directories = [str(session.store.layers.path(layer)) for layer in ids]
        self._tree = Stack(self._directories)
        self._path = self._checked(request.path) if request.path is not None else None
        self._launch: Launch = launch_of(image.config.config, request.command)
        self._owners = Owners(self._tree, scan(self._tree, self._stop))
        self._closure: Closure = closure_of(
            self._tree,
            self._launch,
            options=request.options,
            owner=self._owners.named,
            progress=self._stop,
        )

    def answer(self) -> Why:
        image = self._image
        common = Why(
            image=self._request.image,
            digest=image.digest,
            launch=self._launch.argv,
            layers=len(image.layers),
            gaps=self._closure.gaps,
        )
        from msgspec.structs import replace

        if self._path is not None:
            return replace(common, file=self._file(self._path))
        total, packages, rules = self._shares()
        return replace(common, total=total, packages=packages, rules=rules)

    def _stop(self) -> None:
        if self._cancel.is_set():
            raise Cancelled

    # ---------------------------------------------------------------- one path

    def _checked(self, path: str) -> Entry:
        """The entry at a path; links of its directories are followed, its own is not."""
        real = self._tree.resolve(clean(path), follow_last=False)
        entry = self._tree.lstat(real)
        if entry is not None:
            return entry
        name = self._request.image
        for number in range(len(self._directories), 0, -1):
            if self._removes(self._directories[number - 1], real):
                made = self._origin(number).instruction
                hint = (
                    f"layer {number} removes it: {made}" if made else f"layer {number} removes it"
                )
                raise PathError(f"{clean(path)} is not in {name}", hint=hint)
        raise PathError(f"{clean(path)} is not in {name}")

    def _removes(self, layer: str, path: str) -> bool:
        parts = path.strip("/").split("/")
        for end in range(1, len(parts) + 1):
            try:
                if is_whiteout(os.lstat("/".join([layer, *parts[:end]]))):
                    return True
            except OSError:
                return False
        return False

    def _file(self, entry: Entry) -> WhyFile:
        path = entry.path
        kinds = {stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFREG: "file"}
        chain = self._closure.chain(path)
        reasons = self._closure.items.get(path, ())
        layers = self._layers_with(entry)
        return WhyFile(
            path=path,
            kind=kinds.get(entry.kind, "special file"),
            size=entry.size if entry.is_file else 0,
            target=entry.target if entry.is_link else "",
            layer=layers[0] if layers else None,
            hidden=tuple(layers[1:]) if not entry.is_dir else (),
            packages=self._owners.of(path),
            chain=tuple(Step(p, r.rule, r.text, r.weak) for p, r in chain),
            others=max(0, len({reason.by for reason in reasons}) - 1),
            below=self._share(path) if entry.is_dir else None,
        )

    def _layers_with(self, entry: Entry) -> list[LayerOrigin]:
        """The layers that have something at a path, the topmost, whose it is, first."""
        found = []
        for number in range(len(self._directories), 0, -1):
            try:
                if not is_whiteout(os.lstat(self._directories[number - 1] + entry.path)):
                    found.append(self._origin(number))
            except OSError:
                continue
        return found

    def _origin(self, number: int) -> LayerOrigin:
        history = [h for h in self._image.config.history or () if not h.empty_layer]
        text = history[number - 1].created_by if number <= len(history) else ""
        return LayerOrigin(number, self._image.layers[number - 1].digest, " ".join(text.split()))

    # ---------------------------------------------------------------- all paths

    def _share(self, below: str) -> Share:
        group = _Group(below)
        for entry in self._tree.walk(below):
            self._stop()
            if not entry.is_dir:
                group.add(entry, entry.path in self._closure.items)
        return group.share()

    def _shares(self) -> tuple[Share, tuple[Share, ...], tuple[Share, ...]]:
        total = _Group("")
        packages: dict[str, _Group] = {}
        rules: dict[str, _Group] = {}
        for entry in self._tree.walk("/"):
            self._stop()
            if entry.is_dir:
                continue
            reasons = self._closure.items.get(entry.path, ())
            owners = self._owners.of(entry.path)
            name = f"{owners[0].type}:{owners[0].name}" if owners else ""
            rule = reasons[0].rule if reasons else ""
            for groups, key in ((packages, name), (rules, rule)):
                groups.setdefault(key, _Group(key)).add(entry, bool(reasons))
            total.add(entry, bool(reasons))
        return total.share(), _sorted(packages), _sorted(rules)


class _Group:
    """Counts files; those with several names count their bytes once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: set[tuple[int, int]] = set()
        self._counts = [0, 0, 0, 0]

    def add(self, entry: Entry, needed: bool) -> None:
        identity = (entry.st.st_dev, entry.st.st_ino)
        known = entry.st.st_nlink > 1 and identity in self._seen
        self._seen.add(identity)
        size = entry.size if entry.is_file and not known else 0
        self._counts[0] += size
        self._counts[1] += 1
        self._counts[2] += size if needed else 0
        self._counts[3] += needed

    def share(self) -> Share:
        size, files, needed_size, needed_files = self._counts
        return Share(size, files, needed_size, needed_files, self._name)


def _sorted(groups: Mapping[str, _Group]) -> tuple[Share, ...]:
    shares = [group.share() for group in groups.values()]
    return tuple(sorted(shares, key=lambda share: (-share.size, share.name)))
