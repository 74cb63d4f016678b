"""What the composer writes for: sounds, their ranges and what people call them, in English and Spanish.

A sound is a General MIDI program, played by a soundfont, or a patch of our own in `generation.corpus.synth`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instrument:
    """A pitched sound; `low` to `high` are MIDI notes, both playable.

    Either `program` (General MIDI 1, counted from 0) or `synth` (a name in `synth.PATCHES`) is given.
    `sustained` sounds last as long as the key is held, the others ring out. `chordal` ones play several notes
    at once. The first synonym is the plain name; `spanish` has the Spanish ones, the plain name first.
    """

    name: str
    low: int
    high: int
    synonyms: tuple[str, ...]
    sustained: bool = False
    chordal: bool = True
    program: int | None = None
    synth: str | None = None
    spanish: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kit:
    """A drum kit: a program of the percussion bank, or `synth`, a name in `synth.KITS`."""

    name: str
    synonyms: tuple[str, ...]
    program: int | None = None
    synth: str | None = None
    spanish: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Texture:
    """A bed of noise or an effect from `synth.TEXTURES`.

    Its notes say when it sounds and how strongly (velocity); their pitch means nothing.
    """

    name: str
    synth: str
    synonyms: tuple[str, ...]
    spanish: tuple[str, ...] = ()


Sound = Instrument | Kit | Texture


def _catalogue(*instruments: Instrument) -> dict[str, Instrument]:
    return {instrument.name: instrument for instrument in instruments}


MELODIC = _catalogue(
    Instrument(
        "piano",
        40,
        88,
        ("piano", "grand piano", "acoustic piano"),
        program=0,
        spanish=("piano", "piano de cola", "piano acústico"),
    ),
    Instrument(
        "rhodes",
        45,
        82,
        ("rhodes", "electric piano", "rhodes keys"),
        program=4,
        spanish=("piano eléctrico", "rhodes", "teclado rhodes"),
    ),
    Instrument(
        "harpsichord",
        45,
        84,
        ("harpsichord", "baroque harpsichord", "cembalo"),
        program=6,
        spanish=("clavecín", "clave barroco", "clavicémbalo"),
    ),
    Instrument("celesta", 60, 96, ("celesta", "celeste"), program=8, spanish=("celesta",)),
    Instrument(
        "glockenspiel",
        72,
        100,
        ("glockenspiel", "orchestra bells glockenspiel"),
        program=9,
        spanish=("glockenspiel", "carillón", "lira de orquesta"),
    ),
    Instrument(
        "music box",
        66,
        96,
        ("music box", "toy music box"),
        program=10,
        spanish=("caja de música", "cajita musical"),
    ),
    Instrument("vibraphone", 55, 86, ("vibraphone", "vibes"), program=11, spanish=("vibráfono",)),
    Instrument(
        "marimba", 50, 86, ("marimba", "wooden marimba"), program=12, spanish=("marimba", "marimba de madera")
    ),
    Instrument(
        "church bells",
        55,
        79,
        ("church bells", "tubular bells", "bells", "church bell", "chimes"),
        chordal=False,
        program=14,
        spanish=("campanas de iglesia", "campanas", "campanas tubulares"),
    ),
    Instrument(
        "organ",
        48,
        82,
        ("organ", "hammond organ", "drawbar organ"),
        sustained=True,
        program=16,
        spanish=("órgano", "órgano hammond"),
    ),
    Instrument(
        "church organ",
        41,
        84,
        ("church organ", "pipe organ"),
        sustained=True,
        program=19,
        spanish=("órgano de iglesia", "órgano de tubos"),
    ),
    Instrument("accordion", 52, 84, ("accordion",), sustained=True, program=21, spanish=("acordeón",)),
    Instrument(
        "harmonica",
        60,
        84,
        ("harmonica", "blues harp"),
        sustained=True,
        chordal=False,
        program=22,
        spanish=("armónica",),
    ),
    Instrument(
        "nylon guitar",
        43,
        78,
        ("nylon guitar", "classical guitar", "spanish guitar"),
        program=24,
        spanish=("guitarra española", "guitarra clásica", "guitarra de nailon"),
    ),
    Instrument(
        "acoustic guitar",
        43,
        78,
        ("acoustic guitar", "steel string guitar", "folk guitar"),
        program=25,
        spanish=("guitarra acústica", "guitarra de cuerdas de acero"),
    ),
    Instrument(
        "clean guitar",
        43,
        78,
        ("clean electric guitar", "clean guitar", "electric guitar"),
        program=27,
        spanish=("guitarra eléctrica limpia", "guitarra eléctrica"),
    ),
    Instrument(
        "distorted guitar",
        40,
        76,
        ("distorted guitar", "heavy guitar", "overdriven electric guitar"),
        sustained=True,
        program=30,
        spanish=("guitarra distorsionada", "guitarra eléctrica con distorsión"),
    ),
    Instrument(
        "violin",
        57,
        91,
        ("violin", "solo violin", "fiddle"),
        sustained=True,
        chordal=False,
        program=40,
        spanish=("violín", "violín solista"),
    ),
    Instrument(
        "cello",
        38,
        72,
        ("cello", "violoncello"),
        sustained=True,
        chordal=False,
        program=42,
        spanish=("violonchelo", "chelo"),
    ),
    Instrument(
        "pizzicato strings",
        48,
        84,
        ("pizzicato strings", "plucked strings", "pizzicato"),
        program=45,
        spanish=("cuerdas en pizzicato", "pizzicato"),
    ),
    Instrument("harp", 45, 90, ("harp", "concert harp"), program=46, spanish=("arpa",)),
    Instrument(
        "timpani",
        38,
        57,
        ("timpani", "kettledrums"),
        chordal=False,
        program=47,
        spanish=("timbales de orquesta", "timbales sinfónicos"),
    ),
    Instrument(
        "strings",
        45,
        86,
        ("strings", "string section", "orchestral strings"),
        sustained=True,
        program=48,
        spanish=("cuerdas", "sección de cuerdas", "cuerdas de orquesta"),
    ),
    Instrument(
        "synth strings",
        45,
        84,
        ("synth strings", "string machine"),
        sustained=True,
        program=50,
        spanish=("cuerdas sintéticas", "cuerdas de sintetizador"),
    ),
    Instrument(
        "choir",
        48,
        79,
        ("choir", "choir voices", "aah vocals"),
        sustained=True,
        program=52,
        spanish=("coro", "voces de coro"),
    ),
    Instrument(
        "trumpet", 55, 84, ("trumpet",), sustained=True, chordal=False, program=56, spanish=("trompeta",)
    ),
    Instrument(
        "french horn",
        43,
        74,
        ("french horn", "horn"),
        sustained=True,
        program=60,
        spanish=("trompa", "corno francés"),
    ),
    Instrument(
        "brass",
        46,
        80,
        ("brass section", "brass", "horn section"),
        sustained=True,
        program=61,
        spanish=("metales", "sección de metales", "vientos metales"),
    ),
    Instrument(
        "saxophone",
        46,
        76,
        ("saxophone", "sax", "tenor sax"),
        sustained=True,
        chordal=False,
        program=66,
        spanish=("saxofón", "saxo", "saxo tenor"),
    ),
    Instrument("oboe", 58, 86, ("oboe",), sustained=True, chordal=False, program=68, spanish=("oboe",)),
    Instrument(
        "clarinet", 52, 86, ("clarinet",), sustained=True, chordal=False, program=71, spanish=("clarinete",)
    ),
    Instrument(
        "flute",
        60,
        93,
        ("flute",),
        sustained=True,
        chordal=False,
        program=73,
        spanish=("flauta", "flauta travesera"),
    ),
    Instrument(
        "pan flute",
        60,
        88,
        ("pan flute", "panpipes"),
        sustained=True,
        chordal=False,
        program=75,
        spanish=("flauta de pan", "zampoña"),
    ),
    Instrument(
        "chip lead",
        48,
        88,
        ("square wave lead", "8-bit lead", "chiptune lead", "square lead"),
        sustained=True,
        program=80,
        spanish=("melodía de 8 bits", "onda cuadrada"),
    ),
    Instrument(
        "synth lead",
        48,
        86,
        ("synth lead", "saw lead", "sawtooth synth", "synthesizer"),
        sustained=True,
        program=81,
        spanish=("sintetizador solista", "sintetizador"),
    ),
    Instrument(
        "synth pad",
        45,
        80,
        ("synth pad", "warm pad", "pad"),
        sustained=True,
        program=89,
        spanish=("colchón de sintetizador", "pad de sintetizador"),
    ),
    Instrument("sitar", 48, 79, ("sitar",), program=104, spanish=("sitar",)),
    Instrument("banjo", 50, 82, ("banjo",), program=105, spanish=("banjo",)),
    Instrument(
        "kalimba",
        58,
        88,
        ("kalimba", "thumb piano", "mbira"),
        program=108,
        spanish=("kalimba", "piano de pulgar"),
    ),
    Instrument(
        "steel drums",
        55,
        86,
        ("steel drums", "steel pan", "steelpan"),
        program=114,
        spanish=("tambores metálicos", "steel pan"),
    ),
    Instrument(
        "supersaw",
        45,
        88,
        ("supersaw", "detuned saws", "supersaw synth", "trance synth"),
        sustained=True,
        synth="supersaw",
        spanish=("supersaw", "sierras desafinadas", "sintetizador trance"),
    ),
    Instrument(
        "acid lead",
        45,
        81,
        ("acid lead", "303 lead", "resonant acid synth"),
        chordal=False,
        synth="acid lead",
        spanish=("sintetizador ácido", "melodía ácida"),
    ),
    Instrument(
        "fm bell",
        55,
        96,
        ("fm bell", "digital bell", "synthetic bell"),
        synth="fm bell",
        spanish=("campana fm", "campana digital"),
    ),
    Instrument(
        "fm electric piano",
        43,
        86,
        ("fm electric piano", "digital electric piano", "dx electric piano"),
        synth="fm electric piano",
        spanish=("piano eléctrico fm", "piano eléctrico digital"),
    ),
    Instrument(
        "chip pulse",
        48,
        88,
        ("chiptune", "pulse wave lead", "chip pulse", "chiptune synth"),
        sustained=True,
        synth="chip pulse",
        spanish=("chiptune", "onda de pulso"),
    ),
    Instrument(
        "chip arp",
        55,
        93,
        ("chiptune arpeggio", "8-bit arpeggio", "chip arp"),
        synth="chip arp",
        spanish=("arpegio chiptune", "arpegio de 8 bits"),
    ),
    Instrument(
        "synth pluck",
        48,
        90,
        ("synth pluck", "plucked synth", "pluck"),
        synth="synth pluck",
        spanish=("pluck de sintetizador", "sintetizador punteado"),
    ),
    Instrument(
        "analog brass",
        43,
        79,
        ("analog brass", "synth brass", "synth horns"),
        sustained=True,
        synth="analog brass",
        spanish=("metales sintéticos", "metales analógicos"),
    ),
    Instrument(
        "glass pad",
        48,
        86,
        ("glass pad", "glassy pad", "crystal pad"),
        sustained=True,
        synth="glass pad",
        spanish=("pad de cristal", "colchón cristalino"),
    ),
    Instrument(
        "theremin",
        57,
        86,
        ("theremin",),
        sustained=True,
        chordal=False,
        synth="theremin",
        spanish=("theremín",),
    ),
    Instrument(
        "whistle",
        67,
        93,
        ("whistle", "whistling", "human whistle"),
        sustained=True,
        chordal=False,
        synth="whistle",
        spanish=("silbido", "silbidos"),
    ),
)

BASSES = _catalogue(
    Instrument(
        "acoustic bass",
        28,
        55,
        ("upright bass", "double bass", "acoustic bass"),
        chordal=False,
        program=32,
        spanish=("contrabajo",),
    ),
    Instrument(
        "finger bass",
        28,
        55,
        ("bass guitar", "electric bass", "fingered bass"),
        chordal=False,
        program=33,
        spanish=("bajo eléctrico", "bajo"),
    ),
    Instrument(
        "picked bass",
        28,
        55,
        ("picked bass", "picked electric bass"),
        chordal=False,
        program=34,
        spanish=("bajo con púa",),
    ),
    Instrument(
        "fretless bass", 28, 57, ("fretless bass",), chordal=False, program=35, spanish=("bajo sin trastes",)
    ),
    Instrument(
        "slap bass",
        28,
        57,
        ("slap bass", "slapped bass"),
        chordal=False,
        program=36,
        spanish=("bajo slap", "bajo con slap"),
    ),
    Instrument(
        "synth bass",
        28,
        57,
        ("synth bass", "analog synth bass"),
        sustained=True,
        chordal=False,
        program=38,
        spanish=("bajo sintético", "bajo de sintetizador"),
    ),
    Instrument(
        "sub bass",
        28,
        52,
        ("sub bass", "deep synth bass"),
        sustained=True,
        chordal=False,
        program=39,
        spanish=("subgrave", "bajo sub"),
    ),
    Instrument(
        "acid bass",
        28,
        57,
        ("acid bass", "303 bass", "tb-303 bass line"),
        chordal=False,
        synth="acid bass",
        spanish=("bajo ácido", "bajo 303"),
    ),
    Instrument(
        "808 bass",
        24,
        48,
        ("808 bass", "808 sub", "gliding 808 bass"),
        sustained=True,
        chordal=False,
        synth="808 bass",
        spanish=("bajo 808", "subgrave 808"),
    ),
    Instrument(
        "reese bass",
        26,
        50,
        ("reese bass", "detuned bass", "growling reese"),
        sustained=True,
        chordal=False,
        synth="reese bass",
        spanish=("bajo reese", "bajo desafinado"),
    ),
    Instrument(
        "fm bass",
        28,
        57,
        ("fm bass", "digital bass"),
        chordal=False,
        synth="fm bass",
        spanish=("bajo fm", "bajo digital"),
    ),
    Instrument(
        "pluck bass",
        28,
        57,
        ("plucked synth bass", "pluck bass"),
        chordal=False,
        synth="pluck bass",
        spanish=("bajo sintético punteado", "bajo pluck"),
    ),
)

KITS = {
    kit.name: kit
    for kit in (
        Kit(
            "standard kit",
            ("drum kit", "acoustic drums", "drum set", "acoustic drum kit"),
            program=0,
            spanish=("batería", "batería acústica"),
        ),
        Kit(
            "room kit",
            ("room drum kit", "roomy acoustic drums", "drum kit"),
            program=8,
            spanish=("batería de sala", "batería con ambiente de sala"),
        ),
        Kit(
            "power kit",
            ("power drum kit", "hard rock drums", "loud drum kit"),
            program=16,
            spanish=("batería de rock", "batería potente"),
        ),
        Kit(
            "electronic kit",
            ("electronic drums", "electronic drum kit", "drum machine"),
            program=24,
            spanish=("batería electrónica", "caja de ritmos"),
        ),
        Kit(
            "808 kit",
            ("808 drums", "808 drum machine", "tr-808 drum machine", "808 beat"),
            program=25,
            spanish=("batería 808", "caja de ritmos 808"),
        ),
        Kit("jazz kit", ("jazz drum kit", "jazz drums"), program=32, spanish=("batería de jazz",)),
        Kit(
            "brush kit",
            ("brush drums", "brushed drum kit", "brushes drum kit"),
            program=40,
            spanish=("batería con escobillas", "escobillas"),
        ),
        Kit(
            "orchestral kit",
            ("orchestral percussion", "orchestral drums", "cinematic drums"),
            program=48,
            spanish=("percusión orquestal", "percusión de orquesta"),
        ),
        Kit(
            "synth 808",
            ("808", "808 drums", "tr-808", "808 drum machine"),
            synth="synth 808",
            spanish=("808", "batería 808", "caja de ritmos tr-808"),
        ),
        Kit(
            "synth 909",
            ("909", "909 drums", "techno drums", "tr-909 drum machine"),
            synth="synth 909",
            spanish=("909", "batería 909", "batería techno"),
        ),
        Kit(
            "chip drums",
            ("chip drums", "8-bit drums", "chiptune drums"),
            synth="chip drums",
            spanish=("batería de 8 bits", "batería chiptune"),
        ),
        Kit(
            "lofi kit",
            ("lofi drums", "dusty drums", "lo-fi drum kit"),
            synth="lofi kit",
            spanish=("batería lofi", "batería polvorienta"),
        ),
        Kit(
            "glitch kit",
            ("glitch drums", "glitchy percussion", "clicks and blips"),
            synth="glitch kit",
            spanish=("percusión glitch", "batería glitch"),
        ),
    )
}

TEXTURES = {
    texture.name: texture
    for texture in (
        Texture("rain", "rain", ("rain", "rainfall", "rain sounds"), ("lluvia", "sonido de lluvia")),
        Texture(
            "typing",
            "typing",
            ("typing", "keyboard typing", "typing on a keyboard"),
            ("tecleo", "alguien escribiendo en un teclado"),
        ),
        Texture(
            "vinyl crackle",
            "vinyl crackle",
            ("vinyl crackle", "vinyl noise", "record crackle"),
            ("ruido de vinilo", "crujido de vinilo"),
        ),
        Texture(
            "ocean waves", "ocean waves", ("ocean waves", "waves", "sea waves"), ("olas del mar", "olas")
        ),
        Texture("wind", "wind", ("wind", "howling wind"), ("viento",)),
        Texture(
            "fire crackle",
            "fire crackle",
            ("fire crackle", "crackling fire", "campfire"),
            ("fuego crepitante", "hoguera", "crepitar del fuego"),
        ),
        Texture(
            "crickets",
            "crickets",
            ("crickets", "cricket chirps", "night crickets"),
            ("grillos", "canto de grillos"),
        ),
        Texture(
            "clock ticking",
            "clock ticking",
            ("clock ticking", "ticking clock", "tick-tock"),
            ("tictac de reloj", "reloj"),
        ),
        Texture(
            "riser",
            "riser",
            ("riser", "noise riser", "noise sweep"),
            ("subida de ruido", "barrido de ruido ascendente"),
        ),
        Texture(
            "birdsong",
            "birdsong",
            ("birdsong", "chirping birds", "bird chirps"),
            ("canto de pájaros", "pájaros cantando"),
        ),
        Texture(
            "thunder",
            "thunder",
            ("thunder", "rolling thunder", "distant thunder"),
            ("truenos", "trueno lejano"),
        ),
    )
}

SOUNDS: dict[str, Sound] = {**MELODIC, **BASSES, **KITS, **TEXTURES}

# Percussion keys of General MIDI; the orchestral kit has timpani from 41 to 53 and its cymbals at 57 and 59.
KICK, RIM, SNARE, CLAP = 36, 37, 38, 39
CLOSED_HAT, PEDAL_HAT, OPEN_HAT = 42, 44, 46
LOW_TOM, MID_TOM, HIGH_TOM = 45, 47, 50
CRASH, RIDE, TAMBOURINE, COWBELL = 49, 51, 54, 56
HIGH_CONGA, LOW_CONGA, SHAKER, CLAVES = 63, 64, 70, 75
TIMPANI_LOW, TIMPANI_HIGH, CONCERT_CYMBAL = 41, 48, 59
