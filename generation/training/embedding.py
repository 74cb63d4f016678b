"""Training the shared space of sounds and sentences, and the ear beside it: `generation.embedding`.

python -m generation.training.embedding hear FOLDER [--count 3200 --first-seed 6000000]
python -m generation.training.embedding learn FOLDER --out generation/embedding/weights/ear.npz

`hear` renders loops of the corpus and keeps pictures of their mixes with captions, a part of them also after a round
trip through the codec, as the shipped model's loops come out of it. `learn` trains a small convolutional network on
the pictures and a projection of MiniLM's sentences contrastively (CLIP, Radford et al., 2021; CLAP, Wu et al., 2023),
with what is heard (genres, sounds, moods) as further questions. Both go on where they were interrupted.

What ships heard 3200 loops (7727 mixes with 4 sentences each, 418 of them through the codec too) and took 1350 steps,
nine minutes of one core, the first 900 of them at the rates of PyTorch's OneCycleLR: its bytes cannot be made again,
its like can.
"""

import argparse
import json
import logging
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from generation.corpus.captions import caption
from generation.corpus.composer import _MAJOR_MOODS, _MINOR_MOODS, compose
from generation.corpus.genres import GENRES, NEUTRAL
from generation.corpus.instruments import SOUNDS
from generation.corpus.renderer import Renderer, Stereo
from generation.corpus.score import ROLES, Part, Role, Score
from generation.embedding.network import FRAMES, KERNELS, SIZE, TEMPI, tempo_features, windows
from generation.embedding.picture import BANDS, picture
from generation.files import write_whole
from generation.models.shipped import SHIPPED
from generation.models.text import TextEncoder
from generation.spectrogram import SpectrogramCodec
from generation.spectrogram.inverse import load_inverse
from generation.training.dataset import GAIN_DB

log = logging.getLogger(__name__)

FIRST_SEED = 6_000_000  # models are trained below a million, the judge up to 5 million
LOOPS_PER_FILE = 64
_MIXES, _CAPTIONS = 3, 4
_CHANNELS, _NARROW, _HIDDEN, _TEXT_INNER = (16, 40, 80, 128), 32, 160, 128
_BATCH, _LEARNING_RATE = 96, 2e-3
_ROUND_TRIP_SHARE, _LONGEST_ROUND_TRIP = 0.15, 12 * 44_100


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a mix. `twin` is the number of frames that its round trip through the codec has, or 0."""

    seed: int
    genre: str
    moods: tuple[str, ...]
    sounds: tuple[str, ...]
    roles: tuple[str, ...]
    bpm: float
    captions: tuple[str, ...]
    frames: int
    twin: int

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Read back what `dataclasses.asdict` and JSON made of it."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
        }
        return cls(**values)


def hear(folder: Path, first_seed: int, count: int, soundfont: Path | None = None) -> None:
    """Fill `folder` with files of 64 loops' mixes; those that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    renderer, codec = Renderer(soundfont), SpectrogramCodec()
    codec = SpectrogramCodec(inverse=load_inverse(SHIPPED / "inverse/inverse.safetensors", codec.name))
    for seed in range(first_seed, first_seed + count, LOOPS_PER_FILE):
        path = folder / f"heard-{seed:08d}.npz"
        if path.exists():
            continue
        facts, pictures = [], []
        for score in map(compose, range(seed, min(seed + LOOPS_PER_FILE, first_seed + count))):
            if score.parts:
                for fact, seen in _mixes(score, renderer, codec):
                    facts.append(asdict(fact))
                    pictures += seen
        with write_whole(path) as file:
            np.savez(file, facts=np.array(json.dumps(facts)), pictures=np.concatenate(pictures))
        log.info("heard %d of %d", min(seed + LOOPS_PER_FILE - first_seed, count), count)


def _mixes(
    score: Score, renderer: Renderer, codec: SpectrogramCodec
) -> list[tuple[Facts, list[NDArray[np.uint8]]]]:
    """All of a score first, then subsets with other gains."""
    chance = random.Random(f"ear {score.seed}")
    stems = renderer.render(score)
    mixes: list[tuple[Facts, list[NDArray[np.uint8]]]] = []
    seen: set[tuple[str, ...]] = set()
    for number in range(_MIXES):
        roles: list[Role] = [
            role for role in ROLES if role in stems and (number == 0 or chance.random() < 0.62)
        ] or [chance.choice(list(stems))]
        if len(roles) == 1 and tuple(roles) in seen:
            continue
        seen.add(tuple(roles))
        gains = {
            role: np.float32(10 ** (chance.uniform(-GAIN_DB, GAIN_DB) / 20) if number else 1)
            for role in roles
        }
        audio: Stereo = np.sum([stems[role] * gains[role] for role in roles], axis=0)
        if float(np.abs(audio).max()) < 1e-3:
            continue
        pictures = [_bytes(audio)]
        if number == 0 and chance.random() < _ROUND_TRIP_SHARE and len(audio) < _LONGEST_ROUND_TRIP:
            pictures.append(_bytes(codec.decode(codec.encode(audio, score.steps), len(audio))))
        parts = [part for part in score.parts if part.role in roles]
        texts = [caption(score, frozenset(roles), chance) for _ in range(_CAPTIONS - 1)]
        facts = Facts(
            seed=score.seed,
            genre=score.genre if set(roles) != {"texture"} else "",
            moods=moods_of(score) if set(roles) != {"texture"} else (),
            sounds=tuple(dict.fromkeys(part.instrument for part in parts)),
            roles=tuple(roles),
            bpm=score.bpm,
            captions=(*texts, wish(score, parts, chance)),
            frames=len(pictures[0]),
            twin=len(pictures[1]) if len(pictures) > 1 else 0,
        )
        mixes.append((facts, pictures))
    return mixes


def moods_of(score: Score) -> tuple[str, ...]:
    """All moods that the composer could have given a score: its genre's, but for those that its key belies."""
    belied = _MAJOR_MOODS if score.key.minor else _MINOR_MOODS
    moods = (GENRES[score.genre] if score.genre else NEUTRAL).moods
    return tuple(dict.fromkeys([*(mood for mood in moods if mood not in belied), score.mood]))


def _bytes(audio: Stereo) -> NDArray[np.uint8]:
    return np.rint(picture(audio) * 255).astype(np.uint8)


def wish(score: Score, parts: list[Part], chance: random.Random) -> str:
    """What somebody who needs music could search for: moods, scenes and a sound or two, in no strict form."""
    said = []
    moods = list(moods_of(score))
    textures = [part.instrument for part in parts if part.role == "texture"]
    if len(textures) == len(parts):
        moods = []
    if moods and chance.random() < 0.6:
        said += chance.sample(moods, min(len(moods), chance.choice((1, 1, 2))))
    if textures and chance.random() < 0.8:
        said.append(chance.choice(_TEXTURE_SCENES[textures[0]]))
    if score.genre and moods and chance.random() < 0.6:
        said.append(chance.choice(_SCENES[score.genre]))
    elif score.genre and moods and chance.random() < 0.4:
        said.append(chance.choice((score.genre, *GENRES[score.genre].synonyms)))
    if not said or chance.random() < 0.4:
        said.append(chance.choice(SOUNDS[chance.choice(parts).instrument].synonyms))
    chance.shuffle(said)
    return chance.choice((" ", ", ", " ")).join(said) + chance.choice(("", "", " music", " loop"))


class EarNetwork(nn.Module):
    """What `generation.embedding.network.Network` is in NumPy, with what it takes to train it."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        super().__init__()
        self.names = names
        layers: list[nn.Module] = []
        for inner, outer, kernel in zip((1, *_CHANNELS), _CHANNELS, KERNELS, strict=False):
            layers += [
                nn.Conv2d(inner, outer, kernel, stride=2, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(outer),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers)
        self.narrow = nn.Linear(_CHANNELS[-1], _NARROW)
        self.hidden = nn.Linear(2 * _NARROW * BANDS // 16 + len(TEMPI) + 1, _HIDDEN)
        self.heads = nn.ModuleDict(
            {
                "embed": nn.Linear(_HIDDEN, SIZE),
                "genre": nn.Linear(_HIDDEN, len(names["genres"]) + 1),
                "sounds": nn.Linear(_HIDDEN, len(names["sounds"])),
                "moods": nn.Linear(_HIDDEN, len(names["moods"])),
                "drums": nn.Linear(_HIDDEN, 1),
            }
        )
        self.text_inner, self.text_outer = nn.Linear(384, _TEXT_INNER), nn.Linear(_TEXT_INNER, SIZE)
        self.text = nn.Linear(384, SIZE)
        self.sharpness = nn.Parameter(torch.tensor([math.log(14.0), math.log(14.0)]))

    def forward(self, views: Tensor, tempi: Tensor) -> dict[str, Tensor]:
        """Windows (B, 128, 128) from 0 to 1 and tempo features (B, 9) to each head's outputs."""
        # Half precision where most of the arithmetic is: three times as fast on a CPU that knows bfloat16.
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training):
            image = (views[:, None] * 2 - 1).contiguous(memory_format=torch.channels_last)
            cells = F.relu(self.narrow(self.body(image).permute(0, 2, 3, 1))).flatten(2)
        cells = cells.float()
        pooled = torch.cat([cells.mean(1), cells.amax(1), tempi], 1)
        heard = F.dropout(F.relu(self.hidden(pooled)), 0.25, self.training)
        return {name: head(heard) for name, head in self.heads.items()}

    def read(self, sentences: Tensor) -> Tensor:
        """MiniLM vectors (B, 384) in the joint space, (B, 64) of unit length."""
        inner = F.dropout(F.relu(self.text_inner(sentences)), 0.1, self.training)
        return F.normalize(self.text_outer(inner) + self.text(sentences), dim=-1)

    def save(self, path: Path) -> None:
        """Write the weights as `Network.load` reads them, the batch norms folded into the convolutions."""
        arrays: dict[str, NDArray[Any]] = {"names": np.array(json.dumps(self.names))}
        for index in range(len(KERNELS)):
            conv, norm = self.body[3 * index], self.body[3 * index + 1]
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
            factor = norm.weight / (variance + norm.eps).sqrt()
            _keep(arrays, f"conv{index}", conv.weight.flatten(1) * factor[:, None], norm.bias - mean * factor)
        for name, layer in self.layers().items():
            _keep(arrays, name, layer.weight, layer.bias)
        with write_whole(path) as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    def layers(self) -> dict[str, nn.Linear]:
        """All that are not convolutions, by the names in the file."""
        return {
            "narrow": self.narrow,
            "hidden": self.hidden,
            **{name: cast(nn.Linear, head) for name, head in self.heads.items()},
            "text": self.text,
            "text inner": self.text_inner,
            "text outer": self.text_outer,
        }


def _keep(arrays: dict[str, NDArray[Any]], name: str, weight: Tensor, bias: Tensor) -> None:
    """(outputs, inputs) as 8-bit (inputs, outputs) and a scale for each output."""
    scale = (weight.abs().amax(1) / 127).clamp_min(1e-8)
    arrays[name] = torch.round(weight / scale[:, None]).to(torch.int8).detach().numpy().T
    arrays[f"{name} scale"] = scale.detach().numpy().astype(np.float32)
    arrays[f"{name} bias"] = bias.detach().numpy().astype(np.float32)


@dataclass(frozen=True)
class Lessons:
    """Everything that was heard: pictures one behind the other from `starts` on, and what is known of each mix."""

    facts: list[Facts]
    pictures: NDArray[np.uint8]
    starts: NDArray[np.int64]
    sentences: Tensor
    genre: Tensor
    sounds: Tensor
    moods: Tensor
    drums: Tensor

    @classmethod
    def read(cls, folder: Path, names: dict[str, list[str]]) -> "Lessons":
        """All files of a folder; sentences are encoded once and kept beside them."""
        facts: list[Facts] = []
        pictures, sentences = [], []
        for path in sorted(folder.glob("heard-*.npz")):
            with np.load(path) as stored:
                told = [Facts.from_dict(record) for record in json.loads(str(stored["facts"]))]
                pictures.append(stored["pictures"])
            facts += told
            sentences.append(_sentences(path, told))
        lengths = [fact.frames + fact.twin for fact in facts]
        return cls(
            facts,
            np.concatenate(pictures),
            np.cumsum([0, *lengths[:-1]]),
            torch.cat(sentences),
            torch.tensor([[*names["genres"], ""].index(fact.genre) for fact in facts]),
            _marked([fact.sounds for fact in facts], names["sounds"]),
            _marked([fact.moods for fact in facts], names["moods"]),
            torch.tensor([[float("drums" in fact.roles)] for fact in facts]),
        )

    def picture(self, row: int, *, twin: bool = False) -> NDArray[np.uint8]:
        """A mix, or what the codec made of it."""
        fact, start = self.facts[row], self.starts[row]
        first, last = (fact.frames, fact.frames + fact.twin) if twin else (0, fact.frames)
        return self.pictures[start + first : start + last]


def vocabulary() -> dict[str, list[str]]:
    """The corpus's names."""
    moods = {mood for genre in (*GENRES.values(), NEUTRAL) for mood in genre.moods}
    return {"genres": list(GENRES), "sounds": list(SOUNDS), "moods": sorted(moods)}


def learn(lessons: Lessons, network: EarNetwork, steps: int, checkpoint: Path | None = None) -> None:
    """Train on all but the last twentieth of the seeds, then set the confidences by those."""
    rows = [row for row, fact in enumerate(lessons.facts) if not _is_kept_back(fact.seed)]
    optimizer = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    state: dict[str, Any] = torch.load(checkpoint) if checkpoint and checkpoint.exists() else {"step": 0}
    if state["step"]:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
    network.train()
    for step in range(state["step"], steps):
        chance = random.Random(f"step {step}")
        torch.manual_seed(step)
        loss, parts = _loss(network, lessons, chance.sample(rows, min(_BATCH, len(rows))), chance)
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * _share_of_rate(step / steps)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        if step % 20 == 0:
            log.info(
                "step %d of %d: %s",
                step,
                steps,
                " ".join(f"{name} {part:.3f}" for name, part in parts.items()),
            )
        if checkpoint and (step + 1) % 100 == 0:
            with write_whole(checkpoint) as file:
                torch.save(
                    {
                        "step": step + 1,
                        "network": network.state_dict(),
                        "optimizer": optimizer.state_dict(),
                    },
                    file,
                )
    network.eval()
    calibrate(network, lessons)


def _share_of_rate(progress: float) -> float:
    """Of the learning rate: up over the first twelfth of the steps, down along a cosine."""
    return min(1.0, progress * 12 + 0.02) * 0.5 * (1 + math.cos(math.pi * progress))


def _loss(
    network: EarNetwork, lessons: Lessons, rows: list[int], chance: random.Random
) -> tuple[Tensor, dict[str, float]]:
    """Two views of each mix and one of its sentences."""
    views, tempi = [], []
    for side in (0, 1):
        for row in rows:
            twin = bool(side and lessons.facts[row].twin and chance.random() < 0.8)
            views.append(_disturbed(_window(lessons.picture(row, twin=twin), chance), chance))
            tempi.append(tempo_features(lessons.facts[row].bpm if chance.random() < 0.6 else None))
    heard = network(torch.from_numpy(np.stack(views)), torch.from_numpy(np.stack(tempi)))
    said = network.read(lessons.sentences[rows, [chance.randrange(_CAPTIONS) for _ in rows]])
    first, second = F.normalize(heard["embed"], dim=-1).chunk(2)
    told, alike = network.sharpness.clamp(max=math.log(60)).exp()
    soft = _likeness(lessons, rows)
    parts = {
        "text": (_contrast(first, said, told, soft) + _contrast(second, said, told, soft)) / 2,
        "audio": _contrast(first, second, alike, None),
        "genre": F.cross_entropy(heard["genre"], lessons.genre[rows].repeat(2), label_smoothing=0.03),
        "sounds": 12 * F.binary_cross_entropy_with_logits(heard["sounds"], lessons.sounds[rows].repeat(2, 1)),
        "moods": 3 * F.binary_cross_entropy_with_logits(heard["moods"], lessons.moods[rows].repeat(2, 1)),
        "drums": F.binary_cross_entropy_with_logits(heard["drums"], lessons.drums[rows].repeat(2, 1)),
    }
    weights = {"audio": 0.5, "genre": 0.5}
    total = torch.stack([weights.get(name, 1.0) * part for name, part in parts.items()]).sum()
    return total, {name: part.item() for name, part in parts.items()}


def _contrast(one: Tensor, other: Tensor, sharpness: Tensor, soft: Tensor | None) -> Tensor:
    logits = sharpness * one @ other.T
    target = torch.eye(len(one)) if soft is None else soft
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def _likeness(lessons: Lessons, rows: list[int]) -> Tensor:
    """(B, B) what a sentence should match: its own mix most, and a little those of the same sounds and moods."""
    tags = torch.cat([lessons.sounds[rows] * 2, lessons.moods[rows] * 0.5], 1)
    common = torch.minimum(tags[:, None], tags[None]).sum(-1)
    shared = common / torch.maximum(tags[:, None], tags[None]).sum(-1).clamp_min(1e-6)
    return 0.75 * torch.eye(len(rows)) + 0.25 * torch.softmax(shared * 10, 1)


def _window(picture: NDArray[np.uint8], chance: random.Random) -> NDArray[np.float32]:
    start = chance.randrange(len(picture))
    return np.asarray(picture[(start + np.arange(FRAMES)) % len(picture)] / 255, np.float32)


def _disturbed(view: NDArray[np.float32], chance: random.Random) -> NDArray[np.float32]:
    """Tilted, noisy, or dull: what a loop goes through on its way, and stays the same loop."""
    if chance.random() < 0.5:
        tilt = np.linspace(-1, 1, view.shape[1], dtype=np.float32) * chance.uniform(-0.08, 0.08)
        view = view + tilt + np.float32(chance.uniform(-0.04, 0.02))
    if chance.random() < 0.3:
        noise = np.random.default_rng(chance.getrandbits(32)).standard_normal(view.shape, np.float32)
        view = view + noise * np.float32(chance.uniform(0, 0.04))
    if chance.random() < 0.2:
        view = np.maximum(view, np.float32(chance.uniform(0, 0.35)))
    if chance.random() < 0.15:
        view = view.copy()
        view[:, chance.randrange(104, 128) :] = 0
    return np.asarray(np.clip(view, 0, 1), np.float32)


@torch.no_grad()
def calibrate(network: EarNetwork, lessons: Lessons) -> None:
    """Stretch and move each head's logits so that confidences are shares of right answers, on seeds kept back."""
    network.eval()
    rows = [row for row, fact in enumerate(lessons.facts) if _is_kept_back(fact.seed)]
    answers: dict[str, list[Tensor]] = {name: [] for name in network.heads}
    for row in rows:
        seen = torch.from_numpy(windows(np.asarray(lessons.picture(row) / 255, np.float32)))
        told = torch.from_numpy(tempo_features(lessons.facts[row].bpm if row % 2 else None)).expand(
            len(seen), -1
        )
        for name, answer in network(seen, told).items():
            answers[name].append(answer.mean(0))
    labels = {
        "genre": lessons.genre,
        "sounds": lessons.sounds,
        "moods": lessons.moods,
        "drums": lessons.drums,
    }
    for name, label in labels.items():
        logits, wanted = torch.stack(answers[name]), label[rows]
        ask = F.cross_entropy if name == "genre" else F.binary_cross_entropy_with_logits
        moves = (0.0,) if name == "genre" else np.linspace(-2, 2, 41)
        _, stretch, move = min(
            (ask(logits * stretch + move, wanted).item(), stretch, move)
            for stretch in np.linspace(0.4, 2.0, 33)
            for move in moves
        )
        head = cast(nn.Linear, network.heads[name])
        head.weight *= stretch
        head.bias.copy_(head.bias * stretch + move)
        log.info("%s: confidences stretched by %.2f, moved by %.2f", name, stretch, move)


def _is_kept_back(seed: int) -> bool:
    return seed % 20 == 7


def _marked(tags: Sequence[Sequence[str]], names: list[str]) -> Tensor:
    """(rows, names) 1 where a row has a tag."""
    marks = torch.zeros(len(tags), len(names))
    for row, present in enumerate(tags):
        marks[row, [names.index(tag) for tag in present]] = 1
    return marks


def _sentences(path: Path, facts: list[Facts]) -> Tensor:
    """(mixes, captions, 384) MiniLM vectors, kept beside the file that they are about."""
    kept = path.with_name(path.name.replace("heard", "said"))
    if not kept.exists():
        encoder = TextEncoder()
        texts = [text for fact in facts for text in fact.captions]
        vectors = [encoder(texts[at : at + 64]).pooled for at in range(0, len(texts), 64)]
        with write_whole(kept) as file:
            np.savez(file, pooled=torch.cat(vectors).half().numpy())
        log.info("read what is said about %s", path.name)
    with np.load(kept) as stored:
        return torch.from_numpy(stored["pooled"].astype(np.float32)).reshape(len(facts), _CAPTIONS, -1)


# What the music of a genre is looked for by those who do not name it.
_SCENES = {
    "house": ("dance floor at midnight", "summer pool party", "fashion show runway"),
    "techno": ("warehouse rave", "dark underground club", "strobe lights and concrete"),
    "trance": ("festival main stage", "hands in the air", "sunrise at a rave"),
    "electronic": ("technology product video", "start-up presentation", "modern gadget review"),
    "drum and bass": ("high speed chase", "skateboard and parkour video", "racing game"),
    "synthwave": ("night drive in a neon city", "eighties action film", "retro sports car at dusk"),
    "chiptune": ("retro video game level", "pixel art platformer", "arcade machine"),
    "disco": ("seventies roller skating", "glitter ball party", "happy dancing crowd"),
    "acid": ("sweaty basement rave", "squelching old machine", "trippy lights"),
    "minimal techno": ("late night after party", "clean architecture film", "focus and coding"),
    "hardstyle": ("extreme sports and gym workout", "stadium rave", "adrenaline rush"),
    "dubstep": ("robot battle", "gaming montage with heavy drops", "action trailer"),
    "uk garage": ("london night bus", "city at night with friends", "street style clip"),
    "vaporwave": ("empty shopping mall", "old vhs tape and palm trees", "slow surreal dream"),
    "synthpop": ("eighties dance party", "upbeat fashion video", "pop video with neon colours"),
    "trap": ("flexing in the city at night", "rap beat for a freestyle", "sneaker advert"),
    "boom bap": ("old school rap cypher", "new york street corner", "graffiti video"),
    "lofi": ("study beats late at night", "homework with a cup of coffee", "cozy evening at home"),
    "funk": ("groovy cooking show", "seventies cop chase", "party with a live band"),
    "rock": ("road trip on the highway", "car advert with attitude", "sports highlights"),
    "metal": ("boss fight", "monster truck rally", "wild mosh pit"),
    "blues": ("smoky bar after midnight", "whiskey and a broken heart", "american south road film"),
    "jazz": ("cocktail bar in the evening", "elegant dinner party", "detective in the rain"),
    "reggae": ("beach with palm trees", "lazy island afternoon", "sunny holiday by the sea"),
    "phonk": ("drifting cars at night", "menacing street race", "gym edit"),
    "pop": ("happy vlog intro", "friends on a summer day", "friendly advert"),
    "punk": ("teenage rebellion", "garage band gig", "fast skate punk video"),
    "ska": ("happy brass party", "comic chase on scooters", "crazy carnival"),
    "soul": ("wedding slow dance", "love late in the evening", "sunday morning kitchen"),
    "gospel": ("sunday church service", "hope and praise", "hands clapping in church"),
    "doo-wop": ("fifties diner and jukebox", "first kiss at the prom", "old love song"),
    "country": ("horse ranch and cowboys", "pickup truck on a dusty road", "campfire with friends"),
    "bossa nova": ("café in rio", "hotel lobby and lounge", "elevator music"),
    "ambient": ("floating in space", "sleep and meditation", "yoga and spa", "underwater documentary"),
    "orchestral": ("royal procession", "fantasy adventure film", "the army sets out"),
    "cinematic": ("film trailer", "hero before the battle", "tense thriller scene"),
    "classical": ("period drama in a palace", "museum and fine art", "ballet school"),
    "latin": ("salsa night in havana", "street carnival", "hot summer dancing"),
    "folk": ("hiking in the mountains", "cabin in the woods", "handmade crafts video"),
    "world": ("desert caravan", "travel documentary", "ritual around the fire"),
    "waltz": ("ballroom dancing in vienna", "old carousel", "couple turning in three"),
    "lullaby": ("baby falling asleep", "nursery and bedtime story", "counting sheep"),
    "celtic": ("green hills of ireland", "pub dance with fiddles", "fantasy village"),
    "sea shanty": ("pirates on a ship", "sailors in a harbour tavern", "stormy sea voyage"),
    "flamenco": ("spanish courtyard", "bullring drama", "dancer with castanets"),
    "tango": ("passionate dance in buenos aires", "jealous lovers", "rose between the teeth"),
    "cumbia": ("village fiesta in colombia", "family party in the yard", "colourful market"),
    "reggaeton": ("latin club perreo", "miami beach party", "hot summer hit"),
    "afrobeat": ("lagos street party", "joyful african dance", "sunny market with drums"),
}  # fmt: skip
_TEXTURE_SCENES = {
    "rain": ("rainy night", "rainy day", "rain on the window", "raining outside"),
    "typing": ("office work", "somebody at a keyboard", "hacker typing"),
    "vinyl crackle": ("old record", "dusty vinyl", "vintage gramophone"),
    "ocean waves": ("beach at the sea", "seaside", "waves on the shore"),
    "wind": ("windy mountain", "storm in the desert", "cold wind blowing"),
    "fire crackle": ("campfire", "fireplace in winter", "burning wood"),
    "crickets": ("summer night in the country", "crickets at dusk", "night in the garden"),
    "clock ticking": ("waiting for a deadline", "clock on the wall", "time running out"),
    "riser": ("build up before the drop", "rising tension", "whoosh up"),
    "birdsong": ("morning in the forest", "birds in spring", "sunny garden"),
    "thunder": ("thunderstorm at night", "storm is coming", "thunder and lightning"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Hear or learn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    hearing = commands.add_parser("hear")
    hearing.add_argument("folder", type=Path)
    hearing.add_argument("--count", type=int, default=3200)
    hearing.add_argument("--first-seed", type=int, default=FIRST_SEED)
    learning = commands.add_parser("learn")
    learning.add_argument("folder", type=Path)
    learning.add_argument("--out", type=Path, required=True)
    learning.add_argument("--steps", type=int, default=1350)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    if given.command == "hear":
        hear(given.folder, given.first_seed, given.count)
        return
    torch.manual_seed(0)
    network = EarNetwork(vocabulary())
    learn(Lessons.read(given.folder, network.names), network, given.steps, given.folder / "checkpoint.pt")
    network.save(given.out)


if __name__ == "__main__":
    main()
