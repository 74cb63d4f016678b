"""Discord's limits that its document does not hold."""

from typing import Any

from tests.fakes.discord.faults import Refusal
from tests.fakes.discord.world import MIB

UPLOAD_LIMIT = 25 * MIB


def check(body: dict[str, Any], files: dict[str, tuple[str, bytes]], limit: int) -> None:
    """Refuse a message that Discord would not take, with files of at most `limit` bytes each."""
    sizes = [len(content) for _, content in files.values()]
    if sizes and (max(sizes) > limit or sum(sizes) > UPLOAD_LIMIT):
        raise Refusal(413, 40005, "Request entity too large")
    rows = body.get("components") or []
    ids = [item["custom_id"] for row in rows for item in row["components"] if "custom_id" in item]
    too_many = any(len(row["components"]) > (5 if row["components"][0]["type"] == 2 else 1) for row in rows)
    if len(rows) > 5 or too_many or len(ids) != len(set(ids)) or len(files) > 10:
        raise Refusal(400, 50035, "Invalid Form Body")
    if sum(_characters(embed) for embed in body.get("embeds") or []) > 6000:
        raise Refusal(400, 50035, "Invalid Form Body")


def check_form(form: dict[str, Any]) -> None:
    """Refuse a modal that Discord would not take."""
    fits = len(form["title"]) <= 45 and len(form["custom_id"]) <= 100 and 1 <= len(form["components"]) <= 5
    for label in form["components"]:
        fits = fits and (label["type"] != 18 or len(label["label"]) <= 45)
    if not fits:
        raise Refusal(400, 50035, "Invalid Form Body")


def _characters(embed: dict[str, Any]) -> int:
    texts = [embed.get("title"), embed.get("description"), (embed.get("footer") or {}).get("text")]
    texts += [text for entry in embed.get("fields") or [] for text in (entry["name"], entry["value"])]
    return sum(len(text) for text in texts if text)
