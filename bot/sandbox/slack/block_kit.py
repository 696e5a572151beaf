"""Would Slack take these blocks? Every limit it states, nested ones too, and no key it does not know.

Limits: https://docs.slack.dev/reference/block-kit/blocks and …/block-elements, one page per name below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from bot.sandbox.slack.model import Json

BLOCKS_IN_MESSAGE = 50  # https://docs.slack.dev/reference/block-kit/blocks
BLOCKS_IN_VIEW = 100  # https://docs.slack.dev/reference/views
ID_MAX = 255
SECTION_TEXT, FIELD_TEXT, FIELDS = 3000, 2000, 10
HEADER_TEXT, CONTEXT_ELEMENTS, ACTIONS_ELEMENTS = 150, 10, 25
BUTTON_TEXT, BUTTON_VALUE, BUTTON_URL, ACCESSIBILITY_LABEL = 75, 2000, 3000, 75
CONFIRM_TITLE, CONFIRM_TEXT, CONFIRM_BUTTON = 100, 300, 30
OPTIONS, OPTION_TEXT, OPTION_VALUE, RADIO_OPTIONS, OVERFLOW_OPTIONS = 100, 75, 150, 10, 5
PLACEHOLDER, INPUT_LABEL, INPUT_HINT, INPUT_VALUE = 150, 2000, 2000, 3000
VIEW_TITLE, PRIVATE_METADATA = 24, 3000
MARKDOWN_TOTAL = 12_000
TABLE_ROWS, TABLE_CELLS = 100, 20

Check = Callable[[Any, str], Iterator[str]]
"""Takes a value and its JSON pointer, gives what is wrong with it."""


class Surface(Enum):
    """Where blocks stand."""

    MESSAGE = "message"
    MODAL = "modal"
    HOME = "home"


def wrong(what: str, pointer: str) -> str:
    """As Slack words it in `response_metadata.messages`."""
    return f"[ERROR] {what} [json-pointer:{pointer}]"


def in_message(blocks: object) -> list[str]:
    """What is wrong with the blocks of a message; nothing: Slack takes them."""
    return list(_blocks(blocks, "/blocks", Surface.MESSAGE, BLOCKS_IN_MESSAGE))


def in_view(view: object) -> list[str]:
    """What is wrong with a modal or an App Home."""
    return list(_view(view, "/view"))


def _view(view: object, at: str) -> Iterator[str]:
    if not isinstance(view, dict):
        yield wrong("must be an object", at)
        return
    kind = view.get("type")
    if kind not in ("modal", "home"):
        yield wrong(f"unsupported type: {kind}", f"{at}/type")
        return
    modal = kind == "modal"
    keys: dict[str, Check] = {
        "type": _anything,
        "blocks": _anything,
        "private_metadata": _string(PRIVATE_METADATA, 0),
        "callback_id": _string(ID_MAX, 0),
        "external_id": _string(ID_MAX, 0),
    }
    if modal:
        title = _text(VIEW_TITLE, "plain_text")
        keys |= {"title": title, "submit": title, "close": title}
        keys |= {"clear_on_close": _boolean, "notify_on_close": _boolean, "submit_disabled": _boolean}
    yield from _object(keys, required=("blocks", "title") if modal else ("blocks",))(view, at)
    blocks = view.get("blocks", [])
    yield from _blocks(blocks, f"{at}/blocks", Surface.MODAL if modal else Surface.HOME, BLOCKS_IN_VIEW)
    has_input = isinstance(blocks, list) and any(isinstance(b, dict) and b.get("type") == "input" for b in blocks)
    if modal and has_input and not view.get("submit"):
        yield wrong("a submit is required when an input is in blocks", f"{at}/submit")


def _blocks(blocks: object, at: str, surface: Surface, limit: int) -> Iterator[str]:
    if not isinstance(blocks, list):
        yield wrong("must be an array", at)
        return
    if len(blocks) > limit:
        yield wrong(f"no more than {limit} items allowed", at)
    seen: set[str] = set()
    markdown = 0
    for number, block in enumerate(blocks):
        here = f"{at}/{number}"
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str) or kind not in BLOCKS or surface not in _SURFACES.get(kind, set(Surface)):
            yield wrong(f"unsupported type: {kind}", f"{here}/type")
            continue
        yield from _object({"type": _anything, "block_id": _string(ID_MAX), **BLOCKS[kind]}, _REQUIRED[kind])(
            block, here
        )
        yield from _more(kind, block, here)
        name = block.get("block_id")
        if isinstance(name, str) and name in seen:
            yield wrong("block_id already exists", f"{here}/block_id")
        seen |= {name} if isinstance(name, str) else set()
        markdown += len(str(block.get("text", ""))) if kind == "markdown" else 0
    if markdown > MARKDOWN_TOTAL:
        yield wrong(f"markdown must be no more than {MARKDOWN_TOTAL} characters in all", at)
    if sum(isinstance(b, dict) and b.get("type") == "table" for b in blocks) > 1:
        yield wrong("only_one_table_allowed", at)


def _more(kind: str, block: Json, at: str) -> Iterator[str]:
    """What cannot be said key by key."""
    if kind == "section" and not block.get("text") and not block.get("fields"):
        yield wrong("either text or fields is required", at)
    if kind == "actions":
        names = [e.get("action_id") for e in block.get("elements", ()) if isinstance(e, dict) and e.get("action_id")]
        if len(set(names)) != len(names):
            yield wrong("action_id already exists", f"{at}/elements")
    if kind == "table" and isinstance(block.get("rows"), list):
        for number, row in enumerate(block["rows"]):
            if not isinstance(row, list) or not 1 <= len(row) <= TABLE_CELLS:
                yield wrong(f"a row has 1 to {TABLE_CELLS} cells", f"{at}/rows/{number}")


# --- checks, small to large -------------------------------------------------------------------------------------


def _anything(value: object, at: str) -> Iterator[str]:
    yield from ()


def _boolean(value: object, at: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield wrong("must be a boolean", at)


def _integer(value: object, at: str) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield wrong("must be an integer", at)


def _string(most: int, least: int = 1) -> Check:
    def check(value: object, at: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield wrong("must be a string", at)
        elif len(value) > most:
            yield wrong(f"must be less than {most + 1} characters", at)
        elif len(value) < least:
            yield wrong(f"must be more than {least - 1} characters", at)

    return check


def _one_of(*words: str) -> Check:
    def check(value: object, at: str) -> Iterator[str]:
        if value not in words:
            yield wrong(f"must be one of {', '.join(words)}", at)

    return check


def _object(keys: dict[str, Check], required: tuple[str, ...] = ()) -> Check:
    def check(value: object, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield wrong("must be an object", at)
            return
        for key in required:
            if value.get(key) is None:
                yield wrong(f"missing required field: {key}", at)
        for key, part in value.items():
            if key not in keys:
                yield wrong(f"invalid additional property: {key}", at)
            elif part is not None:
                yield from keys[key](part, f"{at}/{key}")

    return check


def _list(each: Check, most: int, least: int = 1) -> Check:
    def check(value: object, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield wrong("must be an array", at)
            return
        if len(value) > most:
            yield wrong(f"no more than {most} items allowed", at)
        if len(value) < least:
            yield wrong(f"no less than {least} items allowed", at)
        for number, part in enumerate(value):
            yield from each(part, f"{at}/{number}")

    return check


def _text(most: int, only: str = "") -> Check:
    kinds = (only,) if only else ("plain_text", "mrkdwn")
    keys: dict[str, Check] = {"type": _one_of(*kinds), "text": _string(most)}
    return _object({**keys, "emoji": _boolean, "verbatim": _boolean}, ("type", "text"))


def _typed(kinds: dict[str, dict[str, Check]], required: dict[str, tuple[str, ...]]) -> Check:
    """An object whose `type` says which keys it has."""

    def check(value: object, at: str) -> Iterator[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            yield wrong(f"unsupported type: {kind}", f"{at}/type")
            return
        yield from _object({"type": _anything, **kinds[kind]}, required.get(kind, ()))(value, at)

    return check


_CONFIRM = _object(
    {
        "title": _text(CONFIRM_TITLE, "plain_text"),
        "text": _text(CONFIRM_TEXT),
        "confirm": _text(CONFIRM_BUTTON, "plain_text"),
        "deny": _text(CONFIRM_BUTTON, "plain_text"),
        "style": _one_of("primary", "danger"),
    },
    ("title", "text", "confirm", "deny"),
)
_OPTION = _object(
    {
        "text": _text(OPTION_TEXT),
        "value": _string(OPTION_VALUE),
        "description": _text(OPTION_TEXT),
        "url": _string(BUTTON_URL),
    },
    ("text", "value"),
)
_OPTION_GROUP = _object({"label": _text(OPTION_TEXT, "plain_text"), "options": _list(_OPTION, OPTIONS)}, ("options",))
_ACTION: dict[str, Check] = {"action_id": _string(ID_MAX)}
_PICK: dict[str, Check] = {
    **_ACTION,
    "placeholder": _text(PLACEHOLDER, "plain_text"),
    "confirm": _CONFIRM,
    "focus_on_load": _boolean,
}
_STATIC: dict[str, Check] = {
    **_PICK,
    "options": _list(_OPTION, OPTIONS),
    "option_groups": _list(_OPTION_GROUP, OPTIONS),
}
_TEXT_FIELD: dict[str, Check] = {
    **_ACTION,
    "placeholder": _text(PLACEHOLDER, "plain_text"),
    "initial_value": _string(INPUT_VALUE, 0),
    "focus_on_load": _boolean,
    "dispatch_action_config": _anything,
}
_IMAGE: dict[str, Check] = {"image_url": _string(BUTTON_URL), "alt_text": _string(2000)}

ELEMENTS: dict[str, dict[str, Check]] = {
    "button": {
        **_ACTION,
        "text": _text(BUTTON_TEXT, "plain_text"),
        "value": _string(BUTTON_VALUE, 0),
        "url": _string(BUTTON_URL),
        "style": _one_of("primary", "danger"),
        "confirm": _CONFIRM,
        "accessibility_label": _string(ACCESSIBILITY_LABEL),
    },
    "static_select": {**_STATIC, "initial_option": _OPTION},
    "multi_static_select": {
        **_STATIC,
        "initial_options": _list(_OPTION, OPTIONS, 0),
        "max_selected_items": _integer,
    },
    "users_select": {**_PICK, "initial_user": _string(ID_MAX)},
    "conversations_select": {**_PICK, "initial_conversation": _string(ID_MAX)},
    "channels_select": {**_PICK, "initial_channel": _string(ID_MAX)},
    "overflow": {**_ACTION, "options": _list(_OPTION, OVERFLOW_OPTIONS), "confirm": _CONFIRM},
    "radio_buttons": {**_PICK, "options": _list(_OPTION, RADIO_OPTIONS), "initial_option": _OPTION},
    "checkboxes": {
        **_PICK,
        "options": _list(_OPTION, RADIO_OPTIONS),
        "initial_options": _list(_OPTION, RADIO_OPTIONS, 0),
    },
    "datepicker": {**_PICK, "initial_date": _string(10)},
    "timepicker": {**_PICK, "initial_time": _string(5), "timezone": _string(64)},
    "datetimepicker": {**_PICK, "initial_date_time": _integer},
    "plain_text_input": {
        **_TEXT_FIELD,
        "multiline": _boolean,
        "min_length": _integer,
        "max_length": _integer,
    },
    "number_input": {
        **_TEXT_FIELD,
        "is_decimal_allowed": _boolean,
        "min_value": _string(32),
        "max_value": _string(32),
    },
    "email_text_input": _TEXT_FIELD,
    "url_text_input": _TEXT_FIELD,
    "image": _IMAGE,
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "button": ("text",),
    "overflow": ("options",),
    "radio_buttons": ("options",),
    "checkboxes": ("options",),
    "number_input": ("is_decimal_allowed",),
    "image": ("alt_text",),
}
_IN_ACTIONS = (
    "button",
    "static_select",
    "multi_static_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "overflow",
    "radio_buttons",
    "checkboxes",
    "datepicker",
    "timepicker",
    "datetimepicker",
)
_IN_INPUT = tuple(kind for kind in ELEMENTS if kind not in ("button", "overflow", "image"))


def _element(*kinds: str) -> Check:
    return _typed({kind: ELEMENTS[kind] for kind in kinds}, _NEEDED)


def _context_element(value: object, at: str) -> Iterator[str]:
    if isinstance(value, dict) and value.get("type") == "image":
        yield from _element("image")(value, at)
    else:
        yield from _text(SECTION_TEXT)(value, at)


_RICH_STYLE = _object(dict.fromkeys(("bold", "italic", "strike", "code", "underline"), _boolean))
_RICH_INLINE: dict[str, dict[str, Check]] = {
    "text": {"text": _string(SECTION_TEXT), "style": _RICH_STYLE},
    "link": {"url": _string(BUTTON_URL), "text": _string(SECTION_TEXT), "style": _RICH_STYLE, "unsafe": _boolean},
    "user": {"user_id": _string(ID_MAX), "style": _RICH_STYLE},
    "usergroup": {"usergroup_id": _string(ID_MAX), "style": _RICH_STYLE},
    "channel": {"channel_id": _string(ID_MAX), "style": _RICH_STYLE},
    "emoji": {"name": _string(ID_MAX), "unicode": _string(ID_MAX), "style": _RICH_STYLE},
    "broadcast": {"range": _one_of("here", "channel", "everyone")},
    "date": {
        "timestamp": _integer,
        "format": _string(ID_MAX),
        "fallback": _string(ID_MAX),
        "url": _string(BUTTON_URL),
        "style": _RICH_STYLE,
    },
    "color": {"value": _string(32)},
}
_RICH_LINE: dict[str, Check] = {"elements": _list(_typed(_RICH_INLINE, {"text": ("text",), "link": ("url",)}), 1000, 0)}
_RICH: dict[str, dict[str, Check]] = {
    "rich_text_section": _RICH_LINE,
    "rich_text_preformatted": {**_RICH_LINE, "border": _integer, "language": _string(64)},
    "rich_text_quote": {**_RICH_LINE, "border": _integer},
    "rich_text_list": {
        "style": _one_of("bullet", "ordered"),
        "elements": _list(_typed({"rich_text_section": _RICH_LINE}, {}), 1000),
        "indent": _integer,
        "offset": _integer,
        "border": _integer,
    },
}
_RICH_TEXT: dict[str, Check] = {"elements": _list(_typed(_RICH, {"rich_text_list": ("style",)}), 1000)}


def _cell(value: object, at: str) -> Iterator[str]:
    kinds: dict[str, dict[str, Check]] = {
        "raw_text": {"text": _string(SECTION_TEXT, 0)},
        "raw_number": {"value": _anything, "text": _string(SECTION_TEXT, 0)},
        "rich_text": _RICH_TEXT,
    }
    yield from _typed(kinds, {"raw_text": ("text",)})(value, at)


BLOCKS: dict[str, dict[str, Check]] = {
    "section": {
        "text": _text(SECTION_TEXT),
        "fields": _list(_text(FIELD_TEXT), FIELDS),
        "accessory": _element(*_IN_ACTIONS, "image"),
        "expand": _boolean,
    },
    "divider": {},
    "header": {"text": _text(HEADER_TEXT, "plain_text")},
    "context": {"elements": _list(_context_element, CONTEXT_ELEMENTS)},
    "actions": {"elements": _list(_element(*_IN_ACTIONS), ACTIONS_ELEMENTS)},
    "image": {**_IMAGE, "title": _text(2000, "plain_text")},
    "rich_text": _RICH_TEXT,
    "markdown": {"text": _string(MARKDOWN_TOTAL)},
    "table": {
        "rows": _list(_list(_cell, TABLE_CELLS), TABLE_ROWS),
        "column_settings": _list(_anything, TABLE_CELLS, 0),
    },
    "input": {
        "label": _text(INPUT_LABEL, "plain_text"),
        "element": _element(*_IN_INPUT),
        "hint": _text(INPUT_HINT, "plain_text"),
        "optional": _boolean,
        "dispatch_action": _boolean,
    },
    "alert": {"text": _text(200), "level": _one_of("default", "info", "success", "warning", "error")},
}
_REQUIRED: dict[str, tuple[str, ...]] = {
    "section": (),
    "divider": (),
    "header": ("text",),
    "context": ("elements",),
    "actions": ("elements",),
    "image": ("alt_text",),
    "rich_text": ("elements",),
    "markdown": ("text",),
    "table": ("rows",),
    "input": ("label", "element"),
    "alert": ("text",),
}
_SURFACES = {
    "table": {Surface.MESSAGE},
    "markdown": {Surface.MESSAGE},
    "alert": {Surface.MODAL},
}


def interactive(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Each element a person can use, as (block, element)."""
    for block in blocks:
        elements = [block.get("accessory"), block.get("element"), *block.get("elements", ())]
        for element in elements:
            if isinstance(element, dict) and element.get("type") in _IN_ACTIONS + _IN_INPUT:
                yield block, element


def label(element: Json) -> str:
    """What a person reads on it."""
    return str((element.get("text") or element.get("placeholder") or {}).get("text", ""))
