"""Sign a film with C2PA: what it is and what it was made of, bound to its bytes by a certificate.

The one way to c2pa-python, which is an extra and is loaded when a key is configured, and never before. The key is read
when something is signed, kept nowhere, and in no message.
"""

import io
import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from callsheet.errors import CannotSign

INSTALL = "Install it: pip install 'callsheet[c2pa]', or unset CALLSHEET_C2PA_CERT and CALLSHEET_C2PA_KEY."
#: Bytes of a certificate chain or a key that are read.
MOST_PEM = 100_000

#: What a reader says of a certificate that is on no list of its own: nothing is wrong with the signature.
_UNTRUSTED = frozenset({"signingCredential.untrusted"})
_MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
#: How an edit begins, for C2PA: with the clip that was opened.
_OPENED = "c2pa.opened"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a manifest says of a film. clip: the name of the clip that it is an edit of, and its digest; None for none."""

    title: str
    source_type: str
    model: str
    job: str
    version: str
    clip: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a signed film says of its signature."""

    algorithm: str
    subject: str
    issuer: str
    serial: str
    manifest: str


class Signer:
    """A certificate and its key, by their files. CannotSign where they cannot be used, in all of its methods."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key

    def check(self) -> Signature:
        """Sign a picture of one pixel in memory, and read that: what could not sign a film does not sign this."""
        signed = io.BytesIO()
        claim = Claim(title="check", source_type=_MADE, model="check", job="", version="0")
        with self._told(), self._signer() as signer, _builder(claim, "image/png") as builder:
            builder.sign(signer, "image/png", io.BytesIO(_pixel()), signed)
        signed.seek(0)
        return self._read("image/png", signed)

    def sign(self, film: Path, target: Path, claim: Claim) -> Signature:
        """Write the film with its manifest to `target`, and read that again."""
        with self._told(), self._signer() as signer, _builder(claim, "video/mp4") as builder:
            builder.sign_file(str(film), str(target), signer)
        return self.read(target)

    def read(self, film: Path) -> Signature:
        """What the signature of a film says, once it holds for every byte."""
        with film.open("rb") as file:
            return self._read("video/mp4", file)

    def _read(self, kind: str, file: Any) -> Signature:
        with self._told():
            import c2pa

            with c2pa.Reader(kind, file) as reader:
                told: dict[str, Any] = json.loads(reader.json())
        wrong = [one for one in told.get("validation_status", []) if one["code"] not in _UNTRUSTED]
        if wrong:
            said = str(wrong[0].get("explanation", ""))[:200]
            raise CannotSign(
                f"What was signed does not hold: {wrong[0]['code']} ({said}).",
                where=str(self._certificate),
                hint=_CHAIN,
            )
        label = told["active_manifest"]
        info = told["manifests"][label]["signature_info"]
        return Signature(
            algorithm=str(info.get("alg", "")),
            subject=str(info.get("common_name", "")),
            issuer=str(info.get("issuer", "")),
            serial=str(info.get("cert_serial_number", "")),
            manifest=label,
        )

    @contextmanager
    def _signer(self) -> Iterator[Any]:
        import c2pa

        chain, key = self._chain(), self._secret()
        info = c2pa.C2paSignerInfo(
            alg=_algorithm(key, self._key), sign_cert=chain, private_key=key.get_secret_value().encode(), ta_url=None
        )
        with c2pa.Signer.from_info(info) as signer:
            yield signer

    def _chain(self) -> bytes:
        return _pem(self._certificate, "CALLSHEET_C2PA_CERT", b"CERTIFICATE").encode()

    def _secret(self) -> SecretStr:
        return SecretStr(_pem(self._key, "CALLSHEET_C2PA_KEY", b"PRIVATE KEY"))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The library's errors as ours; none of them quotes the key."""
        if find_spec("c2pa") is None:
            raise CannotSign(
                "A C2PA key is configured, and c2pa-python, which signs with it, is not installed.", hint=INSTALL
            )
        try:
            import c2pa
        except (ImportError, OSError, RuntimeError) as error:
            raise CannotSign(f"c2pa-python cannot be loaded: {error}.", hint=INSTALL) from None
        try:
            yield
        except c2pa.C2paError as error:
            said = " ".join(str(error).split())[:300].rstrip(".")
            raise CannotSign(f"C2PA refuses to sign: {said}.", where=str(self._certificate), hint=_CHAIN) from None


_CHAIN = (
    "The certificate has to be valid now, for digital signatures, with an extended key usage (as emailProtection), be the "
    "first in its file, followed by those that issued it, and be the key's own."
)


def _builder(claim: Claim, kind: str) -> Any:
    import c2pa

    return c2pa.Builder(json.dumps(_manifest(claim, kind)))


def _manifest(claim: Claim, kind: str) -> dict[str, Any]:
    agent = {"name": claim.model}
    made: dict[str, Any] = {"softwareAgent": agent, "digitalSourceType": claim.source_type}
    manifest: dict[str, Any] = {
        "claim_generator_info": [{"name": "Callsheet", "version": claim.version}],
        "title": claim.title,
        "format": kind,
    }
    if claim.clip is None:
        actions = [{"action": "c2pa.created", **made}]
    else:
        name, sha256 = claim.clip
        manifest["ingredients"] = [
            {
                "title": name,
                "format": "video/mp4",
                "relationship": "parentOf",
                "instance_id": f"sha256:{sha256}",
                "label": "clip",
            }
        ]
        actions = [
            {"action": _OPENED, "parameters": {"ingredientIds": ["clip"]}},
            {"action": "c2pa.edited", **made, "parameters": {"callsheet.job": claim.job}},
        ]
    manifest["assertions"] = [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]
    return manifest


def _pem(file: Path, setting: str, kind: bytes) -> str:
    """The text of a PEM file. CannotSign, without a word of what is in it."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_PEM)
    except OSError as error:
        what = f"{setting} names a file that cannot be read: {error.strerror}."
        raise CannotSign(what, where=str(file), hint="Correct the path, or its permissions.") from None
    if b"-----BEGIN " not in data or kind + b"-----" not in data:
        what = f"{setting} names a file that is no {kind.decode().lower()} in PEM."
        raise CannotSign(what, where=str(file), hint="It begins with -----BEGIN.")
    return data.decode("ascii", "replace")


def _algorithm(key: SecretStr, file: Path) -> Any:
    """Which signature this key makes. CannotSign for one that is encrypted, or of a kind that C2PA does not know."""
    import c2pa
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(key.get_secret_value().encode(), password=None)
    except (ValueError, TypeError):
        what = "The key cannot be read: it is encrypted or damaged."
        hint = "Write it without a password: openssl pkcs8 -topk8 -nocrypt -in KEY -out key.pem"
        raise CannotSign(what, where=str(file), hint=hint) from None
    kinds = c2pa.C2paSigningAlg
    if isinstance(found, ec.EllipticCurvePrivateKey):
        curves = {256: kinds.ES256, 384: kinds.ES384, 521: kinds.ES512}
        if found.curve.key_size in curves:
            return curves[found.curve.key_size]
    if isinstance(found, rsa.RSAPrivateKey):
        return kinds.PS256
    if isinstance(found, ed25519.Ed25519PrivateKey):
        return kinds.ED25519
    hint = "Use one for ES256 (P-256), ES384, ES512, PS256 (RSA) or Ed25519."
    raise CannotSign("C2PA knows no signature for a key of this kind.", where=str(file), hint=hint)


def _pixel() -> bytes:
    """A PNG of one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\x00\x80")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
