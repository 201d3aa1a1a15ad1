"""Where a build's images go: the store, archives, layouts, directories, registries."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import msgspec
from msgspec import structs

from jettison.app.output_options import FILES, check, pack_options, switch
from jettison.app.packing import Attested, Inline, Packed, Packer, PackOptions
from jettison.app.request import BuildRequest, BuildResult, Output
from jettison.app.session import Session
from jettison.app.vertices import stopped_by, vertex
from jettison.errors import JettisonError, UsageError
from jettison.model.digest import Digest
from jettison.model.event import Observer
from jettison.model.oci import INDEX_TYPES, encode
from jettison.model.reference import Reference, parse_reference
from jettison.plan.steps import BuildPlan, Step

if TYPE_CHECKING:
    from jettison.app.attestations import Attestations
    from jettison.fs.below import Below
    from jettison.fs.compress import Compression
    from jettison.solve.imported import Imported


class Outputs:
    """The outputs of one build; what is asked for is checked before anything is built."""

    def __init__(
        self,
        request: BuildRequest,
        session: Session,
        observer: Observer,
        cancel: threading.Event,
    ) -> None:
        self._request = request
        self._session = session
        self._store = session.store
        self._observer = observer
        self._cancel = cancel
        self._outputs = request.outputs or (Output("image"),)
        self._attesting = request.sbom or request.provenance is not None
        self._inline_cache = any(spec.type == "inline" for spec in request.cache_to)
        self._imported: Imported | None = None
        if self._inline_cache and all(output.type in FILES for output in self._outputs):
            raise UsageError(
                "--cache-to type=inline needs an image that holds the cache",
                hint="use --output type=image, or --cache-to type=registry",
            )
        for output in self._outputs:
            self._check(output)
            if self._attesting:
                self._check_attestations(output)
        if request.annotations and all(output.type in FILES for output in self._outputs):
            raise UsageError(
                "--annotation needs an image to annotate", hint="use --output type=image or oci"
            )

    @property
    def compression(self) -> Compression | None:
        """What the layers of the first image output are compressed with; None if there is none."""
        images = (output for output in self._outputs if output.type not in FILES)
        return next((self._options(output).compression for output in images), None)

    def _check(self, output: Output) -> None:
        check(output, self._request.annotations)
        if output.type == "docker" and len(self._request.platforms) > 1:
            raise UsageError(
                "output type docker cannot hold several platforms", hint="use type=oci"
            )
        if _pushes(output) and not self._names(output):
            raise UsageError("a push needs a name", hint="give one with --tag HOST/NAME")
        if self._inline_cache and switch(output, "rewrite-timestamp", default=False):
            raise UsageError(
                "--cache-to type=inline and rewrite-timestamp cannot be used together",
                hint="the layers of steps have the times they were made; use type=registry",
            )

    def _check_attestations(self, output: Output) -> None:
        """As buildx and BuildKit refuse them: Docker's format has no place for attestations."""
        if output.type == "docker":
            raise UsageError(
                "output type docker cannot hold attestations",
                hint="use type=oci, or leave out --provenance, --sbom and --attest",
            )
        if output.type not in FILES and not switch(output, "oci-mediatypes", default=True):
            raise UsageError('attestations cannot be exported with "oci-mediatypes=false"')

    def _options(self, output: Output) -> PackOptions:
        options = pack_options(output, self._request.annotations)
        if self._inline_cache:
            options = structs.replace(options, inline_cache=True)
        if not self._attesting:
            return options
        attested = Attested(
            self._names(output),
            artifact=switch(output, "oci-artifact", default=True),
            inline=output.type in ("image", "registry") or len(self._request.platforms) > 1,
        )
        return structs.replace(options, attested=attested)

    def _names(self, output: Output) -> tuple[str, ...]:
        given = output.options.get("name", "")
        names = [n for n in given.split(",") if n] or list(self._request.tags)
        return tuple(dict.fromkeys(str(parse_reference(name)) for name in names))

    # ---------------------------------------------------------------- writing

    @property
    def reads_files(self) -> bool:
        """Whether an output needs the files of the layers, and not only their blobs."""
        return self._request.sbom or any(
            o.type in FILES or switch(o, "rewrite-timestamp", default=False) for o in self._outputs
        )

    @property
    def needs_blobs(self) -> bool:
        """Whether an output needs blobs here; a push can do with those a registry has."""
        return not all(
            o.type == "registry" or (_pushes(o) and not switch(o, "store", default=True))
            for o in self._outputs
        )

    def write(
        self,
        plan: BuildPlan,
        snapshots: Mapping[Step, tuple[str, ...]],
        imported: Imported | None = None,
        inline: Inline | None = None,
        attestations: Attestations | None = None,
    ) -> BuildResult:
        """Write all outputs; the result describes the first image among them."""
        self._imported = imported
        packer = Packer(
            self._session,
            plan,
            snapshots,
            self._cancel,
            imported=imported,
            inline=inline,
            attestations=attestations,
        )
        for output in self._outputs:
            with vertex(self._observer, _title(output)):
                self._write_one(output, packer)
        result = self._result(packer)
        self._write_files(result)
        return result

    def _result(self, packer: Packer) -> BuildResult:
        """What the first image output made; nothing for files alone (types tar and local)."""
        output = next((o for o in self._outputs if o.type not in FILES), None)
        if output is None:
            return BuildResult(digest=None, image_id="", names=(), metadata={})
        packed = packer.pack(self._options(output))
        names = self._names(output)
        return BuildResult(
            digest=packed.root.digest,
            image_id=packed.images[0].image_id if len(packed.images) == 1 else "",
            names=names,
            metadata=_metadata(packed, names),
        )

    def _repositories(self, digest: Digest) -> Iterator[Reference]:
        """Where a blob can be mounted from when it is pushed."""
        if self._imported is not None:
            yield from self._imported.repositories(digest)
        yield from self._store.origins.of(digest)

    def _write_one(self, output: Output, packer: Packer) -> None:
        names = self._names(output)
        if output.type in FILES:
            self._write_trees(output, packer)
            return
        packed = packer.pack(self._options(output))
        if output.type in ("image", "registry"):
            if output.type == "image" and switch(output, "store", default=True):
                packed.keep(self._store, names)
            if _pushes(output):
                self._push(packed, names)
            return
        from jettison.export.archive import write_archive, write_layout

        package = packed.package(names, docker=output.type == "docker")
        assert output.dest is not None
        if not switch(output, "tar", default=True):
            write_layout(package, output.dest)
            return
        with self._file(output.dest) as out:
            write_archive(package, out)

    def _write_trees(self, output: Output, packer: Packer) -> None:
        from jettison.export.rootfs import Root, write_directory, write_files, write_trees

        trees = [(str(p).replace("/", "_"), tree, mtime) for p, tree, mtime in packer.trees()]
        apart = switch(output, "platform-split", default=len(trees) > 1)
        assert output.dest is not None
        beside = self._files_beside(output, packer, trees, apart=apart)
        if output.type == "local":
            for folder, tree, mtime in trees:
                place = os.path.join(output.dest, folder) if apart else output.dest
                write_directory(tree, place, mtime=mtime)
                write_files(beside.get(folder, {}), place, mtime=mtime)
            return
        roots = [Root(name if apart else "", tree, beside.get(name, {})) for name, tree, _ in trees]
        with self._file(output.dest) as out:
            write_trees(roots if apart else roots[:1], out, mtime=trees[0][2])

    def _files_beside(
        self, output: Output, packer: Packer, trees: Sequence[tuple[str, Below, object]],
        *, apart: bool,
    ) -> dict[str, dict[str, bytes]]:  # fmt: skip
        """Attestations as files in the roots of the trees: for each tree, content by name."""
        if not self._attesting:
            return {}
        from jettison.app.beside import statements_of

        prefix = output.options.get("attestation-prefix", "")
        marked = len(trees) > 1 and not apart
        found = {}
        for (name, tree, _), (_, predicates) in zip(trees, packer.statements(), strict=True):
            suffix = name if marked else ""
            found[name] = statements_of(predicates, tree, prefix=prefix, suffix=suffix)
        return found

    def _push(self, packed: Packed, names: Sequence[str]) -> None:
        from jettison.app.registries import registry_client
        from jettison.registry.push import push

        with registry_client(self._session.environ) as client:
            for name in names:
                reference = parse_reference(name)
                title = f"pushing {reference.familiar}"
                with stopped_by(self._cancel, client.cancel), vertex(self._observer, title) as step:
                    push(
                        client,
                        packed.blobs(),
                        packed.root,
                        [reference],
                        origins=self._repositories,
                        observer=self._observer,
                        step=step,
                    )

    @contextmanager
    def _file(self, dest: str) -> Iterator[IO[bytes]]:
        """Standard output, or a file that takes its name only once it is complete."""
        if dest == "-":
            assert self._request.stdout is not None
            yield self._request.stdout
            return
        draft = f"{dest}.partial-{os.getpid()}"
        try:
            with open(draft, "wb") as out:
                yield out
            os.replace(draft, dest)
        except OSError as error:
            raise JettisonError(f"cannot write {dest}: {error.strerror}") from None
        finally:
            if os.path.lexists(draft):
                os.unlink(draft)

    def _write_files(self, result: BuildResult) -> None:
        if self._request.iidfile is not None:
            _write_text(self._request.iidfile, result.image_id or result.digest or "")
        if self._request.metadata_file is not None:
            import json

            text = json.dumps(result.metadata, indent=2, sort_keys=True) + "\n"
            _write_text(self._request.metadata_file, text)


def _title(output: Output) -> str:
    where = f" to {output.dest}" if output.dest not in (None, "-") else ""
    return f"exporting {output.type}{where}"


def _pushes(output: Output) -> bool:
    return output.type == "registry" or switch(output, "push", default=False)


def _metadata(packed: Packed, names: Sequence[str]) -> dict[str, object]:
    """What --metadata-file holds, under buildx's keys."""
    metadata: dict[str, object] = {
        "containerimage.descriptor": msgspec.json.decode(encode(packed.root)),
        "containerimage.digest": packed.root.digest,
    }
    if packed.root.mediaType not in INDEX_TYPES:
        metadata["containerimage.config.digest"] = packed.images[0].image_id
    if names:
        metadata["image.name"] = ",".join(names)
    return metadata


def _write_text(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise JettisonError(f"cannot write {path}: {error.strerror}") from None
