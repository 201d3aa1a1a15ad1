"""One way of needing files after the other, each in a small tree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jettison.closure.launch import launch_of, shell_commands
from jettison.closure.model import Closure, Options
from jettison.closure.rules import RULES
from jettison.model.oci import Healthcheck, RunConfig
from tests.unit.binfmt.classes import make_jar
from tests.unit.binfmt.elves import Spec
from tests.unit.closure.places import Root, paths, program

LIB = "/usr/lib/x86_64-linux-gnu"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path).libc()


def rules_of(closure: Closure, path: str) -> set[str]:
    return {reason.rule for reason in closure.items[path]}


def test_rules_have_names_and_say_what_they_miss() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.summary and rule.catches and rule.misses for rule in RULES)


# -------------------------------------------------------------------- scripts and launches


def test_scripts_and_their_interpreters(root: Root) -> None:
    root.fill(
        {
            "/run.sh": "#!/bin/sh -e\nset -x\nFOO=1 helper --x | sort; exec server /data/f.txt\n",
            "/bin/sh": program(),
            "/usr/bin/helper": "#!/usr/bin/env -S lang -x\n",
            "/usr/bin/env": program(),
            "/usr/bin/lang": program(),
            "/usr/bin/server": program(),
            "/usr/bin/unused": program(),
            "/data/f.txt": "x",
        }
    )
    closure = root.closure("/run.sh")
    assert paths(closure) == {
        "/run.sh", "/bin/sh", "/usr/bin/helper", "/usr/bin/env", "/usr/bin/lang",
        "/usr/bin/server", "/data/f.txt",
    }  # fmt: skip
    assert next(r.text for _, r in closure.chain("/usr/bin/lang")).startswith("env starts it")


def test_a_missing_interpreter_of_a_script(root: Root) -> None:
    root.fill({"/run": "#!/usr/bin/env ruby\n", "/usr/bin/env": program()})
    assert [(gap.what, gap.rule) for gap in root.closure("/run").errors] == [("ruby", "shebang")]
    root.add("/run2", "#!/bin/bash\n")
    assert [gap.what for gap in root.closure("/run2").errors] == ["/bin/bash"]


def test_first_lines_of_modules_are_no_errors(root: Root) -> None:
    root.fill({"/app/bin": program(), "/app/lib/cgi.py": "#!/usr/local/bin/python\n"})
    assert root.closure("/app/bin", "/app/lib").gaps == ()


def test_a_program_that_is_nowhere(root: Root) -> None:
    (gap,) = root.closure("serve", "-x").errors
    assert (gap.what, gap.rule) == ("/usr/bin/serve", "launch")
    assert "found nowhere in PATH" in gap.message


def test_words_of_the_launch_that_are_paths(root: Root) -> None:
    root.fill(
        {
            "/opt/bin/app": program(),
            "/srv/site/index.html": "",
            "/srv/site/img/a.png": "",
            "/etc/app.conf": "",
            "/work/rel.txt": "",
            "/etc/other": "",
        }
    )
    closure = root.closure(
        "app", "--root=/srv/site", "-c", "/etc/app.conf", "rel.txt", "/etc", "/gone",
        env={"PATH": "/opt/bin"}, workdir="/work",
    )  # fmt: skip
    assert paths(closure) == {
        "/opt/bin/app", "/srv/site/index.html", "/srv/site/img/a.png", "/etc/app.conf",
        "/work/rel.txt",
    }  # fmt: skip
    assert closure.gaps == ()


@pytest.mark.parametrize(
    "argv",
    [
        ("/bin/sh", "-c", "exec app --x"),
        ("tini", "--", "app"),
        ("env", "-i", "A=1", "app"),
        ("gosu", "www-data", "app"),
        ("sh", "-ec", "true && app", "-c", "app"),
    ],
)
def test_what_wrappers_start(root: Root, argv: tuple[str, ...]) -> None:
    for name in ("sh", "tini", "env", "gosu", "app"):
        root.add(f"/bin/{name}", program())
    assert "/bin/app" in root.closure(*argv).items


def test_shell_commands() -> None:
    text = "A=1 B=2 one x; two && three | four\n# five\nif six; then seven; fi\neight \\\n y\n'un\n"
    assert [words[0] for words in shell_commands(text)] == [
        "one", "two", "three", "four", "six", "seven", "fi", "eight"
    ]  # fmt: skip


def test_the_launch_of_a_config() -> None:
    config = RunConfig(
        Entrypoint=("/a",),
        Cmd=("b",),
        Env=("A=1", "B=x=y"),
        WorkingDir="/w",
        Healthcheck=Healthcheck(Test=("CMD-SHELL", "curl x")),
    )
    found = launch_of(config)
    assert (found.argv, found.workdir) == (("/a", "b"), "/w")
    assert (found.variable("B"), found.variable("C", "none")) == ("x=y", "none")
    assert found.also == (("the health check", ("/bin/sh", "-c", "curl x")),)
    assert launch_of(config, ("z",)).argv == ("z",)


# -------------------------------------------------------------------- dlopen


def test_names_in_a_program_that_calls_dlopen(root: Root) -> None:
    names = b"\0libplug.so.1\0libnone.so.2\0see libtext.so.1 for\0"
    root.fill({f"{LIB}/libplug.so.1": Spec(soname="libplug.so.1"), f"{LIB}/libtext.so.1": Spec()})
    root.add("/app", program(imports=("dlopen",), data=names))
    root.add("/other", program(data=names))
    assert paths(root.closure("/app")) == {"/app", f"{LIB}/libplug.so.1"}
    assert paths(root.closure("/other")) == {"/other"}


@pytest.mark.parametrize(("priority", "errors"), [("required", 1), ("suggested", 0)])
def test_notes_about_dlopen(root: Root, priority: str, errors: int) -> None:
    entries = [
        {"feature": "f", "priority": priority, "soname": ["libnew.so.2", "libold.so.1"]},
        {"soname": ["libgone.so"], "priority": priority},
    ]
    note = json.dumps(entries)
    root.add("/app", program(note=note.encode()))
    root.add(f"{LIB}/libold.so.1", Spec(soname="libold.so.1"))
    closure = root.closure("/app")
    assert f"{LIB}/libold.so.1" in closure.items
    assert len(closure.errors) == errors


def test_libgcc_for_those_who_end_threads(root: Root) -> None:
    root.add(f"{LIB}/libgcc_s.so.1", Spec(soname="libgcc_s.so.1"))
    root.add("/app", program(imports=("pthread_exit",)))
    assert f"{LIB}/libgcc_s.so.1" in root.closure("/app").items


# -------------------------------------------------------------------- glibc's files


NSS = "hosts: files mdns4_minimal [NOTFOUND=return] dns # x\npasswd: files systemd\n"


def test_nss_by_what_is_called(root: Root) -> None:
    root.fill(
        {
            "/etc/nsswitch.conf": NSS,
            "/etc/passwd": "",
            "/etc/gai.conf": "",
            f"{LIB}/libnss_mdns4_minimal.so.2": Spec(soname="libnss_mdns4_minimal.so.2"),
            f"{LIB}/libnss_systemd.so.2": Spec(soname="libnss_systemd.so.2"),
            f"{LIB}/libnss_dns.so.2": Spec(soname="libnss_dns.so.2"),
            "/hosts": program(imports=("getaddrinfo",)),
            "/users": program(imports=("getpwnam_r",)),
        }
    )
    assert paths(root.closure("/hosts")) == {
        "/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", f"{LIB}/libnss_mdns4_minimal.so.2"
    }  # fmt: skip
    assert paths(root.closure("/users")) == {
        "/users", "/etc/nsswitch.conf", "/etc/passwd", f"{LIB}/libnss_systemd.so.2"
    }  # fmt: skip


def test_nss_before_glibc_2_34_is_in_libraries(tmp_path: Path) -> None:
    root = Root(tmp_path).libc(defines=("GLIBC_2.2.5", "GLIBC_2.31"))
    root.add("/app", program(imports=("getaddrinfo",)))
    root.add(f"{LIB}/libnss_dns.so.2", Spec(soname="libnss_dns.so.2"))
    closure = root.closure("/app")
    assert f"{LIB}/libnss_dns.so.2" in closure.items
    assert [(gap.what, gap.fatal) for gap in closure.gaps] == [("libnss_files.so.2", False)]


@pytest.mark.parametrize(
    ("charsets", "env", "expected"),
    [
        ("none", {}, set()),
        ("common", {}, {"UTF-16.so", "gconv-modules.cache"}),
        ("common", {"LANG": "a.ISO-8859-2@euro"},
         {"UTF-16.so", "ISO8859-2.so", "gconv-modules.cache"}),
        ("all", {}, {"UTF-16.so", "ISO8859-2.so", "BIG5.so", "gconv-modules.cache"}),
    ],
)  # fmt: skip
def test_gconv(root: Root, charsets: str, env: dict[str, str], expected: set[str]) -> None:
    for name in ("UTF-16.so", "ISO8859-2.so", "BIG5.so"):
        root.add(f"{LIB}/gconv/{name}", Spec())
    root.add(f"{LIB}/gconv/gconv-modules.cache", "x")
    root.add("/app", program(imports=("iconv_open",)))
    root.add("/without", program())
    options = Options(charsets=charsets)
    closure = root.closure("/app", env=env, options=options)
    assert paths(closure) - {"/app"} == {f"{LIB}/gconv/{name}" for name in expected}
    assert paths(root.closure("/without", options=options)) == {"/without"}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, {"C.utf8/LC_CTYPE"}),
        ({"LANG": "de_DE.UTF-8"}, {"C.utf8/LC_CTYPE", "de_DE.utf8/LC_CTYPE"}),
        ({"LC_ALL": "fr_FR.UTF-8"}, {"C.utf8/LC_CTYPE", "locale-archive"}),
        ({"LANG": "../../../etc"}, {"C.utf8/LC_CTYPE"}),
    ],
)
def test_locales(root: Root, env: dict[str, str], expected: set[str]) -> None:
    base = "/usr/lib/locale"
    for name in ("C.utf8/LC_CTYPE", "de_DE.utf8/LC_CTYPE", "xx.utf8/LC_CTYPE", "locale-archive"):
        root.add(f"{base}/{name}", "x")
    root.add("/app", program(imports=("setlocale",)))
    found = paths(root.closure("/app", env=env)) - {"/app"}
    assert found == {f"{base}/{name}" for name in expected}


def test_time_zones(root: Root) -> None:
    zones = "/usr/share/zoneinfo"
    root.fill(
        {
            f"{zones}/Etc/UTC": "TZif",
            f"{zones}/Europe/Berlin": "TZif",
            f"{zones}/right/Europe/Berlin": "TZif",
            "/etc/localtime": f"-> {zones}/Etc/UTC",
            "/app": program(imports=("localtime_r",)),
        }
    )
    assert paths(root.closure("/app")) == {"/app", "/etc/localtime", f"{zones}/Etc/UTC"}
    assert f"{zones}/Europe/Berlin" in root.closure("/app", env={"TZ": ":Europe/Berlin"}).items
    every = paths(root.closure("/app", options=Options(time_zones=True)))
    assert every == {
        "/app", "/etc/localtime", f"{zones}/Etc/UTC", f"{zones}/Europe/Berlin"
    }  # fmt: skip


# -------------------------------------------------------------------- TLS


def test_certificate_authorities_with_a_tls_library(root: Root) -> None:
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    root.add("/app", program("libssl.so.3"))
    root.add(f"{LIB}/libssl.so.3", Spec(soname="libssl.so.3"))
    assert [(gap.rule, gap.fatal) for gap in root.closure("/app").gaps] == [("tls", False)]
    root.add(bundle, "pem")
    closure = root.closure("/app")
    assert rules_of(closure, bundle) == {"tls"}
    assert closure.gaps == ()
    root.add("/my.pem", "pem")
    assert bundle not in root.closure("/app", env={"SSL_CERT_FILE": "/my.pem"}).items


CNF = """\
[provider_sect]
default = default_sect
legacy = legacy_sect
fips = fips_sect
[default_sect]
activate = 1
[legacy_sect]
activate = 1
[fips_sect]
# activate = 1
"""


def test_configuration_and_providers_of_openssl(root: Root) -> None:
    data = b'\0OPENSSLDIR: "/usr/lib/ssl"\0MODULESDIR: "/usr/lib/ossl-modules"\0'
    root.fill(
        {
            "/app": program("libcrypto.so.3"),
            f"{LIB}/libcrypto.so.3": Spec(soname="libcrypto.so.3", data=data),
            "/usr/lib/ssl/openssl.cnf": "-> /etc/ssl/openssl.cnf",
            "/etc/ssl/openssl.cnf": CNF,
            "/usr/lib/ossl-modules/legacy.so": Spec(soname="legacy.so"),
            "/usr/lib/ossl-modules/fips.so": Spec(soname="fips.so"),
            "/usr/lib/ssl/certs": "-> /etc/ssl/certs",
            "/etc/ssl/certs/0a1b2c3d.0": "-> ca.pem",
            "/etc/ssl/certs/ca.pem": "pem",
            "/etc/ssl/certs/other.pem": "pem",
        }
    )
    base = {
        "/app",
        f"{LIB}/libcrypto.so.3",
        "/usr/lib/ssl/openssl.cnf",
        "/etc/ssl/openssl.cnf",
        "/usr/lib/ossl-modules/legacy.so",
    }
    hashed = {"/usr/lib/ssl/certs", "/etc/ssl/certs/0a1b2c3d.0", "/etc/ssl/certs/ca.pem"}
    assert paths(root.closure("/app")) == base | hashed
    assert paths(root.closure("/app", env={"SSL_CERT_FILE": "/x"})) == base


def test_node_has_openssl_inside_and_its_own_authorities(root: Root) -> None:
    root.add("/bin/node", program(data=b'\0OPENSSLDIR: "/etc/ssl"\0'))
    root.fill({"/etc/ssl/openssl.cnf": "", "/etc/ssl/certs/0a1b2c3d.0": "pem", "/more.pem": "pem"})
    found = paths(root.closure("node", env={"NODE_EXTRA_CA_CERTS": "/more.pem"}))
    assert found == {"/bin/node", "/etc/ssl/openssl.cnf", "/more.pem"}


# -------------------------------------------------------------------- programs by name


def test_go(root: Root) -> None:
    zones = "/usr/share/zoneinfo/Europe/Berlin"
    magic = b"\xff Go buildinf:\0"
    names = b"\0time.LoadLocation\0crypto/x509.loadSystemRoots\0"
    root.fill(
        {
            zones: "TZif",
            "/etc/ssl/certs/ca-certificates.crt": "pem",
            "/app": Spec(data=magic + names, type=2, dynamic=False),
            "/embeds": Spec(
                data=magic + names + b"time/tzdata.loadFromEmbeddedTZData\0", type=2, dynamic=False
            ),
            "/nogo": Spec(data=names, type=2, dynamic=False),
        }
    )
    assert paths(root.closure("/app")) == {"/app", zones, "/etc/ssl/certs/ca-certificates.crt"}
    assert zones not in root.closure("/embeds").items
    assert paths(root.closure("/nogo")) == {"/nogo"}


def test_nginx_follows_its_configuration(root: Root) -> None:
    conf = """\
include /etc/nginx/modules-enabled/*.conf;
http { include mime.types; root /srv/www; ssl_certificate /etc/tls/a.pem;
  include $host.conf;
}
"""
    root.fill(
        {
            "/usr/sbin/nginx": program(
                data=b"\0/etc/nginx/nginx.conf\0--prefix=/usr/share/nginx \0"
            ),
            "/etc/nginx/nginx.conf": conf.replace("; ", ";\n"),
            "/etc/nginx/mime.types": "",
            "/etc/nginx/unused.conf": "",
            "/etc/nginx/modules-enabled/50-x.conf": "load_module modules/x.so;",
            "/usr/share/nginx/modules": "-> ../../lib/nginx/modules",
            "/usr/lib/nginx/modules/x.so": Spec(soname="x.so"),
            "/srv/www/index.html": "",
        }
    )
    closure = root.closure("nginx")
    assert paths(closure) == {
        "/usr/sbin/nginx",
        "/etc/nginx/nginx.conf",
        "/etc/nginx/mime.types",
        "/etc/nginx/modules-enabled/50-x.conf",
        "/usr/share/nginx/modules",
        "/usr/lib/nginx/modules/x.so",
        "/srv/www/index.html",
    }
    assert [gap.what for gap in closure.errors] == ["/etc/tls/a.pem"]


def test_mariadb(root: Root) -> None:
    share = "/usr/share/mysql"
    root.fill(
        {
            "/usr/sbin/mariadbd": program(),
            "/etc/mysql/mariadb.cnf": "[mysqld]\nplugin-load-add = auth_ed25519.so\n",
            f"{share}/charsets/latin1.xml": "",
            f"{share}/english/errmsg.sys": "",
            f"{share}/german/errmsg.sys": "",
            "/usr/lib/mysql/plugin/auth_ed25519.so": Spec(),
            "/usr/lib/mysql/plugin/ha_archive.so": Spec(),
        }
    )
    assert paths(root.closure("mariadbd")) == {
        "/usr/sbin/mariadbd",
        "/etc/mysql/mariadb.cnf",
        f"{share}/charsets/latin1.xml",
        f"{share}/english/errmsg.sys",
        "/usr/lib/mysql/plugin/auth_ed25519.so",
    }


def test_a_java_runtime_and_jars(root: Root) -> None:
    home = "/usr/lib/jvm/java-17"
    root.fill(
        {
            "/usr/bin/java": "-> /etc/alternatives/java",
            "/etc/alternatives/java": f"-> {home}/bin/java",
            f"{home}/bin/java": program("libjli.so", runpath="$ORIGIN/../lib"),
            f"{home}/bin/javac": program(),
            f"{home}/lib/libjli.so": Spec(soname="libjli.so"),
            f"{home}/lib/modules": "image",
            f"{home}/lib/src.zip": "sources",
            f"{home}/lib/libnet.so": Spec(soname="libnet.so", needed=("libjvm.so",)),
            f"{home}/lib/server/libjvm.so": Spec(soname="libjvm.so"),
            f"{home}/conf/security/java.security": "-> /etc/java-17/java.security",
            "/etc/java-17/java.security": "",
            f"{home}/legal/java.base/LICENSE": "",
            f"{home}/release": "",
            "/app/app.jar": make_jar({}, "Class-Path: lib/a.jar lib/gone.jar\r\n"),
            "/app/lib/a.jar": make_jar({}),
            "/app/lib/b.jar": make_jar({}),
            "/more/c.jar": make_jar({}),
        }
    )
    closure = root.closure("java", "-cp", "/more/*", "-jar", "/app/app.jar")
    assert paths(closure) == {
        "/usr/bin/java",
        "/etc/alternatives/java",
        f"{home}/bin/java",
        f"{home}/lib/libjli.so",
        f"{home}/lib/modules",
        f"{home}/lib/libnet.so",
        f"{home}/lib/server/libjvm.so",
        f"{home}/conf/security/java.security",
        "/etc/java-17/java.security",
        f"{home}/legal/java.base/LICENSE",
        f"{home}/release",
        "/app/app.jar",
        "/app/lib/a.jar",
        "/more/c.jar",
    }
    assert [(gap.what, gap.fatal) for gap in closure.gaps] == [("/app/lib/gone.jar", False)]


def test_terminals_and_sasl(root: Root) -> None:
    root.fill(
        {
            "/app": program("libsasl2.so.2"),
            f"{LIB}/libsasl2.so.2": Spec(soname="libsasl2.so.2"),
            f"{LIB}/sasl2/libplain.so": Spec(soname="libplain.so"),
        }
    )
    assert f"{LIB}/sasl2/libplain.so" in root.closure("/app").items
