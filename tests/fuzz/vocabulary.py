"""What made-up Dockerfiles consist of. In the texts below ``⏎`` is a newline, ``·`` a blank."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return [word.replace("⏎", "\n").replace("·", " ") for word in text.split()]


def _lines(text: str) -> list[str]:
    return [line.replace("⏎", "\n") for line in text.strip().split("\n")]


KEYWORDS = _words("""FROM FROM ARG ENV LABEL RUN COPY ADD WORKDIR USER VOLUME EXPOSE CMD ENTRYPOINT
    HEALTHCHECK SHELL STOPSIGNAL ONBUILD MAINTAINER run From oNbUiLd RUNN INCLUDE #""")

FLAGS = _words("""--platform=linux/arm64 --platform=$P --platform= --platform=a/b/c/d --from=base
    --from=0 --from=-1 --from=9 --from=$a --from=Debian --from=scratch --from= --x --
    --chown=1:2 --chown=a:b:c --chmod=755 --chmod=u+x --chmod=99999 --chmod=$a
    --link --link=false --link=maybe --parents --exclude=*.c --exclude=[
    --checksum=sha256:12 --checksum=md5:a --keep-git-dir --unpack --unpack=$a
    --mount=type=cache,target=/c --mount=type=bind,from=base,target=x --mount=type=secret
    --mount=type=tmpfs,target=/t,size=1k --mount=type=tmpfs,size=1e99 --mount=type=ssh
    --mount=type=$a,target=$b --mount=type=cache,target=c,uid=-1,mode=9 --mount="a,b"
    --mount=type=secret,id=s,env=E,required --mount=target= --mount=, --mount=from=9,dst=/
    --network=none --network=x --security=insecure --device=x
    --interval=5s --interval=1h1m1.5s --interval=-1s --interval=٣s --timeout=1 --timeout=9999999h
    --timeout=.s --timeout=1µs --start-period=1d --start-interval=1ns
    --retries=3 --retries=-1 --retries=1e3 --retries=99999999999999999999 --retries=٣""")

WORDS = [
    *_words(r"""a b /x /x/ . .. *.c a=b a="b·c" a='b·c' a\·b=c =x a= $a ${a} ${a:-b} ${a:+$b}
    ${a?no} ${a:?} ${a#*b} ${a%%b*} ${A//b/c} ${a/\*/$0} ${ $ $$ ${a:-${b:-${c}}} ${a#\x} ${9}
    $1a ${a:1}
    " ' "" '' \ ` ["a",·"b"] [] ["a" [1] ["\ud800",·"\n"] ['a'] 80 80/tcp 1-70000 80:90/UDP 1- -1
    99999999999999999999 0 1.5 AS as scratch debian:12 x@sha256:12 base Base HTTP://x a/b:c A
    https://x/y.git#a:b git@h:p https://x/f?q https://[::1 http://%zz x://y root 1:2 a:b:c SIGTERM
    9 RTMIN+3 NONE CMD ä é 🐳 # #·x , ; &&"""),
    *["\udcff", "\x00", "\x1c", "\x85", "\ufeff", "\x0c", "\u2028", "e\u0301"],
]

OPENERS = _words(r"""<<E <<-E <<'E' <<"E" 3<<E <<-'E'F <<·E <<<E <<E<<E <<$a <<E\·F <<"E""")
BODIES = [
    *_words(r"⏎ x⏎ #!/bin/sh⏎ ${a:-⏎ \⏎ #·c⏎ FROM·x⏎"),
    "",
    "\tx $a\n",
    "\r\n",
    "\udc80\n",
    "\0\n",
]
TERMINATORS = [*_words("E⏎ E⏎ E⏎ E·⏎ EF⏎ $a⏎ E"), "\tE\n", "E\r\n", ""]
BLANKS = [*_words(r"· · · · ·· ·\⏎ ·\·⏎·· ·`⏎"), "\t", "\v", "\u00a0", ""]
ENDS = [*_words(r"⏎ ⏎ ⏎ ⏎ ⏎⏎ ·⏎ \⏎ `⏎"), "\r\n", "\r", ""]

HEADS = [
    *_words(r"""#·escape=`⏎ #escape·=·\⏎ #·escape=x⏎ #·comment⏎ #·syntax=docker/dockerfile:1⏎ ⏎
    #·syntax=x⏎ //·syntax=x⏎ {"syntax":·"x"}⏎ #!/x⏎ #·check=skip=all;error=true⏎
    #·check=error=maybe⏎ #·check=x=y⏎ #·escape=`⏎#·escape=`⏎ ARG·a=1·b⏎ ARG·a=debian⏎ ARG·a=${b:?x}⏎
    ARG·P=linux/arm64⏎ RUN·x⏎"""),
    *["", "", "", "", "\ufeff", "\udcfe"],
]

VALUES = [
    *_words(r"""a /x b/c $a ${a} ${a:-b} ${a:+$b} "$a·b" '$a' a\·b ä ${P} ${a#*b} ${a%%b*}
    ${P//l/$0} a\$b *.c 1 80/tcp root SIGTERM /x/../y/ ."""),
    "\udcff",
]
"""Words of sound instructions."""

SHAPES = _lines(r"""
FROM {0}
FROM base AS b
FROM --platform=linux/arm64 scratch AS c
FROM b
FROM c AS {0}
from b as B
ARG {0}
ARG a={0} b={1}
ENV a={0} b={1}
ENV a {0} {1}
Env a={0}
LABEL a={0} {1}={2}
RUN {0} && {1}
run a
RUN ["{0}", "b"]
RUN --network=none {0}
RUN --mount=type=cache,target={0} {1}
RUN --mount=from=base,target=/x,source={0} {1}
RUN --mount=type=secret,id=s,env=E --mount=type=ssh {0}
RUN --mount=type=tmpfs,target={0} a
RUN <<E⏎{0}⏎{1}⏎E
RUN {0} <<E 3<<-F⏎{1}⏎E⏎	{2}⏎	F
RUN <<-'E'⏎	#!/bin/{0}⏎{1}⏎	E
RUN {0} \⏎  # {1}⏎⏎  {2}
RUN apt-get install -y {0}
RUN cd {0}; pip {1}
RUN curl {0} | sh
RUN sudo {0}
RUN chmod 777 {0}
COPY {0} {1}
COPY . .
COPY --from=base --chown={0} --chmod=755 {1} {2}
COPY --link ["{0}", "/x"]
COPY <<E <<"F" {0}⏎{1}⏎E⏎{2}⏎F
COPY --parents --exclude={0} {1} /x
ADD {0} {1}
ADD https://x/{0} {1}
ADD --keep-git-dir https://x/y.git#a:{0} {1}
ADD --unpack=false {0} /x
WORKDIR {0}
USER {0}
USER {0}:{1}
VOLUME {0} {1}
VOLUME ["{0}"]
EXPOSE {0} 80
EXPOSE 1-3/udp
CMD {0}
CMD ["{0}", "{1}"]
ENTRYPOINT {0} {1}
ENTRYPOINT ["{0}"]
STOPSIGNAL {0}
HEALTHCHECK NONE
HEALTHCHECK --interval=5s --retries=2 CMD {0}
HEALTHCHECK CMD ["{0}"]
SHELL ["{0}", "-c"]
MAINTAINER {0} {1}
ONBUILD RUN {0}
ONBUILD ARG a={0}
ONBUILD COPY <<E {0}⏎{1}⏎E
# {0}
# check=skip={0}
""")
"""Instructions that are mostly right; {0} to {2} are words."""

PIECES = [
    *[b"FROM ", b"RUN ", b"COPY ", b"ADD ", b"ONBUILD ", b"ARG a=", b"ENV ", b"LABEL ", b"SHELL "],
    *[
        b"HEALTHCHECK --interval=",
        b"EXPOSE ",
        b"--",
        b"--mount=type=",
        b"--from=",
        b" AS ",
        b"CMD ",
    ],
    *[b"<<EOF", b"<<-'E'", b"EOF\n", b"\\\n", b"`\n", b"\n", b"\r\n", b"\r", b"#", b"# escape=`\n"],
    *[
        b"$",
        b"${",
        b"}",
        b":-",
        b"//",
        b"/",
        b"%%*",
        b"[",
        b"]",
        b'["',
        b'"]',
        b"'",
        b'"',
        b"\\",
        b"`",
    ],
    *[
        b" ",
        b"\t",
        b"=",
        b",",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
    ],
    *[b"9" * 20, b"\xf0\x9f\x90\xb3", b"\x1c", b"\x0c", b"\xed\xa0\x80"],
]
"""What mutations put into real Dockerfiles."""
