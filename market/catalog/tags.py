"""What a loop is tagged with by itself: what its recipe asked for, and what is heard in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generation.embedding import CONFIDENT
from generation.prompt import parse_prompt
from market.catalog.vocabulary import canonical, mentioned, normal

MAX_TAGS = 20
MAX_TAG_LENGTH = 40
# How many of each kind are given by themselves; more say nothing.
_MOST = {"genre": 2, "mood": 4, "instrument": 6, "texture": 2}
# The model plays what a prompt names about so often (docs/evaluation.md); on the way to another prompt, half of it.
_ASKED, _ASKED_ON_THE_WAY = 0.8, 0.4


@dataclass(frozen=True, slots=True)
class Tag:
    """A word for a loop; `origin` says where it comes from: "recipe", "audio" or "creator"."""

    kind: str
    value: str
    confidence: float
    origin: str


def of_creator(words: Iterable[str]) -> Sequence[Tag]:
    """What a creator typed, each once: under its plain name where the vocabulary has it, else as it is."""
    tags: dict[tuple[str, str], None] = {}
    for word in words:
        known = canonical(word) or ("tag", " ".join(word.split()).lower())
        if known[1]:
            tags[known] = None
    return [Tag(kind, value, 1.0, "creator") for kind, value in tags]


def automatic(recipe: Mapping[str, Any], heard: Sequence[Tag] = ()) -> Sequence[Tag]:
    """The tags of a recipe and of what was heard in its loop, merged, the surest of each kind first.

    What both say is surer than either; what only the recipe says keeps its origin, and so does what both do.
    """
    found: dict[tuple[str, str], Tag] = {}
    for tag in (*_asked(recipe), *(tag for tag in heard if tag.confidence >= CONFIDENT)):
        known = found.get((tag.kind, tag.value))
        if known is None:
            found[tag.kind, tag.value] = tag
        elif known.origin != tag.origin:
            both = 1 - (1 - known.confidence) * (1 - tag.confidence)
            found[tag.kind, tag.value] = Tag(tag.kind, tag.value, round(both, 3), known.origin)
    chosen: list[Tag] = []
    for kind, most in _MOST.items():
        ranked = sorted(
            (tag for tag in found.values() if tag.kind == kind), key=lambda tag: (-tag.confidence, tag.value)
        )
        chosen += ranked[:most]
    return chosen


def heard_as(kind: str, named: Iterable[tuple[str, float]]) -> Sequence[Tag]:
    """What was heard, by the corpus's names, under the plain names of the vocabulary."""
    tags: dict[tuple[str, str], float] = {}
    for name, confidence in named:
        known = canonical(name) or (kind, normal(name))
        tags[known] = max(confidence, tags.get(known, 0.0))
    return [Tag(kind, value, round(confidence, 3), "audio") for (kind, value), confidence in tags.items()]


def _asked(recipe: Mapping[str, Any]) -> Iterable[Tag]:
    request = recipe["request"]
    unwanted = set(mentioned(request.get("negative_prompt") or ""))
    arrangement = request.get("arrangement") or {}
    said = [(request["prompt"], _ASKED)]
    if request.get("morph_to") and request.get("morph"):
        said = [
            (request["prompt"], _ASKED * (1 - request["morph"])),
            (request["morph_to"], _ASKED * request["morph"]),
        ]
    match arrangement.get("kind"):
        case "morph":
            said += [(prompt, _ASKED_ON_THE_WAY) for prompt in arrangement.get("prompts", ())]
        case "layers":
            for role, prompt in arrangement.get("prompts", ()):
                said.append((f"{role}, {prompt}", _ASKED))
    found: dict[tuple[str, str], float] = {}
    for prompt, confidence in said:
        for known in mentioned(parse_prompt(prompt).text):
            if known not in unwanted:
                found[known] = max(confidence, found.get(known, 0.0))
    return [
        Tag(kind, value, round(confidence, 3), "recipe")
        for (kind, value), confidence in found.items()
        if confidence
    ]
