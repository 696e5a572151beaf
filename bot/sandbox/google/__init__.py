"""Google on this machine: Cloud Run, Monitoring and Secret Manager, and revisions that answer."""

from bot.sandbox.google.engine import Behaviour, Write
from bot.sandbox.google.traffic import TrafficSource
from bot.sandbox.google.world import GoogleWorld

__all__ = ["Behaviour", "GoogleWorld", "TrafficSource", "Write"]
