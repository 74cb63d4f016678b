"""`riff evaluate`: everything that is measured on a model, in the order in which it is measured.

Real loops are rendered from seeds that no model is trained on; riffs are made from the captions of a part of them, at
their tempo, metre, length and key, so that both sides of a figure are asked for the same things.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from generation.corpus.genres import GENRES
from generation.corpus.instruments import KITS, MELODIC, SOUNDS
from generation.engine import Engine
from generation.files import write_whole
from generation.judge import detectors, riffs
from generation.judge.classifier import Classifier, Lessons, Opinions, train, view
from generation.judge.figures import Figure, Goal
from generation.judge.loops import (
    CODEC_SEEDS,
    FLOOR_SEEDS,
    HELD_OUT_SEEDS,
    JUDGE_SEEDS,
    JUDGE_SEEDS_OF_THE_CORPUS,
    SOLO_SEEDS,
    Rendering,
    Specimen,
    fingerprint,
    for_the_classifier,
    held_out,
    render,
    solos,
    sounds,
)
from generation.judge.measures import codec_loss, rulers
from generation.judge.recordings import recordings_loss
from generation.judge.riffs import Wish
from generation.judge.statistics import Estimate, frechet_ratio, mean, median, proportion, quantile95
from generation.judge.timing import Timing, machine, time_in_a_process
from generation.models.shipped import SHIPPED, load_model
from generation.spectrogram import SpectrogramCodec

Statistic = Callable[[NDArray[np.float64]], Estimate]
Stage = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]

_PLACES = ("/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/soundfonts")
_FONTS = ("TimGM6mb.sf2", "sf_GMbank.sf2")
_DIVERSE_SEEDS = 8
# Below this share of real loops recognised, a classifier of other soundfonts says too little about ours.
STRICT_CEILING = 0.85


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is made and rendered. `lessons` are scores for the classifier; `training` those for originality."""

    name: str
    loops: int
    per_sound: int
    lessons: int
    epochs: float
    training: int
    codec: int
    solos: int
    genres: int
    pairs: int
    morphs: int
    timed: int


FULL = Plan(
    "full",
    loops=512,
    per_sound=5,
    lessons=768,
    epochs=12,
    training=400,
    codec=48,
    solos=1000,
    genres=6,
    pairs=18,
    morphs=8,
    timed=7,
)
QUICK = Plan(
    "quick",
    loops=32,
    per_sound=1,
    lessons=96,
    epochs=3,
    training=32,
    codec=4,
    solos=24,
    genres=2,
    pairs=3,
    morphs=1,
    timed=2,
)


@dataclass(frozen=True)
class RealLoops:
    """What riffs are held against: `held` gives the captions, `floor` is the reference of distances."""

    held: list[Specimen]
    floor: list[Specimen]
    solos: list[Specimen]
    training: list[Specimen]


@dataclass(frozen=True)
class Riffs:
    """What the model made of the captions, of every sound alone, and of prompts that belong together."""

    captions: list[Specimen]
    solos: list[Specimen]
    diverse: list[list[Specimen]]
    drums: list[list[Specimen]]
    bright: list[list[Specimen]]
    fast: list[list[Specimen]]
    morphs: list[list[Specimen]]
    remixes: list[list[Specimen]]


@dataclass
class Evaluation:
    """All figures of one model, and what the page draws."""

    model: str
    plan: Plan
    machine: str
    judge: str
    figures: list[Figure] = field(default_factory=list)
    confusion: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    per_sound: list[tuple[str, float, float]] = field(default_factory=list)
    seams: dict[str, list[float]] = field(default_factory=dict)
    pairs: list[tuple[Specimen, Specimen]] = field(default_factory=list)
    genres: tuple[str, ...] = ()
    lines: dict[str, list[float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready record of the figures."""
        return {
            "model": self.model,
            "plan": self.plan.name,
            "machine": self.machine,
            "judge": self.judge,
            "figures": [figure.to_dict() for figure in self.figures],
        }


def evaluate(
    model: Path | None,
    plan: Plan,
    work: Path,
    stage: Stage,
    *,
    soundfonts: tuple[Path, ...] | None = None,
    recordings: Path | None = None,
    training_seed: int = 1,
    workers: int = 2,
) -> Evaluation:
    """Measure a model, the shipped one by default.

    `work` keeps real loops, the classifier and the riffs of each model: a second run, or one after an interruption,
    makes only what is missing. `stage` shows progress as cli.progress.count_progress does. `soundfonts` are the
    classifier's, by default those of `other_soundfonts`; `recordings` a folder of audio files for the codec's loss;
    `training_seed` the first seed of the model's own corpus, a part of which is rendered again.
    """
    timing = time_in_a_process(plan.timed, model)
    real = _real_loops(plan, work, training_seed, stage, workers)
    fonts = other_soundfonts() if soundfonts is None else soundfonts
    classifier, judge = _classifier(plan, work, fonts, real, stage, workers)
    engine = Engine.load(model)
    made = _make(
        engine, plan, real, work / "riffs" / f"{engine.model_id.replace('@', '-')}-{rulers()}", stage
    )
    if plan is QUICK:
        judge = f"The quick plan is a smoke test: its numbers are too small to judge a model by. {judge}"
    evaluation = Evaluation(engine.model_id, plan, machine(), judge)
    _adherence(evaluation, classifier, real, made)
    _detected(evaluation, real, made)
    _likeness(evaluation, classifier, real, made)
    _sound(evaluation, real, made)
    _pairs(evaluation, classifier, made)
    _on_the_way(evaluation, classifier, made)
    _codec(evaluation, load_model(model or SHIPPED).codec, recordings, stage)
    _cost(evaluation, timing)
    evaluation.pairs = list(zip(real.held, made.captions, strict=True))[:12]
    return evaluation


def other_soundfonts() -> tuple[Path, ...]:
    """The General MIDI soundfonts on this machine that models are not trained on, for the classifier to learn from."""
    return tuple(path for name in _FONTS for place in _PLACES if (path := Path(place) / name).is_file())


def _real_loops(plan: Plan, work: Path, training_seed: int, stage: Stage, workers: int) -> RealLoops:
    folder = work / f"loops-{fingerprint((), SpectrogramCodec())}"
    sets = []
    for name, orders, rendering in (
        (f"held-{rulers()}", held_out(plan.loops, HELD_OUT_SEEDS), Rendering()),
        (f"floor-{rulers()}", held_out(plan.loops, FLOOR_SEEDS), Rendering()),
        ("solos", solos(plan.per_sound, SOLO_SEEDS), Rendering(measured=False)),
        ("training", held_out(plan.training, training_seed), Rendering(measured=False)),
    ):
        with stage(f"Rendering real loops: {name}") as on_progress:
            sets.append(render(folder / name, orders, rendering, workers, on_progress))
    return RealLoops(*sets)


def _classifier(
    plan: Plan, work: Path, fonts: tuple[Path, ...], real: RealLoops, stage: Stage, workers: int
) -> tuple[Classifier, str]:
    """The classifier, and a sentence on what it learnt from and how well it hears real loops.

    It first learns from the other soundfonts alone. Where that does not carry over to the corpus's soundfonts, it
    learns from as many loops of theirs as well, from seeds of its own.
    """
    genres, names = tuple(GENRES), tuple(SOUNDS)
    kind = hashlib.sha256(repr((genres, names, SpectrogramCodec().name)).encode()).hexdigest()[:12]
    folder = work / f"classifier-{kind}"
    foreign = f"{plan.lessons} scores played with {' and '.join(font.name for font in fonts)}"
    sentence = ""
    if fonts:
        strict = _taught(
            folder, "other", [(fonts, JUDGE_SEEDS)], Classifier(genres, names), plan, stage, workers
        )
        ceilings = _ceilings(strict, real)
        heard = _heard(ceilings)
        if min(ceilings) >= STRICT_CEILING:
            return strict, f"The classifier learnt from {foreign} and nothing else. It recognises {heard}."
        sentence = (
            f"A classifier that learnt from {foreign} alone recognises {heard}: too little to judge by. "
        )
    sources = [((), JUDGE_SEEDS_OF_THE_CORPUS), *([(fonts, JUDGE_SEEDS)] if fonts else [])]
    both = _taught(folder, "both", sources, Classifier(genres, names), plan, stage, workers)
    ceilings = _ceilings(both, real)
    also = f"{foreign} and from " if fonts else ""
    return both, (
        f"{sentence}The classifier used here learnt from {also}{plan.lessons} scores played with the corpus's own "
        f"soundfonts, from seeds that no model is trained on. It recognises {_heard(ceilings)}."
    )


def _heard(ceilings: tuple[float, float]) -> str:
    genre, solo = ceilings
    return f"the genre of {genre:.0%} of real held-out bands and the instrument of {solo:.0%} of real solos"


def _taught(
    folder: Path,
    name: str,
    sources: list[tuple[tuple[Path, ...], int]],
    classifier: Classifier,
    plan: Plan,
    stage: Stage,
    workers: int,
) -> Classifier:
    """The classifier after its lessons, from the disk where it took the same ones before."""
    path = folder / f"{name}-{'-'.join(font.stem for fonts, _ in sources for font in fonts)}-{plan.name}.pt"
    if not path.exists():
        specimens = []
        for fonts, first_seed in sources:
            with stage("Rendering lessons") as on_progress:
                orders = for_the_classifier(plan.lessons, first_seed)
                rendering = Rendering(fonts, measured=False, round_trips=True)
                specimens += render(folder / f"lessons-{first_seed}", orders, rendering, workers, on_progress)
        lessons = Lessons.of(specimens, classifier.genres, classifier.sounds)
        with stage("Teaching the classifier") as on_progress:
            for step, steps, _ in train(classifier, lessons, plan.epochs / len(sources)):
                on_progress(step, steps)
        with write_whole(path) as file:
            torch.save(classifier.state_dict(), file)
    classifier.load_state_dict(torch.load(path, weights_only=True))
    return classifier.eval()


def _ceilings(classifier: Classifier, real: RealLoops) -> tuple[float, float]:
    """Shares of real loops whose genre and whose only instrument the classifier names first."""
    bands = [loop for loop in real.floor if loop.facts.genre and len(loop.facts.instruments) > 1]
    genre = _places(
        classifier.judge(_levels(bands)).genre, [{loop.facts.genre} for loop in bands], classifier.genres
    )
    solo = _solo_places(classifier, real.solos)
    return float(np.mean(genre == 0)), float(np.mean(solo == 0))


def _make(engine: Engine, plan: Plan, real: RealLoops, folder: Path, stage: Stage) -> Riffs:
    counts = Counter(
        loop.facts.genre for loop in (*real.held, *real.floor) if len(loop.facts.instruments) > 1
    )
    genres = [genre for genre, _ in counts.most_common() if genre][: plan.genres]

    def make(name: str, wishes: list[Wish]) -> list[Specimen]:
        with stage(f"Making riffs: {name}") as on_progress:
            return riffs.make(engine, wishes, folder / name.replace(" ", "-"), on_progress)

    def in_groups(name: str, groups: Sequence[Sequence[Wish]]) -> list[list[Specimen]]:
        made = iter(make(name, [wish for group in groups for wish in group]))
        return [list(islice(made, len(group))) for group in groups]

    captions = make("captions", [riffs.like(loop, seed) for seed, loop in enumerate(real.held)])
    alone = riffs.alone()
    by_sound = make("solos", alone[:: max(1, len(alone) // plan.solos)])
    few = max(2, plan.pairs * 2 // 3)
    groups = [
        in_groups(name, wishes)
        for name, wishes in (
            ("diverse", [riffs.diverse(genre, _DIVERSE_SEEDS) for genre in genres]),
            ("drums", riffs.with_and_without_drums(plan.pairs)),
            ("bright", riffs.opposites("bright", "dark", few)),
            ("fast", riffs.opposites("busy", "sparse", few)),
            ("morphs", riffs.morphs(plan.morphs)),
        )
    ]
    with stage("Making riffs: remixes") as on_progress:
        remixes = riffs.remix(engine, plan.morphs, folder / "remixes", on_progress)
    diverse, drums, bright, fast, morphs = groups
    return Riffs(captions, by_sound, diverse, drums, bright, fast, morphs, remixes)


def _adherence(evaluation: Evaluation, classifier: Classifier, real: RealLoops, made: Riffs) -> None:
    """Genre, players and drums of what the captions name, and every sound alone."""
    heard, wanted = (classifier.judge(_levels(loops)) for loops in (made.captions, real.held))

    asked = [row for row, loop in enumerate(real.held) if riffs.named_genre(loop.facts)]
    genres = [{real.held[row].facts.genre} for row in asked]
    places = [_places(opinions.genre[asked], genres, classifier.genres) for opinions in (heard, wanted)]
    for top, goal in ((1, Goal(0.9, 0.97, "share")), (3, None)):
        riff, loop = (proportion(place < top) for place in places)
        evaluation.figures.append(Figure("adherence", f"genre of bands, top {top}", riff, loop, "%", goal))
    for name, opinions in (("riffs", heard), ("real", wanted)):
        table = np.zeros((len(classifier.genres),) * 2)
        for row in asked:
            table[classifier.genres.index(real.held[row].facts.genre), opinions.genre[row].argmax()] += 1
        evaluation.confusion[name] = table
    evaluation.genres = classifier.genres

    alone = [_solo_places(classifier, loops) for loops in (made.solos, real.solos)]
    for top, goal in ((1, Goal(0.85, 0.95)), (3, None)):
        riff, loop = (proportion(place < top) for place in alone)
        name = f"solo instrument, {len(classifier.sounds)} sounds, top {top}"
        evaluation.figures.append(Figure("adherence", name, riff, loop, "%", goal))
    melodic = [
        place[[loop.facts.instruments[0] in MELODIC for loop in loops]]
        for place, loops in zip(alone, (made.solos, real.solos), strict=True)
    ]
    riff, loop = (proportion(place == 0) for place in melodic)
    evaluation.figures.append(
        Figure("adherence", f"of these the {len(MELODIC)} melodic ones, top 1", riff, loop, "%")
    )
    for sound in classifier.sounds:
        shares = [
            float(np.mean(place[rows] == 0)) if rows else float("nan")
            for place, loops in zip(alone, (made.solos, real.solos), strict=True)
            for rows in [[row for row, loop in enumerate(loops) if loop.facts.instruments == (sound,)]]
        ]
        evaluation.per_sound.append((sound, shares[0], shares[1]))

    players = [row for row, loop in enumerate(real.held) if riffs.named_players(loop.facts)]
    pitched = np.array([name not in KITS for name in classifier.sounds])

    def recall(opinions: Opinions) -> Estimate:
        found = []
        for row in players:
            named = riffs.named_players(real.held[row].facts)
            order = np.where(pitched, opinions.sounds[row], -np.inf).argsort()[::-1][: len(named)]
            found.append(len({classifier.sounds[index] for index in order} & set(named)) / len(named))
        return mean(found)

    evaluation.figures.append(
        Figure(
            "adherence",
            "players recalled among the first k of ensembles",
            recall(heard),
            recall(wanted),
            "%",
            Goal(0.85, 0.95, "share"),
            "k is the number of players that the caption names, drums aside",
        )
    )
    drums = np.array(["drums" in loop.facts.roles for loop in real.held])
    evaluation.figures.append(
        Figure(
            "adherence",
            "drums there or not there, as in the loop captioned",
            proportion((heard.roles[:, 0] > 0) == drums),
            proportion((wanted.roles[:, 0] > 0) == drums),
            "%",
        )
    )


def _detected(evaluation: Evaluation, real: RealLoops, made: Riffs) -> None:
    """Key and tempo by the detectors."""
    tonal = [row for row, loop in enumerate(real.held) if loop.facts.is_tonal]

    def keys(loops: list[Specimen]) -> Estimate:
        return proportion([loops[row].measures["key"] == loops[row].facts.key for row in tonal])

    def on_scale(loops: list[Specimen]) -> Estimate:
        chromas = ((np.array(loops[row].measures["chroma"]), loops[row].facts.key) for row in tonal)
        return mean(
            [detectors.on_scale(classes, key) if classes.any() else np.nan for classes, key in chromas]
        )

    def tempi(loops: list[Specimen], *errors: str) -> Estimate:
        found = [detectors.tempo_error(loop.measures["tempo"], loop.facts.bpm) for loop in loops]
        return proportion([error in errors for error in found])

    riff, loop = made.captions, real.held
    evaluation.figures += [
        Figure(
            "adherence", "key found by the detector", keys(riff), keys(loop), "%", Goal(0.85, 0.95, "share")
        ),
        Figure("adherence", "energy on the asked key's scale", on_scale(riff), on_scale(loop), "%"),
        Figure(
            "adherence",
            "tempo found by the detector",
            tempi(riff, ""),
            tempi(loop, ""),
            "%",
            Goal(0.95, 1, "share"),
        ),
        Figure(
            "adherence", "a multiple of the tempo found", tempi(riff, "octave"), tempi(loop, "octave"), "%"
        ),
    ]


def _likeness(evaluation: Evaluation, classifier: Classifier, real: RealLoops, made: Riffs) -> None:
    """How near riffs are to real loops as a crowd, to training loops one by one, and to each other."""
    sets = (made.captions, real.held, real.floor, real.training)
    riff, held, floor, training = (classifier.judge(_levels(loops)).embedding for loops in sets)
    evaluation.figures.append(
        Figure(
            "likeness",
            f"Fréchet distance over the real-vs-real floor, n = {len(riff)}",
            frechet_ratio(riff, held, floor),
            _exactly(1.0),
            goal=Goal(1.3, 1.1, is_most=True),
            note="of the classifier's embedding; riffs come out of the codec",
        )
    )
    nearest = [_distances(some, training).min(1) for some in (riff, held)]
    evaluation.figures.append(
        Figure(
            "originality",
            "distance to the nearest training loop",
            median(nearest[0]),
            median(nearest[1]),
            note=f"median, in the embedding, of {len(training)} training loops; farther is more original",
        )
    )
    seen = _thumbnails(real.training)
    closest = [(_thumbnails(loops) @ seen.T).max(1) for loops in (made.captions, real.held)]
    evaluation.figures.append(
        Figure(
            "originality",
            "correlation with the most similar training picture, 95th percentile",
            quantile95(closest[0]),
            quantile95(closest[1]),
            note="lower is more original; 1 would be a copy",
        )
    )

    by_genre: dict[str, list[int]] = {}
    bands = [loop for loop in (*real.held, *real.floor) if len(loop.facts.instruments) > 1]
    for row, loop in enumerate(bands):
        by_genre.setdefault(loop.facts.genre, []).append(row)
    places = classifier.judge(_levels(bands)).embedding
    spreads = [_spread(classifier.judge(_levels(loops)).embedding) for loops in made.diverse]
    usual = [_spread(places[by_genre[loops[0].facts.genre][:_DIVERSE_SEEDS]]) for loops in made.diverse]
    evaluation.figures.append(
        Figure(
            "originality",
            f"diversity: mean distance of {_DIVERSE_SEEDS} seeds of a prompt",
            mean(spreads),
            mean(usual),
            note="real: as many loops of the genre, in other tempos, keys, lengths and line-ups",
        )
    )


def _sound(evaluation: Evaluation, real: RealLoops, made: Riffs) -> None:
    """Seam, silence, loudness, width and brightness."""

    def of(name: str, loops: list[Specimen]) -> NDArray[np.float64]:
        return np.array([loop.measures[name] for loop in loops], np.float64)

    def add(
        section: str, title: str, name: str, statistic: Statistic, unit: str = "", goal: Goal | None = None
    ) -> None:
        riff, loop = (statistic(of(name, loops)) for loops in (made.captions, real.held))
        evaluation.figures.append(Figure(section, title, riff, loop, unit, goal))

    def largest(values: NDArray[np.float64]) -> Estimate:
        return _exactly(float(values.max()))

    worst = float(np.nanquantile(of("seam", real.held), 0.95))
    add(
        "seam",
        "flux at the seam over other bar starts, median",
        "seam",
        median,
        goal=Goal(1.05, 1, is_most=True),
    )
    add("seam", "the same, 95th percentile", "seam", quantile95, goal=Goal(worst, 1, is_most=True))
    add("seam", "jump over the seam against jumps nearby, 95th percentile", "step", quantile95)
    add("sound", "near-silent quarter notes (< -60 dBFS)", "silent", mean, "%", Goal(0.01, 0, is_most=True))
    add("sound", "integrated loudness", "lufs", mean, "LUFS")
    add("sound", "largest peak", "peak", largest)
    add("sound", "side over middle, median", "width", median, "dB")
    add("sound", "spectral centroid, median", "centroid", median, "Hz")
    add("sound", "spectral bandwidth, median", "bandwidth", median, "Hz")
    evaluation.seams = {
        name: [float(value) for value in of("seam", loops) if not np.isnan(value)]
        for name, loops in (("riffs", made.captions), ("real", real.held))
    }


def _pairs(evaluation: Evaluation, classifier: Classifier, made: Riffs) -> None:
    """Whether a word changes what it should, and only that: both riffs of a pair share their seed."""
    first, second = (classifier.judge(_levels([pair[side] for pair in made.drums])) for side in (0, 1))
    heard = [opinions.roles[:, 0] > 0 for opinions in (first, second)]
    facts = [pair[0].facts for pair in made.drums]
    bands = [row for row, fact in enumerate(facts) if fact.genre]
    named = [
        (row, classifier.sounds.index(fact.instruments[0]))
        for row, fact in enumerate(facts)
        if fact.instruments
    ]
    same_genre = [first.genre[row].argmax() == second.genre[row].argmax() for row in bands]
    both_there = [first.sounds[at] > 0 and second.sounds[at] > 0 for at in named]
    same_key = [pair[0].measures["key"] == pair[1].measures["key"] for pair in made.drums]
    evaluation.figures += [
        Figure("pairs", "“with drums”: drums are heard", proportion(heard[0]), unit="%"),
        Figure("pairs", "“without drums”: none are heard", proportion(~heard[1]), unit="%"),
        Figure("pairs", "and the genre heard stays", proportion(same_genre), unit="%"),
        Figure("pairs", "and the named instrument is heard in both", proportion(both_there), unit="%"),
        Figure("pairs", "and the key found stays", proportion(same_key), unit="%"),
        Figure("pairs", "“bright” is brighter than “dark”", _above(made.bright, "centroid"), unit="%"),
        Figure("pairs", "“busy” has more onsets than “sparse”", _above(made.fast, "onsets"), unit="%"),
    ]


def _above(pairs: list[list[Specimen]], name: str) -> Estimate:
    return proportion([first.measures[name] > second.measures[name] for first, second in pairs])


def _on_the_way(evaluation: Evaluation, classifier: Classifier, made: Riffs) -> None:
    """Where the steps of a morph or a remix lie on the line between its ends, 0 to 1, in the embedding."""
    for name, series in (("morph", made.morphs), ("remix", made.remixes)):
        lines = np.array([_line(classifier.judge(_levels(steps)).embedding) for steps in series])
        middle = lines[:, lines.shape[1] // 2]
        evaluation.figures += [
            Figure(
                "way", f"{name}: middle between the ends", proportion((middle > 0) & (middle < 1)), unit="%"
            ),
            Figure(
                "way",
                f"{name}: steps that move on",
                proportion((np.diff(lines, axis=1) > 0).ravel()),
                unit="%",
            ),
            Figure(
                "way",
                f"{name}: rank correlation with the setting",
                mean([_rank_correlation(row) for row in lines]),
            ),
        ]
        evaluation.lines[name] = [float(place) for place in lines.mean(0)]


def _codec(evaluation: Evaluation, codec: SpectrogramCodec, recordings: Path | None, stage: Stage) -> None:
    """What is lost between a loop and its own picture played back; lower is better."""
    count = evaluation.plan.codec
    losses: dict[str, list[tuple[float, float]]] = {"real loops": []}
    with stage("Measuring the codec") as on_progress:
        for audio, sixteenths in sounds(held_out(count, CODEC_SEEDS)):
            losses["real loops"].append(codec_loss(codec, audio, sixteenths))
            on_progress(len(losses["real loops"]), count)
        if recordings is not None:
            losses["recordings"] = recordings_loss(recordings, codec, count)
    for what, values in losses.items():
        full, low = (mean([value[band] for value in values]) for band in (0, 1))
        goal = Goal(3.5, 2.5, is_most=True) if what == "recordings" else None
        name = f"codec-only log-spectral distance, {what}"
        evaluation.figures += [
            Figure("codec", f"{name}, full band", full, unit="dB", goal=goal),
            Figure("codec", f"{name}, up to 10 kHz", low, unit="dB"),
        ]


def _cost(evaluation: Evaluation, timing: Timing) -> None:
    everything = timing.phases["everything"]
    seconds = Estimate(float(np.median(everything)), min(everything), max(everything), len(everything))
    evaluation.figures += [
        Figure(
            "cost",
            f"{timing.seconds:g} s of stereo, warm, everything, median",
            seconds,
            unit="s",
            goal=Goal(1.5, 0.7, is_most=True),
            note="from prompt to WAV, MP3 and PNG; brackets: fastest and slowest",
        ),
        Figure("cost", "peak memory", _exactly(timing.peak_memory), unit="MiB"),
        Figure("cost", "loading the model", _exactly(timing.loading), unit="s"),
    ]


def _levels(loops: Sequence[Specimen]) -> list[NDArray[np.uint8]]:
    return [loop.level for loop in loops]


def _places(
    logits: NDArray[np.float64], wanted: Sequence[set[str]], classes: tuple[str, ...]
) -> NDArray[np.int64]:
    """Rank, from 0, of the best placed of the wanted classes in each row."""
    order = (-logits).argsort(1)
    ranks = [
        min(place for place, index in enumerate(row) if classes[index] in some)
        for row, some in zip(order, wanted, strict=True)
    ]
    return np.array(ranks, np.int64)


def _solo_places(classifier: Classifier, loops: list[Specimen]) -> NDArray[np.int64]:
    wanted = [riffs.accepted(loop.facts.instruments[0]) for loop in loops]
    return _places(classifier.judge(_levels(loops)).solo, wanted, classifier.sounds)


def _distances(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return torch.cdist(torch.from_numpy(first), torch.from_numpy(second)).numpy()


def _spread(embedding: NDArray[np.float64]) -> float:
    """Mean distance of all pairs of rows."""
    count = len(embedding)
    return float(_distances(embedding, embedding).sum() / max(1, count * (count - 1)))


def _thumbnails(loops: list[Specimen]) -> NDArray[np.float64]:
    """(N, 1280) pictures of 64 sixteenths at 32 x 40, each with mean 0 and length 1."""
    small = np.stack([view(loop.level).reshape(32, 8, 40, 4).mean((1, 3)).ravel() for loop in loops])
    small = small - small.mean(1, keepdims=True)
    return np.asarray(small / np.linalg.norm(small, axis=1, keepdims=True).clip(1e-9))


def _line(embedding: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row's place on the line from the first row, 0, to the last, 1."""
    way = embedding[-1] - embedding[0]
    return np.asarray((embedding - embedding[0]) @ way / max(float(way @ way), 1e-12))


def _rank_correlation(values: NDArray[np.float64]) -> float:
    """Spearman's, with rising numbers."""
    return float(np.corrcoef(values.argsort().argsort(), np.arange(len(values)))[0, 1])


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value, 1)
