"""What a person could have typed to get a loop: the same score in many voices, naming only what is heard.

A bare name ("piano") belongs to loops where nobody else plays; where several play, all of them are named or the
caption says that there are more.
"""

from random import Random

from generation.corpus.genres import GENRES
from generation.corpus.instruments import BASSES, KITS, MELODIC, TEXTURES
from generation.corpus.score import Part, Score
from generation.corpus.spanish import spanish_caption
from generation.request import SAMPLE_RATE, Key

SPANISH_SHARE = 0.08
# Word pieces that the text encoder reads are about as many as words, commas and half the long words.
_LONGEST = 24
_TONICS = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
_DRUM_WORDS = ("drums", "beat", "drum loop", "drum beat", "percussion")
_SYNONYMS = {
    name: sound.synonyms for sounds in (MELODIC, BASSES, KITS, TEXTURES) for name, sound in sounds.items()
}
_ORDER = ("lead", "counter", "chords", "bass", "drums", "texture")
_ENSEMBLES = {2: ("duo",), 3: ("trio",), 4: ("quartet", "band"), 5: ("quintet", "band"), 6: ("band",)}

# Words in a genre's name that promise a player, who then has to be heard, or a metre.
_PROMISES = {"drum": "drums", "beat": "drums", "beats": "drums", "bass": "bass"}
_METRES = {
    "waltz": "3/4",
    "vals": "3/4",
    "jig": "6/8",
    "giga": "6/8",
    "shanty": "6/8",
    "shuffle": "4/4",
    "step": "4/4",
}
_METRE_WORDS = {
    "3/4": ("in 3/4", "in 3/4 time", "in three", "waltz time", "3/4"),
    "6/8": ("in 6/8", "6/8 groove", "6/8", "in six eight", "6/8 time"),
    "4/4": ("in 4/4", "4/4", "in four four"),
}

_FIGURES = {
    "melody": ("melody", "line"),
    "slow melody": ("slow melody", "melody"),
    "riff": ("riff", "hook", "ostinato"),
    "arpeggio": ("arpeggio", "arpeggios"),
    "peal": ("peal", "ringing"),
    "toll": ("tolling", "tolling slowly"),
    "sustained": ("chords", "long chords"),
    "walk": ("walking line",),
    "strums": ("strumming", "chords"),
    "chugs": ("riff", "power chords"),
    "montuno": ("montuno",),
    "acid": ("line", "sequence"),
    "octaves": ("octaves",),
    "fill": ("with a fill", "with a drum fill", "and fill"),
    "build": ("build up", "with a snare roll", "buildup"),
}
_WITHOUT_ARTICLE = (
    "percussion", "pizzicato", "brass", "ringing", "tolling", "slowly", "strumming", "rain", "rainfall", "typing",
    "crackle", "wind", "birdsong", "thunder", "ticking", "whistling", "chiptune", "noise", "keyboard", "808", "909",
)  # fmt: skip


def caption(score: Score, present: frozenset[str], random: Random) -> str:
    """One line about the stems in `present`; raises ValueError where no part of the score is among them."""
    parts = [part for role in _ORDER if role in present and (part := score.part(role))]
    if not parts:
        raise ValueError("A caption needs a part that is heard.")
    words = impression(score, parts)
    if random.random() < SPANISH_SHARE:
        return spanish_caption(score, parts, words, random)
    genre = _genre(score, parts, random)
    is_solo = len({part.instrument for part in parts}) == 1
    say = _solo if is_solo else _ensemble
    said = say(score, parts, genre, words, random)
    for _ in range(6):
        if _pieces(said) <= _LONGEST:
            break
        said = say(score, parts, genre, words, random)
    roles = {part.role for part in parts}
    if roles == {"texture"} or _pieces(said) > _LONGEST - 2:
        return said
    if "drums" not in roles and random.random() < (0.12 if score.part("drums") else 0.05):
        return said + random.choice((", without drums", ", no drums", " without drums"))
    if "bass" not in roles and not is_solo and random.random() < 0.04:
        return said + random.choice((", without bass", ", no bass"))
    return said


def impression(score: Score, parts: list[Part]) -> tuple[str, ...]:
    """Words for how busy, how high and how hard the parts play: "sparse", "busy", "bright" and so on, or none."""
    played = [part for part in parts if part.role != "texture"]
    if not played:
        return ()
    seconds = score.samples / SAMPLE_RATE
    rate = sum(len({round(note.start, 1) for note in part.notes}) for part in played) / seconds
    touch = sum(note.velocity for part in played for note in part.notes) / sum(
        len(part.notes) for part in played
    )
    words = []
    crowd = len(played)
    if rate < 1.1 + 0.5 * crowd:
        words.append("sparse")
    if rate > 6.5 + 3.2 * crowd:
        words.append("busy")
    if touch < 66:
        words.append("soft")
    if touch > 103:
        words.append("loud")
    pitches = [
        (note.pitch, note.length)
        for part in played
        if part.role in ("lead", "chords", "counter")
        for note in part.notes
    ]
    if pitches:
        height = sum(pitch * length for pitch, length in pitches) / sum(length for _, length in pitches)
        has_low = any(part.role in ("bass", "drums") for part in played)
        if height > (74 if has_low else 77):
            words.append("bright")
        if height < 57 and score.key.minor:
            words.append("dark")
    return tuple(words)


_IMPRESSIONS = {
    "sparse": ("sparse", "minimalist", "spacious"),
    "busy": ("busy", "dense", "full of notes"),
    "soft": ("soft", "quiet", "softly played"),
    "loud": ("loud", "powerful", "hard hitting"),
    "bright": ("bright", "high"),
    "dark": ("dark", "low"),
}


def _pieces(text: str) -> int:
    return len(text.replace(",", " ,").split()) + sum(len(word) > 8 for word in text.split()) // 2


def _solo(score: Score, parts: list[Part], genre: str, impressions: tuple[str, ...], random: Random) -> str:
    part = parts[0]
    name = _mention(part, random)
    is_texture = part.role == "texture"
    if random.random() < 0.3:
        plain = _SYNONYMS[part.instrument][0]
        name = random.choice((plain, plain, name)) if not part.is_drums else name
        if is_texture:
            return random.choice((name, name, name, f"{name} loop", f"just {name}", f"sound of {name}"))
        looped = name if name.endswith("loop") else f"{name} loop"
        return random.choice((name, name, name, f"solo {name}", looped, _with_article(name)))
    if is_texture:
        return _texture_alone(name, random)
    if part.is_drums:
        if genre and random.random() < 0.75:
            name = _joined(genre, random.choice((name, name, *_DRUM_WORDS)))
    elif genre and random.random() < 0.55:
        name = _joined(genre, name)
    figures = _FIGURES.get(part.figure, ("chords",) if part.role == "chords" else ())
    if figures and len(parts) == 1 and "arpeggio" not in name and random.random() < 0.45:
        name = _joined(name, random.choice(figures))
    mood = _mood(score, impressions, random)
    voice = random.random()
    if voice < 0.3:
        return _tags([mood, name, *_facts(score, parts, random)], random)
    if voice < 0.55:
        return _sentence(_joined(mood, name), score, parts, random)
    if voice < 0.75:
        return _sentence(_joined("solo", mood, name), score, parts, random)
    if voice < 0.9:
        return _sentence(_with_article(_joined(mood, name)), score, parts, random)
    return _sentence(
        f"{name} {random.choice(('alone', 'on its own', 'all by itself', 'unaccompanied'))}",
        score,
        parts,
        random,
    )


def _texture_alone(name: str, random: Random) -> str:
    voices = (
        "{} ambience",
        "{} background",
        "sound of {}",
        "only {}",
        "{}, no music",
        "{} sound effect",
        "{} noise loop",
    )
    return random.choice(voices).format(name)


def _ensemble(
    score: Score, parts: list[Part], genre: str, impressions: tuple[str, ...], random: Random
) -> str:
    by_instrument = {part.instrument: part for part in reversed(parts)}
    heard = list(reversed(by_instrument.values()))
    mentions = list(dict.fromkeys(_mention(part, random) for part in heard))
    mood = _mood(score, impressions, random)
    drop = random.random()
    if genre and drop < 0.07:
        return _genre_alone(score, parts, genre, mood, random)
    if genre and drop < 0.08 and len(mentions) > 1:
        some = random.sample(mentions, random.randint(1, len(mentions) - 1))
        subject = _joined(mood, genre, random.choice(("band", "ensemble")))
        return _sentence(
            f"{subject} with {_listed(some)} {random.choice(('and others', 'and more'))}",
            score,
            parts,
            random,
        )
    if random.random() < 0.3:
        random.shuffle(mentions)
    genre = genre if random.random() < 0.88 else ""
    listed = _listed(mentions)
    texture = next(
        (
            mention
            for part in heard
            if part.role == "texture"
            for mention in mentions
            if mention in _SYNONYMS[part.instrument]
        ),
        "",
    )
    others = [mention for mention in mentions if mention != texture]
    voice = random.random()
    if voice < 0.22:
        return _tags([genre, mood, *mentions, *_facts(score, parts, random)], random)
    if voice < 0.32:
        return _sentence(listed, score, parts, random)
    if voice < 0.44 and texture and others:
        place = random.choice(
            (f"with {texture} in the background", f"over {texture}", f"and {texture}", f"with {texture}")
        )
        return _sentence(_joined(mood, genre, _listed(others), place), score, parts, random)
    if voice < 0.44 and len(mentions) > 1:
        return _sentence(
            _joined(mood, genre, mentions[0], "over", _listed(mentions[1:])), score, parts, random
        )
    if voice < 0.60:
        return _sentence(_joined(mood, genre, listed), score, parts, random)
    if voice < 0.78:
        subject = _joined(mood, genre, random.choice(("loop", "loop", "groove", "track", "music")))
        subject = (
            _with_article(subject) if random.random() < 0.4 and not subject.endswith("music") else subject
        )
        return _sentence(f"{subject} with {listed}", score, parts, random)
    if voice < 0.84 and not texture:
        subject = _joined(mood, genre, random.choice(_ENSEMBLES[len(mentions)]))
        return _sentence(f"{subject}: {listed}", score, parts, random)
    if voice < 0.90 and genre and not texture:
        return _sentence(f"{listed} playing {_joined(mood, genre)}", score, parts, random)
    if voice < 0.94 and mood:
        return _sentence(f"{mood}: {_joined(genre, listed)}", score, parts, random)
    return _sentence(", ".join(filter(None, (listed, _joined(mood, genre)))), score, parts, random)


def _genre_alone(score: Score, parts: list[Part], genre: str, mood: str, random: Random) -> str:
    kinds = ["loop", "groove", "track", "music", "", ""]
    if any(part.is_drums for part in parts):
        kinds.append("beat")
    subject = _joined(mood, genre, random.choice(kinds))
    if random.random() < 0.5:
        return subject
    return _sentence(subject, score, parts, random)


def _mention(part: Part, random: Random) -> str:
    if part.is_drums and random.random() < 0.45:
        return random.choice(_DRUM_WORDS)
    synonyms = _SYNONYMS[part.instrument]
    name = synonyms[0] if random.random() < 0.6 else random.choice(synonyms)
    return (
        f"{name} chords" if part.role == "chords" and "arp" not in name and random.random() < 0.12 else name
    )


def _mood(score: Score, impressions: tuple[str, ...], random: Random) -> str:
    """The genre's mood, a true word about the playing, or neither."""
    draw = random.random()
    if draw < 0.2 and impressions:
        return random.choice(_IMPRESSIONS[random.choice(impressions)])
    return score.mood if draw < 0.48 else ""


def _genre(score: Score, parts: list[Part], random: Random) -> str:
    """A word for the genre that promises neither a player nor a metre that is not heard; "" if there is none."""
    if not score.genre or all(part.role == "texture" for part in parts):
        return ""
    audible = {str(part.role) for part in parts}
    names = (score.genre, score.genre, *GENRES[score.genre].synonyms)
    fitting = [name for name in names if keeps_promises(name, score, audible)]
    return random.choice(fitting) if fitting else ""


def keeps_promises(name: str, score: Score, audible: set[str]) -> bool:
    """Whether everybody that a genre's name promises is heard, in the metre and tempo that it means."""
    words = name.replace("-", " ").split()
    return (
        {_PROMISES[word] for word in words if word in _PROMISES} <= audible
        and all(_METRES.get(word, score.metre) == score.metre for word in words)
        and not ("slow" in words and score.bpm > 95 and score.metre != "6/8")
    )


def _is_pitched(parts: list[Part]) -> bool:
    return any(part.role not in ("drums", "texture") for part in parts)


def _facts(score: Score, parts: list[Part], random: Random) -> list[str]:
    """Tempo, key and metre, each now and then."""
    facts = []
    if random.random() < 0.42:
        facts.append(_tempo(score, random))
    if _is_pitched(parts) and random.random() < 0.22:
        facts.append(_key(score.key, random))
    if random.random() < _METRE_SHARES[score.metre]:
        facts.append(random.choice(_METRE_WORDS[score.metre]))
    return facts


_METRE_SHARES = {"4/4": 0.04, "3/4": 0.45, "6/8": 0.45}


def _tempo(score: Score, random: Random) -> str:
    if random.random() < 0.65:
        return f"{score.bpm} bpm"
    pulse = score.bpm / 1.25 if score.metre == "6/8" else score.bpm
    return "slow" if pulse < 85 else "fast" if pulse > 135 else "mid tempo"


def _key(key: Key, random: Random) -> str:
    return str(key) if random.random() < 0.4 else f"{_TONICS[key.tonic]} {'minor' if key.minor else 'major'}"


def _tags(tags: list[str], random: Random) -> str:
    tags = list(dict.fromkeys(filter(None, tags)))
    if random.random() < 0.4:
        random.shuffle(tags)
    return ", ".join(tags)


def _sentence(subject: str, score: Score, parts: list[Part], random: Random) -> str:
    key = f" in {_key(score.key, random)}" if _is_pitched(parts) and random.random() < 0.2 else ""
    metre = ""
    if random.random() < _METRE_SHARES[score.metre]:
        words = random.choice(_METRE_WORDS[score.metre])
        metre = f" {words}" if words.startswith("in ") and not key else f", {words}"
    tempo = ""
    if random.random() < 0.36:
        word = _tempo(score, random)
        tempo = random.choice((f" at {word}", f", {word}")) if word.endswith("bpm") else f", {word}"
    return subject + key + metre + tempo


def _joined(*phrases: str) -> str:
    """The phrases as one, without saying a word twice in a row."""
    words = " ".join(phrases).split()
    return " ".join(word for index, word in enumerate(words) if index == 0 or word != words[index - 1])


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _with_article(subject: str) -> str:
    """The subject behind "a" or "an"; plural and collective names stay as they are."""
    last = subject.split()[-1]
    is_plural = last.endswith("s") and last not in ("bass", "vibes")
    if is_plural or last in _WITHOUT_ARTICLE or " with " in subject or " and " in subject:
        return subject
    takes_an = subject[0] in "aeio8" or subject.startswith(("up", "un"))
    return f"{'an' if takes_an and not subject.startswith('eu') else 'a'} {subject}"
