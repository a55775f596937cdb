"""The keys of clients: fetched or read, kept, changed; and made, for tests.

The location of a client's keys comes only from the register; no address in a token is ever fetched.
No call waits for a key: they are read in the background, and one that is not there is refused.
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
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS
from jwt.utils import base64url_encode

from cds_service.errors import ClientsError
from cds_service.trust import outward
from cds_service.trust.callers import ALGORITHMS, Rejected
from cds_service.trust.clients import Client, read_clients, writable_by_all

#: Keys are read again after this time; while that fails they are kept so long and no longer.
FRESH_S = 300
KEPT_S = 3600
#: A token with an unknown kid has new keys looked for, but not more often than this.
PAUSE_S = 30
FETCH_S = 2.0
#: Seconds between two looks at which keys are old.
_LOOK_S = 5.0
LARGEST_SET = 256_000
MOST_KEYS = 100
RSA_BITS = range(2048, 8193)

_ALGORITHM_OF = {"EC": "ES384", "RSA": "RS384"}

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Keys = Mapping[tuple[str, str], PublicKey]


class BadKeySet(Exception):
    """Why a key set cannot be used; nothing from its content."""


def _in_background(job: Callable[[], None]) -> None:
    threading.Thread(target=job, name="keys", daemon=True).start()


class KeySet:
    """One client's keys by ``kid`` and algorithm, read again in the background when they are old or
    one is missing.

    ``read`` returns the set as sent; ``clock`` are seconds that never go back; ``begin`` has a job
    done without waiting for it.
    """

    def __init__(
        self,
        read: Callable[[], bytes],
        clock: Callable[[], float] = time.monotonic,
        begin: Callable[[Callable[[], None]], None] = _in_background,
    ) -> None:
        self._read = read
        self._clock = clock
        self._begin = begin
        self._keys: Keys = {}
        self._good_at = -float(KEPT_S)  # when the keys came
        self._tried_at = -float(PAUSE_S)
        self._lock = threading.Lock()
        self._reading = False
        self.tried = threading.Event()
        self.problem = ""

    def check(self, token: str, kid: str, algorithm: str) -> None:
        key = self._keys.get((kid, algorithm))
        age = self._clock() - self._good_at
        if key is None or age >= FRESH_S:
            self.refresh()
        because = f": {self.problem}" if self.problem else ""
        if age >= KEPT_S:
            raise Rejected(f"the client's keys are not available{because}")
        if key is None:
            raise Rejected(f"the client has no such key (kid) for this algorithm{because}")
        try:
            _jws.decode_complete(token, key, algorithms=[algorithm])
        except jwt.PyJWTError:
            raise Rejected("the signature is not by the registered key") from None

    def load(self) -> int:
        """Read the keys now; how many there are. Raises `BadKeySet`."""
        self._keys = _parse(self._read())
        self._good_at = self._tried_at = self._clock()
        self.problem = ""
        return len(self._keys)

    def keep_fresh(self) -> None:
        """Has the keys read again if they are old."""
        if self._clock() - self._good_at >= FRESH_S:
            self.refresh()

    def refresh(self, *, at_once: bool = False) -> None:
        """Has the keys read again, unless that is being done or, without ``at_once``, was tried a
        moment ago."""
        with self._lock:
            now = self._clock()
            if self._reading or (now - self._tried_at < PAUSE_S and not at_once):
                return
            self._reading, self._tried_at = True, now
        try:
            self._begin(self._read_again)
        except RuntimeError:  # no more threads available
            self._reading = False

    def _read_again(self) -> None:
        try:
            self.load()
        except BadKeySet as bad:
            self.problem = str(bad)
        finally:
            self._reading = False
            self.tried.set()


_jws = PyJWS(algorithms=list(ALGORITHMS))


def from_file(path: Path) -> KeySet:
    def read() -> bytes:
        try:
            if writable_by_all(path) is not None:
                raise BadKeySet("every user of this machine can write to it, or to its folder")
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


class Register:
    """The clients of a register and their keys, both kept up to date by a thread of its own.

    Keys in files are read now: `ClientsError` names the entry whose cannot be used. Those at
    addresses are fetched from `start` on. ``say`` logs a line.
    """

    def __init__(
        self, file: Path, *, plain_http: bool = False, say: Callable[[dict[str, Any]], None]
    ) -> None:
        self._file = file
        self._plain_http = plain_http
        self._say = say
        self._told: Callable[[Sequence[Client], Mapping[str, KeySet]], None] | None = None
        self._wake = threading.Event()
        self._wanted = self._stopping = False
        self._thread: threading.Thread | None = None
        self._problems: dict[str, str] = {}
        self.clients: Sequence[Client] = ()
        self.keys: Mapping[str, KeySet] = {}
        self.reload()

    def tell(self, told: Callable[[Sequence[Client], Mapping[str, KeySet]], None]) -> None:
        """Has ``told`` know who is registered now, and again after every change."""
        self._told = told
        told(self.clients, self.keys)

    def client(self, name: str) -> Client | None:
        return next((one for one in self.clients if one.name == name), None)

    @property
    def failing(self) -> int:
        """How many clients have keys that could not be read when that was last tried."""
        return sum(bool(one.problem) for one in self.keys.values())

    def reload(self) -> None:
        """Reads the register and the key files, all or nothing; keys at addresses are fetched again
        while those there are still count."""
        clients = read_clients(self._file, plain_http=self._plain_http)
        before = {one.name: one for one in self.clients}
        keys = {}
        for client in clients:
            same = before.get(client.name)
            fetched = same and not same.jwks_file and same.jwks_url == client.jwks_url
            if fetched and client.jwks_file is None:
                keys[client.name] = self.keys[client.name]
            else:
                keys[client.name] = self._key_set(client)
        self.clients, self.keys = clients, keys
        if self._told is not None:
            self._told(clients, keys)

    def _key_set(self, client: Client) -> KeySet:
        if client.jwks_file is None:
            return from_url(client.jwks_url)
        made = from_file(client.jwks_file)
        try:
            made.load()
        except BadKeySet as bad:
            raise ClientsError(
                self._file,
                f"clients.{client.name}",
                f"{client.jwks_file}: {bad}",
                "Put the client's public keys there, as a JWK set that only you can write.",
            ) from None
        return made

    # --- the thread ------------------------------------------------------------------------------

    def start(self, patience: float = 0.0) -> None:
        """Reads the register again, of which the process that this one was forked from may have an
        earlier one; starts the thread, and waits so many seconds for keys at addresses."""
        self._try_to_reload()
        self._thread = threading.Thread(target=self._watch, name="register", daemon=True)
        self._thread.start()
        ends = time.monotonic() + patience
        for client in self.clients:
            if client.jwks_file is None:
                self.keys[client.name].tried.wait(max(0.0, ends - time.monotonic()))

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)

    def reload_soon(self) -> None:
        """Has everything read again at once; may be called by a signal."""
        self._wanted = True
        self._wake.set()

    def _watch(self) -> None:
        while not self._stopping:
            if self._wanted:
                self._wanted = False
                self._reload_and_say()
            for keys in self.keys.values():
                keys.keep_fresh()
            self._say_problems()
            self._wake.wait(_LOOK_S)
            self._wake.clear()

    def _reload_and_say(self) -> None:
        if not self._try_to_reload():
            return
        for keys in self.keys.values():
            keys.refresh(at_once=True)
        suspended = [one.name for one in self.clients if one.suspended]
        line = {"level": "info", "register": "reloaded", "clients": len(self.clients)}
        self._say({**line, **({"suspended": suspended} if suspended else {})})

    def _try_to_reload(self) -> bool:
        try:
            self.reload()
        except ClientsError as error:
            self._say({"level": "error", "register": "not reloaded", "problem": str(error)})
            return False
        return True

    def _say_problems(self) -> None:
        """Logs where keys can no longer be read, and where they can again."""
        for name, keys in self.keys.items():
            if keys.problem != self._problems.get(name, ""):
                level = "error" if keys.problem else "info"
                said = keys.problem or "read again"
                self._say({"level": level, "client": name, "keys": said})
                self._problems[name] = keys.problem


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
    subject: str = "",
) -> str:
    """A token as a CDS client makes one for each call; with a ``subject``, which is the issuer, as
    a client of SMART Backend Services makes one for a token endpoint."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "iat": now,
        "exp": now + lifetime_s,
        "jti": str(uuid.uuid4()),
    }
    if tenant:
        claims["tenant"] = tenant
    if subject:
        claims["sub"] = subject
    jwk = public_jwk(key.public_key())
    headers = {"kid": jwk["kid"], **({"jku": jku} if jku else {})}
    return jwt.encode(claims, key, algorithm=jwk["alg"], headers=headers)
