"""Signatures that others can check: each algorithm against OpenSSL, both ways."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from opsmith.audit.export import from_pem, to_pem
from opsmith.backends.sign import ed25519, sm2
from opsmith.errors import BadInput, MissingExtra, Unreachable
from opsmith.seams.sign import Signer, Verify

MESSAGE = b"opsmith ledger\n42\n"
KINDS: dict[str, tuple[Callable[[Path], Signer], Verify]] = {
    "ed25519": (ed25519.Ed25519Signer, ed25519.verify),
    "sm2": (sm2.Sm2Signer, sm2.verify),
}
ID = "distid:1234567812345678"


def openssl(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *words], capture_output=True, check=False)


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_signature_holds_for_its_message_and_key_alone(kind: str, tmp_path: Path) -> None:
    make, verify = KINDS[kind]
    signer, other = make(tmp_path / "a"), make(tmp_path / "b")
    signature = signer.sign(MESSAGE)

    assert verify(MESSAGE, signature, signer.public)
    assert not verify(MESSAGE + b"x", signature, signer.public)
    assert not verify(MESSAGE, signature, other.public)
    assert not verify(MESSAGE, signature[:-1] + b"\0", signer.public)
    for nonsense in (b"", b"\x30", b"\0" * 64):
        assert not verify(MESSAGE, nonsense, signer.public)
        assert not verify(MESSAGE, signature, nonsense)


def test_the_key_is_made_once_and_only_its_owner_reads_it(kind: str, tmp_path: Path) -> None:
    make, _ = KINDS[kind]
    first, again = make(tmp_path / "k"), make(tmp_path / "k")

    assert first.public == again.public
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["k"]
    (tmp_path / "k").chmod(0o644)
    with pytest.raises(Unreachable, match="read by others"):
        make(tmp_path / "k")


def test_a_file_that_is_no_key_is_said(kind: str, tmp_path: Path) -> None:
    make, _ = KINDS[kind]
    (tmp_path / "k").write_text("no key")
    (tmp_path / "k").chmod(0o600)
    with pytest.raises(Unreachable, match="private key"):
        make(tmp_path / "k")
    with pytest.raises(Unreachable, match="cannot be used"):
        make(tmp_path / "k" / "deeper")


def test_openssl_reads_our_key_and_finds_our_signature_good(kind: str, tmp_path: Path) -> None:
    signer = KINDS[kind][0](tmp_path / "k")
    files = {"pub": to_pem(signer.public).encode(), "msg": MESSAGE, "sig": signer.sign(MESSAGE)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    words = ["pkeyutl", "-verify", "-pubin", "-inkey", str(tmp_path / "pub"), "-rawin"]
    words += ["-in", str(tmp_path / "msg"), "-sigfile", str(tmp_path / "sig")]
    if kind == "sm2":
        words += ["-digest", "sm3", "-pkeyopt", ID]

    done = openssl(*words)

    assert done.returncode == 0, done.stderr
    assert from_pem(tmp_path / "pub") == signer.public


def test_we_find_a_signature_of_openssl_good(kind: str, tmp_path: Path) -> None:
    key, message, signature = (str(tmp_path / name) for name in ("key", "msg", "sig"))
    Path(message).write_bytes(MESSAGE)
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"]
    openssl("genpkey", *(curve if kind == "sm2" else ["-algorithm", "ED25519"]), "-out", key)
    openssl("pkey", "-in", key, "-pubout", "-outform", "DER", "-out", f"{key}.der")
    more = ["-digest", "sm3", "-pkeyopt", ID] if kind == "sm2" else []
    words = ["pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", message, "-out", signature]
    done = openssl(*words, *more)
    assert done.returncode == 0, done.stderr

    public = Path(f"{key}.der").read_bytes()

    assert KINDS[kind][1](MESSAGE, Path(signature).read_bytes(), public)


def test_a_key_of_another_algorithm_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "k"
    openssl("genpkey", "-algorithm", "X25519", "-out", str(key))
    key.chmod(0o600)

    with pytest.raises(Unreachable, match="another algorithm"):
        ed25519.Ed25519Signer(key)
    assert not ed25519.verify(MESSAGE, b"", sm2.Sm2Signer(tmp_path / "s").public)


def test_without_its_library_sm2_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sm2, "CryptSM2", None)

    with pytest.raises(MissingExtra, match=r"pip install 'opsmith\[sm\]'"):
        sm2.Sm2Signer(tmp_path / "k")


@pytest.mark.parametrize(
    "text", ["", "x", "-----BEGIN PUBLIC KEY-----\n*\n-----END PUBLIC KEY-----"]
)
def test_what_is_no_pem_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "pub").write_text(text)
    with pytest.raises(BadInput, match="PEM"):
        from_pem(tmp_path / "pub")
