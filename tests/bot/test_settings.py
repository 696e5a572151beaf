"""Settings are read once and checked whole; what is wrong is named, and no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import SECRETS, Misconfigured, Settings, read_settings

POLICY = Path(__file__).parents[2] / "deploy" / "policies" / "minimal.yaml"
WHOLE = {
    "RELEASE_POLICY": str(POLICY),
    "SLACK_BOT_TOKEN": "xoxb-secret",
    "SLACK_SIGNING_SECRET": "shh",
    "GITHUB_APP_ID": "7",
    "GITHUB_PRIVATE_KEY": "-----BEGIN",
    "GITHUB_INSTALLATION_ID": "8",
}


def but(**changes: str) -> dict[str, str]:
    return {**WHOLE, **changes}


def test_the_least_is_enough_and_the_rest_has_defaults() -> None:
    settings = read_settings(WHOLE)
    assert (settings.port, settings.local, settings.signing_secrets) == (3000, False, ("shh",))
    assert settings.database_url.startswith("sqlite:///")
    assert settings.database_url.endswith("/.release-bot/release-bot.db")


def test_others_variables_are_left_alone_and_blanks_count_as_nothing() -> None:
    settings = read_settings(but(HOME="/root", PORT=" 8080 ", DATABASE_URL="  "))
    assert settings.port == 8080
    assert settings.database_url.endswith("/.release-bot/release-bot.db")


def test_two_signing_secrets_hold_while_one_is_exchanged() -> None:
    assert read_settings(but(SLACK_SIGNING_SECRET="new, old,")).signing_secrets == ("new", "old")


def test_socket_mode_needs_no_signing_secret_and_a_local_world_no_app() -> None:
    read_settings(but(SLACK_SIGNING_SECRET="", SLACK_APP_TOKEN="xapp-1"))
    local = but(GITHUB_APP_ID="", GITHUB_TOKEN="t", CLOUD_RUN_ENDPOINT="127.0.0.1:8080", SANDBOX_CLOCK="clock")
    assert read_settings(local).local


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"RELEASE_POLICY": ""}, "RELEASE_POLICY is missing or empty."),
        ({"SLACK_BOT_TOKEN": "  "}, "SLACK_BOT_TOKEN is missing or empty."),
        ({"SLACK_SIGNING_SECRET": ""}, "SLACK_SIGNING_SECRET is missing or empty"),
        ({"SLACK_SIGNING_SECRET": " , "}, "SLACK_SIGNING_SECRET is missing or empty"),
        (
            {"GITHUB_PRIVATE_KEY": ""},
            "GITHUB_APP_ID, GITHUB_PRIVATE_KEY and GITHUB_INSTALLATION_ID are needed together",
        ),
        ({"RELEASE_POLICY": "/nowhere/policy.yaml"}, "RELEASE_POLICY names /nowhere/policy.yaml"),
        ({"RELEASE_POLICY": str(POLICY.parent)}, "RELEASE_POLICY names"),
        ({"PORT": "http"}, "PORT"),
        ({"PORT": "65536"}, "PORT"),
        ({"PORT": "-1"}, "PORT"),
        ({"PORT": "٣٠٠٠"}, "PORT"),
        ({"SLACK_API_URL": "slack.com/api"}, "SLACK_API_URL"),
        ({"GITHUB_API_URL": "ftp://github.com"}, "GITHUB_API_URL"),
        ({"CLOUD_RUN_ENDPOINT": "http://127.0.0.1:1"}, "CLOUD_RUN_ENDPOINT"),
        ({"MONITORING_ENDPOINT": "127.0.0.1"}, "MONITORING_ENDPOINT"),
        ({"SLACK_BOT_TOKEN": "sm://projects/p/secrets"}, "SLACK_BOT_TOKEN"),
        ({"GITHUB_BREAK_GLASS_APP_ID": "7"}, "GITHUB_BREAK_GLASS_APP_ID (a number), GITHUB_BREAK_GLASS_PRIVATE_KEY"),
        (
            {
                "GITHUB_APP_ID": "7",
                "GITHUB_BREAK_GLASS_APP_ID": "7",
                "GITHUB_BREAK_GLASS_PRIVATE_KEY": "k",
                "GITHUB_BREAK_GLASS_INSTALLATION_ID": "8",
            },
            "GITHUB_BREAK_GLASS_APP_ID names the same App",
        ),
        (
            {
                "GITHUB_BREAK_GLASS_APP_ID": "9",
                "GITHUB_BREAK_GLASS_PRIVATE_KEY": "k",
                "GITHUB_BREAK_GLASS_INSTALLATION_ID": "acme",
            },
            "GITHUB_BREAK_GLASS_APP_ID (a number), GITHUB_BREAK_GLASS_PRIVATE_KEY and GITHUB_BREAK_GLASS_INSTALLATION_ID (",
        ),
        ({"ATTESTATION_VERIFIER": "nobody"}, "ATTESTATION_VERIFIER: write package.module:name"),
        (
            {"ATTESTATION_VERIFIER": "no.such:Verifier"},
            "ATTESTATION_VERIFIER names no.such:Verifier, and that cannot be",
        ),
        ({"ATTESTATION_VERIFIER": "json:Verifier"}, "ATTESTATION_VERIFIER names json:Verifier, and that cannot be"),
        ({"SANDBOX_CLOCK": "clock"}, "SANDBOX_CLOCK is set, but Cloud Run is the real one"),
    ],
)
def test_what_is_missing_or_wrong_is_named(changes: dict[str, str], says: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        read_settings(but(**changes))
    assert str(raised.value).startswith(says)
    assert str(raised.value).endswith(".")


ROOT = '{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1", "tlogs": []}'


@pytest.mark.parametrize("text", [ROOT, f"{ROOT}\n{ROOT}\n", ROOT.replace(", ", ",\n")])
def test_one_trusted_root_or_several_each_on_a_line_are_taken(tmp_path: Path, text: str) -> None:
    file = tmp_path / "root.jsonl"
    file.write_text(text)
    assert read_settings(but(SIGSTORE_TRUSTED_ROOT=str(file))).SIGSTORE_TRUSTED_ROOT.endswith("root.jsonl")


@pytest.mark.parametrize(
    "text",
    ["", "hunter2", "[]", "{}", f"{ROOT}\n[]", '{"mediaType": 1}', ROOT.replace("root", "x"), ROOT[:40], "[" * 99_999],
)
def test_a_file_that_is_no_trusted_root_is_named_and_how_to_get_one(tmp_path: Path, text: str) -> None:
    file = tmp_path / "root.jsonl"
    file.write_text(text)
    with pytest.raises(Misconfigured) as raised:
        read_settings(but(SIGSTORE_TRUSTED_ROOT=str(file)))
    says = (
        f"SIGSTORE_TRUSTED_ROOT names {file}, and that is no trusted root, as `gh attestation trusted-root` writes it."
    )
    assert str(raised.value) == says


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_shown(name: str) -> None:
    """Neither where settings are printed nor in a complaint about them."""
    whole = {"GITHUB_BREAK_GLASS_APP_ID": "4712", "GITHUB_BREAK_GLASS_INSTALLATION_ID": "8"} if "GLASS" in name else {}
    assert "hunter2" not in repr(read_settings(but(**whole, **{name: "hunter2"})))
    with pytest.raises(Misconfigured) as raised:
        read_settings(but(**{name: "hunter2", "PORT": "x"}))
    assert "hunter2" not in str(raised.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        read_settings(WHOLE).PORT = "1"  # type: ignore[misc]
    assert isinstance(read_settings(WHOLE), Settings)
