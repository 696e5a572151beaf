"""Does what we hand to Slack, Google and Docker fit the program? It cannot be run here, so it is read."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import slack_in
from bot.github.credentials import NEEDED
from bot.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = {each.name for each in fields(Settings)}

NEEDS_SCOPE = {
    "app_home_opened": None,
    "app_mention": "app_mentions:read",
    "app_uninstalled": None,
    "subteam_members_changed": "usergroups:read",
    "subteam_updated": "usergroups:read",
    "tokens_revoked": None,
    "user_change": "users:read",
}
"""Bot event: the scope that it needs, https://docs.slack.dev/reference/events."""

METHOD_SCOPES = {
    "chat_postEphemeral": "chat:write",
    "chat_postMessage": "chat:write",
    "chat_update": "chat:write",
    "users_info": "users:read",
    "users_list": "users:read",
    "usergroups_users_list": "usergroups:read",
    "views_open": None,
    "views_publish": None,
    "views_update": None,
}
"""Web API method: the scope that it needs, https://docs.slack.dev/reference/methods."""

NEVER = {"channels:history", "groups:history", "users:read.email", "chat:write.customize", "chat:write.public"}


def manifest(way: str) -> dict[str, Any]:
    return dict(json.loads((DEPLOY / f"slack-manifest-{way}.json").read_text("utf-8")))


def without_addresses(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_addresses(one) for key, one in value.items() if key not in {"url", "request_url"}}
    return [without_addresses(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("way", ["http", "socket"])
class TestTheSlackManifest:
    def test_every_event_has_the_scope_it_needs_and_every_scope_a_use(self, way: str) -> None:
        said = manifest(way)
        scopes = set(said["oauth_config"]["scopes"]["bot"])
        events = said["settings"]["event_subscriptions"]["bot_events"]
        used = {NEEDS_SCOPE[event] for event in events} | {"commands", "chat:write"} | _scopes_of_calls()
        assert scopes == used - {None}
        assert not scopes & NEVER

    def test_command_and_shortcuts_are_those_the_program_listens_to(self, way: str) -> None:
        features = manifest(way)["features"]
        assert [one["command"] for one in features["slash_commands"]] == [slack_in.COMMAND]
        assert features["slash_commands"][0]["should_escape"] is True
        assert {one["callback_id"] for one in features["shortcuts"]} == {slack_in.FROM_MESSAGE, slack_in.ANEW}

    def test_events_are_those_the_program_handles(self, way: str) -> None:
        heard = (ROOT / "bot/slack_in.py").read_text("utf-8")
        for event in manifest(way)["settings"]["event_subscriptions"]["bot_events"]:
            assert f'"{event}"' in heard

    def test_texts_are_within_slacks_limits(self, way: str) -> None:
        # https://docs.slack.dev/reference/app-manifest
        said = manifest(way)
        assert len(said["display_information"]["name"]) <= 35
        assert len(said["display_information"]["description"]) <= 140
        for command in said["features"]["slash_commands"]:
            assert len(command["description"]) <= 2000
            assert len(command["usage_hint"]) <= 1000
        for shortcut in said["features"]["shortcuts"]:
            assert len(shortcut["name"]) <= 24
            assert len(shortcut["description"]) <= 150


def _scopes_of_calls() -> set[str | None]:
    called = set()
    for path in (ROOT / "bot").glob("*.py"):
        called |= set(
            re.findall(r"\.((?:chat|users|usergroups|views|conversations|reactions)_\w+)\(", path.read_text("utf-8"))
        )
    return {METHOD_SCOPES[method] for method in called}


def test_the_two_manifests_differ_in_the_way_in_only() -> None:
    http, socket = manifest("http"), manifest("socket")
    assert http["settings"].pop("socket_mode_enabled") is False
    assert socket["settings"].pop("socket_mode_enabled") is True
    assert socket == without_addresses(http)
    addresses = set(re.findall(r"https://[^\"]+", json.dumps(http)))
    assert addresses == {"https://release-bot.example.com/slack/events"}


def test_every_setting_is_explained_and_no_other() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    table = text[text.index("## Settings") : text.index("## What the bot may do")]
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))
    assert explained == SETTINGS - {"SANDBOX_CLOCK"}


def test_every_scope_and_event_has_its_reason() -> None:
    text = (DEPLOY / "README.md").read_text("utf-8")
    said = manifest("http")
    for name in [*said["oauth_config"]["scopes"]["bot"], *said["settings"]["event_subscriptions"]["bot_events"]]:
        assert f"`{name}`" in text


def test_the_github_permissions_asked_for_are_those_the_adapter_needs() -> None:
    text = re.sub(r"\s+", " ", (DEPLOY / "README.md").read_text("utf-8"))
    words = {
        "actions": "Actions",
        "administration": "Administration",
        "attestations": "Attestations",
        "checks": "Checks",
        "contents": "Contents",
        "deployments": "Deployments",
        "issues": "Issues",
        "members": "Members",
        "metadata": "Metadata",
        "pull_requests": "Pull requests",
        "secret_scanning_alerts": "Secret scanning alerts",
        "security_events": "Code scanning alerts",
        "statuses": "Commit statuses",
        "vulnerability_alerts": "Dependabot alerts",
    }
    for name, access in NEEDED.items():
        assert f"*{words[name]}* {access}" in text


def test_the_cloud_run_service_starts_what_the_program_knows() -> None:
    service = yaml.safe_load((DEPLOY / "cloud-run.yaml").read_text("utf-8"))
    spec = service["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert {one["name"] for one in container["env"]} <= SETTINGS
    assert "@sha256:" in container["image"]
    assert "compute@developer" not in spec["serviceAccountName"]
    notes = service["spec"]["template"]["metadata"]["annotations"]
    assert notes["autoscaling.knative.dev/minScale"] == "2"
    assert notes["run.googleapis.com/cpu-throttling"] == "false"
    secrets = [one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one]
    assert secrets
    assert all(one["key"].isdigit() for one in secrets)


def test_terraform_grants_no_broad_role() -> None:
    text = "".join(path.read_text("utf-8") for path in (DEPLOY / "terraform").glob("*.tf"))
    granted = set(re.findall(r"\"(roles/[\w.]+)\"", text))
    assert granted == {
        "roles/artifactregistry.reader",
        "roles/iam.serviceAccountUser",
        "roles/run.invoker",
        "roles/secretmanager.secretAccessor",
    }
    permissions = set(re.findall(r"\"((?:run|monitoring)\.[\w.]+\.\w+)\"", text))
    assert permissions == {
        "monitoring.timeSeries.list",
        "run.operations.get",
        "run.revisions.get",
        "run.revisions.list",
        "run.services.get",
        "run.services.list",
        "run.services.update",
    }


def test_the_container_runs_locked_code_as_nobody_in_particular() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    for path in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / one).exists() or one == "README.md" for one in path.split())
    assert text.count("--require-hashes") == 2
    last = text[text.rindex("FROM ") :]
    assert "USER 10001" in last
    assert not re.search(r"\b(pip|uv|gcc|apt)\b", last)


def test_the_procfile_starts_the_bot() -> None:
    assert (ROOT / "Procfile").read_text("utf-8").strip() == "web: python -m bot serve"


@pytest.mark.parametrize("document", ["README.md", "runbook.md"])
def test_documents_name_files_and_commands_that_exist(document: str) -> None:
    text = (DEPLOY / document).read_text("utf-8")
    for name in re.findall(r"`((?:policies|terraform)/[\w./-]*|[\w-]+\.(?:json|yaml|md))`", text):
        assert (DEPLOY / name).exists() or name == "policy.yaml", name
    for verb in re.findall(r"`/release (\w+)", text):
        assert verb in {"promote", "rollback", "freeze", "status", "why", "log", "help"}
