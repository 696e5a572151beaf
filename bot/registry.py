"""Is an image still there? Asked of its registry, by its digest: the port `Images`.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp

from commands.errors import Rejected, Unavailable

SECONDS = 10.0
_IMAGE = re.compile(r"(?P<host>[\w.-]+(?::\d+)?)/(?P<name>[a-z0-9._/-]+)@(?P<digest>sha256:[0-9a-f]{64})")
_GOOGLE = re.compile(r"(?:.+\.)?(?:pkg\.dev|gcr\.io)")
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_OCI, _DOCKER = "application/vnd.oci.image", "application/vnd.docker.distribution.manifest"
_KINDS = f"{_OCI}.index.v1+json, {_OCI}.manifest.v1+json, {_DOCKER}.list.v2+json, {_DOCKER}.v2+json"


class Registry:
    """Whatever registry an image names; Google's are asked as ourselves, all others as nobody."""

    def __init__(self, session: aiohttp.ClientSession, endpoint: str = "") -> None:
        """`endpoint`: `host:port` of a local one, plaintext, that is asked about all of them."""
        self._session, self._endpoint = session, endpoint
        self._credentials: Any = None
        self._lock = asyncio.Lock()

    async def kept(self, image: str) -> bool:
        """Whether its registry has exactly that image."""
        found = _IMAGE.fullmatch(image)
        if found is None:
            raise Rejected(f"{image} names no image by its digest.")
        host = found["host"]
        base = f"http://{self._endpoint}" if self._endpoint else f"https://{host}"
        headers = {"accept": _KINDS}
        if not self._endpoint and _GOOGLE.fullmatch(host):
            headers["authorization"] = f"Bearer {await self._token()}"
        url = f"{base}/v2/{found['name']}/manifests/{found['digest']}"
        try:
            async with self._session.head(
                url, headers=headers, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=SECONDS)
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{host} does not answer.") from error
        if status in {200, 404}:
            return status == 200
        if status in {401, 403}:
            raise Rejected(f"{host} does not let us look.")
        raise Unavailable(f"{host} answers with {status}.")

    async def _token(self) -> str:
        """One that still holds. `Unavailable` where there is no identity to ask with."""
        async with self._lock:
            return await asyncio.to_thread(self._fresh)

    def _fresh(self) -> str:
        import google.auth
        import google.auth.exceptions
        import google.auth.transport.requests

        try:
            if self._credentials is None:
                self._credentials, _ = google.auth.default(scopes=[_SCOPE])
            if not self._credentials.valid:
                self._credentials.refresh(google.auth.transport.requests.Request())
        except google.auth.exceptions.GoogleAuthError as error:
            raise Unavailable("The bot has no Google identity to work with.") from error
        return str(self._credentials.token)
