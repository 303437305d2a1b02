from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backbone.settings import check, load_settings, profiles, read_env_file, render_template, resource, show
from backbone.settings import resources as resources_module
from backbone.settings.leaves import leaves

PROFILES = ["dev", "embedded", "institutional", "timescale"]


def test_the_profiles_are_those_of_the_config_folder() -> None:
    assert list(profiles()) == PROFILES


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_loads_by_name_from_anywhere(profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(profile=profile)
    assert settings.profile == profile
    assert settings.origins["store.backend"] == f"config/{profile}.yaml"
    assert settings.hash == load_settings(profile=profile).hash


def test_an_installed_wheel_finds_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "backbone"
    shutil.copytree(resource("config"), package / "_files" / "config")
    (tmp_path / "site-packages" / "config").mkdir()
    monkeypatch.setattr(resources_module, "_PACKAGE", package)
    assert resource("config/embedded.yaml") == package / "_files" / "config" / "embedded.yaml"
    assert load_settings(profile="embedded").store.backend == "duckdb"
    with pytest.raises(FileNotFoundError, match="does not travel with the package"):
        resource("config/../../../secret")


def test_the_embedded_profile_needs_no_service() -> None:
    settings = load_settings(profile="embedded")
    assert (settings.store.backend, settings.cache.backend, settings.stream.backend) == ("duckdb", "memory", "memory")
    assert check(settings) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_the_env_template_is_up_to_date(profile: str) -> None:
    file = resource(f"config/{profile}.env")
    assert file.read_text(encoding="utf-8") == render_template(profile), (
        f"config/{profile}.env is out of date; write it anew with render_template({profile!r})"
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_every_key_of_a_template_is_read_and_means_what_the_profile_says(profile: str, tmp_path: Path) -> None:
    text = resource(f"config/{profile}.env").read_text(encoding="utf-8")
    uncommented = [line.removeprefix("# ") if line.startswith("# BACKBONE_") else line for line in text.splitlines()]
    file = tmp_path / "all.env"
    file.write_text("\n".join(uncommented), encoding="utf-8")
    variables = read_env_file(file)
    assert set(variables) == {leaf.env for leaf in leaves().values()}
    settings = load_settings(env=variables)
    assert settings.redacted() == load_settings(profile=profile).redacted()
    assert settings.ignored == ()
    given = {path for path, origin in settings.origins.items() if origin.startswith("env ")}
    assert given == {leaf.path for leaf in leaves().values() if variables[leaf.env]} - {"profile"}


def test_every_setting_is_shown_with_value_origin_name_and_description() -> None:
    rows = {row.path: row for row in show(load_settings(profile="embedded", overrides={"store.threads": 3}))}
    assert list(rows) == list(leaves())
    row = rows["store.threads"]
    assert (row.value, row.origin, row.env) == (3, "code", "BACKBONE_STORE_THREADS")
    assert not [row.path for row in rows.values() if not row.description]


def test_odd_retention_is_found() -> None:
    chosen = {"retention.trades.cap_days": 3, "retention.trades.minimum_days": 31}
    settings = load_settings(profile="timescale", env={"TIMESCALEDB_URL": "postgresql://localhost/x"}, overrides=chosen)
    assert [finding.path for finding in check(settings)] == [
        "retention.trades.minimum_days",
        "retention.trades.cap_days",
    ]


def test_the_hash_follows_values_but_not_secrets_or_origins(tmp_path: Path) -> None:
    file = tmp_path / "same.yaml"
    file.write_text("profile: embedded\ntier: tier_0\nstore: {threads: 2}\n", encoding="utf-8")
    embedded = load_settings(profile="embedded").hash
    assert load_settings(file).hash == embedded
    assert load_settings(file, overrides={"store.threads": 3}).hash != embedded
    one, other = (load_settings(profile="dev", env={"PGPASSWORD": text}).hash for text in ("a", "b"))
    assert one == other
