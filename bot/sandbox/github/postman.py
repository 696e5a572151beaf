"""How is a webhook delivered? Signed, once, in order: https://docs.github.com/webhooks."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import aiohttp

DELIVERY_SECONDS = 10  # https://docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks


@dataclass(frozen=True, slots=True)
class Hook:
    """Where to tell, and with which secret."""

    url: str
    secret: str
    events: frozenset[str]
    """None of them: all."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one hook."""

    hook: Hook
    event: str
    id: str
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        signed = hmac.new(self.hook.secret.encode(), self.body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/local",
            "X-GitHub-Delivery": self.id,
            "X-GitHub-Event": self.event,
            "X-Hub-Signature-256": f"sha256={signed}",
        }


@dataclass(slots=True)
class Postman:
    """Deliveries that wait, and what became of the others. GitHub does not try again by itself."""

    hooks: list[Hook] = field(default_factory=list)
    waiting: asyncio.Queue[Delivery] = field(default_factory=asyncio.Queue)
    done: list[tuple[str, int]] = field(default_factory=list)
    """Delivery id and the status that came back; 0: none did."""

    def tell(self, event: str, payload: dict[str, Any]) -> None:
        body = json.dumps(payload).encode()
        for hook in self.hooks:
            if not hook.events or event in hook.events:
                self.waiting.put_nowait(Delivery(hook, event, str(uuid.uuid4()), body))

    async def walk(self, session: aiohttp.ClientSession) -> None:
        """Brings each in turn, for ever."""
        limit = aiohttp.ClientTimeout(total=DELIVERY_SECONDS)
        while True:
            delivery = await self.waiting.get()
            status = 0
            try:
                async with session.post(
                    delivery.hook.url, data=delivery.body, headers=delivery.headers, timeout=limit
                ) as answer:
                    status = answer.status
            except (aiohttp.ClientError, TimeoutError):
                pass
            self.done.append((delivery.id, status))
            self.waiting.task_done()
