"""Which images a build will ask for, so that they can be fetched before planning."""

from __future__ import annotations

from jettison.dockerfile.instructions import Dockerfile
from jettison.errors import JettisonError
from jettison.plan.args import global_args, predefined_args
from jettison.plan.bases import BaseName, image_behind, image_of_context
from jettison.plan.options import PlanOptions
from jettison.plan.stages import StageGraph, StageNode


def needed_images(dockerfile: Dockerfile, options: PlanOptions) -> tuple[BaseName, ...]:
    """The images the target needs, in the order of the Dockerfile, each once.

    ONBUILD triggers of those images may need more; `plan` asks for these by itself. Raises what
    `plan` raises for a malformed FROM or --from.
    """
    found: dict[BaseName, None] = {}
    for platform in options.target_platforms:
        predefined = predefined_args(dockerfile, options, platform)
        args = global_args(dockerfile, predefined, options.build_args)
        graph = StageGraph(dockerfile, options, args, platform)
        for node in graph.closure(graph.target(options.target)):
            own = node.platform or platform
            if node.replacement is not None:
                image = image_of_context(node.replacement[1], own)
                if image is not None:
                    found[image] = None
                continue
            for need, span in graph.needs(node):
                if isinstance(need, StageNode):
                    continue
                try:
                    image = image_behind(need, own if need is node.base else platform, options)
                except JettisonError as error:
                    raise error.at(span) from None
                if image is not None:
                    found[image] = None
    return tuple(found)
