"""What secrets are there? Versions as Secret Manager keeps them: numbered, disabled or not, with names of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

from google.cloud import secretmanager_v1

from bot.sandbox.google.faults import Faults
from bot.sandbox.google.messages import AccessSecretVersionResponse, Code, Raw, Refusal, SecretVersion
from bot.secrets import crc32c

_ENABLED = int(secretmanager_v1.SecretVersion.State.ENABLED)
_DISABLED = int(secretmanager_v1.SecretVersion.State.DISABLED)


@dataclass
class _Secret:
    versions: list[bytes] = field(default_factory=list)
    disabled: set[int] = field(default_factory=set)
    aliases: dict[str, int] = field(default_factory=dict)


class Vault:
    """Every secret, by `projects/P/secrets/S`."""

    def __init__(self, faults: Faults) -> None:
        self._secrets: dict[str, _Secret] = {}
        self._faults = faults

    def put(self, secret: str, value: bytes, *, alias: str = "") -> int:
        """The number of the new version."""
        kept = self._secrets.setdefault(secret, _Secret())
        kept.versions.append(value)
        if alias:
            kept.aliases[alias] = len(kept.versions)
        return len(kept.versions)

    def disable(self, secret: str, version: int) -> None:
        self._secrets[secret].disabled.add(version)

    def get_version(self, request: Raw) -> Raw:
        secret, number, kept = self._find(request.name)
        state = _DISABLED if number in kept.disabled else _ENABLED
        return SecretVersion(name=f"{secret}/versions/{number}", state=state)

    def access_version(self, request: Raw) -> Raw:
        if self._faults.take("secret_unavailable"):
            raise Refusal(Code.UNAVAILABLE, "The service is currently unavailable.")
        secret, number, kept = self._find(request.name)
        name = f"{secret}/versions/{number}"
        if number in kept.disabled or self._faults.take("secret_disabled"):
            raise Refusal(Code.FAILED_PRECONDITION, f"Secret Version [{name}] is in DISABLED state.")
        answer = AccessSecretVersionResponse(name=name)
        answer.payload.data = kept.versions[number - 1]
        answer.payload.data_crc32c = crc32c(answer.payload.data)
        if self._faults.take("secret_damaged"):
            answer.payload.data_crc32c ^= 1
        return answer

    def _find(self, name: str) -> tuple[str, int, _Secret]:
        secret, _, version = name.partition("/versions/")
        kept = self._secrets.get(secret)
        if kept is None:
            raise Refusal(Code.NOT_FOUND, f"Secret [{secret}] not found.")
        if version == "latest":  # the newest even when it is disabled
            number = len(kept.versions)
        elif version.isdigit():
            number = int(version)
        else:
            number = kept.aliases.get(version, 0)
        if not 1 <= number <= len(kept.versions):
            raise Refusal(Code.NOT_FOUND, f"Secret Version [{name}] not found.")
        return secret, number, kept
