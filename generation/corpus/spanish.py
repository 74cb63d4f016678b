"""Captions in Spanish: the same truths in fewer voices, with articles and agreement right.

Adjectives are masculine throughout, since they belong to "bucle", the loop.
"""

from random import Random

from generation.corpus.genres import GENRES
from generation.corpus.instruments import BASSES, KITS, MELODIC, TEXTURES
from generation.corpus.score import Part, Score

_NAMES = {
    name: sound.spanish for sounds in (MELODIC, BASSES, KITS, TEXTURES) for name, sound in sounds.items()
}
_TONICS = (
    "do", "do sostenido", "re", "mi bemol", "mi", "fa", "fa sostenido", "sol", "la bemol", "la", "si bemol", "si",
)  # fmt: skip
_FEMININE = frozenset(
    ("guitarra", "batería", "flauta", "trompeta", "celesta", "marimba", "kalimba", "armónica", "caja", "cajita",
     "trompa", "campana", "percusión", "melodía", "zampoña", "sección", "lira", "onda")
)  # fmt: skip
MOODS = {
    "adventurous": "aventurero", "aggressive": "agresivo", "ancient": "ancestral", "bittersweet": "agridulce",
    "bouncy": "saltarín", "bright": "brillante", "brutal": "brutal", "calm": "tranquilo", "carefree": "despreocupado",
    "catchy": "pegadizo", "cheerful": "alegre", "chill": "relajado", "cold": "frío", "cool": "elegante",
    "cozy": "acogedor", "dancing": "bailable", "dark": "oscuro", "dramatic": "dramático", "dreamy": "soñador",
    "driving": "impetuoso", "earthy": "terrenal", "elegant": "elegante", "emotional": "emotivo",
    "energetic": "enérgico", "epic": "épico", "ethereal": "etéreo", "euphoric": "eufórico", "exotic": "exótico",
    "expressive": "expresivo", "festive": "festivo", "fiery": "fogoso", "funky": "funky", "furious": "furioso",
    "futuristic": "futurista", "gentle": "suave", "graceful": "grácil", "groovy": "con groove", "happy": "alegre",
    "hard": "duro", "haunting": "inquietante", "heavy": "pesado", "heroic": "heroico", "hot": "caliente",
    "hypnotic": "hipnótico", "industrial": "industrial", "joyful": "jubiloso", "laid back": "relajado",
    "late night": "nocturno", "lazy": "perezoso", "lively": "animado", "majestic": "majestuoso",
    "meditative": "meditativo", "melancholic": "melancólico", "menacing": "amenazante", "merry": "alegre",
    "mysterious": "misterioso", "mystical": "místico", "noble": "noble", "nostalgic": "nostálgico",
    "passionate": "apasionado", "peaceful": "apacible", "playful": "juguetón", "proud": "orgulloso",
    "raw": "crudo", "rebellious": "rebelde", "relaxed": "relajado", "retro": "retro", "romantic": "romántico",
    "rustic": "rústico", "sad": "triste", "sensual": "sensual", "simple": "sencillo", "sleepy": "adormecido",
    "smooth": "suave", "solemn": "solemne", "soulful": "emotivo", "spacious": "espacioso", "sunny": "soleado",
    "sweet": "dulce", "tender": "tierno", "tense": "tenso", "uplifting": "optimista", "warm": "cálido",
    "wistful": "nostálgico",
}  # fmt: skip
_IMPRESSIONS = {
    "sparse": "minimalista", "busy": "denso", "soft": "suave", "loud": "potente", "bright": "brillante",
    "dark": "oscuro",
}  # fmt: skip
_METRES = {"vals": "3/4", "giga": "6/8", "marinera": "6/8", "salomas": "6/8"}
_PROMISES = {"drum": "drums", "bass": "bass"}


def spanish_caption(score: Score, parts: list[Part], impressions: tuple[str, ...], random: Random) -> str:
    """One line in Spanish about the parts that are heard."""
    names = list(dict.fromkeys(_name(part, random) for part in parts))
    alone = len({part.instrument for part in parts}) == 1
    genre = _genre(score, parts, random)
    mood = MOODS.get(score.mood, "") if random.random() < 0.35 else ""
    if impressions and random.random() < 0.2:
        mood = _IMPRESSIONS[random.choice(impressions)]
    said = _alone(parts[0], names[0], genre, mood, random) if alone else _together(names, genre, mood, random)
    roles = {part.role for part in parts}
    if roles == {"texture"}:
        return said
    said += _facts(score, parts, random) if len(names) < 5 else ""
    if "drums" not in roles and len(names) < 4 and random.random() < 0.08:
        return f"{said}, sin batería"
    if "bass" not in roles and not alone and len(names) < 4 and random.random() < 0.03:
        return f"{said}, sin bajo"
    return said


def _alone(part: Part, name: str, genre: str, mood: str, random: Random) -> str:
    if part.role == "texture":
        return random.choice((name, name, f"solo {name}", f"bucle de {name}", f"ambiente de {name}"))
    if random.random() < 0.4:
        choices = [name, name, f"solo de {name}", f"bucle de {name}", _with_article(name)]
        return random.choice([*choices, f"{name} solo"] if name == "piano" else choices)
    if part.is_drums and genre:
        kind = random.choice(("batería", "ritmo", "bucle de batería"))
        return f"{kind} de {genre}" if random.random() < 0.6 else f"{name}, {genre}"
    loop = f"bucle {mood} de {name}" if mood else f"bucle de {name}"
    if genre and random.random() < 0.5:
        return random.choice((f"{name} de {genre}", f"{genre} con {name}", f"{loop}, {genre}"))
    return random.choice((loop, f"un {loop}", f"solo de {name}"))


def _together(names: list[str], genre: str, mood: str, random: Random) -> str:
    listed = _listed(names)
    loop = f"bucle {mood}" if mood else "bucle"
    if not genre:
        return random.choice(
            (
                listed,
                f"{loop} con {listed}",
                f"un {loop} de {listed}",
                ", ".join(filter(None, (*names, mood))),
            )
        )
    return random.choice(
        (
            f"{genre} con {listed}",
            f"{loop} de {genre} con {listed}",
            f"un {loop} de {genre} con {listed}",
            f"{loop} de {genre}: {listed}",
            ", ".join(filter(None, (genre, mood, *names))),
            f"{listed}, {genre}",
        )
    )


def _name(part: Part, random: Random) -> str:
    if part.is_drums and random.random() < 0.5:
        return random.choice(("batería", "batería", "percusión"))
    names = _NAMES[part.instrument]
    return names[0] if random.random() < 0.7 else random.choice(names)


def _genre(score: Score, parts: list[Part], random: Random) -> str:
    """A word for the genre that promises neither a player nor a metre that is not heard; "" if there is none."""
    audible = {str(part.role) for part in parts}
    if not score.genre or audible == {"texture"}:
        return ""
    fitting = [
        name
        for name in GENRES[score.genre].spanish
        if {_PROMISES[word] for word in name.split() if word in _PROMISES} <= audible
        and all(_METRES.get(word, score.metre) == score.metre for word in name.split())
    ]
    return random.choice([fitting[0], *fitting]) if fitting and random.random() < 0.85 else ""


def _facts(score: Score, parts: list[Part], random: Random) -> str:
    facts = ""
    if any(part.role not in ("drums", "texture") for part in parts) and random.random() < 0.15:
        facts += f" en {_TONICS[score.key.tonic]} {'menor' if score.key.minor else 'mayor'}"
    if score.metre != "4/4" and random.random() < 0.4:
        words = ["compás de " + score.metre, "en " + score.metre]
        facts += ", " + random.choice([*words, "ritmo de vals"] if score.metre == "3/4" else words)
    if random.random() < 0.3:
        pulse = score.bpm / 1.25 if score.metre == "6/8" else score.bpm
        word = "lento" if pulse < 85 else "rápido" if pulse > 135 else "tempo medio"
        facts += random.choice((f" a {score.bpm} bpm", f", {score.bpm} bpm", f", {word}"))
    return facts


def _listed(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    last = names[-1]
    becomes_e = last.startswith(("i", "hi")) and not last.startswith("hie")
    return f"{', '.join(names[:-1])} {'e' if becomes_e else 'y'} {last}"


def _with_article(name: str) -> str:
    """The name behind "un" or "una"; plural and collective names stay as they are."""
    first = name.split()[0]
    if first.endswith("s") or not first[0].isalpha() or first in ("percusión", "chiptune", "pizzicato"):
        return name
    return f"{'una' if first in _FEMININE else 'un'} {name}"
