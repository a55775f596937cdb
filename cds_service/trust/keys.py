"""The keys of clients: fetched or read, kept, changed; and made, for tests.

The location of a client's keys comes only from the register; no address in a token is ever fetched.
Imported only where clients are authenticated: its libraries take a sixth of a second to load.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS
from jwt.utils import base64url_encode

from cds_service.errors import ClientsError
from cds_service.trust import outward
from cds_service.trust.callers import ALGORITHMS, Rejected

if TYPE_CHECKING:
    from cds_service.trust.clients import Client

#: A key that the client withdrew is refused after this time at the latest, while its address
#: answers; when it does not, keys are kept this long and no longer.
FRESH_S = 600
KEPT_S = 3600
#: A token with an unknown kid makes us look for new keys, but not more often than this.
PAUSE_S = 30
FETCH_S = 2.0
LARGEST_SET = 256_000
MOST_KEYS = 100
RSA_BITS = range(2048, 8193)

_ALGORITHM_OF = {"EC": "ES384", "RSA": "RS384"}

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Keys = Mapping[tuple[str, str], PublicKey]


class BadKeySet(Exception):
    """Why a key set cannot be used; nothing from its content."""


class KeySet:
    """One client's keys by ``kid`` and algorithm, read again when they are old or one is missing.

    ``read`` returns the set as sent; ``clock`` are seconds that never go back.
    """

    def __init__(
        self, read: Callable[[], bytes], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._keys: Keys = {}
        self._good_at = -float(KEPT_S)  # when the keys came
        self._tried_at = -float(PAUSE_S)
        self._lock = threading.Lock()

    def check(self, token: str, kid: str, algorithm: str) -> None:
        key = self._key(kid, algorithm)
        try:
            _jws.decode_complete(token, key, algorithms=[algorithm])
        except jwt.PyJWTError:
            raise Rejected("the signature is not by the registered key") from None

    def load(self) -> int:
        """Read the keys now; how many there are. Raises `BadKeySet`."""
        self._keys = _parse(self._read())
        self._good_at = self._tried_at = self._clock()
        return len(self._keys)

    def _key(self, kid: str, algorithm: str) -> PublicKey:
        wanted = (kid, algorithm)
        problem = ""
        wants_new = self._age() >= FRESH_S or wanted not in self._keys
        # While one thread fetches, the others continue with the present keys, if any are valid.
        if wants_new and self._lock.acquire(blocking=self._age() >= KEPT_S):
            try:
                problem = self._refresh()
            finally:
                self._lock.release()
        if self._age() >= KEPT_S:
            raise Rejected(f"the client's keys are not available{problem}")
        if wanted not in self._keys:
            raise Rejected(f"the client has no such key (kid) for this algorithm{problem}")
        return self._keys[wanted]

    def _age(self) -> float:
        return self._clock() - self._good_at

    def _refresh(self) -> str:
        """Read the keys again unless that was tried a moment ago; what went wrong, for the log."""
        if self._clock() - self._tried_at < PAUSE_S:
            return ""
        self._tried_at = self._clock()
        try:
            self.load()
        except BadKeySet as bad:
            return f": {bad}"
        return ""


_jws = PyJWS(algorithms=list(ALGORITHMS))


def from_file(path: Path) -> KeySet:
    def read() -> bytes:
        try:
            return path.read_bytes()
        except OSError:
            raise BadKeySet("the file cannot be read") from None

    return KeySet(read)


def from_url(url: str) -> KeySet:
    def read() -> bytes:
        try:
            got = outward.get(
                url, {"Accept": "application/json"}, time.monotonic() + FETCH_S, LARGEST_SET
            )
        except outward.NoAnswer as none:
            raise BadKeySet(f"their address did not answer well ({none.why})") from None
        if got.status != 200:
            raise BadKeySet(f"their address answered {got.status}")
        return got.body

    return KeySet(read)


def key_sets(register: Path, clients: Sequence[Client]) -> dict[str, KeySet]:
    """Each client's keys by its name. Those in files are read now: `ClientsError` names the entry
    whose cannot be used. Those at addresses are fetched when first needed."""
    sets = {}
    for client in clients:
        if client.jwks_file is None:
            sets[client.name] = from_url(client.jwks_url)
            continue
        sets[client.name] = from_file(client.jwks_file)
        try:
            sets[client.name].load()
        except BadKeySet as bad:
            raise ClientsError(
                register,
                f"clients.{client.name}",
                f"{client.jwks_file}: {bad}",
                "Put the client's public keys there, as a JWK set.",
            ) from None
    return sets


def _parse(raw: bytes) -> Keys:
    """The keys of a JWK set that can verify our algorithms; anything else in it is ignored."""
    try:
        sent = json.loads(raw)["keys"]
        if not isinstance(sent, list) or not all(isinstance(one, dict) for one in sent):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadKeySet("the answer is not a JWK set") from None
    if len(sent) > MOST_KEYS:
        raise BadKeySet(f"there are more than {MOST_KEYS} keys")
    keys: dict[tuple[str, str], PublicKey] = {}
    for one in sent:
        kid = one.get("kid")
        algorithm = _ALGORITHM_OF.get(str(one.get("kty")))
        if not isinstance(kid, str) or algorithm is None or not _is_for_us(one, algorithm):
            continue
        if "d" in one:
            raise BadKeySet("it holds a private key, so anyone could sign")
        key = _public_key(one)
        if key is None:
            continue
        if (kid, algorithm) in keys:
            raise BadKeySet("two of its keys have the same kid")
        keys[kid, algorithm] = key
    if not keys:
        raise BadKeySet("it has no key for ES384 or RS384 with a kid")
    return keys


def _is_for_us(one: Mapping[str, Any], algorithm: str) -> bool:
    return bool(one.get("use", "sig") == "sig" and one.get("alg", algorithm) == algorithm)


def _public_key(one: Mapping[str, Any]) -> PublicKey | None:
    """The key, if it is of a kind that is strong enough and fits the algorithm."""
    try:
        if one["kty"] == "EC":
            curve = ECAlgorithm(ECAlgorithm.SHA384).from_jwk(dict(one))
            is_p384 = isinstance(curve, ec.EllipticCurvePublicKey) and curve.key_size == 384
            return curve if is_p384 and isinstance(curve, ec.EllipticCurvePublicKey) else None
        key = RSAAlgorithm(RSAAlgorithm.SHA384).from_jwk(dict(one))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_BITS else None


# --- making keys and tokens --------------------------------------------------------------------


def make_key(algorithm: str) -> bytes:
    """A new private key, as PEM."""
    key: PrivateKey = (
        ec.generate_private_key(ec.SECP384R1())
        if algorithm == "ES384"
        else rsa.generate_private_key(public_exponent=65537, key_size=3072)
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def read_key(pem: bytes) -> PrivateKey:
    """Raises `ValueError` for anything that is not a private key of ES384 or RS384."""
    key = serialization.load_pem_private_key(pem, password=None)
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size == 384:
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size in RSA_BITS:
        return key
    raise ValueError("neither a P-384 nor an RSA key of at least 2048 bits")


def public_jwk(key: PublicKey) -> dict[str, str]:
    """The key as a JWK; its kid is its thumbprint (RFC 7638)."""
    whole: dict[str, Any] = (
        ECAlgorithm.to_jwk(key, as_dict=True)
        if isinstance(key, ec.EllipticCurvePublicKey)
        else RSAAlgorithm.to_jwk(key, as_dict=True)
    )
    members = ("crv", "kty", "x", "y") if whole["kty"] == "EC" else ("e", "kty", "n")
    jwk = {member: str(whole[member]) for member in members}
    canonical = json.dumps(jwk, separators=(",", ":"), sort_keys=True)
    kid = base64url_encode(sha256(canonical.encode()).digest()).decode()
    return {**jwk, "kid": kid, "alg": _ALGORITHM_OF[whole["kty"]], "use": "sig"}


def make_token(
    key: PrivateKey,
    issuer: str,
    audience: str,
    now: int,
    lifetime_s: int,
    *,
    jku: str = "",
    tenant: str = "",
) -> str:
    """A token as a CDS client makes one for each call."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "iat": now,
        "exp": now + lifetime_s,
        "jti": str(uuid.uuid4()),
    }
    if tenant:
        claims["tenant"] = tenant
    jwk = public_jwk(key.public_key())
    headers = {"kid": jwk["kid"], **({"jku": jku} if jku else {})}
    return jwt.encode(claims, key, algorithm=jwk["alg"], headers=headers)
