"""What was this process told? The environment, read once, checked whole; what is missing is named in a sentence.

Plain Python on purpose: the door opens 0.1 s earlier than with a pydantic model, and a setting is only a string.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_DATA = ".release-bot"
SECRETS = (
    "DATABASE_URL",
    "SLACK_SIGNING_SECRET",
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "GITHUB_PRIVATE_KEY",
    "GITHUB_TOKEN",
    "GITHUB_BREAK_GLASS_PRIVATE_KEY",
    "GITHUB_WEBHOOK_SECRET",
    "LEDGER_SIGNING_KEY",
)
"""Settings that may be `sm://projects/P/secrets/S/versions/N`, and that no text of ours ever shows."""
REQUIRED = ("RELEASE_POLICY", "SLACK_BOT_TOKEN")
ADDRESSES = ("CLOUD_RUN_ENDPOINT", "MONITORING_ENDPOINT", "SECRET_MANAGER_ENDPOINT", "REGISTRY_ENDPOINT")
SHAPES = {
    **dict.fromkeys(ADDRESSES, (r"[\w.-]+:\d{1,5}", "host:port")),
    "ATTESTATION_VERIFIER": (r"[\w.]+:\w+", "package.module:name"),
}
FILES = ("RELEASE_POLICY", "SIGSTORE_TRUSTED_ROOT")
URLS = ("SLACK_API_URL", "GITHUB_API_URL")
TRUSTED = "application/vnd.dev.sigstore.trustedroot+json"
"""What a trusted root calls itself."""


class Misconfigured(Exception):
    """The process cannot start; the text names the setting and what it should be, and never a value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment, by the names that stand in it; empty where nothing was said."""

    RELEASE_POLICY: str
    SLACK_BOT_TOKEN: str = field(repr=False)
    PORT: str = "3000"
    DATABASE_URL: str = field(default="", repr=False)
    SLACK_SIGNING_SECRET: str = field(default="", repr=False)
    """Two, separated by a comma, while one is exchanged for the other."""
    SLACK_APP_TOKEN: str = field(default="", repr=False)
    SLACK_API_URL: str = ""
    GITHUB_APP_ID: str = ""
    GITHUB_PRIVATE_KEY: str = field(default="", repr=False)
    GITHUB_INSTALLATION_ID: str = ""
    GITHUB_API_URL: str = ""
    GITHUB_TOKEN: str = field(default="", repr=False)
    GITHUB_BREAK_GLASS_APP_ID: str = ""
    """Of the App that relaxes what guards a branch for a time; without it, nothing is ever relaxed."""
    GITHUB_BREAK_GLASS_PRIVATE_KEY: str = field(default="", repr=False)
    GITHUB_BREAK_GLASS_INSTALLATION_ID: str = ""
    GITHUB_WEBHOOK_SECRET: str = field(default="", repr=False)
    """Two, separated by a comma, while one is exchanged for the other; empty: nothing is heard from GitHub."""
    SIGSTORE_TRUSTED_ROOT: str = ""
    """A file, as `gh attestation trusted-root` writes it: whose word counts for attestations. Empty: the public
    instance's, as it was when we were built."""
    ATTESTATION_VERIFIER: str = ""
    """`package.module:name` of what makes a `Verifier` (bot/github/verifier.py) for attestations in no public log."""
    CLOUD_RUN_ENDPOINT: str = ""
    MONITORING_ENDPOINT: str = ""
    SECRET_MANAGER_ENDPOINT: str = ""
    REGISTRY_ENDPOINT: str = ""
    LEDGER_SIGNING_KEY: str = field(default="", repr=False)
    SANDBOX_CLOCK: str = ""
    """A file with the offset of the sandbox's clock; refused where Cloud Run is the real one."""

    @property
    def port(self) -> int:
        return int(self.PORT)

    @property
    def database_url(self) -> str:
        """The database; by default a SQLite file in the data directory."""
        return self.DATABASE_URL or default_database()

    @property
    def signing_secrets(self) -> tuple[str, ...]:
        return _listed(self.SLACK_SIGNING_SECRET)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        return _listed(self.GITHUB_WEBHOOK_SECRET)

    @property
    def local(self) -> bool:
        """True where the other side is a local world: no pauses between writes are owed to it."""
        return bool(self.CLOUD_RUN_ENDPOINT)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def default_database() -> str:
    return f"sqlite:///{Path(DEFAULT_DATA).absolute() / 'release-bot.db'}"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings; `Misconfigured` names the first that is missing or wrong."""
    known = {each.name for each in fields(Settings)}
    given = {name: value.strip() for name, value in environment.items() if name in known and value.strip()}
    for name in REQUIRED:
        if name not in given:
            raise Misconfigured(f"{name} is missing or empty.")
    settings = Settings(**given)
    complaint = (
        _complaint(settings)
        or _of_break_glass(settings)
        or _of_trusted_root(settings.SIGSTORE_TRUSTED_ROOT)
        or _of_verifier(settings.ATTESTATION_VERIFIER)
    )
    if complaint:
        raise Misconfigured(complaint)
    return settings


def _is_absent(file: str) -> bool:
    return bool(file) and not Path(file).is_file()


def _complaint(settings: Settings) -> str:
    """What is wrong with it, the first thing only; empty where nothing is."""
    if not (settings.PORT.isascii() and settings.PORT.isdigit() and int(settings.PORT) <= 65535):
        return "PORT: write a number from 0 to 65535."
    if not settings.SLACK_APP_TOKEN and not settings.signing_secrets:
        return "SLACK_SIGNING_SECRET is missing or empty; it stands under Basic Information of the Slack app."
    app = (settings.GITHUB_APP_ID, settings.GITHUB_PRIVATE_KEY, settings.GITHUB_INSTALLATION_ID)
    if not settings.GITHUB_TOKEN and not all(app):
        return (
            "GITHUB_APP_ID, GITHUB_PRIVATE_KEY and GITHUB_INSTALLATION_ID are needed together "
            "(or GITHUB_TOKEN, for local worlds)."
        )
    for name, (shape, says) in SHAPES.items():
        if not re.fullmatch(f"({shape})?", getattr(settings, name)):
            return f"{name}: write {says}."
    for name in URLS:
        parts = urlsplit(getattr(settings, name))
        if getattr(settings, name) and (parts.scheme not in {"http", "https"} or not parts.netloc):
            return f"{name}: write a URL that begins with https://."
    for name in SECRETS:
        value = getattr(settings, name)
        if value.startswith("sm:") and not re.fullmatch(r"sm://projects/[^/]+/secrets/[^/]+/versions/[^/]+", value):
            return f"{name}: write sm://projects/P/secrets/S/versions/N."
    if absent := next((name for name in FILES if _is_absent(getattr(settings, name))), ""):
        return f"{absent} names {getattr(settings, absent)}, and there is no such file."
    if settings.SANDBOX_CLOCK and not settings.CLOUD_RUN_ENDPOINT:
        return "SANDBOX_CLOCK is set, but Cloud Run is the real one."
    return ""


def _of_break_glass(settings: Settings) -> str:
    """What is wrong with the second App; it is there whole, or not at all."""
    app, installation = settings.GITHUB_BREAK_GLASS_APP_ID, settings.GITHUB_BREAK_GLASS_INSTALLATION_ID
    given = (app, settings.GITHUB_BREAK_GLASS_PRIVATE_KEY, installation)
    if any(given) and not (all(given) and re.fullmatch(r"[0-9]+ [0-9]+", f"{app} {installation}")):
        return (
            "GITHUB_BREAK_GLASS_APP_ID (a number), GITHUB_BREAK_GLASS_PRIVATE_KEY and "
            "GITHUB_BREAK_GLASS_INSTALLATION_ID (a number) are needed together, or none of them."
        )
    if app and app == settings.GITHUB_APP_ID:
        return "GITHUB_BREAK_GLASS_APP_ID names the same App as GITHUB_APP_ID; it must be one of its own."
    return ""


def _of_trusted_root(file: str) -> str:
    """What is wrong with it, by what each of its roots calls itself; whether one can be verified with shows later."""
    if not file:
        return ""
    try:
        text = Path(file).read_bytes()
        lines = [text] if text.count(b'"mediaType"') == 1 else [line for line in text.splitlines() if line.strip()]
        kinds = [json.loads(line)["mediaType"] for line in lines]
        if kinds and all(kind.startswith(TRUSTED) for kind in kinds):
            return ""
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass  # nothing is said of what is in it
    return (
        f"SIGSTORE_TRUSTED_ROOT names {file}, and that is no trusted root, as `gh attestation trusted-root` writes it."
    )


def _of_verifier(named: str) -> str:
    """What is wrong with it: it is loaded now, so that no release waits for one that is not there."""
    module, _, attribute = named.partition(":")
    try:
        there = not named or hasattr(importlib.import_module(module), attribute)
    except Exception:  # noqa: BLE001 - it is somebody else's code, and may end in any way
        there = False
    return "" if there else f"ATTESTATION_VERIFIER names {named}, and that cannot be loaded."
