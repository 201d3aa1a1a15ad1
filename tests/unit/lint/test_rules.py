"""What each rule catches, and what it must not."""

from __future__ import annotations

from itertools import chain

import pytest

from jettison.lint.catalog import OWN_RULES
from jettison.lint.view import Context
from tests.unit.lint.linting import found, linter

RUN = "FROM debian:12\nRUN "
NO_IGNORE = Context(ignored=False, visible=frozenset({"Dockerfile", "app"}))

CATCHES: dict[str, list[str]] = {
    "AddInsteadOfCopy": [
        "FROM debian:12\nADD a.txt /",
        "FROM debian:12\nADD src dir/ /d/",
        "FROM debian:12\nADD --chown=1:1 . /srv",
        'FROM debian:12\nADD ["a b.conf", "/"]',
        "FROM debian:12\nADD *.py /d/",
        "FROM debian:12\nADD <<EOF /f\nx\nEOF",
    ],
    "AptInScript": [f"{RUN}apt install -y x", f"{RUN}set -e; apt -q update && true"],
    "AptListsKept": [
        f"{RUN}apt-get update && apt-get install -y x",
        f"{RUN}DEBIAN_FRONTEND=noninteractive apt-get -qq update; apt-get install -y x",
        f"{RUN}<<EOF\napt-get update\napt-get install -y x\nEOF",
        f"{RUN}apt-get update && rm -rf /tmp/*",
        'FROM debian:12\nRUN ["/bin/sh", "-c", "apt-get update"]',
        "FROM debian:12 AS a\nRUN apt-get update && apt-get upgrade -y\nFROM a",
        f"{RUN}if true; then sudo apt-get update; fi",
    ],
    "AptUpdateAlone": [
        f"{RUN}apt-get update",
        f"{RUN}apt-get update -qq && rm -rf /tmp/x",
        f"{RUN}set -eux; apt-get update; apt-get clean",
        "FROM debian:12 AS build\nRUN apt update\nFROM scratch",
    ],
    "BaseWithoutDigest": [
        "FROM debian:12",
        "FROM scratch\nCOPY --from=alpine:3 /a /b",
        "FROM scratch\nRUN --mount=from=alpine:3,target=/m x",
    ],
    "BuildToolsShipped": [
        f"{RUN}apt-get install -y build-essential",
        f"{RUN}apt-get install -y --no-install-recommends gcc=4:12* libssl-dev:arm64",
        "FROM alpine:3\nRUN apk add --no-cache musl-dev",
        "FROM fedora:40\nRUN dnf install -y gcc-c++",
        "FROM debian:12 AS a\nRUN apt-get install -y cmake\nFROM a AS b",
    ],
    "CdInRun": [
        f"{RUN}cd /app",
        f"{RUN}mkdir -p /app && cd /app",
        f"{RUN}cd /app && make install",
    ],
    "CopyBeforeInstall": [
        "FROM node:22\nCOPY . .\nRUN npm ci",
        "FROM node:22\nADD . /app\nRUN cd /app && yarn install --frozen-lockfile",
        "FROM python:3\nCOPY ./ /app/\nRUN python3 -m pip install -r requirements.txt",
        "FROM golang:1 AS b\nCOPY . .\nRUN go mod download && go build\nFROM scratch",
        "FROM maven:3 AS b\nCOPY . .\nRUN mvn dependency:go-offline\nFROM scratch",
        "FROM ruby:3\nCOPY . .\nRUN bundle install --jobs 4",
        "FROM rust:1\nCOPY . .\nRUN cargo fetch --locked",
        "FROM debian:12\nCOPY . .\nRUN apt-get install -y curl",
    ],
    "InstallWithoutYes": [
        f"{RUN}apt-get install curl",
        f"{RUN}apt-get -q install --no-install-recommends curl",
        "FROM fedora:40\nRUN dnf install curl",
        "FROM fedora:40 AS build\nRUN yum install curl\nFROM scratch",
    ],
    "MissingDockerignore": ["FROM debian:12\nCOPY . /srv", "FROM debian:12\nADD a ./ /srv/"],
    "MissingHealthcheck": ['FROM debian:12\nCMD ["x"]'],
    "ModeChangedAfterCopy": [
        "FROM debian:12\nCOPY a /bin/a\nRUN chmod +x /bin/a",
        "FROM debian:12\nCOPY a b /bin/\nRUN true && chown 1:1 /bin/b",
        "FROM debian:12\nWORKDIR /app\nCOPY . .\nRUN chown -R app:app /app",
        "FROM debian:12\nWORKDIR /app\nADD a.sh .\nRUN chmod 755 a.sh",
        "FROM debian:12\nCOPY --from=alpine:3 /x/ /y/\nRUN chown -R 1 /y/",
    ],
    "PackageCacheKept": [
        "FROM alpine:3\nRUN apk add curl",
        "FROM alpine:3\nRUN apk --update add curl",
        "FROM python:3\nRUN pip install flask",
        "FROM python:3\nRUN python -m pip install -r r.txt",
        "FROM fedora:40\nRUN dnf install -y curl",
        "FROM ubi:9\nRUN microdnf install -y curl && rm -rf /tmp/*",
    ],
    "PipeToShell": [
        f"{RUN}curl -fsSL https://h/x.sh | sh",
        f"{RUN}wget -qO- https://h/x.sh | sudo -E bash -",
        f"{RUN}curl https://h/x | sh -s -- -y",
        f"{RUN}curl https://h/x.gz | gunzip | bash",
        f'{RUN}sh -c "$(curl -fsSL https://h/x.sh)"',
        f"{RUN}bash <(curl -s https://h/x.sh)",
        f"{RUN}curl https://h/x.py | python3 -",
        f"{RUN}set -e; curl https://h/x | bash -es",
    ],
    "RecommendsInstalled": [
        f"{RUN}apt-get install -y curl",
        f"{RUN}apt-get update && apt-get -y install curl",
    ],
    "RootUser": [
        'FROM debian:12\nCMD ["x"]',
        'FROM scratch\nENTRYPOINT ["/x"]',
        'FROM debian:12\nUSER app\nUSER root\nCMD ["x"]',
        'FROM example.org/x:1\nUSER 0:0\nCMD ["x"]',
        'FROM gcr.io/distroless/static-debian12\nCMD ["x"]',
        'FROM node:22 AS base\nCMD ["x"]\nFROM base',
    ],
    "SdkAsFinalBase": [
        'FROM golang:1.23\nCMD ["x"]',
        'FROM maven:3-eclipse-temurin-21\nCMD ["x"]',
        'FROM eclipse-temurin:21-jdk-alpine\nCMD ["x"]',
        'FROM mcr.microsoft.com/dotnet/sdk:8.0 AS b\nFROM b\nENTRYPOINT ["x"]',
        'ARG V=1\nFROM rust:$V\nCMD ["x"]',
    ],
    "SecretFileCopied": [
        "FROM debian:12\nCOPY .env /app/",
        "FROM debian:12\nCOPY a .env.production /app/",
        "FROM debian:12\nADD id_rsa /root/.ssh/id_rsa",
        "FROM debian:12\nCOPY config/tls/server.key /etc/",
        "FROM debian:12 AS b\nCOPY .npmrc .\nFROM scratch",
        "FROM debian:12\nCOPY .aws /root/.aws",
    ],
    "SshExposed": ["FROM debian:12\nEXPOSE 22", "FROM debian:12\nEXPOSE 80 22/TCP"],
    "SudoInRun": [f"{RUN}sudo apt-get update", f"{RUN}a && sudo -E ls -l"],
    "UnpinnedBase": [
        "FROM debian",
        "FROM debian:latest",
        "ARG I=alpine\nFROM ${I}",
        "FROM scratch\nCOPY --from=nginx /a /b",
    ],
    "UnusedStage": [
        "FROM debian:12\nFROM alpine:3",
        "FROM debian:12 AS test\nFROM alpine:3",
        "FROM debian:12 AS a\nFROM a\nFROM alpine:3",
    ],
}

MISSES: dict[str, list[str]] = {
    "AddInsteadOfCopy": [
        "FROM debian:12\nADD a.tar.gz /",
        "FROM debian:12\nADD rootfs.tar.xz a.txt /",
        "FROM debian:12\nADD https://h/a.txt /",
        "FROM debian:12\nADD https://github.com/a/b.git /b",
        "FROM debian:12\nADD git@github.com:a/b.git /b",
        "FROM debian:12\nADD $file /",
        "FROM debian:12\nADD app* /",
        "FROM debian:12\nADD --unpack=false a.txt /",
        "FROM debian:12\nCOPY a.txt /",
    ],
    "AptInScript": [f"{RUN}apt-get update", f"{RUN}apt list", f"{RUN}echo apt install x"],
    "AptListsKept": [
        f"{RUN}apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*",
        f"{RUN}apt-get update; apt-get install -y x; rm -r /var/lib/apt/lists",
        f"{RUN}apt-get update && apt-get dist-upgrade -y && apt-get distclean",
        "FROM debian:12\nRUN --mount=type=cache,target=/var/lib/apt apt-get update",
        "FROM debian:12\nRUN --mount=type=tmpfs,target=/var/lib/apt/lists/ apt-get update",
        "FROM debian:12 AS build\nRUN apt-get update\nFROM debian:12",
        f"{RUN}echo apt-get update",
        f"{RUN}apt-get install -y update",
        'FROM debian:12\nSHELL ["pwsh", "-c"]\nRUN apt-get update',
    ],
    "AptUpdateAlone": [
        f"{RUN}apt-get update && apt-get install -y x",
        f"{RUN}apt-get update && ./install.sh",
        f"{RUN}apt-get update; for p in a b; do apt-get install -y $p; done",
        f"{RUN}apt-get clean",
    ],
    "BaseWithoutDigest": [f"FROM debian:12@sha256:{'0' * 64}", "FROM scratch AS a\nFROM a"],
    "BuildToolsShipped": [
        "FROM debian:12 AS build\nRUN apt-get install -y gcc\nFROM debian:12",
        "FROM alpine:3\nRUN apk add --virtual .b gcc && make && apk del .b",
        f"{RUN}apt-get install -y gcc && make && apt-get purge -y gcc",
        f"{RUN}apt-get install -y gcc-12-base libgcc-s1 makedev golang-docker-credential-helpers",
        f"{RUN}pip install make",
        f"{RUN}apt-get remove gcc",
    ],
    "CdInRun": [
        f"{RUN}tar x && cd a && make && cd .. && rm -r a",
        f"{RUN}(cd /app && make)",
        f"{RUN}cd $dir && make",
        f"{RUN}cd /tmp && curl https://h/x -o x",
        f"{RUN}cd sub && make",
        f"{RUN}<<EOF\ncd /app\nmake\nEOF",
    ],
    "CopyBeforeInstall": [
        "FROM node:22\nCOPY package*.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build",
        "FROM node:22\nCOPY package.json .\nRUN npm ci\nCOPY . .\nRUN npm ci --omit=dev",
        "FROM node:22\nCOPY . .\nRUN --mount=type=cache,target=/root/.npm npm ci",
        "FROM node:22\nCOPY --from=alpine:3 . .\nRUN npm ci",
        "FROM node:22\nCOPY . .\nRUN npm install -g pm2",
        "FROM python:3\nCOPY . .\nRUN pip install .",
        "FROM golang:1\nCOPY . .\nRUN go build ./...",
        "FROM debian:12\nCOPY . .\nRUN apt-get install -y ./local.deb",
        "FROM debian:12\nCOPY . .\nRUN apt-get install -y $(cat packages.txt)",
        "FROM debian:12\nCOPY src src\nRUN apt-get install -y curl",
    ],
    "InstallWithoutYes": [
        f"{RUN}apt-get install -y curl",
        f"{RUN}apt-get -yqq install curl",
        f"{RUN}apt-get install -qq curl",
        f"{RUN}apt-get install --assume-yes curl",
        f"{RUN}apt-get install $OPTIONS curl",
        f"{RUN}yes | apt-get install curl",
        f"{RUN}apt-get -o APT::Get::Assume-Yes=true install curl",
        "FROM alpine:3\nRUN apk add curl",
        "FROM fedora:40\nRUN dnf -y install curl",
        f"{RUN}apt-get update",
    ],
    "MissingDockerignore": [
        "FROM debian:12\nCOPY app /srv",
        "FROM debian:12 AS a\nFROM a\nCOPY --from=a . /srv",
        "FROM debian:12\nCOPY --exclude=.git . /srv",
    ],
    "MissingHealthcheck": [
        "FROM debian:12",
        'FROM debian:12\nHEALTHCHECK NONE\nCMD ["x"]',
        'FROM debian:12 AS a\nHEALTHCHECK CMD x\nFROM a\nCMD ["x"]',
    ],
    "ModeChangedAfterCopy": [
        "FROM debian:12\nCOPY a /bin/a\nRUN chmod +x /bin/b",
        "FROM debian:12\nRUN chmod +x /bin/a\nCOPY a /bin/a",
        "FROM debian:12\nCOPY a /data/a\nRUN chown 1 /data",
        "FROM debian:12\nCOPY a $dir/a\nRUN chmod +x $dir/a",
        "FROM debian:12 AS b\nCOPY a /a\nRUN chmod +x /a\nFROM scratch",
        "FROM debian:12\nCOPY a a\nRUN chmod +x a",
    ],
    "PackageCacheKept": [
        "FROM alpine:3\nRUN apk add --no-cache curl",
        "FROM alpine:3\nRUN apk --no-cache add curl",
        "FROM alpine:3\nRUN apk add curl && rm -rf /var/cache/apk/*",
        "FROM python:3\nRUN pip install --no-cache-dir flask",
        "FROM python:3\nENV PIP_NO_CACHE_DIR=1\nRUN pip install flask",
        "FROM python:3\nRUN PIP_NO_CACHE_DIR=1 pip install flask",
        "FROM python:3\nRUN --mount=type=cache,target=/root/.cache/pip pip install flask",
        "FROM python:3\nRUN pip install flask && pip cache purge",
        "FROM python:3 AS b\nRUN pip install flask\nFROM python:3",
        "FROM fedora:40\nRUN dnf install -y curl && dnf clean all",
        "FROM python:3\nRUN pip install $ARGS flask",
        f"{RUN}apt-get install -y curl",
    ],
    "PipeToShell": [
        f"{RUN}curl https://h/x.tgz | tar xz",
        f"{RUN}curl https://h/key | gpg --dearmor > /k",
        f"{RUN}curl -o x https://h/x && sh x",
        f"{RUN}curl https://h/x.json | python3 -c 'import json'",
        f"{RUN}curl https://h/x | sh verify.sh",
        f'{RUN}echo "curl https://h/x | sh"',
        f"{RUN}version=$(curl https://h/version) && sh install.sh $version",
        f'{RUN}sh ./configure --tag "$(curl https://h/tag)"',
        f"{RUN}curl https://h/x || sh fallback",
    ],
    "RecommendsInstalled": [
        f"{RUN}apt-get install -y --no-install-recommends curl",
        f"{RUN}apt-get install -o APT::Install-Recommends=0 -y curl",
        f"{RUN}apt-get install --install-recommends -y curl",
        f"{RUN}echo 'APT::Install-Recommends \"0\";' > /etc/apt/apt.conf.d/x\n"
        "RUN apt-get install -y curl",
        "FROM debian:12 AS b\nRUN apt-get install -y curl\nFROM debian:12",
        "FROM alpine:3\nRUN apk add curl",
        f"{RUN}apt-get install $x",
    ],
    "RootUser": [
        "FROM debian:12\nRUN x",
        'FROM debian:12\nUSER 1000\nCMD ["x"]',
        'FROM debian:12\nUSER $user\nCMD ["x"]',
        'FROM debian:12 AS a\nUSER app\nFROM a\nCMD ["x"]',
        'FROM example.org/x:1\nCMD ["x"]',
        'FROM gcr.io/distroless/static-debian12:nonroot\nCMD ["x"]',
        'FROM debian:12\nENTRYPOINT ["gosu", "app", "x"]',
        'FROM elasticsearch:8.1.0\nCMD ["x"]',
        'FROM debian:12 AS a\nUSER root\nCMD ["x"]\nFROM debian:12',
    ],
    "SdkAsFinalBase": [
        "FROM golang:1.23",
        'FROM golang:1.23 AS b\nFROM debian:12\nCMD ["x"]',
        'FROM eclipse-temurin:21-jre\nCMD ["x"]',
        'FROM node:22\nCMD ["x"]',
        'FROM example.org/golang:1\nCMD ["x"]',
        'FROM swift:5.10-slim\nCMD ["x"]',
    ],
    "SecretFileCopied": [
        "FROM debian:12\nCOPY .env.example /app/",
        "FROM debian:12\nCOPY id_rsa.pub ca.pem /app/",
        "FROM debian:12 AS a\nFROM a\nCOPY --from=a .env /app/",
        "FROM debian:12\nCOPY environment keyboard.c /app/",
        "FROM debian:12\nCOPY . /app/",
    ],
    "SshExposed": [
        "FROM debian:12\nEXPOSE 2222 8022",
        "FROM debian:12\nEXPOSE 22/udp",
        "FROM debian:12 AS a\nEXPOSE 22\nFROM debian:12",
    ],
    "SudoInRun": [
        f"{RUN}apt-get install -y sudo",
        f"{RUN}sudo -u postgres psql",
        f"{RUN}echo sudo x",
    ],
    "UnpinnedBase": [
        "FROM debian:12",
        f"FROM debian@sha256:{'0' * 64}",
        f"FROM debian:latest@sha256:{'0' * 64}",
        "FROM scratch",
        "FROM debian:12 AS debian\nFROM debian",
        "FROM debian:12 AS a\nFROM scratch\nCOPY --from=a / /\nCOPY --from=0 / /",
    ],
    "UnusedStage": [
        "FROM debian:12 AS a\nFROM a",
        "FROM debian:12\nFROM scratch\nCOPY --from=0 /a /a",
        "FROM debian:12 AS a\nFROM scratch\nRUN --mount=from=a,target=/m x",
        "ARG os=linux\nFROM debian:12 AS x-linux\nFROM debian:12 AS x-bsd\nFROM x-${os}",
    ],
}

CONTEXTS = {"MissingDockerignore": NO_IGNORE}


def _cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return list(
        chain.from_iterable([(code, text) for text in texts] for code, texts in table.items())
    )


def _lines(code: str, text: str) -> list[tuple[str, int]]:
    tool = linter(only=code, context=CONTEXTS.get(code))
    return found(tool.lint(text + "\n", "Dockerfile"))


@pytest.mark.parametrize(("code", "text"), _cases(CATCHES))
def test_catches(code: str, text: str) -> None:
    assert {each for each, _ in _lines(code, text)} == {code}


@pytest.mark.parametrize(("code", "text"), _cases(MISSES))
def test_does_not_catch(code: str, text: str) -> None:
    assert _lines(code, text) == []


def test_every_rule_has_cases_of_both_kinds() -> None:
    codes = {rule.code for rule in OWN_RULES}
    assert set(CATCHES) == set(MISSES) == codes


def test_a_dockerignore_or_an_unknown_context_is_fine() -> None:
    text = "FROM debian:12\nCOPY . /srv\n"
    for context in (Context(), Context(ignored=True, visible=frozenset())):
        assert found(linter(context=context).lint(text, "f")) == []


def test_secrets_of_the_context_are_copied_along() -> None:
    context = Context(ignored=True, visible=frozenset({".env", "id_rsa", "README.md"}))
    result = linter(context=context).lint("FROM debian:12\nCOPY . /srv\n", "f")
    severities = [(f.evidence, f.severity) for f in result.findings]
    assert severities == [(".env", "warning"), ("id_rsa", "error")]
    text = "FROM debian:12\nCOPY --exclude=.env --exclude=id_rsa . /srv\n"
    assert found(linter(context=context).lint(text, "f")) == []


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("FROM debian:12\nCOPY .npmrc /", "warning"),
        ("FROM debian:12\nCOPY id_ed25519 /", "error"),
        ("FROM debian:12\nRUN cd /app && make", "note"),
        ("FROM debian:12\nRUN cd /app", "warning"),
        ("FROM debian:12 AS a\nFROM alpine:3", "note"),
        ("FROM debian:12\nFROM alpine:3", "warning"),
    ],
)
def test_severities_follow_what_is_certain(text: str, severity: str) -> None:
    result = linter().lint(text + "\n", "f")
    assert [f.severity for f in result.findings] == [severity]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("FROM debian:12\nRUN true \\\n  && apt-get \\\n# a comment\n  update && x\n", 3, 6),
        ("FROM debian:12\nRUN <<EOF\nset -e\n  apt-get update\nx\nEOF\n", 4, 3),
        ("FROM debian:12\nRUN <<-EOF\n\tapt-get update\n\tx\n\tEOF\n", 3, 2),
        ("FROM debian:12\r\nRUN x; apt-get update\r\n", 2, 8),
        ("\ufeffFROM debian:12\nRUN x; apt-get update\n", 2, 8),
    ],
)
def test_a_finding_points_at_the_command(text: str, line: int, column: int) -> None:
    (finding,) = linter(only="AptListsKept").lint(text, "f").findings
    assert finding.where is not None
    assert (finding.where.line, finding.where.column) == (line, column)


def test_the_target_is_the_final_stage() -> None:
    text = 'FROM golang:1.23 AS dev\nCMD ["x"]\nFROM debian:12 AS a\n'
    assert found(linter(target="dev", only="SdkAsFinalBase").lint(text, "f")) == [
        ("SdkAsFinalBase", 1)
    ]
