"""SOURCE_DATE_EPOCH (checklist T-05, T-06)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jettison.errors import JettisonError
from jettison.plan.options import NamedGit, NamedLocal
from jettison.plan.steps import BuildPlan, Git, Http, Mkdir, Run

Planned = Callable[..., BuildPlan]


def times(step: Git | Http) -> int | None:
    """Sources are as old as their URLs are long."""
    return len(step.url)


@pytest.mark.parametrize(
    ("value", "options", "epoch"),
    [
        ("1234567890", {}, 1234567890),
        ("-1", {}, -1),
        ("", {}, None),
        ("context", {}, None),
        ("context", {"context_epoch": 7}, 7),
        ("extra", {"contexts": {"extra": NamedLocal("extra")}}, None),
        ("extra", {"contexts": {"extra": NamedGit("https://h/r.git#x")}, "epoch_of": times}, 15),
        ("SRC", {"epoch_of": times}, 11),
    ],
)
def test_values(planned: Planned, value: str, options: dict[str, Any], epoch: int | None) -> None:
    text = "FROM scratch AS src\nARG f=a\nADD https://h/$f /\nFROM base\nWORKDIR /w\nRUN x\n"
    made = planned(text, build_args={"SOURCE_DATE_EPOCH": value}, **options)
    image = made.images[0]
    assert image.epoch == epoch
    mkdir = image.history[0].step
    assert isinstance(mkdir, Mkdir)
    assert mkdir.mtime == epoch


def test_a_global_argument_sets_it(planned: Planned) -> None:
    assert planned("ARG SOURCE_DATE_EPOCH=5\nFROM base\n").images[0].epoch == 5
    assert planned("ARG SOURCE_DATE_EPOCH\nFROM base\n").images[0].epoch is None


@pytest.mark.parametrize(("body", "seen"), [("", None), ("ARG SOURCE_DATE_EPOCH\n", "7")])
def test_run_sees_the_number_only_after_arg(planned: Planned, body: str, seen: str | None) -> None:
    made = planned(
        f"FROM base\n{body}RUN x\n",
        build_args={"SOURCE_DATE_EPOCH": "context"},
        context_epoch=7,
    )
    root = made.images[0].root
    assert isinstance(root, Run)
    assert dict(root.env).get("SOURCE_DATE_EPOCH") == seen


def test_a_context_without_time_unsets_it(planned: Planned) -> None:
    made = planned(
        "FROM base\nARG SOURCE_DATE_EPOCH\nRUN x\n", build_args={"SOURCE_DATE_EPOCH": "context"}
    )
    root = made.images[0].root
    assert isinstance(root, Run)
    assert "SOURCE_DATE_EPOCH" not in dict(root.env)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("FROM scratch AS other\n", "invalid SOURCE_DATE_EPOCH: src"),
        ("FROM base AS src\nADD https://h/a /\n", "must use FROM scratch"),
        ("FROM scratch AS src\n", "exactly one remote ADD"),
        ("FROM scratch AS src\nADD https://h/a /\nADD https://h/b /\n", "one ADD"),
        ("FROM scratch AS src\nCOPY a /\n", "nothing but ARGs"),
        ("FROM scratch AS src\nADD a /\n", "takes a URL"),
        ("FROM scratch AS src\nADD https://h/a https://h/b /\n", "one source"),
    ],
)
def test_errors(planned: Planned, stage: str, message: str) -> None:
    with pytest.raises(JettisonError, match=message):
        planned(stage + "FROM base\n", build_args={"SOURCE_DATE_EPOCH": "src"}, epoch_of=times)


@pytest.mark.parametrize(
    "value", ["x", "9" * 20, "9" * 5000, "253402300800", "-62135596801", "1_0"]
)
def test_a_wrong_value_is_located_where_the_dockerfile_says_it(
    planned: Planned, value: str
) -> None:
    with pytest.raises(JettisonError, match="invalid SOURCE_DATE_EPOCH") as caught:
        planned(f"ARG a\nARG SOURCE_DATE_EPOCH={value}\nFROM base\n")
    assert caught.value.span is not None
    assert caught.value.span.line == 2
