"""What is there in a Slack workspace? Its nouns, as Slack itself would show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class SlackError(Exception):
    """Slack says no: `code` is what stands in `error`, `messages` explain it, `extra` joins the answer."""

    def __init__(self, code: str, messages: tuple[str, ...] = (), **extra: object) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages
        self.extra = extra


class Impossible(Exception):
    """A person cannot do this with what is on their screen; the text says why."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Something the app offers in menus: `kind` is `message` or `global`."""

    kind: str
    name: str


@dataclass(slots=True)
class Team:
    """The workspace, and the app installed in it."""

    id: str = "T0ACME"
    domain: str = "acme"
    name: str = "Acme"
    bot_user: str = "U0RELBOT"
    bot_id: str = "B0RELBOT"
    bot_name: str = "release-bot"
    app_id: str = "A0RELBOT"
    command: str = "/release"
    shortcuts: dict[str, Shortcut] = field(
        default_factory=lambda: {
            "release_from_message": Shortcut("message", "Release actions"),
            "release_new": Shortcut("global", "New release"),
        }
    )
    """By callback id, as the app's manifest has them."""


@dataclass(slots=True)
class Person:
    """A member of the workspace; `handle` is how the sandbox and a mention name them (`maya`)."""

    id: str
    handle: str
    name: str
    title: str = ""
    timezone: str = "Europe/Berlin"
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_bot: bool = False
    deleted: bool = False

    def as_json(self, team: Team) -> Json:
        """As `users.info` shows them."""
        return {
            "id": self.id,
            "team_id": team.id,
            "name": self.handle,
            "real_name": self.name,
            "deleted": self.deleted,
            "tz": self.timezone,
            "profile": {
                "real_name": self.name,
                "display_name": self.handle,
                "title": self.title,
                "team": team.id,
            },
            "is_admin": False,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": self.is_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "is_stranger": False,
            "updated": 1700000000,
        }


@dataclass(slots=True)
class Group:
    """A user group, such as `@release-managers`."""

    id: str
    handle: str
    name: str
    members: list[str] = field(default_factory=list)
    disabled: bool = False

    def as_json(self, team: Team) -> Json:
        return {
            "id": self.id,
            "team_id": team.id,
            "is_usergroup": True,
            "is_subteam": True,
            "name": self.name,
            "handle": self.handle,
            "description": "",
            "is_external": False,
            "date_create": 1700000000,
            "date_update": 1700000000,
            "date_delete": 1700000000 if self.disabled else 0,
            "user_count": len(self.members),
        }


@dataclass(slots=True)
class Channel:
    """A public channel, or the direct messages of one person and the bot."""

    id: str
    name: str
    members: set[str] = field(default_factory=set)
    is_direct: bool = False
    is_archived: bool = False
    topic: str = ""

    def as_json(self, viewer: str) -> Json:
        """As `conversations.info` shows it to `viewer` (a user id)."""
        if self.is_direct:
            (other,) = self.members - {viewer} or {viewer}
            return {"id": self.id, "is_im": True, "user": other, "is_archived": self.is_archived}
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": True,
            "is_group": False,
            "is_im": False,
            "is_private": False,
            "is_archived": self.is_archived,
            "is_member": viewer in self.members,
            "is_general": False,
            "is_shared": False,
            "is_ext_shared": False,
            "is_org_shared": False,
            "topic": {"value": self.topic},
            "purpose": {"value": ""},
            "num_members": len(self.members),
        }


@dataclass(slots=True)
class Message:
    """One message; `ts` names it within the workspace. With `ephemeral_to` only that user sees it."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    thread: str | None = None
    """`ts` of the message it answers."""
    ephemeral_to: str | None = None
    metadata: Json | None = None
    edited: bool = False
    broadcast: bool = False

    def as_json(self, team: Team) -> Json:
        """As it stands in an API answer or an interaction payload."""
        shown: Json = {"type": "message", "ts": self.ts, "user": self.user, "text": self.text, "team": team.id}
        if self.user == team.bot_user:
            shown |= {"bot_id": team.bot_id, "app_id": team.app_id}
        if self.blocks:
            shown["blocks"] = self.blocks
        if self.thread is not None:
            shown["thread_ts"] = self.thread
        if self.metadata is not None:
            shown["metadata"] = self.metadata
        return shown


@dataclass(slots=True)
class View:
    """A modal on one person's screen, or their App Home."""

    id: str
    type: str
    user: str
    body: Json
    """What the bot sent, with the identifiers that Slack fills in."""
    hash: str
    root: str
    previous: str | None = None
    channel: str | None = None
    """Where the person was when it opened; an answer to its submission is seen there."""
    errors: dict[str, str] = field(default_factory=dict)

    def as_json(self, team: Team, values: Json | None = None) -> Json:
        """As `views.open` answers and `view_submission` carries it; `values` is its state."""
        return {
            "id": self.id,
            "team_id": team.id,
            "type": self.type,
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "clear_on_close": False,
            "notify_on_close": False,
            "submit": None,
            "close": None,
            **self.body,
            "state": {"values": values or {}},
            "hash": self.hash,
            "previous_view_id": self.previous,
            "root_view_id": self.root,
            "app_id": team.app_id,
            "app_installed_team_id": team.id,
            "bot_id": team.bot_id,
        }
