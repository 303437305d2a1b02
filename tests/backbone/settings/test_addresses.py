"""What is shown of an address, and what may be given as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.settings import Secret, Settings, SettingsError, load_settings, parse_overrides, show
from backbone.settings.addresses import shown_url
from backbone.settings.sections.store import StoreSettings
from backbone.settings.sections.stream import StreamSettings

CANARY = "CANARYc4n4ry"

SHOWN = [
    ("postgresql://u:{}@h:5432/d", "postgresql://u:***@h:5432/d"),
    ("postgresql://u:{}@h1:1,h2:2/d?sslmode=require", "postgresql://u:***@h1:1,h2:2/d?sslmode=require"),
    ("postgresql://u:{}@[::1]:5432/d", "postgresql://u:***@[::1]:5432/d"),
    ("postgresql+asyncpg://u:{}@h/d", "postgresql+asyncpg://u:***@h/d"),
    ("postgresql:///d?host=/var/run/x&user=u&password={}", "postgresql:///d?host=/var/run/x&user=u&password=***"),
    ("postgresql://u:{}@%2Fvar%2Frun/d", "postgresql://u:***@%2Fvar%2Frun/d"),
    ("postgresql://h/d?p%61ssword={}&sslmode=disable", "postgresql://h/d?p%61ssword=***&sslmode=disable"),
    ("postgresql://h/d?sslpassword={}", "postgresql://h/d?sslpassword=***"),
    ("postgresql://h/d?anything={}", "postgresql://h/d?anything=***"),
    ("postgresql://h/d?{}", "postgresql://h/d?***"),
    ("postgresql://u%3A{}@h/d", "postgresql://***@h/d"),
    ("postgresql://u%253A{}@h/d", "postgresql://***@h/d"),
    ("redis://:{}@h:6379/0", "redis://:***@h:6379/0"),
    ("rediss://acl-user:{}@h:6380/0", "rediss://acl-user:***@h:6380/0"),
    ("https://{}@h/x", "https://***@h/x"),
]
HIDDEN = [
    "postgresql://u:{} sp ace@h/d",
    "postgresql://u:{}\ttab@h/d",
    "postgresql://u:{}\nline@h/d",
    "postgresql://u:{}@x@h/d",
    "postgresql://u:a/{}@h/d",
    "postgresql://u:1/{}@h/d",
    "postgresql://u:1?{}@h/d",
    "postgresql://u:1#{}@h/d",
    "postgresql://u:1/{}%40h/d",
    "postgresql://u:{}",
    "postgresql://u%3A{}%40h/d",
    "postgresql://h/d?password={} TAIL",
    "postgresql://[{}]@h/d",
    "postgresql://h/d?host=u:{}@h",
    "jdbc:postgresql://h/d?user=u&password={}",
    "SASL_SSL://u:{}@h",
    "u:{}@h",
    "{}",
]


@pytest.mark.parametrize(("form", "expected"), SHOWN)
def test_of_a_url_all_is_shown_but_what_is_secret(form: str, expected: str) -> None:
    assert shown_url(form.format(CANARY)) == expected


@pytest.mark.parametrize("form", HIDDEN)
def test_what_cannot_be_taken_apart_is_not_shown_at_all(form: str) -> None:
    assert CANARY not in shown_url(form.format(CANARY))
    settings = Settings(store=StoreSettings(url=Secret(form.format(CANARY))))
    assert CANARY not in f"{settings!r}{show(settings)}{settings.redacted()}"


ODD = st.text(st.sampled_from(" \t\n%:@/?#[]&=,;'\"\\a1.é-"), max_size=6)


@given(ODD, ODD, st.sampled_from(["", "u", "%75"]), st.sampled_from(["@h/d", "@h,g:1", "@[::1]:1/d?a=b"]))
def test_a_password_of_any_characters_is_not_shown(before: str, after: str, user: str, place: str) -> None:
    assert CANARY not in shown_url(f"postgresql://{user}:{before}{CANARY}{after}{place}")


@pytest.mark.parametrize("form", [form for form, _ in SHOWN] + [form for form in HIDDEN if "://" in form])
def test_a_url_that_holds_or_hides_a_secret_is_not_taken_from_the_command_line(form: str) -> None:
    with pytest.raises(SettingsError, match="secrets are not taken from the command line") as refused:
        parse_overrides([f"store.url={form.format(CANARY)}"])
    assert CANARY not in str(refused.value)


def test_a_url_without_a_secret_is_taken_from_the_command_line() -> None:
    for url in ("postgresql://u@h:5432/d?sslmode=verify-full&sslrootcert=/etc/ca.pem", "postgresql:///d?host=/run/pg"):
        assert parse_overrides([f"store.url={url}"])["store.url"] == url


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("store.host", f"u:{CANARY}@h"),
        ("store.host", f"u:{CANARY}"),
        ("cache.host", f"redis://u:{CANARY}@h"),
        ("stream.bootstrap", f"user:{CANARY}@h:9092"),
        ("stream.bootstrap", f"h:1,SASL_SSL://user:{CANARY}@g:2"),
    ],
)
def test_a_host_with_a_password_in_it_is_refused_and_never_shown(path: str, text: str) -> None:
    with pytest.raises(SettingsError, match=r"is no host given; allowed are names and addresses") as refused:
        load_settings(profile="institutional", overrides={path: text})
    assert CANARY not in str(refused.value)


def test_a_host_with_a_password_in_settings_made_by_code_is_not_shown() -> None:
    bad = f"user:{CANARY}@h:9092"
    settings = Settings(store=StoreSettings(host=bad), stream=StreamSettings(bootstrap=bad))
    assert CANARY not in f"{settings!r}{show(settings)}{settings.redacted()}"


@pytest.mark.parametrize("place", ["h", "db.example", "::1", "127.0.0.1", "fe80::1%eth0", "/var/run/postgresql", "b_1"])
def test_hosts_are_names_addresses_and_folders_of_sockets(place: str) -> None:
    assert load_settings(profile="embedded", overrides={"store.host": place}).store.host == place
