"""What do people do in the channels, and what do they hear? Typing, pressing, filling in, and reading what comes of it."""

from __future__ import annotations

from tests.acceptance.client import Checks, Json, NotInTime, Sandbox, all_of, reads

ROLLOUT_WITHIN = 240.0
"""Seconds for a whole rollout of the story, on a busy machine."""


class Play:
    """One play in a sandbox, and whether all of it went as it should."""

    def __init__(self, url: str) -> None:
        self.box = Sandbox(url.rstrip("/"))
        self.checks = Checks()
        self.see = self.checks.see
        there = self.box.get("/api/workspace")["channels"]
        self.channels = [str(one["name"]) for one in there if not one["direct"]]

    # Asking ---------------------------------------------------------------------------------------------------------

    def asks(self, who: str, channel: str, words: str) -> Json:
        """Somebody types a command; the root message that it led to, wherever it stands."""
        before = {message["ts"] for name in self.channels for message in self.box.messages(name)}
        said = self.box.say(who, channel, words)
        self.see(f"`{words}` is acknowledged in time", said["ok"] and said["ack_ms"] < 3000, said)

        def root() -> Json | None:
            for name in self.channels:
                for message in self.box.messages(name):
                    mine = message["ts"] not in before and message["from"] == "bot" and not message.get("ephemeral_to")
                    if mine and message.get("thread") in (None, message["ts"]):
                        return message | {"channel": name}
            return None

        try:
            return self.box.until(f"a root message for {words}", root, within=20)
        except NotInTime as error:
            seen = self.box.messages(channel, who=who)
            heard = all_of([one for one in seen if one.get("ephemeral_to") == who and one["ts"] not in before])
            raise NotInTime(f"{error}; {who} heard instead: {heard or 'nothing'}") from error

    def hears(self, who: str, channel: str, words: str, about: str = "") -> str:
        """Somebody types a command; what the bot answers, to them alone or to all: with `about` in it."""
        known = {one["ts"] for one in self.box.messages(channel, who=who)}
        said = self.box.say(who, channel, words)
        self.see(f"`{words}` is acknowledged in time", said["ok"] and said["ack_ms"] < 3000, said)

        def answer() -> str:
            seen = self.box.messages(channel, who=who)
            said = all_of([one for one in seen if one["from"] == "bot" and one["ts"] not in known])
            return said if about in said else ""

        return self.box.until(f"an answer to {words}", answer, within=20)

    def presses(self, who: str, root: Json, button: str) -> str:
        """Somebody presses a button of a request; what only they are told, "" where nothing comes."""
        where = self.offering(root, button)
        known = self._private(who, root["channel"])
        pressed = self.box.press(who, where["ts"], button)
        self.see(f"{who}'s click on {button} is answered in time", pressed["ok"] and pressed["ack_ms"] < 3000, pressed)
        if pressed.get("reply"):
            return str(pressed["reply"])
        try:
            return self.box.until("an answer", lambda: self._since(who, root["channel"], known), within=5)
        except NotInTime:
            return ""

    def _private(self, who: str, channel: str) -> set[str]:
        return {one["ts"] for one in self.box.messages(channel, who=who) if one.get("ephemeral_to")}

    def _since(self, who: str, channel: str, known: set[str]) -> str:
        seen = self.box.messages(channel, who=who)
        return all_of([one for one in seen if one.get("ephemeral_to") == who and one["ts"] not in known])

    # Looking --------------------------------------------------------------------------------------------------------

    def thread(self, root: Json) -> list[Json]:
        """The root as it stands now, and its answers, without what only one person sees."""
        seen = self.box.messages(root["channel"], thread=root["ts"])
        return [message for message in seen if not message.get("ephemeral_to")]

    def offering(self, root: Json, button: str) -> Json:
        """The message of the thread that has this button, the root first."""
        return self.box.until(
            f"a button {button}",
            lambda: next((one for one in self.thread(root) if button in one["buttons"]), None),
            within=20,
        )

    def settles(self, root: Json, word: str) -> str:
        """The whole thread, once its root says this."""
        self.box.until(
            f"the root says {word!r}", lambda: word in reads(self.thread(root)[0]).lower(), within=ROLLOUT_WITHIN
        )
        return all_of(self.thread(root))

    # Dialogs --------------------------------------------------------------------------------------------------------

    def fills_in(self, who: str, message: Json, button: str, **values: str) -> Json:
        """Somebody presses a button that asks for more, and sends what it asked for; keys with `_` for `-`."""
        pressed = self.box.press(who, message["ts"], button)
        self.see(f"{who}'s click on {button} is answered in time", pressed["ok"] and pressed["ack_ms"] < 3000, pressed)
        view = self.box.until(f"a dialog for {button}", lambda: self.box.views(who), within=10)[-1]
        return self.box.submit(who, view["id"], {key.replace("_", "-"): value for key, value in values.items()})

    def told(self, who: str, button: str) -> Json:
        """The newest message that this person sees with this button, wherever it stands."""

        def found() -> Json | None:
            seen = [one for name in self.channels for one in self.box.messages(name, who=who)]
            offering = [one for one in seen if button in one["buttons"]]
            return max(offering, key=lambda one: float(one["ts"]), default=None)

        return self.box.until(f"a message with the button {button}", found, within=20)
