"""Where a build finds its base images: the local store, registries, named layouts."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from jettison.errors import JettisonError, NotFoundError, RegistryError
from jettison.model.digest import Digest
from jettison.model.platform import Platform, matches
from jettison.model.reference import Reference, parse_reference
from jettison.model.resolve import resolve_image
from jettison.model.source import ImageSource, ResolvedImage
from jettison.plan.giturl import find_git_url

if TYPE_CHECKING:
    from jettison.store.store import Store

LAYOUT_PREFIX = "oci-layout://"


class BaseImages:
    """The ImageSource of one build; every image is resolved once.

    A name is looked for in the store first, unless ``pull`` asks for the registry's word; images
    whose reference holds a digest never need asking twice. ``registry`` and ``layout`` are
    factories, so that a build that needs neither imports neither. ``size`` gives the size of a blob
    of the store: an image that lost one is looked for in the registry again.
    """

    def __init__(
        self,
        store: ImageSource,
        registry: Callable[[], ImageSource],
        layout: Callable[[str], ImageSource],
        *,
        pull: bool,
        size: Callable[[Digest], int | None] | None = None,
    ) -> None:
        self._store = store
        self._size = size
        self._registry = registry
        self._layout = layout
        self._pull = pull
        self._known: dict[tuple[str, Platform], ResolvedImage | JettisonError] = {}
        self._fetched: dict[tuple[str, Platform], ResolvedImage] = {}
        self._lock = threading.Lock()

    def resolve(self, name: str, platform: Platform) -> ResolvedImage:
        key = (name, platform)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            try:
                known = self._ask(name, platform)
            except JettisonError as error:
                known = error
            with self._lock:
                self._known[key] = known
        if isinstance(known, JettisonError):
            raise known
        return known

    def resolved(self) -> list[tuple[str, Platform, ResolvedImage]]:
        """The images found so far, each with the name and the platform it was asked for by."""
        with self._lock:
            known = list(self._known.items())
        return [(*key, image) for key, image in known if isinstance(image, ResolvedImage)]

    def prefetch(self, wanted: Iterable[tuple[str, Platform]]) -> None:
        """Resolve several images at once; what fails is raised when it is asked for."""
        wanted = list(dict.fromkeys(wanted))
        if len(wanted) < 2:
            return

        from concurrent.futures import ThreadPoolExecutor

        def quietly(pair: tuple[str, Platform]) -> None:
            with contextlib.suppress(JettisonError):  # remembered, raised where it is used
                self.resolve(*pair)

        with ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolve") as pool:
            list(pool.map(quietly, wanted))

    def _ask(self, name: str, platform: Platform) -> ResolvedImage:
        if name.startswith(LAYOUT_PREFIX):
            return self._from_layout(name, platform)
        reference = parse_reference(name)
        local = self._local(name, platform)
        if local is not None and not self._pull and self._is_usable(local, platform):
            return local
        try:
            image = self._registry().resolve(str(reference), platform)
        except (NotFoundError, RegistryError) as error:
            if local is not None and not self._pull:
                return local  # of another platform or not complete, but there is no better one
            raise _naming(error, reference, name) from None
        if reference.digest is None:  # a digest alone gives no name to keep it under
            with self._lock:
                self._fetched[str(reference), platform] = image
        return image

    def _local(self, name: str, platform: Platform) -> ResolvedImage | None:
        try:
            return self._store.resolve(name, platform)
        except NotFoundError:
            return None

    def _is_usable(self, image: ResolvedImage, platform: Platform) -> bool:
        """Whether an image of the store is of the platform, and whole: of an index kept for
        another platform there may be no more than the documents.
        """
        if not matches(platform, image.config.platform):
            return False
        return self._size is None or all(self._size(b.digest) == b.size for b in image.layers)

    def keep(self, store: Store) -> None:
        """Let names that registries resolved stand for the same images in the store.

        Call it once the layers that are needed are there: an image that is not complete is not
        kept. The next build finds the others without the network, as with Docker's engine.
        """
        with self._lock:
            fetched = dict(self._fetched)
        for (name, platform), image in fetched.items():
            if image.root is not None and _is_complete(store, image, platform):
                store.images.name(image.root, [name])

    def _from_layout(self, name: str, platform: Platform) -> ResolvedImage:
        """``oci-layout://PATH[:TAG][@DIGEST]``."""
        rest, _, digest = name.removeprefix(LAYOUT_PREFIX).partition("@")
        head, slash, last = rest.rpartition("/")
        path, _, tag = last.partition(":")
        return self._layout(f"{head}{slash}{path}").resolve(digest or tag, platform)


def _is_complete(store: Store, image: ResolvedImage, platform: Platform) -> bool:
    """Whether all documents and layers of ``image`` are in the store."""
    assert image.root is not None
    try:
        here = resolve_image(store.blobs, image.name, image.root, platform)
    except NotFoundError:
        return False
    return all(store.blobs.has(layer.digest, layer.size) for layer in here.layers)


def _naming(
    error: NotFoundError | RegistryError, reference: Reference, name: str
) -> NotFoundError | RegistryError:
    """The same error with the image's name in it, as it was asked for."""
    hint = error.hint
    if hint is None and isinstance(error, NotFoundError):
        hint = "is the name right? `jettison images` lists what is in the store"
    named = reference.path in error.message
    return type(error)(error.message if named else f"{name}: {error.message}", hint=hint)


def classify(value: str) -> tuple[str, str]:
    """What ``--build-context name=value`` names: (kind, rest).

    Kinds: ``image`` (docker-image://), ``scratch``, ``layout`` (oci-layout://), ``git``, ``http``
    (one file, which is not unpacked), ``local`` (a directory, or an archive).
    """
    if value.startswith("docker-image://"):
        name = value.removeprefix("docker-image://")
        return ("scratch", "") if name == "scratch" else ("image", name)
    if value.startswith(LAYOUT_PREFIX):
        return "layout", value
    if not os.path.exists(value) and find_git_url(value) is not None:
        return "git", value
    if value.lower().startswith(("http://", "https://")):
        return "http", value
    return "local", value
