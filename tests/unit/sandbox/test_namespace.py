from pathlib import Path

from jettison.sandbox import namespace, unprivileged


def test_ranges_by_name_and_number(tmp_path: Path) -> None:
    file = tmp_path / "subuid"
    file.write_text(
        "# a comment\nann:100000:65536\nbob:200000:65536\n1000:300000:10\nann:bad:1\n"
        "ann:5\n\nann:9:0\n"
    )
    assert unprivileged.sub_ids(str(file), "ann", 1000) == [(100000, 65536), (300000, 10)]
    assert unprivileged.sub_ids(str(file), "eve", 1001) == []


def test_absent_file_gives_no_ids(tmp_path: Path) -> None:
    assert unprivileged.sub_ids(str(tmp_path / "none"), "ann", 1000) == []


def test_map_lays_the_ranges_after_root() -> None:
    assert namespace.id_map(1000, [(100000, 65536), (300000, 10)]) == [
        (0, 1000, 1),
        (1, 100000, 65536),
        (65537, 300000, 10),
    ]
