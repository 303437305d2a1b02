from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backbone.settings import SettingsError, load_settings, read_env_file
from backbone.settings.documents import MAX_BYTES, read_yaml
from tests.campaigns import so_many


def written(folder: Path, content: str | bytes) -> Path:
    place = folder / "file.yaml"
    place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


LAUGHS = "a: &a [x]\n" + "\n".join(f"b{n}: *a" for n in range(40))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; give a mapping"),
        ("# nothing\n", "is empty"),
        ("- a\n- b\n", "is a list; give a mapping"),
        ("duckdb", "is a str; give a mapping"),
        ("store: {", "is not usable YAML: .*line 1"),
        ("store: [}", "is not usable YAML"),
        ("a: b: c", "is not usable YAML: mapping values are not allowed here .line 1"),
        ("store: {threads: 1, threads: 2}", "the key 'threads' is given twice; keep one .line 1"),
        ("store: {}\nstore: {}", "the key 'store' is given twice; keep one .line 2"),
        ("quality: {sessions: {NO: fx}}", "the key False is no text; put it in quotes"),
        ("1: x", "the key 1 is no text"),
        ("? [a]\n: x", "the key .* is no text|unhashable"),
        (LAUGHS, "over 32 aliases"),
        ("a: &a {b: 1}\nc:\n  <<: *a", "merge keys"),
        ("[" * 2000, "nested over 16 levels deep"),
        ("a: " + "{a: " * 20 + "1" + "}" * 20, "nested over 16 levels deep"),
        ("\n".join(f"a{n}: 1" for n in range(6_000)), "over 10000 keys and values"),
        ("store: {port: 1:30}", "1:30 would be read as another number; write it in decimal digits"),
        ("store: {port: 0100}", "0100 would be read as another number"),
        ("store: {pool_timeout: 1:30.5}", "1:30.5 would be read as another number"),
        ("store: !!python/object/apply:os.system [echo]", "is not usable YAML: could not determine a constructor"),
        ("store: !custom x", "could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", "is not usable YAML"),
        (b"store: \xff\xfe", "is not UTF-8 .byte 7"),
        (b"store: \x00", "is not usable YAML"),
        (b"# " + b"x" * MAX_BYTES, "is over 1048576 bytes"),
        ("a: 2024-99-99", "is not usable YAML"),
    ],
    ids=range(27),
)
def test_a_file_that_is_no_plain_yaml_mapping_is_refused_in_one_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        read_yaml(written(tmp_path, content), "file.yaml")
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("file.yaml: ")


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml: there is no such file"):
        load_settings(tmp_path / "nowhere.yaml")
    with pytest.raises(SettingsError, match="is a directory"):
        load_settings(tmp_path)
    with pytest.raises(SettingsError, match="can't be read"):
        load_settings(written(tmp_path, "a: 1") / "below")
    with pytest.raises(SettingsError, match="can't be read"):
        load_settings("a\0b")


def test_a_document_that_contains_itself_is_refused(tmp_path: Path) -> None:
    for text in ("store: &a {store: *a}", "store: {threads: &a [*a]}", "quality: {sessions: &a {x: *a}}"):
        with pytest.raises(SettingsError, match=r"unknown key|given; allowed is"):
            load_settings(written(tmp_path, text))


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path, b"\xef\xbb\xbfstore: {threads: 3}"), "x") == {"store": {"threads": 3}}


@pytest.mark.campaign
@settings(max_examples=so_many(150, part=50), deadline=None, derandomize=True)
@given(text=st.text(st.sampled_from("ab:-[]{}&*!?|>'\"#%@` \n,\t0.<=~"), max_size=40))
def test_any_text_is_a_mapping_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    place = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    place.write_text(text, encoding="utf-8")
    try:
        assert isinstance(read_yaml(place, "fuzz.yaml"), dict)
    except SettingsError as error:
        assert str(error).startswith("fuzz.yaml: ")  # noqa: PT017


def test_an_env_file_has_one_variable_a_line(tmp_path: Path) -> None:
    file = written(tmp_path, "# comment\nA=1\n\nexport B = 'two words' \nC=\"x#y\"\nD=a#b # comment\nE=\nF=a=b\n")
    assert read_env_file(file) == {"A": "1", "B": "two words", "C": "x#y", "D": "a#b", "E": "", "F": "a=b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nhunter2\n", "line 2 is no NAME=value"),
        ("=hunter2", "line 1 is no NAME=value"),
        ("1A=hunter2", "line 1 is no NAME=value"),
        ("A=1\nA=hunter2", "line 2 gives A again"),
    ],
)
def test_a_bad_line_of_an_env_file_is_refused_without_showing_it(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        read_env_file(written(tmp_path, text))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("line", ["A=x{}y", "A{}y", "export{}y", "A=x{}# y"])
def test_an_env_line_of_many_blanks_is_read_in_one_pass(tmp_path: Path, line: str) -> None:
    place = written(tmp_path, line.format(" " * 900_000))
    try:
        assert read_env_file(place)["A"].startswith("x")
    except SettingsError as error:
        assert "is no NAME=value" in str(error)  # noqa: PT017  either is right, waiting for minutes is not


def test_a_value_goes_on_over_what_only_looks_like_the_end_of_a_line(tmp_path: Path) -> None:
    assert read_env_file(written(tmp_path, "A=x\u2028BACKBONE_STORE_HOST=h\nB=1 # two\n")) == {
        "A": "x\u2028BACKBONE_STORE_HOST=h",
        "B": "1",
    }


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    asked: list[Callable[[], object]] = [
        lambda: load_settings(pipe, env={}),
        lambda: read_env_file(pipe),
        lambda: load_settings(env={"BACKBONE_STORE_PASSWORD_FILE": str(pipe)}),
        lambda: load_settings("/dev/zero", env={}),
    ]
    for ask in asked:
        with pytest.raises(SettingsError, match="is no regular file; write what it holds to a file"):
            ask()


def test_of_many_problems_the_first_are_explained_and_the_rest_counted(tmp_path: Path) -> None:
    unknown = "\n".join(f"stor{n}: 1" for n in range(4_000))
    asked: list[Callable[[], object]] = [
        lambda: load_settings(written(tmp_path, unknown), env={}),
        lambda: load_settings(env={f"BACKBONE_STOR{n}": "1" for n in range(4_000)}),
    ]
    for ask in asked:
        with pytest.raises(SettingsError, match="and 3,980 more of the kind; correct these first") as caught:
            ask()
        assert len(caught.value.problems) == 21


def test_a_section_stands_in_one_place(tmp_path: Path) -> None:
    twice = written(tmp_path, "store: {path: a}\nbackbone: {store: {path: b}}")
    with pytest.raises(SettingsError, match="store stands at the top and below backbone; keep one of the two"):
        load_settings(twice, env={})


def test_nul_is_refused_wherever_a_value_comes_from(tmp_path: Path) -> None:
    asked: list[Callable[[], object]] = [
        lambda: load_settings(written(tmp_path, 'control: {path: "a\\0b"}'), env={}),
        lambda: load_settings(env={"BACKBONE_CONTROL_PATH": "a\0b"}),
        lambda: load_settings(env={"BACKBONE_STORE_PASSWORD": "a\0b"}),
        lambda: load_settings(env={}, overrides={"control.path": "a\0b"}),
    ]
    for ask in asked:
        with pytest.raises(SettingsError, match="a NUL character given, which no system takes; remove it"):
            ask()
