"""What a person could have typed to get a loop: the same score in many voices, naming only what is heard."""

from random import Random

from generation.corpus.genres import GENRES
from generation.corpus.instruments import BASSES, KITS, MELODIC
from generation.corpus.score import Part, Score
from generation.request import Key

_TONICS = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
_DRUM_WORDS = ("drums", "beat", "drum loop", "drum beat", "percussion")
_SYNONYMS = {
    **{instrument.name: instrument.synonyms for instrument in (*MELODIC.values(), *BASSES.values())},
    **{kit.name: kit.synonyms for kit in KITS.values()},
}

# Words in a genre's name that promise a player, who then has to be heard.
_PROMISES = {"drum": "drums", "beat": "drums", "beats": "drums", "bass": "bass"}

_FIGURES = {
    "melody": ("melody", "line"),
    "slow melody": ("slow melody", "melody"),
    "riff": ("riff",),
    "arpeggio": ("arpeggio", "arpeggios"),
    "peal": ("peal", "ringing"),
    "toll": ("tolling", "tolling slowly"),
    "sustained": ("chords", "long chords"),
    "walk": ("walking line",),
    "strums": ("strumming", "chords"),
    "chugs": ("riff", "power chords"),
}
_WITHOUT_ARTICLE = ("percussion", "pizzicato", "brass", "ringing", "tolling", "slowly", "strumming")


def caption(score: Score, present: frozenset[str], random: Random) -> str:
    """One line about the stems in `present`; raises ValueError where no part of the score is among them."""
    parts = [
        part for role in ("lead", "chords", "bass", "drums") if role in present and (part := score.part(role))
    ]
    if not parts:
        raise ValueError("A caption needs a part that is heard.")
    genre = _genre(score, {part.role for part in parts}, random)
    is_solo = len({part.instrument for part in parts}) == 1
    text = (_solo if is_solo else _ensemble)(score, parts, genre, random)
    if not any(part.is_drums for part in parts) and random.random() < (0.12 if score.part("drums") else 0.05):
        text += random.choice((", without drums", ", no drums"))
    return text


def _solo(score: Score, parts: list[Part], genre: str, random: Random) -> str:
    part = parts[0]
    name = _mention(part, random)
    if random.random() < 0.4:
        return random.choice(
            (name, name, f"solo {name}", f"{name} solo", f"{name} loop", _with_article(name))
        )
    if part.is_drums:
        if genre and random.random() < 0.75:
            name = _joined(genre, random.choice((name, *_DRUM_WORDS)))
    elif genre and random.random() < 0.5:
        name = _joined(genre, name)
    figures = _FIGURES.get(part.figure, ("chords",) if part.role == "chords" else ())
    if figures and len(parts) == 1 and random.random() < 0.45:
        name = _joined(name, random.choice(figures))
    mood = score.mood if random.random() < 0.4 else ""
    voice = random.random()
    if voice < 0.35:
        return _tags([mood, name, *_facts(score, random)], random)
    if voice < 0.6:
        return _sentence(_joined(mood, name), score, random)
    if voice < 0.8:
        return _sentence(_joined("solo", mood, name), score, random)
    return _sentence(_with_article(_joined(mood, name)), score, random)


def _ensemble(score: Score, parts: list[Part], genre: str, random: Random) -> str:
    by_instrument = {part.instrument: part for part in reversed(parts)}
    mentions = [_mention(part, random) for part in reversed(by_instrument.values())]
    if random.random() < 0.3:
        mentions = mentions[: random.randint(1, len(mentions))]
    if random.random() < 0.3:
        random.shuffle(mentions)
    genre = genre if random.random() < 0.88 else ""
    mood = score.mood if random.random() < 0.4 else ""
    heard = _listed(mentions)
    voice = random.random()
    if voice < 0.22:
        return _tags([genre, mood, *mentions, *_facts(score, random)], random)
    if voice < 0.32 and genre:
        return _sentence(_joined(mood, genre), score, random)
    if voice < 0.42:
        return _sentence(heard, score, random)
    if voice < 0.54 and len(mentions) > 1:
        return _sentence(_joined(mood, genre, mentions[0], "over", _listed(mentions[1:])), score, random)
    if voice < 0.76:
        return _sentence(_joined(mood, genre, heard), score, random)
    if voice < 0.9:
        subject = _joined(mood, genre, random.choice(("loop", "loop", "groove", "track")))
        subject = _with_article(subject) if random.random() < 0.4 else subject
        return _sentence(f"{subject} with {heard}", score, random)
    return _sentence(", ".join(filter(None, (heard, _joined(mood, genre)))), score, random)


def _mention(part: Part, random: Random) -> str:
    if part.is_drums and random.random() < 0.45:
        return random.choice(_DRUM_WORDS)
    synonyms = _SYNONYMS[part.instrument]
    name = synonyms[0] if random.random() < 0.5 else random.choice(synonyms)
    return f"{name} chords" if part.role == "chords" and random.random() < 0.15 else name


def _genre(score: Score, audible: set[str], random: Random) -> str:
    """A word for the genre that promises nobody who is not heard; "" where there is none."""
    if not score.genre:
        return ""
    names = (score.genre, score.genre, *GENRES[score.genre].synonyms)
    return random.choice([name for name in names if _promised(name) <= audible])


def _promised(name: str) -> set[str]:
    return {_PROMISES[word] for word in name.split() if word in _PROMISES}


def _facts(score: Score, random: Random) -> list[str]:
    """Tempo and key, each now and then."""
    facts = []
    if random.random() < 0.45:
        facts.append(_tempo(score.bpm, random))
    if random.random() < 0.25:
        facts.append(_key(score.key, random))
    return facts


def _tempo(bpm: int, random: Random) -> str:
    if random.random() < 0.65:
        return f"{bpm} bpm"
    return "slow" if bpm < 85 else "fast" if bpm > 135 else "mid tempo"


def _key(key: Key, random: Random) -> str:
    return str(key) if random.random() < 0.4 else f"{_TONICS[key.tonic]} {'minor' if key.minor else 'major'}"


def _tags(tags: list[str], random: Random) -> str:
    tags = list(dict.fromkeys(filter(None, tags)))
    if random.random() < 0.4:
        random.shuffle(tags)
    return ", ".join(tags)


def _sentence(subject: str, score: Score, random: Random) -> str:
    key = f" in {_key(score.key, random)}" if random.random() < 0.22 else ""
    tempo = ""
    if random.random() < 0.4:
        word = _tempo(score.bpm, random)
        tempo = random.choice((f" at {word}", f", {word}")) if word.endswith("bpm") else f", {word}"
    return subject + key + tempo


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
    if is_plural or last in _WITHOUT_ARTICLE:
        return subject
    takes_an = subject[0] in "aeio8" or subject.startswith("up")
    return f"{'an' if takes_an and not subject.startswith('eu') else 'a'} {subject}"
