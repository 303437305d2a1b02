"""The checks of `make audit`, on what is given to them: none asks anybody, and none needs the tools."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.audit import secret_scan
from tests.audit.advisories import Answer, advisories
from tests.audit.licences import refused
from tests.audit.locks import LOCKS, ROOT, Pinned, pinned
from tests.audit.result import Result
from tests.audit.sbom import bill, document, is_current
from tests.audit.secret_scan import judge
from tests.audit.workflows import workflows

LOCK = """\
anyio==4.16.0 \\
    --hash=sha256:{0} \\
    --hash=sha256:{1}
    # via
    #   backbone (pyproject.toml)
    #   Some_Thing
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{0}
    # via backbone (pyproject.toml)
some-thing[extra]==1.0 \\
    --hash=sha256:{1}
    # via backbone (pyproject.toml:dev)
""".format("a" * 64, "b" * 64)


def test_a_lock_is_read_with_its_hashes_markers_and_who_wants_what() -> None:
    anyio, numpy, some = pinned(LOCK)
    assert anyio == Pinned("anyio", "4.16.0", ("a" * 64, "b" * 64), "", ("", "some-thing"))
    assert numpy.marker == "python_full_version < '3.12'"
    assert (some.name, some.version, some.via) == ("some-thing", "1.0", ("",))


def test_a_pin_without_a_hash_is_no_lock() -> None:
    with pytest.raises(ValueError, match=r"'anyio==4\.16\.0' given; allowed is NAME==VERSION with hashes"):
        pinned("anyio==4.16.0\n")


@pytest.mark.parametrize("lock", LOCKS)
def test_each_lock_can_be_read_and_names_no_place_to_load_from(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert len(pinned(text)) == sum(line[:1].isalnum() for line in text.splitlines())
    assert "://" not in text


def knowing(vulnerable: str | None = None, knows: Any = lambda name: True) -> Any:
    def ask(service: str, path: Path) -> Answer:
        found: dict[str, dict[str, Any]] = {}
        for line in path.read_text().splitlines():
            name, _, version = line.partition("==")
            vulns = [{"id": "ADVISORY-1", "fix_versions": ["9.9"]}] if name == vulnerable else []
            skipped = {"name": name, "skip_reason": "not found"}
            found[name] = {"name": name, "version": version, "vulns": vulns} if knows(name) else skipped
        return found

    return ask


def test_an_advisory_fails_the_audit_and_says_what_mends_it() -> None:
    result = advisories(knowing("msgspec"))
    [problem] = result.problems
    assert problem.startswith("msgspec ")
    assert problem.endswith(": ADVISORY-1; mended in 9.9: make lock UPGRADE=--upgrade")
    assert not result.not_asked


def test_packages_that_no_service_knows_are_said_not_to_have_been_asked() -> None:
    result = advisories(knowing("msgspec", knows=lambda name: name == "msgspec"))
    assert len(result.problems) == 1
    [line] = result.not_asked
    assert "(no service knows them)" in line
    assert result.looked_at.startswith("1 of ")


def test_services_that_cannot_be_reached_fail_nothing_and_are_said() -> None:
    result = advisories(lambda service, path: "no route")
    assert not result.problems
    assert result.looked_at.startswith("0 of ")
    assert result.not_asked[0].endswith("(pypi: no route; osv: no route)")
    assert Result("x", "y", (), ("z",)).lines() == ["✓ x: y", "    not asked: z"]


@pytest.mark.parametrize(
    ("name", "licence", "product", "allowed"),
    [
        ("a", "MIT", True, True),
        ("a", "BSD-3-Clause AND 0BSD AND (MIT OR Zlib)", True, True),
        ("a", "Apache Software License AND MIT License", True, True),
        ("a", "ISC License (ISCL)", True, True),
        ("a", "GPL-3.0-or-later", False, False),
        ("a", "MIT AND GPL-3.0-only", True, False),
        ("a", "", True, False),
        ("pathspec", "Mozilla Public License 2.0 (MPL 2.0)", False, True),
        ("pathspec", "MPL-2.0", True, False),
        ("another", "MPL-2.0", False, False),
    ],
)
def test_a_licence_is_allowed_as_a_whole_or_not(name: str, licence: str, product: bool, allowed: bool) -> None:
    assert bool(refused(name, licence, product=product)) is not allowed


def finding(filename: str, kind: str, digest: str = "0" * 40) -> dict[str, Any]:
    return {"filename": filename, "type": kind, "hashed_secret": digest, "line_number": 7}


def test_a_secret_is_one_wherever_it_is_and_a_made_up_password_only_where_none_is_made_up() -> None:
    password, key = "Secret Keyword", "Private Key"
    found = [finding(place, kind) for place in ("backbone/a.py", "tests/a.py") for kind in (password, key)]
    assert [line.partition(";")[0] for line in judge(found)] == [
        f"line 7 of backbone/a.py Secret Keyword {'0' * 40}",
        f"line 7 of backbone/a.py Private Key {'0' * 40}",
        f"line 7 of tests/a.py Private Key {'0' * 40}",
    ]


def test_what_is_known_to_be_none_is_one_again_as_soon_as_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "known.txt"
    known.write_text(f"# words\na.py Private Key {'1' * 40}  # an example\n")
    monkeypatch.setattr(secret_scan, "KNOWN", known)
    assert judge([finding("a.py", "Private Key", "1" * 40)]) == []
    assert len(judge([finding("a.py", "Private Key", "2" * 40), finding("b.py", "Private Key", "1" * 40)])) == 2


def test_the_bill_names_each_package_once_with_its_hashes_and_who_wants_it() -> None:
    project = {"name": "backbone", "version": "1.2.3", "description": "d", "license": "Apache-2.0"}
    made = json.loads(document(project, pinned(LOCK)))
    assert [each["purl"] for each in made["components"]] == [
        "pkg:pypi/anyio@4.16.0",
        "pkg:pypi/numpy@2.4.6",
        "pkg:pypi/some-thing@1.0",
    ]
    assert [each["scope"] for each in made["components"]] == ["required", "optional", "required"]
    assert made["metadata"]["component"]["bom-ref"] == "backbone@1.2.3"
    wanted = {each["ref"]: each["dependsOn"] for each in made["dependencies"]}
    assert wanted["backbone@1.2.3"] == ["anyio@4.16.0", "numpy@2.4.6", "some-thing@1.0"]
    assert wanted["some-thing@1.0"] == ["anyio@4.16.0"]
    assert made["components"][0]["externalReferences"][0]["hashes"][1] == {"alg": "SHA-256", "content": "b" * 64}


def test_the_bill_that_lies_there_is_that_of_the_lock_and_says_nothing_of_a_moment_or_a_machine() -> None:
    assert is_current().problems == []
    assert bill() == bill()
    assert "://" not in bill()
    assert not {"serialNumber", "timestamp"} & set(json.loads(bill())) | set(json.loads(bill())["metadata"]) - {
        "component"
    }


def test_where_there_are_no_workflows_that_is_said(tmp_path: Path) -> None:
    assert workflows(tmp_path) == Result("workflows", "none")
