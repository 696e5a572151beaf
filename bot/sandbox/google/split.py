"""Which revision answers the next request? Smooth weighted turns: 10 per cent are 5 of any 50, evenly spread."""

from __future__ import annotations


class Split:
    """Turns by weight. The same weights set again go on where they were."""

    def __init__(self) -> None:
        self._weights: dict[str, int] = {}
        self._credit: dict[str, int] = {}

    def weigh(self, weights: dict[str, int]) -> None:
        weights = {name: weight for name, weight in weights.items() if weight > 0}
        if weights != self._weights:
            self._weights, self._credit = weights, dict.fromkeys(weights, 0)

    def next(self) -> str | None:
        """None: nothing has any weight."""
        if not self._weights:
            return None
        for name, weight in self._weights.items():
            self._credit[name] += weight
        chosen = max(self._credit, key=self._credit.__getitem__)
        self._credit[chosen] -= sum(self._weights.values())
        return chosen
