"""What does Slack make of what a person filled in? `state.values` of a modal, and the state of a single element."""

from __future__ import annotations

from bot.sandbox.slack import block_kit
from bot.sandbox.slack.model import Impossible, Json, View
from bot.sandbox.slack.workspace import Workspace

MISSING = "Please complete this required field."
WRITTEN = ("plain_text_input", "number_input", "email_text_input", "url_text_input")


def filled(workspace: Workspace, view: View, values: dict[str, str]) -> tuple[Json, dict[str, str]]:
    """(`state.values`, what Slack itself finds wrong by block id). Keys are block ids, action ids or labels.

    Raises Impossible for a field that is not there or an option that is not offered.
    """
    state: Json = {}
    errors: dict[str, str] = {}
    used: set[str] = set()
    for block, element in block_kit.interactive(view.body["blocks"]):
        if element["type"] in ("button", "overflow"):
            continue
        label = str(block.get("label", {}).get("text", ""))
        name = next((n for n in (block["block_id"], element["action_id"], label) if n and n in values), None)
        used |= {name} if name is not None else set()
        shown = initial(element) if name is None else entered(workspace, element, values[name])
        state.setdefault(block["block_id"], {})[element["action_id"]] = shown
        if block["type"] == "input" and (problem := _problem(block, element, shown)):
            errors[block["block_id"]] = problem
    for unknown in values.keys() - used:
        fields = ", ".join(block_id for block_id in state) or "no fields"
        raise Impossible(f"this modal has no field {unknown!r}; it has {fields}")
    return state, errors


def _problem(block: Json, element: Json, shown: Json) -> str:
    (value,) = [value for key, value in shown.items() if key != "type"]
    if not value:
        return "" if block.get("optional") else MISSING
    if element["type"] == "plain_text_input":
        if len(value) < element.get("min_length", 0):
            return f"Please enter at least {element['min_length']} characters."
        if len(value) > element.get("max_length", block_kit.INPUT_VALUE):
            return f"Please enter at most {element.get('max_length', block_kit.INPUT_VALUE)} characters."
    return ""


def initial(element: Json) -> Json:
    """The state of an element that nobody touched."""
    kind = element["type"]
    key, start = _KEYS.get(kind, ("value", "initial_value"))
    empty: object = [] if key == "selected_options" else None
    return {"type": kind, key: element.get(start, empty)}


_KEYS = {
    "static_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "overflow": ("selected_option", ""),
    "multi_static_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}
"""Element → the key its state has, and the key of its own that fills it at first."""


def entered(workspace: Workspace, element: Json, text: str) -> Json:
    """The state of an element where a person put `text`: words, or an option's value or label; several by comma."""
    kind = element["type"]
    key = _KEYS.get(kind, ("value", ""))[0]
    if kind in WRITTEN:
        return {"type": kind, key: text or None}
    if not text:
        return {"type": kind, key: [] if key == "selected_options" else None}
    match key:
        case "selected_option":
            return {"type": kind, key: _option(element, text)}
        case "selected_options":
            return {"type": kind, key: [_option(element, part.strip()) for part in text.split(",")]}
        case "selected_user":
            return {"type": kind, key: workspace.person(text).id}
        case "selected_channel" | "selected_conversation":
            return {"type": kind, key: workspace.channel(text).id}
        case "selected_date_time":
            if not text.isdigit():
                raise Impossible(f"{text!r} is not a number of seconds since 1970")
            return {"type": kind, key: int(text)}
        case _:
            return {"type": kind, key: text}


def _option(element: Json, text: str) -> Json:
    options: list[Json] = [
        *element.get("options", ()),
        *(option for group in element.get("option_groups", ()) for option in group["options"]),
    ]
    for option in options:
        if text in (option["value"], option["text"]["text"]):
            return option
    offered = ", ".join(option["text"]["text"] for option in options)
    raise Impossible(f"{text!r} is not offered; there is {offered}")
