"""What is signed says who made it, and a change to it is found."""

import io
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from generation import credentials
from generation.audio import export, picture
from generation.audio.ingest import read_audio
from generation.audio.pcm import pcm24, sha256
from generation.audio.recipes import ending_of, read_recipe
from generation.audio.video import film
from generation.credentials import Claim, Signer
from generation.credentials.manifest import GENERATED, recipe_digest
from generation.credentials.reading import MEDIA_TYPES
from generation.credentials.signer import UnusableCertificate
from generation.credentials.signing import NotSigned
from generation.engine import Engine
from generation.errors import RiffError
from generation.request import RiffRequest, Take
from generation.verify import verify
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer.self_made()


@pytest.fixture(scope="module")
def take() -> Take:
    time = np.arange(44_100) / 44_100
    bell = (0.4 * np.sin(2 * np.pi * 440 * time) * np.exp(-3 * time)).astype(np.float32)
    audio = np.stack([bell, bell], axis=1)
    request = RiffRequest.parse(prompt="church bells", bars=1, bpm=240, seed=3)
    recipe = {
        "request": request.to_dict(),
        "model": "riff-small@0123456789ab",
        "codec": "none",
        "samples": len(audio),
        "sha256": sha256(audio),
    }
    return Take(audio, np.tile(np.linspace(0, 255, 160).astype(np.uint8), (64, 1)), recipe)


def _film(take: Take, folder: Path) -> bytes:
    (folder / "sound.wav").write_bytes(export.wav(take))
    film(folder / "sound.wav", folder / "film.mp4", take.image, take.recipe)
    return (folder / "film.mp4").read_bytes()


WRITERS: dict[str, Callable[[Take, Path], bytes]] = {
    "wav": lambda take, _: export.wav(take),
    "flac": lambda take, _: export.flac(take),
    "mp3": lambda take, _: export.mp3(take),
    "png": lambda take, _: picture.spectrogram_png(take),
    "webp": lambda take, _: picture.thumbnail(take),
    "mp4": _film,
}


def signed(take: Take, ending: str, signer: Signer, folder: Path, **claim: object) -> Path:
    path = folder / f"loop.{ending}"
    told = replace(Claim(take.recipe, path.name), **claim)  # type: ignore[arg-type]
    path.write_bytes(credentials.sign(WRITERS[ending](take, folder), MEDIA_TYPES[ending], told, signer))
    return path


@pytest.mark.parametrize("ending", WRITERS)
def test_a_signed_file_tells_what_made_it(take: Take, signer: Signer, ending: str, tmp_path: Path) -> None:
    path = signed(take, ending, signer, tmp_path)
    found = credentials.read(path, signer.chain)
    assert found is not None
    assert (found.unchanged, found.trusted, found.generated, found.faults) == (True, True, True, ())
    assert found.model == "riff-small@0123456789ab"
    assert found.organisation == "self-made certificate"
    assert found.told == {
        "model": "riff-small@0123456789ab",
        "prompt": "church bells",
        "codec": "none",
        "seed": 3,
        "pcm_sha256": take.recipe["sha256"],
        "recipe_sha256": recipe_digest(take.recipe),
    }
    assert "no recording of music" in found.origin
    assert ending_of(path) == ending
    assert read_recipe(path)[0] == take.recipe
    stranger = credentials.read(path, Signer.self_made().chain)
    assert stranger is not None
    assert (stranger.unchanged, stranger.trusted) == (True, False)
    assert stranger.signer.endswith("whose certificate nobody here vouches for")


def test_the_first_action_is_the_specifications(take: Take, signer: Signer, tmp_path: Path) -> None:
    """Read with c2pa itself, not with our reader."""
    import c2pa  # type: ignore[import-untyped]

    with c2pa.Reader("audio/wav", io.BytesIO(signed(take, "wav", signer, tmp_path).read_bytes())) as reader:
        report = json.loads(reader.json())
    manifest = report["manifests"][report["active_manifest"]]
    [actions] = [each for each in manifest["assertions"] if each["label"] == "c2pa.actions.v2"]
    [created] = actions["data"]["actions"]
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"] == GENERATED
    assert created["softwareAgent"] == {"name": "riff-small@0123456789ab"}
    assert manifest["signature_info"]["alg"] == "Es256"
    assert report["validation_state"] == "Valid"


def chunks(wav: bytes) -> dict[bytes, bytes]:
    found, at = {}, 12
    while at + 8 <= len(wav):
        name, size = struct.unpack_from("<4sI", wav, at)
        found[name] = wav[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found


def test_a_signed_wav_is_the_same_sound_with_tempo_and_loop_points(
    take: Take, signer: Signer, tmp_path: Path
) -> None:
    plain = chunks(export.wav(take))
    path = signed(take, "wav", signer, tmp_path)
    after = chunks(path.read_bytes())
    assert list(after)[: len(plain)] == list(plain)
    assert {name: after[name] for name in plain} == plain
    assert set(after) - set(plain) == {b"C2PA"}
    assert {b"acid", b"smpl", b"LIST"} <= set(after)
    assert read_recipe(path)[1] == take.recipe["sha256"]
    sound, rate = soundfile.read(path, dtype="float32")
    assert (len(sound), rate) == (44_100, 44_100)


def test_a_signed_flac_holds_the_same_samples(take: Take, signer: Signer, tmp_path: Path) -> None:
    path = signed(take, "flac", signer, tmp_path)
    assert read_recipe(path) == (take.recipe, take.recipe["sha256"])
    assert sha256(read_audio(path)) == take.recipe["sha256"]
    sound, _ = soundfile.read(path, dtype="int32")
    assert np.array_equal(sound >> 8, np.round(take.audio * np.float64(2**23 - 1)))


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "png", "mp4"])
def test_a_flipped_bit_is_found_wherever_it_is(
    take: Take, signer: Signer, ending: str, tmp_path: Path
) -> None:
    """In tags, sound and picture each, and in whatever the manifest says."""
    path = signed(take, ending, signer, tmp_path)
    whole = path.read_bytes()
    manifest = whole.index(b"jumb")
    sayings = (
        b"trainedAlgorithmicMedia",
        b"riff-small@",
        b"church bells",
        b"no recording of music",
        b"c2pa.created",
    )
    told = [whole.index(saying, manifest) + 3 for saying in sayings]
    # What fills up the box of the signature is zero; nobody is shown anything of it.
    outside = [place for place in range(64, len(whole), 997) if not -100 < place - manifest < 16_000]
    assert len(outside) > 10 or ending == "png"
    for place in [*told, *outside]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = credentials.read(path, signer.chain)
        assert found is None or not found.unchanged, place
        if found is not None:
            with pytest.raises(RiffError, match=rf"^loop\.{ending} was changed after it was signed"):
                credentials.require_unchanged(path)


def test_cut_longer_and_shorter_files_are_found_out(take: Take, signer: Signer, tmp_path: Path) -> None:
    path = signed(take, "wav", signer, tmp_path)
    whole = path.read_bytes()
    for changed in (whole + b"more", whole[:-1], whole[:5000] + whole[5006:]):
        path.write_bytes(changed)
        found = credentials.read(path)
        assert found is None or not found.unchanged


def test_credentials_of_another_file_do_not_fit(take: Take, signer: Signer, tmp_path: Path) -> None:
    """A manifest cut out of one file and put into another one."""
    path = signed(take, "wav", signer, tmp_path)
    manifest = chunks(path.read_bytes())[b"C2PA"]
    other = export.wav(replace(take, audio=take.audio * np.float32(0.5)))
    chunk = b"C2PA" + struct.pack("<I", len(manifest)) + manifest
    grown = other[:4] + struct.pack("<I", len(other) + len(chunk) - 8) + other[8:] + chunk
    path.write_bytes(grown)
    with pytest.raises(
        RiffError, match=r"was changed after it was signed by Riffmarket \w+: assertion\.dataHash"
    ):
        credentials.require_unchanged(path)


@pytest.mark.parametrize("write", [export.ogg, export.opus], ids=["ogg", "opus"])
def test_ogg_has_its_credentials_beside_it(
    take: Take, signer: Signer, write: Callable[[Take], bytes], tmp_path: Path
) -> None:
    path, beside = tmp_path / "loop.ogg", tmp_path / "loop.c2pa"
    path.write_bytes(write(take))
    with pytest.raises(NotSigned, match="has no room for content credentials"):
        credentials.sign(path.read_bytes(), "audio/ogg", Claim(take.recipe, "loop.ogg"), signer)
    beside.write_bytes(credentials.sidecar(path, "audio/ogg", Claim(take.recipe, "loop.ogg"), signer))
    assert credentials.require_unchanged(path) == "loop.ogg carries no content credentials."
    assert credentials.require_unchanged(path, signer.chain, beside).startswith(
        "loop.ogg is unchanged since it was signed by Riffmarket "
    )
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(RiffError, match=r"^loop\.ogg was changed after it was signed by Riffmarket"):
        credentials.require_unchanged(path, signer.chain, beside)


def test_a_claim_may_keep_back_what_the_sound_is_made_from(
    take: Take, signer: Signer, tmp_path: Path
) -> None:
    path = signed(take, "png", signer, tmp_path, whole=False)
    found = credentials.read(path)
    assert found is not None
    assert found.told == {"model": "riff-small@0123456789ab", "prompt": "church bells"}
    claim = Claim(take.recipe, "loop.png", "An audible mark was laid over it.", whole=False)
    manifest = credentials.sidecar(path, "image/png", claim, signer)
    for secret in (take.recipe["sha256"], recipe_digest(take.recipe)):
        assert secret.encode() not in manifest
    assert b"An audible mark was laid over it." in manifest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "no recording of music"),
        ({"model": "other@1"}, "stated by its maker"),
        ({"styles": {"mine": "0" * 64}}, "further audio of the operator's"),
        ({"source": {"sha256": "0" * 64}}, "a sound that somebody brought"),
    ],
)
def test_what_a_model_learnt_from_is_said_as_far_as_it_is_known(
    take: Take, signer: Signer, change: dict[str, object], words: str, tmp_path: Path
) -> None:
    changed = replace(take, recipe={**take.recipe, **change})
    found = credentials.read(signed(changed, "wav", signer, tmp_path))
    assert found is not None
    assert words in found.origin


def test_a_signed_file_is_still_what_its_recipe_makes(
    tiny_model: Path, signer: Signer, tmp_path: Path
) -> None:
    engine = Engine.load(tiny_model)
    request = RiffRequest.parse(prompt="bells", bars=1, bpm=240, seed=3, steps=2)
    made = engine.render(request).takes[0]
    for ending, how in {
        "wav": "sample for sample",
        "flac": "sample for sample",
        "mp3": "sample for sample once decoded",
        "png": "its picture too",
    }.items():
        assert f"is what its recipe makes, {how}: " in verify(signed(made, ending, signer, tmp_path), engine)


def test_a_place_makes_one_certificate_however_many_processes_start(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from generation.credentials import Signer;"
        "print(Signer.load(None, None, Path(sys.argv[1])).id)"
    )
    command = [sys.executable, "-c", code, tmp_path / "data"]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    ids = {process.communicate()[0] for process in started}
    assert len(ids) == 1
    [kept] = (tmp_path / "data").iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == ("c2pa.pem", 0o600)
    assert {Signer.load(None, None, tmp_path / "data").id + "\n"} == ids


def chain(
    folder: Path, key: object, *, days: int = 10, usage: x509.ObjectIdentifier | None = None
) -> tuple[Path, Path]:
    """An operator's certificate for a key, from an authority of their own, and the key: two PEM files."""
    authority = ec.generate_private_key(ec.SECP256R1())

    def certificate(subject: str, public: object, ca: bool, until: int) -> x509.CertificateBuilder:
        issuer = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "An Authority")])
        whose = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject)])
        key_usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(issuer if ca else whose)
            .issuer_name(issuer)
            .public_key(public)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=20))
            .not_valid_after(datetime.now(UTC) + timedelta(days=until))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **key_usage),
                critical=True,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
            )
        )

    root = certificate("", authority.public_key(), True, 100).sign(authority, hashes.SHA256())
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    leaf = certificate("A Studio", key.public_key(), False, days).add_extension(purposes, critical=False)  # type: ignore[attr-defined]
    paths = folder / "chain.pem", folder / "key.pem"
    paths[0].write_bytes(
        leaf.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)
    )
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))  # type: ignore[attr-defined]
    return paths


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "Ed25519", "RSA"],
)
def test_an_operators_own_certificate_is_taken(
    take: Take, make: Callable[[], object], tmp_path: Path
) -> None:
    certificate, key = chain(tmp_path, make())
    own = Signer.load(certificate, key, tmp_path / "data")
    assert not (tmp_path / "data").exists()
    path = signed(take, "wav", own, tmp_path)
    assert credentials.require_unchanged(path, credentials.certificates_in(certificate)) == (
        "loop.wav is unchanged since it was signed by A Studio, generated by riff-small@0123456789ab."
    )


def test_a_certificate_that_does_not_do_is_refused_in_a_sentence(tmp_path: Path) -> None:
    certificate, key = chain(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    (tmp_path / "other").mkdir()
    other, _ = chain(tmp_path / "other", ec.generate_private_key(ec.SECP256R1()))
    (tmp_path / "expired").mkdir()
    expired = chain(tmp_path / "expired", ec.generate_private_key(ec.SECP256R1()), days=-1)
    (tmp_path / "odd").mkdir()
    odd = chain(tmp_path / "odd", ec.generate_private_key(ec.SECP256K1()))
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\x00-----BEGIN PRIVATE KEY-----")
    for given, sentence in [
        ((certificate, None), "A certificate to sign files with needs its key, and a key its certificate."),
        ((None, key), "A certificate to sign files with needs its key, and a key its certificate."),
        ((certificate, tmp_path / "none"), f"{tmp_path / 'none'} cannot be read: No such file or directory."),
        ((certificate, garbage), "chain.pem is no PEM certificate with an unencrypted PEM key."),
        ((other, key), "chain.pem belongs to another key: its leaf has to come first."),
        (expired, "chain.pem is not valid today: renew it."),
        (odd, "chain.pem has a key of a kind that C2PA does not know."),
    ]:
        with pytest.raises(UnusableCertificate) as refusal:
            Signer.load(*given, tmp_path / "data")
        assert str(refusal.value) == sentence
    assert not (tmp_path / "data").exists()


def test_large_files_are_signed_by_their_path_and_whole_or_not_at_all(
    take: Take, signer: Signer, tmp_path: Path
) -> None:
    source, target = tmp_path / "loop.wav", tmp_path / "signed.wav"
    source.write_bytes(export.wav(take))
    credentials.sign_file(source, target, "audio/wav", Claim(take.recipe, "loop.wav"), signer)
    assert credentials.require_unchanged(target, signer.chain).startswith("signed.wav is unchanged")
    (tmp_path / "loop.wav").write_bytes(b"RIFF, but not for long")
    with pytest.raises(NotSigned):
        credentials.sign_file(source, tmp_path / "none.wav", "audio/wav", Claim(take.recipe, "x"), signer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loop.wav", "signed.wav"]


def test_pictures_stay_pictures(take: Take, signer: Signer, tmp_path: Path) -> None:
    plain = Image.open(io.BytesIO(picture.spectrogram_png(take)))
    with Image.open(signed(take, "png", signer, tmp_path)) as after:
        assert after.info["riffmarket"] == plain.info["riffmarket"]
        assert np.array_equal(np.asarray(after), np.asarray(plain))
    assert len(pcm24(take.audio)) == 44_100 * 6
