"""What was this process told? The environment, read once, checked whole; what is missing is named in a sentence."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

SECRET_REFERENCE = re.compile(r"sm://projects/[^/]+/secrets/[^/]+/versions/[^/]+")
DEFAULT_DATA = ".release-bot"


class Misconfigured(Exception):
    """The process cannot start; the text names the setting and what it should be."""


def _address(text: str) -> str:
    if text and not re.fullmatch(r"[\w.-]+:\d{1,5}", text):
        message = "write host:port"
        raise ValueError(message)
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.netloc):
        message = "write a URL that begins with https://"
        raise ValueError(message)
    return text


Address = Annotated[str, AfterValidator(_address)]
Url = Annotated[str, AfterValidator(_url)]


class Settings(BaseModel):
    """The environment, by the names that stand in it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    PORT: int = Field(default=3000, ge=0, le=65535)
    DATABASE_URL: str = ""
    RELEASE_POLICY: Path
    SLACK_SIGNING_SECRET: SecretStr = SecretStr("")
    """Two, separated by a comma, while one is exchanged for the other."""
    SLACK_BOT_TOKEN: SecretStr
    SLACK_APP_TOKEN: SecretStr = SecretStr("")
    SLACK_API_URL: Url = ""
    GITHUB_APP_ID: str = ""
    GITHUB_PRIVATE_KEY: SecretStr = SecretStr("")
    GITHUB_INSTALLATION_ID: str = ""
    GITHUB_API_URL: Url = ""
    GITHUB_TOKEN: SecretStr = SecretStr("")
    CLOUD_RUN_ENDPOINT: Address = ""
    MONITORING_ENDPOINT: Address = ""
    SECRET_MANAGER_ENDPOINT: Address = ""
    LEDGER_SIGNING_KEY: SecretStr = SecretStr("")
    SANDBOX_CLOCK: str = ""
    """A file with the offset of the sandbox's clock; never set where production is real."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.SLACK_APP_TOKEN.get_secret_value() and not all(
            part.strip() for part in self.SLACK_SIGNING_SECRET.get_secret_value().split(",")
        ):
            message = "SLACK_SIGNING_SECRET is missing or empty; it stands under Basic Information of the Slack app"
            raise ValueError(message)
        app = (self.GITHUB_APP_ID, self.GITHUB_PRIVATE_KEY.get_secret_value(), self.GITHUB_INSTALLATION_ID)
        if not self.GITHUB_TOKEN.get_secret_value() and not all(app):
            message = (
                "GITHUB_APP_ID, GITHUB_PRIVATE_KEY and GITHUB_INSTALLATION_ID are needed together "
                "(or GITHUB_TOKEN, for local worlds)"
            )
            raise ValueError(message)
        if not self.RELEASE_POLICY.is_file():
            message = f"RELEASE_POLICY names {self.RELEASE_POLICY}, and there is no such file"
            raise ValueError(message)
        if self.SANDBOX_CLOCK and not self.CLOUD_RUN_ENDPOINT:
            message = "SANDBOX_CLOCK is set, but Cloud Run is the real one"
            raise ValueError(message)
        return self

    @property
    def database_url(self) -> str:
        """The database; by default a SQLite file in the data directory."""
        return self.DATABASE_URL or default_database()

    @property
    def local(self) -> bool:
        """True where the other side is a local world: no pauses between writes are owed to it."""
        return bool(self.CLOUD_RUN_ENDPOINT)


def default_database() -> str:
    return f"sqlite:///{Path(DEFAULT_DATA).absolute() / 'release-bot.db'}"


REQUIRED = ("RELEASE_POLICY", "SLACK_BOT_TOKEN")


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings; `Misconfigured` names the first that is missing or wrong, and never shows a value."""
    given = {name: value.strip() for name, value in environment.items() if name in Settings.model_fields}
    for name in REQUIRED:
        if not given.get(name):
            raise Misconfigured(f"{name} is missing or empty.")
    given = {name: value for name, value in given.items() if value}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        says = first["msg"].removeprefix("Value error, ")
        raise Misconfigured(f"{where}: {says}." if where else f"{says}.") from None
