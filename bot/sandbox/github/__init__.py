"""The local GitHub: real git underneath, GitHub's words on top."""

from bot.sandbox.github.faults import fault_kinds
from bot.sandbox.github.world import GitHubWorld

__all__ = ["GitHubWorld", "fault_kinds"]
