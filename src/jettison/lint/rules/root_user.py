"""RootUser."""

from __future__ import annotations

from collections.abc import Iterator

from jettison.dockerfile.instructions import Cmd, Entrypoint, Instruction, User
from jettison.lint.rule import Problem, Rule
from jettison.lint.view import View, reference_of

_OTHER_USER = frozenset(
    """adminer cassandra couchbase elasticsearch flink geonetwork ghost haproxy httpd influxdb
    jenkins jetty kibana kong logstash mariadb memcached mongo mysql neo4j nginx percona postgres
    rabbitmq redis rocket.chat solr sonarqube spark spiped storm valkey varnish zookeeper""".split()
)
"""Official images that set a user, or whose program drops root by itself."""

_DROPPING = ("gosu", "su-exec", "setpriv", "s6-", "supervisord", "runuser", "chpst")


def _check(view: View) -> Iterator[Problem]:
    commands = [i for i in view.final.history if isinstance(i, Cmd | Entrypoint)]
    if not commands or any(word in i.text for i in view.final.history for word in _DROPPING):
        return
    users = [i for i in view.final.history if isinstance(i, User)]
    if users:
        name = users[-1].user.strip("\"'").partition(":")[0]
        if name in ("root", "0"):
            yield _problem(users[-1], f"the program runs as root: USER {users[-1].user}")
    elif _starts_as_root(view.final.root_image):
        yield _problem(commands[-1], "the program runs as root: nothing sets another USER")


def _problem(at: Instruction, message: str) -> Problem:
    return Problem(
        instruction=at,
        message=message,
        help="end the stage with USER and a number, e.g. USER 65532",
        evidence=at.text,
    )


def _starts_as_root(image: str) -> bool:
    """Whether an image is known to have no user of its own."""
    if image == "scratch":
        return True
    reference = reference_of(image)
    if reference is None:
        return False
    tag = reference.tag or ""
    if reference.repository.startswith("docker.io/library/"):
        official = reference.path.removeprefix("library/")
        return official not in _OTHER_USER and "unprivileged" not in tag and "rootless" not in tag
    if reference.repository.startswith("gcr.io/distroless/"):
        return "nonroot" not in tag
    return False


RULE = Rule(
    code="RootUser",
    severity="warning",
    summary="the program runs as root",
    why="""\
Whoever takes over a program that runs as root is root in the container, may write every file of
it, and is one kernel or runtime flaw away from the host. Few programs need it, not even for
ports below 1024.""",
    catches=(
        "A final image with CMD or ENTRYPOINT whose last USER is root.",
        "One without USER on a base that is known to have none: scratch, official images,"
        " distroless"
        " images that are not nonroot.",
    ),
    misses=(
        "Other bases: they may set a user, and the network is not asked.",
        "Images that call gosu, su-exec, setpriv or a supervisor: these drop root themselves.",
        "Images without a command of their own.",
        "USER with a variable.",
    ),
    before="""\
FROM debian:12-slim
COPY app /usr/bin/app
CMD ["app"]
""",
    after="""\
FROM debian:12-slim
COPY app /usr/bin/app
USER 65532
CMD ["app"]
""",
    check=_check,
)
