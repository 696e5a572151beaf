"""Does it answer as it should? The port `Probes`: smoke requests over a shared HTTP session."""

from __future__ import annotations

import time

import aiohttp

from commands.plan import PlannedProbe
from commands.ports import Probed

USER_AGENT = "release-bot-probe"
"""So that a service's own numbers and logs can tell these requests from others."""
_PIECE = 65536


class HttpProbes:
    """`commands.ports.Probes`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """The session should keep no cookies: a probe is nobody."""
        self._session = session

    async def probe(self, address: str, probe: PlannedProbe) -> Probed:
        """One request after the other, all of them whatever the first ones said; redirects are answers too."""
        saw: list[int] = []
        slowest = 0.0
        why = ""
        for _ in range(probe.repeat):
            began = time.perf_counter()
            status, trouble = await self._once(address.rstrip("/") + probe.path, probe)
            slowest = max(slowest, 1000 * (time.perf_counter() - began))
            saw.append(status)
            why = why or trouble
        return Probed(ok=not why and bool(saw), saw=tuple(saw), slowest_ms=slowest, why=why or _empty(saw))

    async def _once(self, url: str, probe: PlannedProbe) -> tuple[int, str]:
        """The status, 0 where nothing came, and what is wrong with it in a few words."""
        try:
            async with self._session.request(
                probe.method,
                url,
                allow_redirects=False,
                data=probe.body,
                headers={
                    "user-agent": USER_AGENT,
                    **({} if probe.body is None else {"content-type": probe.content_type}),
                },
                timeout=aiohttp.ClientTimeout(total=probe.within_seconds),
            ) as response:
                async for _ in response.content.iter_chunked(_PIECE):
                    pass  # it must come to its end in time; what it says is not kept
                status = response.status
        except TimeoutError:
            return 0, f"{probe.path} did not answer within {probe.within_seconds:g} s"
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError):
            return 0, f"{probe.path} could not be reached"
        if status in probe.expect:
            return status, ""
        expected = " or ".join(str(one) for one in probe.expect)
        return status, f"{probe.path} answered {status} instead of {expected}"


def _empty(saw: list[int]) -> str:
    return "" if saw else "no request was planned"
