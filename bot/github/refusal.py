"""How did GitHub say no?"""

from __future__ import annotations

from commands.errors import Rejected


class Refusal(Rejected):
    """GitHub's own no, with its status and its words: some 404 are an answer, a 403 never is."""

    def __init__(self, text: str, status: int, said: str) -> None:
        super().__init__(text)
        self.status, self.said = status, said
