"""The page, in a real browser: what people see and do there, against a stand-in bot."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from bot.sandbox.api import Cast, sandbox_app
from bot.sandbox.slack.world import SlackWorld
from tests.bot.sandbox.standin import BUTTONS, MODAL, SetClock, StandIn, serving, workspace
from tests.bot.sandbox.test_api import Cloud, Hub

pytestmark = pytest.mark.chromium
GOOD, BAD, NEW = (f"sha256:{name * 8}" for name in ("3f2a91cc", "77ab01ff", "c0ffee12"))
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--mute-audio",
)
PATIENCE = 60_000.0
"""Milliseconds: the machine may be busy; what is looked for is there at once on an idle one."""


def text(words: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": words, "verbatim": True}


def button(label: str, **more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": label.lower(), "text": {"type": "plain_text", "text": label}, **more}


WAITING: list[dict[str, Any]] = [
    {"type": "section", "text": text("*checkout `3f2a91cc` stage → prod is waiting for one approval*")},
    {
        "type": "section",
        "fields": [
            text("*Asked by*\n<@U0MAYA>"),
            text("*Earliest*\n<!date^1795514400^{date_short_pretty} at {time}|24 Nov 10:00 UTC>"),
        ],
    },
    {
        "type": "section",
        "text": text(
            "✓ stage serves `3f2a91cc`\n✓ soaked for 26 h\n✗ somebody else has to approve: <!subteam^S0RELMGR>"
        ),
    },
    {"type": "divider"},
    {"type": "context", "elements": [text("op_01HZX · policy `9d1c`")]},
    {
        "type": "actions",
        "elements": [
            button(
                "Approve",
                style="primary",
                confirm={
                    "title": {"type": "plain_text", "text": "Approve checkout?"},
                    "text": {"type": "plain_text", "text": "checkout 3f2a91cc goes to prod."},
                    "confirm": {"type": "plain_text", "text": "Approve"},
                    "deny": {"type": "plain_text", "text": "Not yet"},
                },
            ),
            button("Reject", style="danger"),
            button("Why"),
        ],
    },
]


class Bot:
    """Knows four things: help, promote, approve, reject."""

    def __init__(self, slack: SlackWorld, standin: StandIn, client: Any) -> None:
        self._slack, self._client = slack, client
        standin.answers = self.answer

    async def answer(self, payload: dict[str, Any]) -> Any:
        if "command" in payload:
            if payload["text"].startswith("promote"):
                channel = payload["channel_id"]
                posted = await self._client.chat_postMessage(
                    channel=channel, text="checkout is waiting", blocks=WAITING
                )
                await self._client.chat_postMessage(
                    channel=channel, thread_ts=posted["ts"], text="I tell <!here> & <@U0OMAR> when it moves."
                )
                return {"text": "Asked. It waits for one approval."}
            return {"text": "*promote*, rollback, freeze, exception\n```/release promote checkout stage→prod```"}
        if payload["type"] == "block_actions":
            return await self._pressed(payload)
        if payload["type"] == "view_submission":
            why = payload["view"]["state"]["values"]["reason"]["text"]["value"]
            if len(why) < 5:
                return {"response_action": "errors", "errors": {"reason": "Say a little more."}}
            await self._client.chat_postMessage(
                channel="C0RELEASES", text=f"Rejected by <@{payload['user']['id']}>: {why}"
            )
        if payload.get("event", {}).get("type") == "app_home_opened":
            blocks = [{"type": "header", "text": {"type": "plain_text", "text": "Waiting for you"}}, *BUTTONS]
            await self._client.views_publish(user_id=payload["event"]["user"], view={"type": "home", "blocks": blocks})
        return None

    async def _pressed(self, payload: dict[str, Any]) -> None:
        user = payload["user"]["id"]
        match payload["actions"][0]["action_id"]:
            case "approve":
                ts = payload["message"]["ts"]
                said = f"✅ checkout `3f2a91cc` is live in prod, approved by <@{user}>"
                await self._client.chat_update(channel="C0RELEASES", ts=ts, text=said)
            case "reject":
                await self._client.views_open(trigger_id=payload["trigger_id"], view=MODAL)
            case _:
                await self._client.chat_postEphemeral(
                    channel="C0RELEASES", user=user, text="It needs *somebody else* than <@U0MAYA>."
                )


class Stage:
    """The sandbox, and a browser that looks at it."""

    def __init__(self, slack: SlackWorld, standin: StandIn, client: Any, clock: SetClock, cloud: Cloud) -> None:
        self.slack, self.standin, self.client, self.clock, self.cloud = slack, standin, client, clock, cloud
        self.url = ""
        self.browser: Browser
        self.complaints: list[str] = []

    async def page(self, who: str = "maya", *, width: int = 1280, height: int = 800, place: str = "releases") -> Page:
        """As that person sees it."""
        page = await self.browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        await page.goto(f"{self.url}/#as={who}&in={place}")
        await expect(page.locator("#link")).to_have_text("Live")
        return page

    async def say(self, page: Page, words: str) -> None:
        await page.locator("#composer-text").fill(words)
        await page.locator("#composer-text").press("Enter")


@pytest.fixture
async def stage(chromium: str) -> AsyncIterator[Stage]:
    clock, cloud = SetClock(), Cloud()
    cloud.sites = {
        "acme-stage/europe-west1/checkout": site({NEW: 100}),
        "acme-prod/europe-west1/checkout": site({GOOD: 90, NEW: 10}),
        "acme-stage/europe-west1/payments": site({BAD: 100}),
        "acme-prod/europe-west1/payments": site({GOOD: 100}),
        "acme-stage/europe-west1/search": site({NEW: 100}),
        "acme-prod/europe-west1/search": site({GOOD: 100}),
    }
    expect.set_options(timeout=PATIENCE)
    async with workspace(clock) as (slack, standin, client), async_playwright() as playwright:
        here = Stage(slack, standin, client, clock, cloud)
        Bot(slack, standin, client)
        cast = Cast(
            roles={},
            places={name: (name.rpartition("/")[2], name.split("/")[0].removeprefix("acme-")) for name in cloud.sites},
            environments=("stage", "prod"),
            suggestions=("/release help", "/release promote checkout stage→prod"),
            commands=(("promote checkout stage→prod", "Serve in prod what stage serves."), ("help", "Everything.")),
        )
        async with serving(sandbox_app(slack, cloud, Hub(), clock, cast)) as here.url:
            here.browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            try:
                yield here
            finally:
                await here.browser.close()
    assert here.complaints == []


def site(shares: dict[str, int]) -> dict[str, Any]:
    traffic = [
        {"revision": f"r-{digest[7:15]}", "digest": digest, "percent": percent} for digest, percent in shares.items()
    ]
    return {"traffic": traffic, "serving": {digest: percent / 100 for digest, percent in shares.items()}}


async def test_a_command_is_typed_and_answered_and_others_watch_without_reloading(stage: Stage) -> None:
    maya, omar = await stage.page("maya"), await stage.page("omar")
    await stage.say(maya, "/release promote checkout stage→prod")
    private = maya.locator(".message.private")
    await expect(private).to_contain_text("Asked. It waits for one approval.")
    root = omar.locator("#messages .message")
    await expect(root).to_contain_text("is waiting for one approval")
    await expect(root).to_have_count(1)
    await expect(root.locator(".mention")).to_have_text(["@maya", "@release-managers"])
    await expect(root.locator("code").first).to_have_text("3f2a91cc")
    await omar.get_by_role("button", name="1 reply").click()
    await expect(omar.locator("#replies .message").last).to_contain_text("I tell @here & @omar when it moves.")
    await picture(omar, "thread")


async def test_a_button_asks_first_and_the_message_changes_for_everybody(stage: Stage) -> None:
    maya, omar = await stage.page("maya"), await stage.page("omar")
    await stage.say(maya, "/release promote checkout stage→prod")
    await omar.get_by_role("button", name="Approve").click()
    dialog = omar.locator("#confirm")
    await expect(dialog).to_contain_text("checkout 3f2a91cc goes to prod.")
    await picture(omar, "confirm")
    await dialog.get_by_role("button", name="Not yet").click()
    await expect(dialog).to_be_hidden()
    assert not [payload for payload in stage.standin.heard if payload.get("type") == "block_actions"]
    await omar.get_by_role("button", name="Approve").click()
    await dialog.get_by_role("button", name="Approve").click()
    await expect(maya.locator("#messages .message").first).to_contain_text("is live in prod, approved by @omar")
    await expect(maya.get_by_role("button", name="Approve")).to_have_count(0)


async def test_a_modal_keeps_its_words_until_they_are_enough(stage: Stage) -> None:
    maya = await stage.page("maya")
    await stage.say(maya, "/release promote checkout stage→prod")
    await maya.get_by_role("button", name="Reject").click()
    modal = maya.locator("#modal")
    await expect(modal.get_by_role("heading", name="Reject")).to_be_visible()
    await modal.get_by_role("button", name="Reject").click()
    await expect(modal).to_contain_text("Please complete this required field.")
    await modal.get_by_label("Why?").fill("no")
    await modal.get_by_role("button", name="Reject").click()
    await expect(modal).to_contain_text("Say a little more.")
    await expect(modal.get_by_label("Why?")).to_have_value("no")
    await picture(maya, "modal")
    await modal.get_by_label("Why?").fill("it is Friday")
    await modal.get_by_label("Until").select_option("Tomorrow")
    await modal.get_by_role("button", name="Reject").click()
    await expect(modal).to_be_hidden()
    await expect(maya.locator("#messages")).to_contain_text("Rejected by @maya: it is Friday")


async def test_escape_closes_a_modal_for_good(stage: Stage) -> None:
    maya = await stage.page("maya")
    await stage.say(maya, "/release promote checkout stage→prod")
    await maya.get_by_role("button", name="Reject").click()
    await expect(maya.locator("#modal")).to_be_visible()
    await maya.keyboard.press("Escape")
    await expect(maya.locator("#modal")).to_be_hidden()
    assert stage.slack.views("maya") == []


async def test_what_is_private_is_seen_by_that_person_only(stage: Stage) -> None:
    page = await stage.page("omar")
    await stage.say(page, "/release help")
    await expect(page.locator(".message.private")).to_contain_text("promote, rollback, freeze, exception")
    await expect(page.locator(".message.private pre")).to_have_text("/release promote checkout stage→prod")
    await page.locator("#person").select_option("raj")
    await expect(page.locator(".message.private")).to_have_count(0)
    await page.locator("#person").select_option("omar")
    await expect(page.locator(".message.private")).to_have_count(1)


async def test_nothing_anybody_writes_becomes_markup(stage: Stage) -> None:
    page = await stage.page("maya")
    nasty = "<img src=x onerror=alert(1)> *bold* <b>no</b> &lt; `co<i>de`"
    await stage.say(page, nasty)
    shown = page.locator("#messages .message .text")
    await expect(shown).to_have_text("<img src=x onerror=alert(1)> bold <b>no</b> &lt; co<i>de")
    await expect(shown.locator("strong")).to_have_text("bold")
    await expect(shown.locator("code")).to_have_text("co<i>de")
    assert await shown.locator("img, b, i").count() == 0
    await stage.client.chat_postMessage(
        channel="C0RELEASES", text="<javascript:alert(1)|safe> <https://example.com/?a=1&amp;b=2|the diff> <@U0NOBODY>"
    )
    last = page.locator("#messages .message .text").last
    await expect(last).to_have_text("safe the diff @U0NOBODY")
    assert await last.locator("a").count() == 1
    assert await last.locator("a").get_attribute("href") == "https://example.com/?a=1&b=2"


async def test_moments_are_told_in_the_time_of_whoever_looks(stage: Stage) -> None:
    await stage.client.chat_postMessage(channel="C0RELEASES", text="x", blocks=WAITING)
    for who, shown in (("maya", "today at 11:00"), ("raj", "today at 15:30")):
        page = await stage.page(who)
        await expect(page.locator(".fields time")).to_have_text(shown)
        await page.close()


async def test_other_channels_show_what_is_unread(stage: Stage) -> None:
    page = await stage.page("maya")
    await stage.client.chat_postMessage(channel="C0SEARCH", text="news")
    search = page.locator('[data-channel="search"]')
    await expect(search.locator(".unread")).to_have_text("1 unread")
    await search.click()
    await expect(page.locator("#messages")).to_contain_text("news")
    await expect(search.locator(".unread")).to_have_count(0)
    gus = await stage.page("gus")
    await expect(gus.locator("[data-channel]")).to_have_count(1)


async def test_the_composer_remembers_and_helps(stage: Stage) -> None:
    page = await stage.page("maya")
    box = page.locator("#composer-text")
    await box.press_sequentially("/release pro")
    await expect(page.locator("#hint")).to_contain_text("/release promote checkout stage→prod")
    await picture(page, "hint")
    await box.press("Tab")
    await expect(box).to_have_value("/release promote checkout stage→prod")
    await box.fill("one")
    await box.press("Shift+Enter")
    await expect(box).to_have_value("one\n")
    await stage.say(page, "first")
    await expect(page.locator("#messages .message")).to_have_count(1)
    await box.press("ArrowUp")
    await expect(box).to_have_value("first")
    await box.press("ArrowDown")
    await expect(box).to_have_value("")


async def test_slack_says_why_a_thread_takes_no_commands(stage: Stage) -> None:
    await stage.client.chat_postMessage(channel="C0RELEASES", text="waiting")
    page = await stage.page("maya")
    await page.locator("#messages .message").hover()
    await page.get_by_role("button", name="Reply in thread").click()
    await page.locator("#thread-text").fill("/release status")
    await page.locator("#thread-text").press("Enter")
    await expect(page.locator("#replies .private")).to_contain_text("/release is not supported in threads. Sorry!")
    await page.locator("#thread-text").fill("well then")
    await page.locator("#thread-text").press("Enter")
    await expect(page.locator("#replies .message").last).to_contain_text("well then")
    await expect(page.locator("#messages .thread-link")).to_contain_text("2 replies")


async def test_the_strip_shows_the_true_traffic_as_it_moves(stage: Stage) -> None:
    page = await stage.page("maya")
    prod = page.locator('[data-service="checkout"] [data-environment="prod"]')
    await expect(prod.locator(".digests")).to_contain_text("3f2a91cc 90 %")
    await expect(prod.locator(".digests")).to_contain_text("c0ffee12 10 %")
    assert await prod.locator(".bar:not(.measured) i").evaluate_all("bars => bars.map(one => one.style.width)") == [
        "90%",
        "10%",
    ]
    stage.cloud.sites["acme-prod/europe-west1/checkout"] = site({NEW: 100})
    await expect(prod.locator(".digests")).to_contain_text("c0ffee12 100 %")
    await expect(prod.locator(".digests")).not_to_contain_text("3f2a91cc")


async def test_the_clock_is_moved_by_a_button_and_by_others(stage: Stage) -> None:
    page = await stage.page("maya")
    await page.get_by_role("button", name="+24 h").click()
    await expect(page.locator("#now")).to_contain_text("Wed 25 Nov")
    stage.clock.advance(timedelta(hours=24))
    await expect(page.locator("#now")).to_contain_text("Thu 26 Nov")


async def test_a_fault_is_chosen_from_the_menu(stage: Stage) -> None:
    page = await stage.page("maya")
    await page.get_by_role("button", name="Faults…").click()
    await picture(page, "faults")
    await page.get_by_role("button", name="Let stall happen once in cloud_run").click()
    await expect(page.locator("#toasts")).to_contain_text("Next: stall in cloud run.")
    assert stage.cloud.injected == [("stall", 1, {})]


async def test_home_is_opened_and_its_buttons_work(stage: Stage) -> None:
    page = await stage.page("omar")
    await page.locator("#home-tab").click()
    await expect(page.locator("#home")).to_contain_text("Waiting for you")
    await picture(page, "home")
    await page.locator("#home").get_by_role("button", name="Reject").click()
    await expect(page.locator("#modal")).to_be_visible()


async def test_a_narrow_window_has_all_of_it(stage: Stage) -> None:
    page = await stage.page("maya", width=400, height=800)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 400
    await expect(page.locator("#sidebar")).not_to_be_in_viewport()
    await stage.say(page, "/release promote checkout stage→prod")
    await expect(page.locator("#messages")).to_contain_text("is waiting for one approval")
    await picture(page, "narrow")
    await page.locator("#menu").click()
    await expect(page.locator('[data-channel="search"]')).to_be_in_viewport()
    await picture(page, "narrow-menu")
    await page.locator('[data-channel="releases"]').click()
    await page.get_by_role("button", name="1 reply").click()
    await expect(page.locator("#thread-text")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 400


async def test_the_keyboard_is_enough(stage: Stage) -> None:
    page = await stage.page("maya")
    await page.keyboard.type("/release promote checkout stage→prod")
    await page.keyboard.press("Enter")
    approve = page.get_by_role("button", name="Reject")
    await expect(approve).to_be_visible()
    for _ in range(40):
        await page.keyboard.press("Shift+Tab")
        if await approve.evaluate("one => one === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await expect(page.locator("#modal").get_by_label("Why?")).to_be_focused()


async def test_dark_and_light_are_both_readable(stage: Stage) -> None:
    await stage.client.chat_postMessage(channel="C0RELEASES", text="x", blocks=WAITING)
    await stage.client.chat_postEphemeral(channel="C0RELEASES", user="U0MAYA", text="`only` <@U0MAYA>")
    page = await stage.page("maya")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        low = await page.evaluate(CONTRAST)
        assert low == [], scheme
        await picture(page, scheme)


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map((c) => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; }); return .2126 * x + .7152 * y + .0722 * z; };
  const ground = (one) => { for (let at = one; at; at = at.parentElement) { const c = rgba(getComputedStyle(at).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = [];
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (one.closest('.hidden, script, .skip, .tools, option, :disabled')) continue;
    const [a, b] = [light(rgba(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${one.className || one.tagName}: ${walker.currentNode.textContent.trim().slice(0, 30)}`);
  }
  return low;
}"""
"""Texts below the contrast of WCAG 2.2 AA, 4.5 to 1.  https://www.w3.org/TR/WCAG22/#contrast-minimum"""


async def picture(page: Page, name: str) -> None:
    """Where PICTURES names a folder, what the page looks like now is kept there."""
    if folder := os.environ.get("PICTURES"):
        await asyncio.to_thread(Path(folder).mkdir, parents=True, exist_ok=True)
        await page.screenshot(path=Path(folder) / f"{name}.png")
