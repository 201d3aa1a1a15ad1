"""SOURCE_DATE_EPOCH: the time that the result carries instead of now."""

from __future__ import annotations

from collections.abc import Mapping

from jettison.dockerfile.instructions import Arg, ArgValue, Copy, Dockerfile, Stage
from jettison.dockerfile.text import expression
from jettison.errors import ImageError, JettisonError, PlanError
from jettison.model.digest import parse_digest
from jettison.model.span import Span
from jettison.plan.args import SOURCE_DATE_EPOCH
from jettison.plan.bases import git_step
from jettison.plan.copies import filename_of, is_url
from jettison.plan.giturl import find_git_url
from jettison.plan.options import NamedGit, NamedHttp, PlanOptions
from jettison.plan.stages import SCRATCH
from jettison.plan.steps import Git, Http
from jettison.plan.words import Words

_FIRST, _LAST = -62135596800, 253402300799
"""0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the times RFC 3339 can write."""


def resolve_epoch(
    dockerfile: Dockerfile, options: PlanOptions, args: Mapping[str, str]
) -> int | None:
    """The time asked for, in seconds since 1970; None if there is none.

    ``args`` are the global arguments. The value may be a number, ``context``, a named context or a
    stage that is nothing but one remote ADD: then it is the time of that source, if it has one
    (local directories have none). Raises PlanError for anything else.
    """
    given = options.build_args.get(SOURCE_DATE_EPOCH)
    if given is not None:
        return _resolved(given, dockerfile, options, args) if given else None
    value = args.get(SOURCE_DATE_EPOCH)
    try:
        return _resolved(value, dockerfile, options, args) if value else None
    except JettisonError as error:
        raise error.at(_written_at(dockerfile)) from None


def _written_at(dockerfile: Dockerfile) -> Span | None:
    """The ARG before the first FROM that says it."""
    found = [arg.span for arg in dockerfile.global_args if any(map(_is_epoch, arg.values))]
    return found[-1] if found else None


def _is_epoch(item: ArgValue) -> bool:
    return item.key == SOURCE_DATE_EPOCH and item.value is not None


def _resolved(
    value: str, dockerfile: Dockerfile, options: PlanOptions, args: Mapping[str, str]
) -> int | None:
    if expression("[+-]?[0-9]{1,4000}").fullmatch(value):
        if _FIRST <= int(value) <= _LAST:
            return int(value)
        raise PlanError(
            f"invalid SOURCE_DATE_EPOCH: {value[:40]}",
            hint="seconds since 1970, within the years 1 to 9999, which image documents can say",
        )
    if value == "context":
        return options.context_epoch
    named = options.named_context(value, options.target_platforms[0])
    if named is not None:
        source = named[1]
        if isinstance(source, NamedGit):
            return _time_of(git_step(source.url), options)
        if isinstance(source, NamedHttp):
            return _time_of(Http(url=source.url, filename="context"), options)
        return None
    for stage in dockerfile.stages:
        if (stage.name or "").lower() == value.lower():
            return _time_of(_source_of(dockerfile, stage, options, args), options)
    raise PlanError(
        f"invalid SOURCE_DATE_EPOCH: {value}",
        hint="seconds since 1970, context, a named context, or a stage that only ADDs a URL",
    )


def _time_of(step: Git | Http, options: PlanOptions) -> int | None:
    if options.epoch_of is None:
        raise PlanError(f"the time of {step.url} is not known, so it cannot be SOURCE_DATE_EPOCH")
    return options.epoch_of(step)


def _source_of(
    dockerfile: Dockerfile, stage: Stage, options: PlanOptions, args: Mapping[str, str]
) -> Git | Http:
    env = {key: value for key, value in args.items() if key != SOURCE_DATE_EPOCH}
    if Words(dockerfile.escape, env, stage.base.span).word(stage.base.image) != SCRATCH:
        raise PlanError("SOURCE_DATE_EPOCH stage must use FROM scratch", span=stage.base.span)
    source = None
    for instruction in stage.instructions:
        words = Words(dockerfile.escape, env, instruction.span)
        if isinstance(instruction, Arg):
            for item in instruction.values:
                if item.key in options.build_args:
                    env[item.key] = options.build_args[item.key]
                elif item.value is not None:
                    env[item.key] = words.word(item.value)
        elif isinstance(instruction, Copy) and instruction.add and source is None:
            source = _remote(instruction, words)
        else:
            raise PlanError(
                "a SOURCE_DATE_EPOCH stage holds nothing but ARGs and one ADD of a URL",
                span=instruction.span,
            )
    if source is None:
        raise PlanError(
            "SOURCE_DATE_EPOCH stage must contain exactly one remote ADD", span=stage.base.span
        )
    return source


def _remote(instruction: Copy, words: Words) -> Git | Http:
    if instruction.heredocs or len(instruction.sources) != 1:
        raise PlanError("the ADD of a SOURCE_DATE_EPOCH stage has one source", span=words.span)
    url = words.word(instruction.sources[0])
    checksum = words.word(instruction.checksum) if instruction.checksum else ""
    try:
        git = find_git_url(url)
        if git is not None:
            return git_step(url)
        if is_url(url):
            digest = parse_digest(checksum) if checksum else None
            return Http(url=url, filename=filename_of(url), checksum=digest)
    except (PlanError, ImageError) as error:
        raise error.at(words.span) from None
    raise PlanError("the ADD of a SOURCE_DATE_EPOCH stage takes a URL", span=words.span)
