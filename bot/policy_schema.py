"""How does an editor know what a policy file may say? The JSON Schema of the format, made from the very classes.

`python -m bot.policy_schema > deploy/policies/policy.schema.json` writes it. An editor that speaks the YAML language
server's protocol finds it by a remark on the first line of a policy:

    # yaml-language-server: $schema=policy.schema.json

It sees keys, types and spelling. Whether the parts fit together, only `release-bot policy check` can say.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from policy.document import Policy


class _Plain(GenerateJsonSchema):
    """Without a title for each key: it would only repeat the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 (pydantic's own)
        del schema
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        made = super().model_schema(schema)
        made.pop("title", None)
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        made = super().dict_schema(schema)
        if "patternProperties" in made:
            made["additionalProperties"] = False
        return made


def schema() -> dict[str, Any]:
    """It accepts every file that is a policy, and refuses unknown keys and values of the wrong type."""
    made = Policy.model_json_schema(by_alias=True, schema_generator=_Plain)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "Policy of Release Bot",
        "description": "Who may change what, when, and who has to agree.",
        **{key: _short(value) for key, value in made.items() if key not in {"title", "description"}},
    }


def _short(part: Any) -> Any:  # noqa: ANN401 (plain data of any shape)
    """Without defaults that are no single word or number: editors would show them in full at every key."""
    if isinstance(part, list):
        return [_short(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _short(value)
        for key, value in part.items()
        if key != "default" or (isinstance(value, str | int | float) and value != "")
    }


def written() -> str:
    """As it stands in `deploy/policies/policy.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(written())
