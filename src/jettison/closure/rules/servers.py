"""nginx and MariaDB, which name modules and files in their configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jettison.closure.model import Need, Rule
from jettison.closure.rules.plugins import expand
from jettison.closure.world import File, World
from jettison.fs.tree import clean, parent_of

_NGINX_FILES = re.compile(
    r"(?:^|[;{}])\s*(include|load_module|root|alias|ssl_certificate|ssl_certificate_key|"
    r"ssl_trusted_certificate|ssl_dhparam|auth_basic_user_file)\s+([^;]+);",
    re.M,
)
_NGINX_CONF = re.compile(rb"\0(/[^\0]{1,200}/nginx\.conf)(?=\0)")
_NGINX_PREFIX = re.compile(rb"--prefix=(/[^ '\0]{1,200})")
_MAX_CONFIGS = 500
_PLUGIN = re.compile(r"^\s*(?:loose[-_])?plugin[-_]load(?:[-_]add)?\s*=\s*(\S+)", re.M)


def _needs(file: File, world: World) -> Iterator[Need]:
    if file.elf is None:
        return
    if file.name == "nginx":
        yield from _nginx(file, world)
    elif file.name in ("mariadbd", "mysqld"):
        yield from _mariadb(file, world)


def _nginx(file: File, world: World) -> Iterator[Need]:
    argv = world.launch.argv
    named = argv[argv.index("-c") + 1] if "-c" in argv[:-1] else ""
    conf = named or next((m.decode() for m in file.search(_NGINX_CONF)), "/etc/nginx/nginx.conf")
    prefix = next((m.decode() for m in file.search(_NGINX_PREFIX)), "/usr/share/nginx")
    base = parent_of(conf)
    yield Need(path=conf, reason="nginx's configuration")
    pending, seen = [conf], set[str]()
    while pending and len(seen) < _MAX_CONFIGS:
        path = pending.pop()
        text = world.text(path)
        if text is None or path in seen:
            continue
        seen.add(path)
        for word, value in _NGINX_FILES.findall(text):
            value = value.strip().strip("\"'")
            if "$" in value:
                continue
            home = prefix if word in ("load_module", "root", "alias") else base
            target = value if value.startswith("/") else f"{home}/{value}"
            weak = word in ("root", "alias")
            for each in expand(world, target):
                reason = f"{path}: {word} {value}"
                yield Need(path=clean(each), reason=reason, below=weak, optional=weak, weak=weak)
                if word == "include":
                    pending.append(clean(each))


def _mariadb(file: File, world: World) -> Iterator[Need]:
    reason = "MariaDB's configuration"
    for path in ("/etc/my.cnf", "/etc/mysql", "/etc/my.cnf.d"):
        yield Need(path=path, reason=reason, below=True, optional=True, weak=True)
    share = next((d for d in ("/usr/share/mysql", "/usr/share/mariadb") if world.is_dir(d)), "")
    if share:
        yield Need(path=f"{share}/charsets", reason="character sets", below=True, optional=True)
        messages = f"{share}/{_language(world)}"
        yield Need(path=messages, reason="error messages", below=True, optional=True)
    texts = [world.text(p) or "" for p in ("/etc/my.cnf", *expand(world, "/etc/mysql/*.cnf"),
             *expand(world, "/etc/mysql/*.d/*.cnf"))]  # fmt: skip
    texts += [word.lstrip("-") for word in world.launch.argv]
    for text in texts:
        for plugins in _PLUGIN.findall(text):
            for plugin in re.split("[;:]", plugins):
                name = plugin.rpartition("=")[2].removesuffix(".so")
                for path in expand(world, f"/usr/lib*/mysql/plugin/{name}.so"):
                    yield Need(path=path, reason=f"the plug-in {name} is loaded", optional=True)


def _language(world: World) -> str:
    for word in world.launch.argv:
        name, _, value = word.partition("=")
        if name.replace("_", "-") == "--lc-messages" and value:
            return {"de": "german", "fr": "french", "es": "spanish"}.get(value[:2], "english")
    return "english"


RULE = Rule(
    name="servers",
    summary="nginx and MariaDB",
    catches=(
        "nginx: its configuration with all it includes, modules, certificates, document roots.",
        "MariaDB: configuration, character sets, messages, plug-ins that are loaded by name.",
    ),
    misses=(
        "Paths with variables in them.",
        "Directories that must be there to be written to (/run, /var/log, /var/lib).",
        "Plug-ins that an SQL statement installs.",
    ),
    needs=_needs,
)
