"""Closures on small made-up archives; what is expected follows from policy and apt's rules."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jettison.distroless.model import Dropped, Exclusion, Link, Resolution
from jettison.distroless.resolve import resolve
from jettison.errors import PackageError, ResolutionError
from tests.unit.distroless.universe import index_of


def names(resolution: Resolution) -> str:
    return " ".join(package.name for package in resolution.packages)


def closure(
    tmp_path: Path, text: str, *wanted: str, recommends: bool = False, essential: bool = False
) -> str:
    with index_of(tmp_path, text) as index:
        return names(resolve(wanted, index, recommends=recommends, essential=essential))


def failure(tmp_path: Path, text: str, *wanted: str) -> ResolutionError:
    with index_of(tmp_path, text) as index, pytest.raises(ResolutionError) as caught:
        resolve(wanted, index)
    return caught.value


CHAIN = """
app
Depends: lib (>= 1)
Pre-Depends: early
Recommends: extra
Suggests: other

lib
Depends: libc

early

libc

extra

other
"""


def test_depends_and_pre_depends_are_followed_and_nothing_else(tmp_path: Path) -> None:
    assert closure(tmp_path, CHAIN, "app") == "app early lib libc"


def test_recommends_are_in_if_asked(tmp_path: Path) -> None:
    assert closure(tmp_path, CHAIN, "app", recommends=True) == "app early extra lib libc"


def test_a_recommended_package_that_cannot_be_had_is_left_out(tmp_path: Path) -> None:
    text = "app\nRecommends: none, broken, good\n\nbroken\nDepends: missing\n\ngood"
    assert closure(tmp_path, text, "app", recommends=True) == "app good"


def test_why_says_what_brought_a_package_and_what_else_wants_it(tmp_path: Path) -> None:
    text = "app\nDepends: a, b\n\na\nDepends: c (>= 1)\n\nb\nDepends: c | d\n\nc\n\nd"
    with index_of(tmp_path, text) as index:
        found = resolve(["app"], index)
    assert found.why["app"] == (Link("", "app"),)
    assert found.why["c"] == (Link("a", "c (>= 1)"), Link("b", "c | d"))
    assert found.chain("c") == ("app", "a", "c")
    assert found.chain("d") == ()


def test_circles_end(tmp_path: Path) -> None:
    assert closure(tmp_path, "a\nDepends: b\n\nb\nDepends: a", "a") == "a b"


def test_the_first_alternative_that_can_be_installed_is_taken(tmp_path: Path) -> None:
    text = "app\nDepends: none | broken | b | c\n\nbroken\nDepends: none\n\nb\n\nc"
    assert closure(tmp_path, text, "app") == "app b"


def test_an_alternative_that_is_in_already_is_enough(tmp_path: Path) -> None:
    text = "app\nDepends: a | b\n\na\n\nb\n\nother\nDepends: deep\n\ndeep\nDepends: b"
    assert closure(tmp_path, text, "app") == "a app"
    assert closure(tmp_path, text, "app", "other") == "app b deep other"
    assert closure(tmp_path, text, "other", "app") == "app b deep other"


def test_real_packages_go_before_providers_and_these_by_priority_then_name(tmp_path: Path) -> None:
    providers = "\n\n".join(
        f"{name}\nProvides: mta\nPriority: {priority}"
        for name, priority in (("a", "extra"), ("z", "optional"), ("y", "optional"))
    )
    assert closure(tmp_path, f"app\nDepends: mta\n\n{providers}", "app") == "app y"
    assert closure(tmp_path, f"app\nDepends: mta\n\n{providers}\n\nmta", "app") == "app mta"


def test_a_provided_version_has_to_fit_and_none_fits_no_version(tmp_path: Path) -> None:
    text = """
app
Depends: virtual (>= 2)

a
Provides: virtual

b
Provides: virtual (= 1)

c
Provides: virtual (= 2.1)
"""
    assert closure(tmp_path, text, "app") == "app c"


def test_packages_that_conflict_are_not_chosen_together(tmp_path: Path) -> None:
    text = """
app
Depends: x | y, z

x

y

z
Conflicts: x
"""
    assert closure(tmp_path, text, "app") == "app y z"


def test_breaks_count_by_version_and_through_provides(tmp_path: Path) -> None:
    text = """
app
Depends: new, old | other

new
Breaks: lib (<< 2)

old 1
Provides: lib (= 1)

other
"""
    assert closure(tmp_path, text, "app") == "app new other"
    assert closure(tmp_path, text.replace("(= 1)", "(= 2)"), "app") == "app new old"


def test_a_package_may_conflict_with_what_it_provides(tmp_path: Path) -> None:
    both = "\n\n".join(f"{name}\nProvides: mta\nConflicts: mta" for name in ("exim", "postfix"))
    text = f"app\nDepends: mta\n\n{both}"
    assert closure(tmp_path, text, "app") == "app exim"
    assert "cannot be beside" in failure(tmp_path, text, "exim", "postfix").message


def test_a_choice_that_turns_out_impossible_is_taken_back(tmp_path: Path) -> None:
    text = """
app
Depends: one | two, left | right

one
Depends: inner | inner2

inner
Depends: nowhere

inner2
Conflicts: left, right

two

left

right
"""
    assert closure(tmp_path, text, "app") == "app left two"


def test_the_result_does_not_depend_on_the_order_of_the_index(tmp_path: Path) -> None:
    blocks = [
        f"p{n}\nDepends: p{(n * 7) % 40} | p{(n * 3) % 40}, v{n % 5}\nProvides: v{n % 7}"
        for n in range(40)
    ]
    expected = closure(tmp_path, "\n\n".join(blocks), "p1", "p2")
    for seed in range(5):
        random.Random(seed).shuffle(blocks)
        assert closure(tmp_path, "\n\n".join(blocks), "p1", "p2") == expected


def test_the_newest_version_of_all_archives_is_the_one(tmp_path: Path) -> None:
    with index_of(tmp_path, "a 1", "a 1.2\n\na 1.10", "a 1.10") as index:
        (package,) = resolve(["a"], index).packages
    assert (package.version, package.archive) == ("1.10", 1)


def test_a_spec_may_ask_for_a_version(tmp_path: Path) -> None:
    with index_of(tmp_path, "a 1.0-1\n\na 1.0.5-1\n\na 2.0-1") as index:
        found = {
            wish: resolve([wish], index).packages[0].version
            for wish in ("a", "a=1.0-1", "a~1.0", "a<2", "a>=1.0", "a<=1.0-1", "a ~ 2")
        }
    assert found == {
        "a": "2.0-1",
        "a=1.0-1": "1.0-1",
        "a~1.0": "1.0.5-1",
        "a<2": "1.0.5-1",
        "a>=1.0": "2.0-1",
        "a<=1.0-1": "1.0-1",
        "a ~ 2": "2.0-1",
    }


def test_packages_of_other_architectures_do_not_count(tmp_path: Path) -> None:
    text = "a\nArchitecture: arm64\n\nb\nArchitecture: all\nDepends: c [arm64], c:any\n\nc"
    with index_of(tmp_path, text) as index:
        assert names(resolve(["b"], index)) == "b c"
        with pytest.raises(ResolutionError, match="no package a for amd64"):
            resolve(["a"], index)


def test_a_dependency_on_another_architecture_is_not_met(tmp_path: Path) -> None:
    assert "b:arm64" in failure(tmp_path, "a\nDepends: b:arm64\n\nb", "a").message
    assert closure(tmp_path, "a\nDepends: b:amd64, c:native\n\nb\n\nc", "a") == "a b c"


def test_essential_packages_are_in_if_asked(tmp_path: Path) -> None:
    text = "app\n\nbash\nEssential: yes\nDepends: libc\n\nlibc\n\nother"
    assert closure(tmp_path, text, "app") == "app"
    assert closure(tmp_path, text, "app", essential=True) == "app bash libc"


def test_a_name_that_one_package_provides_stands_for_it(tmp_path: Path) -> None:
    assert closure(tmp_path, "real\nProvides: virtual", "virtual") == "real"


# ---------------------------------------------------------------- exclusions


DEBCONF = """
app
Depends: debconf (>= 0.5) | debconf-2.0, lib

debconf
Depends: perl

cdebconf
Provides: debconf-2.0

perl

lib
Depends: perl
"""


def test_what_is_excluded_is_dropped_with_the_dependency_and_listed(tmp_path: Path) -> None:
    with index_of(tmp_path, DEBCONF) as index:
        found = resolve(["app"], index, exclude=[Exclusion("debconf", "maintainer scripts")])
    assert names(found) == "app lib perl"
    assert found.dropped == (
        Dropped("debconf", "app", "debconf (>= 0.5) | debconf-2.0", "maintainer scripts"),
    )


def test_a_dependency_that_something_else_meets_is_not_dropped(tmp_path: Path) -> None:
    with index_of(tmp_path, DEBCONF) as index:
        found = resolve(["app", "cdebconf"], index, exclude=[Exclusion("debconf", "x")])
    assert names(found) == "app cdebconf lib perl"
    assert found.dropped == ()


def test_what_is_wanted_cannot_be_excluded(tmp_path: Path) -> None:
    with index_of(tmp_path, DEBCONF) as index, pytest.raises(ResolutionError, match="both wanted"):
        resolve(["perl"], index, exclude=[Exclusion("perl", "x")])


# ---------------------------------------------------------------- failures


def test_a_mistyped_name_is_corrected(tmp_path: Path) -> None:
    error = failure(tmp_path, "openjdk-17-jre-headless\n\nopenssl", "openjdk-17-jre-headles")
    assert error.message == "there is no package openjdk-17-jre-headles for amd64"
    assert error.hint == "did you mean openjdk-17-jre-headless?"


def test_a_missing_dependency_is_told_with_its_chain(tmp_path: Path) -> None:
    text = "app\nDepends: a\n\na\nDepends: b\n\nb\nDepends: libfou1 (>= 3)\n\nlibfoo1"
    error = failure(tmp_path, text, "app")
    assert error.message.split("\n") == [
        "the packages cannot be installed together: b depends on libfou1 (>= 3)",
        "  there is no package libfou1 for amd64",
        "  b is in through app -> a -> b",
    ]
    assert error.hint == "did you mean libfoo1?"


def test_a_version_that_is_too_old_is_told(tmp_path: Path) -> None:
    error = failure(tmp_path, "app\nDepends: lib (>= 2)\n\nlib 1.5", "app")
    assert "lib is there in version 1.5 only" in error.message


def test_an_older_version_is_offered_and_not_taken(tmp_path: Path) -> None:
    error = failure(tmp_path, "app\nDepends: lib (<< 2)\n\nlib 1.5\n\nlib 2.1", "app")
    assert error.hint == "ask for it in the spec: lib=1.5"
    assert closure(tmp_path, "app\nDepends: lib (<< 2)\n\nlib 1.5\n\nlib 2.1", "app", "lib=1.5")


def test_a_conflict_is_told_with_both_chains(tmp_path: Path) -> None:
    text = "app\nDepends: a, b\n\na\nDepends: x\n\nb\nDepends: y\n\nx\nConflicts: y\n\ny"
    message = failure(tmp_path, text, "app").message
    assert "cannot be beside" in message
    assert "app -> a -> x" in message or "app -> b -> y" in message


def test_a_name_that_many_provide_is_a_question(tmp_path: Path) -> None:
    error = failure(tmp_path, "b\nProvides: mta\n\na\nProvides: mta", "mta")
    assert error.hint == "name one of them: a, b"


def test_a_version_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    error = failure(tmp_path, "a 1\n\na 2", "a=3")
    assert (error.message, error.hint) == ("no version of a is =3", "there is a=2, 1")


@pytest.mark.parametrize("wish", ["", "-x", "a b", "a=", "a==1", "a=1 2", "a=x:1", "a/b"])
def test_what_names_no_package_is_refused(tmp_path: Path, wish: str) -> None:
    with index_of(tmp_path, "a") as index, pytest.raises(ResolutionError):
        resolve([wish], index)


def test_a_malformed_relation_names_its_package(tmp_path: Path) -> None:
    with index_of(tmp_path, "a\nDepends: b (") as index, pytest.raises(PackageError, match="a 1 "):
        resolve(["a"], index)


def test_an_archive_made_to_be_hard_ends(tmp_path: Path) -> None:
    """Forty pairs of which each choice is possible only until the last package is looked at."""
    blocks = ["app\nDepends: " + ", ".join(f"a{n} | b{n}" for n in range(40))]
    for n in range(40):
        blocks += [f"a{n}\nDepends: end", f"b{n}\nDepends: end"]
    blocks.append("end\nDepends: u | v\n\nu\nDepends: none\n\nv\nConflicts: app")
    assert "none" in failure(tmp_path, "\n\n".join(blocks), "app").message
