"""What is said about a file: that a model made it, which one, from what, and what that model learnt from.

After the C2PA specification: the actions assertion (18.15), whose first action is c2pa.created with the digital
source type trainedAlgorithmicMedia of IPTC's vocabulary, and two assertions of our own.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
ACTIONS, RECIPE, ORIGIN = "c2pa.actions.v2", "riffmarket.recipe", "riffmarket.training-origin"
# Containers that hold a manifest; beside the others, it is a file of its own.
EMBEDDED = frozenset(
    {"audio/wav", "audio/mpeg", "audio/flac", "image/png", "image/webp", "image/gif", "video/mp4"}
)
SIDECAR = frozenset({"audio/ogg"})
SHIPPED = "riff-small"
_KNOWN = (
    "Every sound that this model learnt from was written by the composer in its repository and synthesised, or played "
    "with freely licensed instruments (MIT, CC0, public domain): no recording of music, no scraped audio and no "
    "user's upload. The list with hashes and licences is docs/origin.md of Riffmarket."
)
_UNKNOWN = "This model is not the one that comes with Riffmarket: what it learnt from is stated by its maker, not here."
_STYLED = "A style was worn that was learnt from further audio of the operator's."
_SOURCED = "It starts from a sound that somebody brought."


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be said about a file named `title` that was made by a recipe.

    `done` tells what was done to it after it was generated. A claim that is not `whole` keeps back what the sound
    could be made again from: the seed, and every digest that would tell a right guess of it.
    """

    recipe: Mapping[str, Any]
    title: str
    done: str = ""
    whole: bool = True

    def manifest(self, media_type: str) -> dict[str, Any]:
        """The definition of the manifest, as c2pa's Builder takes it."""
        actions = [
            {
                "action": "c2pa.created",
                "digitalSourceType": GENERATED,
                "softwareAgent": {"name": self.recipe["model"]},
                "description": "Generated from a text prompt by a trained model.",
            }
        ]
        if self.done:
            agent = {"name": "Riffmarket"}
            actions.append({"action": "c2pa.edited", "softwareAgent": agent, "description": self.done})
        return {
            "claim_generator_info": [{"name": "Riffmarket", "version": version("riffmarket")}],
            "title": self.title,
            "format": media_type,
            "assertions": [
                {"label": ACTIONS, "data": {"actions": actions, "allActionsIncluded": True}},
                {"label": RECIPE, "data": self._told(), "kind": "Json"},
                {"label": ORIGIN, "data": {"statement": origin_of(self.recipe)}, "kind": "Json"},
            ],
        }

    def _told(self) -> dict[str, Any]:
        recipe, request = self.recipe, self.recipe["request"]
        told = {"model": recipe["model"], "prompt": request["prompt"]}
        if not self.whole:
            return told
        return {
            **told,
            "codec": recipe.get("codec", ""),
            "seed": request["seed"],
            "pcm_sha256": recipe.get("sha256", ""),
            "recipe_sha256": recipe_digest(recipe),
            **({"source_sha256": recipe["source"]["sha256"]} if recipe.get("source") else {}),
        }


def recipe_digest(recipe: Mapping[str, Any]) -> str:
    """SHA-256 of a recipe as it stands in files: JSON with sorted keys."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def origin_of(recipe: Mapping[str, Any]) -> str:
    """What is known about where the sounds come from that the model of a recipe learnt from."""
    return " ".join(statements_of(recipe))


def statements_of(recipe: Mapping[str, Any]) -> list[str]:
    """The same, each thing that is known by itself."""
    statements = [_KNOWN if recipe["model"].partition("@")[0] == SHIPPED else _UNKNOWN]
    return statements + [_STYLED] * bool(recipe.get("styles")) + [_SOURCED] * bool(recipe.get("source"))
