"""Settings are read once, and every mistake is told at once."""

from operator import attrgetter
from pathlib import Path

import pytest

from trackeep.environment import (
    GitHubAddresses,
    broker_settings,
    cookie_name,
    instance_settings,
    is_loopback_host,
)
from trackeep.errors import SettingsError
from trackeep.settings_table import SETTINGS


def test_no_configuration_is_needed() -> None:
    """An empty environment gives an instance on this computer with SQLite in ./trackeep-data."""
    settings = instance_settings({})
    assert settings.base_url == "http://localhost:8080"
    assert settings.database_url == "sqlite:///trackeep-data/trackeep.db"
    assert settings.github.graphql == "https://api.github.com/graphql"
    assert settings.warnings == ()


def test_every_mistake_is_named_at_once() -> None:
    """Three wrong settings give one error that names all three and what each should be."""
    wrong = {"TRACKEEP_PORT": "80a", "TRACKEEP_BASE_URL": "home.example", "TRACKEEP_SECRET_KEY": "short"}
    with pytest.raises(SettingsError) as caught:
        instance_settings(wrong)
    assert "3 settings are wrong" in str(caught.value)
    for words in (
        "TRACKEEP_PORT must be a whole number",
        "TRACKEEP_BASE_URL must be an address",
        "shorter than 32",
    ):
        assert words in str(caught.value)


def test_the_broker_says_what_it_needs() -> None:
    """Without its registration the OAuth service does not start, and says both missing names."""
    with pytest.raises(SettingsError, match=r"GITHUB_CLIENT_ID is missing.*GITHUB_CLIENT_SECRET is missing"):
        broker_settings({})


def test_secrets_may_stand_in_files(tmp_path: Path) -> None:
    """NAME_FILE is read without its line end; both at once is a mistake; a missing file is named."""
    file = tmp_path / "key"
    file.write_text("k" * 40 + "\n")
    assert instance_settings({"TRACKEEP_SECRET_KEY_FILE": str(file)}).secret_key == "k" * 40
    webhook = {"TRACKEEP_WEBHOOK_SECRET_FILE": str(file)}
    assert instance_settings(webhook).webhook_secret == "k" * 40 and not instance_settings({}).webhook_secret
    assert instance_settings(webhook).warnings == ()
    file.with_name("url").write_text("postgresql://trackeep:word@db.example/trackeep\n")
    database = instance_settings({"TRACKEEP_DATABASE_URL_FILE": str(file.with_name("url"))})
    assert database.database_url == "postgresql://trackeep:word@db.example/trackeep"
    assert database.warnings == ()
    with pytest.raises(SettingsError, match="both set"):
        instance_settings({"TRACKEEP_SECRET_KEY": "k" * 40, "TRACKEEP_SECRET_KEY_FILE": str(file)})
    with pytest.raises(SettingsError, match=r"TRACKEEP_SECRET_KEY_FILE cannot be read: No such file"):
        instance_settings({"TRACKEEP_SECRET_KEY_FILE": str(tmp_path / "none")})


def test_an_unknown_name_is_a_warning_with_the_nearest_known_one() -> None:
    """A slip of the pen is told, not obeyed and not fatal."""
    settings = instance_settings({"TRACKEEP_BASEURL": "https://x.example"})
    assert settings.warnings == (
        "TRACKEEP_BASEURL is not a setting and is ignored. Did you mean TRACKEEP_BASE_URL?",
    )


def test_a_metrics_token_is_a_secret() -> None:
    """Long enough not to be guessed, and never written out with the other settings."""
    settings = instance_settings({"TRACKEEP_METRICS_TOKEN": "t" * 40})
    assert settings.metrics_token == "t" * 40 and "t" * 40 not in repr(settings)
    with pytest.raises(SettingsError, match="TRACKEEP_METRICS_TOKEN is shorter than 16 bytes"):
        instance_settings({"TRACKEEP_METRICS_TOKEN": "short"})


def test_plain_http_to_github_is_for_this_computer_only() -> None:
    """A GitHub address without TLS would hand tokens to the network."""
    assert instance_settings({"GITHUB_URL": "http://127.0.0.1:9100"}).github.git == "http://127.0.0.1:9100"
    with pytest.raises(SettingsError, match="GITHUB_API_URL must be https"):
        instance_settings({"GITHUB_API_URL": "http://github.internal/api/v3"})


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://github.com", "users.noreply.github.com"),
        ("https://git.example", "users.noreply.git.example"),
        ("http://127.0.0.1:9100", "users.noreply.github.com"),
    ],
)
def test_noreply_addresses_follow_from_the_address_of_the_pages(url: str, host: str) -> None:
    """Enterprise Server has its own; a GitHub on this computer stands for github.com."""
    assert GitHubAddresses(web=url).noreply_host == host


def test_graphql_follows_from_the_rest_address() -> None:
    """Enterprise Server has REST at /api/v3 and GraphQL at /api/graphql."""
    settings = instance_settings({"GITHUB_API_URL": "https://git.example/api/v3/"})
    assert settings.github.graphql == "https://git.example/api/graphql"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *[(host, True) for host in ("127.0.0.1", "127.9.9.9", "localhost", "a.localhost", "[::1]")],
        *[(host, False) for host in ("127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "")],
    ],
)
def test_only_this_computer_is_loopback(host: str, expected: bool) -> None:
    """Names that merely begin like loopback are foreign hosts."""
    assert is_loopback_host(host) is expected


def test_cookie_names_carry_the_browsers_protection_or_the_address() -> None:
    """https gets __Host- or __Secure-; plain http gets a mark of the whole address, ports included."""
    assert cookie_name("https://a.example", "session") == "__Host-session"
    assert cookie_name("https://a.example/t", "session") == "__Secure-session"
    names = {cookie_name(f"http://localhost:{port}", "session") for port in (8080, 8081)}
    assert len(names) == 2


def test_a_password_in_a_wrong_address_is_not_repeated() -> None:
    """What is wrong with an address is told without the password that stands in it."""
    wrong = {
        "TRACKEEP_DATABASE_URL": "mysql://trackeep:correct/h@rse@db.example/trackeep",
        "TRACKEEP_BROKER_URL": "https://me:correct/h@rse@login.example",
    }
    with pytest.raises(SettingsError, match=r"2 settings are wrong.*\*\*\*@db\.example") as caught:
        instance_settings(wrong)
    assert "correct" not in str(caught.value)


def test_the_table_of_settings_says_where_each_value_is_kept() -> None:
    """Each row of the table leads to a value of the settings that it belongs to."""
    registered = {"GITHUB_CLIENT_ID": "id", "GITHUB_CLIENT_SECRET": "s"}
    instance, broker = instance_settings({}), broker_settings(registered)
    for setting in SETTINGS:
        kept = [
            settings
            for settings, is_meant in ((instance, setting.is_for_instance), (broker, setting.is_for_broker))
            if is_meant
        ]
        assert kept
        for settings in kept:
            attrgetter(setting.field)(settings)
