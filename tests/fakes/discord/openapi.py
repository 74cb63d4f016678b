"""Holds what a client sends against Discord's own OpenAPI document.

The document is discord/discord-api-spec's `openapi.json` (MIT). Its schemas describe what Discord's own server
parses, so three adaptations make them strict JSON Schema: references become a URN that a registry resolves, a
union is decided by its branches' `type`, and a snowflake may also be written as an integer.
"""

import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

URN = "urn:discord-openapi"
BESIDE_THE_REPOSITORY = Path(__file__).parents[4] / "shared" / "discord" / "openapi.json"

# Sent by every client, taken by Discord, and yet not in the document.
UNDOCUMENTED: Mapping[str, Mapping[str, Any]] = {
    "ApplicationCommandUpdateRequest": {"nsfw": {"type": "boolean"}},
    "RichEmbed": {"flags": {"type": "integer"}},
    "IncomingWebhookUpdateRequestPartial": {"tts": {"type": ["boolean", "null"]}},
    "IncomingWebhookUpdateForInteractionCallbackRequestPartial": {"tts": {"type": ["boolean", "null"]}},
    "MessageEditRequestPartial": {"tts": {"type": ["boolean", "null"]}},
}
# The document allows 4000 characters, which only some accounts get.
CONTENT_LENGTH = 2000


def document_path() -> Path:
    """Where the document is looked for: RIFF_DISCORD_OPENAPI, else ../shared beside the repository."""
    named = os.environ.get("RIFF_DISCORD_OPENAPI")
    return Path(named) if named else BESIDE_THE_REPOSITORY


class Specification:
    """Discord's document, ready to judge one request after the other."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schemas: dict[str, Any] = document["components"]["schemas"]
        self._paths = [(_pattern(path), operations) for path, operations in document["paths"].items()]
        self._paths.sort(key=lambda entry: entry[0].groups)
        adapted = {"components": {"schemas": {name: self._component(name) for name in self._schemas}}}
        self._registry: Registry[Any] = Registry().with_resource(URN, DRAFT202012.create_resource(adapted))

    @classmethod
    def load(cls) -> Self | None:
        """The document where there is one, else None."""
        path = document_path()
        return cls(json.loads(path.read_text())) if path.is_file() else None

    def problems(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Collection[str] = (),
        files: Collection[str] = (),
    ) -> list[str]:
        """What is wrong with a request, one line each; an empty list for a valid one.

        `path` is without the /api/v10 before it, `files` are the names of the multipart fields beside
        payload_json.
        """
        operation = self._operation(method, path)
        if operation is None:
            return [f"{method} {path}: no such endpoint"]
        allowed = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"}
        found = [f"query parameter {name} does not exist" for name in query if name not in allowed]
        found += [
            f"field {name} is not one of files[0] to files[9]" for name in files if not _FILE.fullmatch(name)
        ]
        content = operation.get("requestBody", {}).get("content", {})
        if files and "multipart/form-data" not in content:
            found.append("takes no files")
        if "application/json" in content:
            if body is not None or operation["requestBody"].get("required"):
                found += self._errors(content["application/json"]["schema"], body)
        elif body is not None:
            found.append("takes no body")
        return [f"{method} {path}: {problem}" for problem in found]

    def response_problems(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer of ours, so that the fake cannot drift from the real thing."""
        operation = self._operation(method, path)
        if operation is None or not 200 <= status < 300:
            return []
        answer = operation["responses"].get(str(status))
        if answer is None:
            return [f"{method} {path}: no answer with status {status}"]
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        found = [] if schema is None else self._errors(schema, body)
        return [f"answer to {method} {path}: {problem}" for problem in found]

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, operations in self._paths:
            if pattern.fullmatch(path) and method.lower() in operations:
                operation: dict[str, Any] = operations[method.lower()]
                return {**operation, "parameters": operation.get("parameters", [])}
        return None

    def _errors(self, schema: Any, body: Any) -> list[str]:
        validator = Draft202012Validator(self._adapt(schema), registry=self._registry)
        return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(body)]

    def _component(self, name: str) -> Any:
        schema = self._adapt(self._schemas[name])
        if isinstance(schema, dict) and "properties" in schema:
            schema["properties"].update(UNDOCUMENTED.get(name, {}))
            schema.setdefault("additionalProperties", name.endswith("Response"))
            content = schema["properties"].get("content", {})
            if content.get("maxLength", 0) > CONTENT_LENGTH:
                content["maxLength"] = CONTENT_LENGTH
        return schema

    def _adapt(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._adapt(item) for item in node]
        if not isinstance(node, dict):
            return node
        schema = {key: self._adapt(value) for key, value in node.items()}
        if isinstance(node.get("$ref"), str):
            schema["$ref"] = f"{URN}{node['$ref']}"
        if node.get("format") == "snowflake":
            schema["type"] = ["string", "integer"]
        for union in ("oneOf", "anyOf"):
            if union in node and not any("const" in branch for branch in node[union]):
                branches = schema.pop(union)
                schema.update(self._decided_by_type(node[union], branches) or {"anyOf": branches})
        return schema

    def _decided_by_type(self, raw: list[Any], branches: list[Any]) -> dict[str, Any] | None:
        """The union as one rule per `type`, which also names the wrong field instead of "no branch fits"."""
        rules: list[dict[str, Any]] = []
        seen: list[Any] = []
        nullable = False
        for written, branch in zip(raw, branches, strict=True):
            if written == {"type": "null"}:
                nullable = True
                continue
            values = self._types_of(written)
            if not values or any(value in seen for value in values):
                return None
            seen += values
            condition = {
                "type": "object",
                "properties": {"type": {"enum": values}},
                "required": ["type"],
            }
            rules.append({"if": condition, "then": branch})
        if len(rules) < 2:
            return None
        known = {"properties": {"type": {"enum": seen}}, "required": ["type"]}
        return {
            "type": ["object", "null"] if nullable else "object",
            "allOf": [*rules, {"if": {"type": "object"}, "then": known}],
        }

    def _types_of(self, branch: Any) -> list[Any]:
        if "$ref" in branch:
            branch = self._schemas[branch["$ref"].rsplit("/", 1)[1]]
        values: list[Any] = branch.get("properties", {}).get("type", {}).get("enum", [])
        return values


_FILE = re.compile(r"files\[\d\]")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        "".join("([^/]+)" if part.startswith("{") else re.escape(part) for part in _PARTS.split(path))
    )


_PARTS = re.compile(r"(\{[^}]+\})")
