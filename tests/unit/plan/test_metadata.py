"""Instructions that change the image's configuration (checklist sections K, U, W, T)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jettison.errors import JettisonError
from jettison.model.oci import RunConfig
from jettison.plan.metadata import resolve_workdir
from jettison.plan.steps import BuildPlan, Mkdir, Run

Images = Any
Planned = Callable[..., BuildPlan]


def config_of(plan: BuildPlan) -> RunConfig:
    return plan.images[0].config.config


def history_of(plan: BuildPlan) -> list[str]:
    return [entry.created_by for entry in plan.images[0].history]


def test_scratch_has_path_and_workdir_only(planned: Planned) -> None:
    image = planned("FROM scratch\n").images[0]
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert image.config.config == RunConfig(Env=(path,), WorkingDir="/")
    assert (image.root, image.history, image.base) == (None, (), None)


def test_a_base_is_inherited_but_for_its_creation(planned: Planned) -> None:
    image = planned("FROM base\n").images[0]
    assert image.config.config == RunConfig(Env=("PATH=/bin", "FROM_BASE=yes"), Cmd=("run-base",))
    assert (image.config.author, image.config.created) == ("somebody", "")
    assert [h.created_by for h in image.config.history or ()] == ["make base"]
    assert image.config.rootfs.diff_ids == ()
    assert image.base is not None
    assert image.base.name == "base"


def test_a_base_without_path_gets_one(planned: Planned, images: Images) -> None:
    images.add("bare", Env=("A=1",))
    env = config_of(planned("FROM bare\n")).Env
    assert env == ("A=1", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def test_env_replaces_in_place(planned: Planned) -> None:
    made = planned('FROM base\nENV PATH=/x:$PATH B="two words"\nENV C=$B legacy=\n')
    assert config_of(made).Env == (
        "PATH=/x:/bin",
        "FROM_BASE=yes",
        "B=two words",
        "C=two words",
        "legacy=",
    )
    assert history_of(made) == ["ENV PATH=/x:/bin B=two words", "ENV C=two words legacy="]


def test_words_of_one_instruction_see_the_state_before_it(planned: Planned) -> None:
    made = planned("FROM scratch\nENV a=1\nENV a=2 b=$a\n")
    assert "b=1" in (config_of(made).Env or ())


def test_labels(planned: Planned) -> None:
    made = planned(
        'FROM base\nENV k=key\nLABEL a=1 "$k"=2\nLABEL a=3\n', labels={"a": "option", "z": ""}
    )
    assert config_of(made).Labels == {"a": "option", "key": "2", "z": ""}
    assert history_of(made)[1:] == ["LABEL a=1 key=2", "LABEL a=3"]


def test_expose(planned: Planned, images: Images) -> None:
    images.add("web", ExposedPorts={"80/tcp": {}})
    made = planned('FROM web\nENV P="1-3/udp 7/TCP"\nEXPOSE $P 9/sctp\n')
    ports = ["1/udp", "2/udp", "3/udp", "7/tcp", "9/sctp"]
    assert list(config_of(made).ExposedPorts or ()) == ["80/tcp", *ports]
    assert history_of(made)[1] == f"EXPOSE [{' '.join(ports)}]"


def test_volume(planned: Planned) -> None:
    made = planned('FROM base\nENV d=/data\nVOLUME $d b/\nVOLUME ["/with blank"]\n')
    assert list(config_of(made).Volumes or ()) == ["/data", "b/", "/with blank"]
    assert history_of(made)[1:] == ["VOLUME [/data b/]", "VOLUME [/with blank]"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("VOLUME $nothing", "can not be an empty string"),
        ("STOPSIGNAL SIGFOO", "invalid signal: SIGFOO"),
        ("EXPOSE 80/xyz", "xyz"),
        ("EXPOSE 70000", "70000"),
        ("USER ${x:?who}", "who"),
    ],
)
def test_errors_name_the_line(planned: Planned, text: str, message: str) -> None:
    with pytest.raises(JettisonError, match=message) as caught:
        planned(f"FROM base\n\n{text}\n")
    assert caught.value.span is not None
    assert caught.value.span.line == 3


def test_stop_signal_is_stored_as_written(planned: Planned) -> None:
    assert config_of(planned("FROM base\nSTOPSIGNAL term\n")).StopSignal == "term"


def test_healthcheck_history(planned: Planned) -> None:
    made = planned("FROM base\nHEALTHCHECK --interval=90s --retries=2 CMD a b\nHEALTHCHECK NONE\n")
    check = config_of(made).Healthcheck
    assert check is not None
    assert (check.Test, check.Interval, check.Retries) == (("NONE",), 0, 0)
    assert history_of(made)[0] == (
        "HEALTHCHECK {Test:[CMD-SHELL a b] Interval:1m30s Timeout:0s StartPeriod:0s"
        " StartInterval:0s Retries:2}"
    )


def test_shell_form_uses_the_shell_in_force(planned: Planned) -> None:
    made = planned('FROM base\nCMD a "b"\nSHELL ["/bin/bash", "-ec"]\nENTRYPOINT c\n')
    config = config_of(made)
    assert config.Cmd == ("/bin/sh", "-c", 'a "b"')
    assert config.Entrypoint == ("/bin/bash", "-ec", "c")
    assert config.Shell == ("/bin/bash", "-ec")
    assert history_of(made) == [
        r'CMD ["/bin/sh" "-c" "a \"b\""]',
        "SHELL [/bin/bash -ec]",
        'ENTRYPOINT ["/bin/bash" "-ec" "c"]',
    ]


@pytest.mark.parametrize(
    ("text", "cmd"),
    [
        ('ENTRYPOINT ["e"]', None),  # K-11: an inherited CMD goes
        ("ENTRYPOINT []", None),
        ('CMD ["own"]\nENTRYPOINT ["e"]', ("own",)),  # K-13
        ('ENTRYPOINT ["e"]\nCMD ["own"]', ("own",)),
        ("CMD []", None),
        ("LABEL a=b", ("run-base",)),
    ],
)
def test_entrypoint_and_cmd(planned: Planned, text: str, cmd: tuple[str, ...] | None) -> None:
    assert config_of(planned(f"FROM base\n{text}\n")).Cmd == cmd


def test_entrypoint_clears_the_cmd_of_a_stage(planned: Planned) -> None:
    made = planned('FROM base AS a\nCMD ["a"]\nFROM a\nENTRYPOINT ["e"]\n')
    assert (config_of(made).Cmd, config_of(made).Entrypoint) == (None, ("e",))


def test_maintainer_is_the_author(planned: Planned) -> None:
    image = planned("FROM base\nMAINTAINER Me <me@host>\n").images[0]
    assert image.config.author == "Me <me@host>"
    assert image.history[0].created_by == "MAINTAINER Me <me@host>"


@pytest.mark.parametrize(
    ("current", "path", "result"),
    [
        ("", "a", "/a"),
        ("/", "", "/"),
        ("/a", "b/../c/", "/a/c"),
        ("/a", "../../..", "/"),
        ("/a", "/b/../c/", "/b/../c/"),  # W-08: as written
        ("/a", ".", "/a"),
        ("rel", "x", "/rel/x"),
    ],
)
def test_workdir_resolution(current: str, path: str, result: str) -> None:
    assert resolve_workdir(current, path) == result


def test_workdir_makes_a_layer_but_for_the_root(planned: Planned) -> None:
    made = planned("FROM base\nUSER u\nWORKDIR /\nWORKDIR $FROM_BASE\nWORKDIR b\n")
    entries = made.images[0].history
    assert [e.created_by for e in entries] == [
        "USER u",
        "WORKDIR /",
        "WORKDIR /yes",
        "WORKDIR /yes/b",
    ]
    assert [e.step is not None for e in entries] == [False, False, True, True]
    last = made.images[0].root
    assert isinstance(last, Mkdir)
    assert (last.path, last.user, last.mtime, last.root) == ("/yes/b", "u", None, entries[2].step)


def test_bytes_that_are_no_text_become_replacement_characters(planned: Planned) -> None:
    image = planned("FROM base\nLABEL a=\udcff\nENV é=\udce9x\nRUN x\n").images[0]
    assert image.config.config.Labels == {"a": "\ufffd"}
    assert "é=\ufffdx" in (image.config.config.Env or ())
    assert image.history[0].created_by == "LABEL a=\ufffd"
    assert isinstance(image.root, Run)
    assert dict(image.root.env)["é"] == "\udce9x"  # the command gets the bytes


def test_onbuild_is_stored_and_has_no_history(planned: Planned) -> None:
    made = planned("FROM base\nONBUILD RUN echo $x\nONBUILD COPY a b\n")
    assert config_of(made).OnBuild == ("RUN echo $x", "COPY a b")
    assert history_of(made) == []
