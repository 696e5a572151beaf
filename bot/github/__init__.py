"""How do we speak with GitHub? `GitHub` is our side of it; the library behind it loads at the first question."""

from bot.github.adapter import GitHub
from bot.github.branches import GitHubBranches
from bot.github.credentials import AppKey, PersonalToken
from bot.github.pace import Pace
from bot.github.releases import GitHubReleases
from bot.github.repositories import GitHubRepositories

__all__ = ["AppKey", "GitHub", "GitHubBranches", "GitHubReleases", "GitHubRepositories", "Pace", "PersonalToken"]
