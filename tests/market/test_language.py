"""What people read, in their language; and that the Spanish catalogues are whole and sound."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from generation import fields
from generation.models.foreign.engine import REFUSALS
from market.accounts.errors import HandleTaken
from market.catalog.errors import GateRefused
from market.catalog.gate import Check
from market.errors import NotFound
from market.language import LOCALES, WORD, Catalogue, entries, language_of, retold, say, say_count
from market.moderation.models import CaseStatus
from tests.sentences import Sentence, Source

SPANISH = LOCALES / "es"
FILES = sorted(SPANISH.glob("*.po"))
KNOWN = entries(SPANISH)

# Nobody in chat meets what these refuse; each with why.
NOT_IN_CHAT = {
    "generation/corpus/": "a corpus is built on the command line",
    "generation/training/": "models are trained on the command line",
    "generation/judge/": "models are judged on the command line",
    "generation/verify.py": "files are verified on the command line",
    "generation/credentials/": "certificates are the operator's, and refused before anything starts",
    "generation/riffusion/": "Riffusion's pictures come by the command line and the REST API",
    "market/riffusion/": "the REST API as Riffusion's clients know it",
    "market/api/": "the REST API",
    "market/web/": "the web pages",
    "market/admin/": "the web pages of administrators",
    "market/accounts/discord.py": "signing in on the web pages",
    "market/accounts/endpoints.py": "signing in on the web pages",
    "market/accounts/sessions.py": "signing in on the web pages",
    "market/accounts/tokens.py": "tokens are for the REST API",
    "market/community/pages.py": "the web pages",
    "market/downloads/endpoints.py": "the REST API",
    "market/licensing/endpoints.py": "the REST API",
    "market/moderation/endpoints.py": "the REST API",
    "market/moderation/pages.py": "the web pages",
    "market/search/endpoints.py": "the REST API",
    "market/search/seed.py": "the command line",
    "market/studio/endpoints.py": "the REST API",
    "market/studio/worker.py": "said when a worker starts, to its operator",
    "bot/client.py": "said when the bot starts, to its operator",
}
# The model's name, and one of REFUSALS, each of which has a template of its own.
TOO_GENERAL = {"{} {}."}


@cache
def sentences() -> Source:
    """Every sentence of an error, wherever it is written."""
    return Source.read(
        "generation",
        "market",
        "bot",
        takers=[("generation.errors.RiffError", 0, "sentence"), ("market.catalog.gate.Check", 2, "sentence")],
    )


def placeholders(text: str) -> Counter[str]:
    """What a template is filled with: names, and places for those without one."""
    names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    return Counter(name or str(place) for place, name in enumerate(names))


def catalogue(folder: Path, *pairs: tuple[str, str], words: Sequence[tuple[str, str]] = ()) -> Catalogue:
    """A catalogue of these templates, and words."""
    lines = ['msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n']
    lines += [f'msgid "{english}"\nmsgstr "{spanish}"\n' for english, spanish in pairs]
    lines += [f'msgctxt "word"\nmsgid "{english}"\nmsgstr "{spanish}"\n' for english, spanish in words]
    (folder / "es").mkdir()
    (folder / "es" / "all.po").write_text("\n".join(lines))
    return Catalogue.read(folder / "es")


# Saying


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("es-ES", "es"),
        ("es-419", "es"),
        ("ES", "es"),
        ("en-GB", "en"),
        ("pt-BR", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_the_language_of_a_tag(tag: str | None, language: str) -> None:
    assert language_of(tag) == language


def test_what_is_said_is_spanish_where_it_is_known() -> None:
    assert say("es", "It is silent.") == "Está en silencio."
    assert say("en", "It is silent.") == "It is silent."
    assert say("es", "No catalogue has this.") == "No catalogue has this."
    assert say("es", "loop", context=WORD) == "el loop"
    assert say("es", "loop", context="nobody's") == "loop"
    assert say("es", "") == ""
    assert say("klingon", "It is silent.") == "It is silent."


@given(st.text(), st.text())
def test_values_are_filled_in_as_they_are(one: str, two: str) -> None:
    assert say("es", "<{one}|{two}>", one=one, two=two) == f"<{one}|{two}>"


def test_counts_take_their_form() -> None:
    forms = "{count} bar", "{count} bars"
    assert [say_count("en", *forms, count) for count in (0, 1, 2)] == ["0 bars", "1 bar", "2 bars"]
    assert [say_count("es", *forms, count) for count in (0, 1, 2)] == ["0 compases", "1 compás", "2 compases"]
    assert say_count("es", "{count} of {all}", "{count} of {all}", 2, all="{x}") == "2 of {x}"


# Telling again what was said in English


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("This loop was taken down.", "Este loop fue retirado."),
        (str(NotFound("loop", "12")), "No existe el loop 12."),
        (str(NotFound("blocked word", "“x”")), "No existe la palabra bloqueada “x”."),
        (str(NotFound("listing", "of loop 3-1")), "No existe la oferta del loop 3-1."),
        (
            "bars has to be from 1 to 16, not “17”.",
            "El número de compases tiene que estar entre 1 y 16, no “17”.",
        ),
        (
            "keep has to be groove or harmony, not “bars”.",
            "Lo que se conserva tiene que ser groove o harmony, no “bars”.",
        ),
        ("The file is empty.", "El archivo está vacío."),
        ("kick {x} or 0.wav is empty.", "kick {x} or 0.wav está vacío."),
        ("Licensee is missing.", "Falta el titular."),
        (
            "The prompt for drums has 301 characters: at most 300 are possible.",
            "La idea para la batería tiene 301 caracteres: se permiten 300 como máximo.",
        ),
        (
            "“bar” in the negative prompt is refused here: say it in other words.",
            "“bar” no se admite aquí en la idea negativa: dilo con otras palabras.",
        ),
        ("Nobody wrote this down.", "Nobody wrote this down."),
        ("", ""),
    ],
)
def test_errors_are_told_again(english: str, spanish: str) -> None:
    assert retold("es", english) == spanish
    assert retold("en", english) == english


def test_what_somebody_wrote_is_no_word_of_ours() -> None:
    assert retold("es", str(HandleTaken("loop"))) == "El nombre de usuario loop ya está en uso: elige otro."
    assert retold("es", str(NotFound("collection", "“loop”"))) == "No existe la colección “loop”."


def test_a_refusal_of_several_sentences_is_told_sentence_by_sentence() -> None:
    checks = [
        Check("loudness", False, "It is silent."),
        Check("key", True, "No key is said, or none is clear enough to doubt it."),
        Check("tempo", False, "95.2 bpm are heard, and it says 90."),
        Check("words", False, "The title says “bars. Loop”, which is refused here."),
        Check("odd", False, "A check of tomorrow."),
    ]
    assert retold("es", str(GateRefused(checks))) == (
        "No se puede publicar. Está en silencio. Se escuchan 95.2 bpm, y dice 90. "
        "El título dice “bars. Loop”, y eso no se admite aquí. A check of tomorrow."
    )


def test_the_surest_template_is_taken(tmp_path: Path) -> None:
    known = catalogue(
        tmp_path,
        ("{} {}.", "general {} {}"),
        ("There is {}.", "hay {}"),
        ("There is no {} {}.", "falta {:word} {}"),
        ("{} is here, and so is {}.", "{1} y {0}"),
        words=[("red loop", "loop rojo"), ("red", "rojo"), ("{} of {}", "{:word} de {}")],
    )
    assert known.told("There is no red loop 3.") == "falta loop rojo 3"
    assert known.told("There is no red x.") == "falta rojo x"
    assert known.told("There is no blue loop 3.") == "falta blue loop 3"
    assert known.told("There is much.") == "hay much"
    assert known.told("There is a red loop here, and so is red.") == "hay a red loop here, and so is red"
    assert known.told("red is here, and so is red of red.") == "red of red y red"
    assert known.told("Anything at all.") == "general Anything at all"
    assert known.told("nothing") is None
    assert known.told("red of red loop", WORD) == "rojo de red loop"
    assert known.told("red") is None


# Letters, spaces and full stops would make other sentences of ours.
ODD = st.text(st.sampled_from("{}\"'%\\\n\t0719日🎵@#é"), min_size=1, max_size=12)


@given(st.data())
def test_each_template_takes_odd_values_through(data: st.DataObject) -> None:
    templates = [
        (english, translated) for context, english, translated in KNOWN if context is None and "{}" in english
    ]
    english, translated = data.draw(st.sampled_from(templates))
    values = data.draw(st.lists(ODD, min_size=english.count("{}"), max_size=english.count("{}")))
    plain = re.sub(":word", "", translated, flags=re.IGNORECASE)
    assert retold("es", english.format(*values)) == plain.format(*values)


@given(st.text())
def test_nothing_that_is_said_breaks_it(sentence: str) -> None:
    retold("es", sentence)
    retold("es", f"There is no {sentence}.")
    retold("es", f"No licence can be signed: {sentence}")


def test_the_time_does_not_explode_with_the_length() -> None:
    for piece in ("There is no ", "{} has {} ", "is empty. ", ". ", "bars has to be from "):
        assert retold("es", piece * 5000) == piece * 5000


# What the catalogues hold


def test_every_error_that_chat_can_show_has_a_spanish_sentence() -> None:
    source = sentences()
    reachable = [one for one in source.found if not one.path.startswith(tuple(NOT_IN_CHAT))]
    known = {(context, english) for context, english, _ in KNOWN}
    missing = sorted(
        f"{one.path}:{one.line} {one.template}"
        for one in reachable
        if one.template not in TOO_GENERAL
        and not (_is_word(one) if one.is_word else (None, one.template) in known)
    )
    assert missing == []
    assert [place for place in sorted(source.opaque) if not place[0].startswith(tuple(NOT_IN_CHAT))] == []


# Values, addresses, ids and names of settings, not words.
NO_WORD = re.compile(r"(?:\{\}|-0)*|\{\}/.*|[A-Z]+(?:_[A-Z]+)+")


def _is_word(one: Sentence) -> bool:
    """Whether a word is known, as it is or as the name of a field."""
    known = {english for context, english, _ in KNOWN if context == WORD}
    said = fields.said(one.template) if re.fullmatch(r"[a-z_.{}]+", one.template) else one.template
    return NO_WORD.fullmatch(said) is not None or said in known or said[:1].lower() + said[1:] in known


def test_what_is_left_out_of_the_search_is_there() -> None:
    read = {one.path for one in sentences().found}
    assert [left_out for left_out in NOT_IN_CHAT if not any(path.startswith(left_out) for path in read)] == []


def test_what_another_model_cannot_do_has_spanish_sentences() -> None:
    known = {english for context, english, _ in KNOWN if context is None}
    assert [why for why in REFUSALS.values() if f"{{}} {why}." not in known] == []


def test_where_a_case_stands_has_spanish_words() -> None:
    words = {english for context, english, _ in KNOWN if context == WORD}
    assert set(CaseStatus) <= words


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_translations_is_sound(path: Path) -> None:
    with path.open("rb") as file:
        catalog = read_po(file, locale="es")
    assert (catalog.num_plurals, catalog.plural_expr) == (2, "(n != 1)")
    assert list(catalog.obsolete) == []
    for message in catalog:
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        english, spanish = _forms(message.id), _forms(message.string)
        assert len(spanish) == len(english), message.id
        for each, translated in zip(english, spanish, strict=True):
            assert translated, each
            assert placeholders(translated) == placeholders(each), each
            assert " ".join(translated.split()) == " ".join(translated.split(" ")), each
            assert translated[-1:] == each[-1:] or not {translated[-1:], each[-1:]} & set(".:…?!"), each


def _forms(text: str | Sequence[str] | None) -> Sequence[str]:
    return [text] if isinstance(text, str) else text or []


def test_no_english_has_two_translations() -> None:
    told: dict[tuple[object, str | None], dict[str, object]] = {}
    for path in FILES:
        with path.open("rb") as file:
            for message in read_po(file, locale="es"):
                if message.id:
                    told.setdefault((message.id, message.context), {})[path.name] = message.string
    assert {key: found for key, found in told.items() if len(set(found.values())) > 1} == {}
