"""Attempts to be let in without a registered client's good token: name -> Authorization header.

Each is made from a good token by one change, so that nothing else refuses it. ``{listener}`` in
them is an address of the attacker, which must never be called.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from ehr import BASE, CALL, DISCOVERY, FEEDBACK, Ehr, encoded, signed

NORTH = Ehr("north", fhir_servers=["https://fhir.north.example.org/r4"])
SOUTH = Ehr("south", "RSA", tenants=["ward-1", "ward-2"])
KEYS_AT_AN_ADDRESS = "https://published.example.org/jwks.json"
STRANGER = Ehr("stranger")
EHRS = (NORTH, SOUTH)

Forge = Callable[[str], str | None]
ATTEMPTS: dict[str, Forge] = {}


def attempt(make: Forge) -> Forge:
    ATTEMPTS[make.__name__] = make
    return make


def bearer(token: str) -> str:
    return f"Bearer {token}"


def claims(name: str, **changed: Any) -> None:
    ATTEMPTS[name] = lambda _: bearer(NORTH.token(**{"audience": CALL, **changed}))


def header(name: str, **changed: Any) -> None:
    ATTEMPTS[name] = lambda _: bearer(NORTH.token(header=changed))


def raw(name: str, authorization: str | None) -> None:
    ATTEMPTS[name] = lambda _: authorization


def unsigned(changed_header: dict[str, Any], signature: str = "") -> str:
    return bearer(
        f"{encoded(NORTH.header(**changed_header))}.{encoded(NORTH.claims())}.{signature}"
    )


def public_pem(ehr: Ehr) -> bytes:
    return ehr.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def by_hmac(secret: bytes, ehr: Ehr, algorithm: str = "HS256") -> str:
    body = f"{encoded(ehr.header(alg=algorithm))}.{encoded(ehr.claims())}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    return bearer(f"{body}.{encoded(hmac.digest(secret, body.encode(), digest))}")


def now() -> int:
    return int(time.time())


# --- no token, or none in its place -----------------------------------------------------------

raw("no_header", None)
raw("an_empty_header", "")
raw("bearer_alone", "Bearer")
raw("bearer_and_a_blank", "Bearer ")
raw("basic", "Basic bm9ydGg6c2VjcmV0")
raw("a_word", "Bearer secret")
raw("two_parts", "Bearer a.b")
raw("three_dots", "Bearer ...")
raw("four_parts", "Bearer YQ.YQ.YQ.YQ")
raw("five_parts_of_an_encrypted_token", "Bearer YQ.YQ.YQ.YQ.YQ")
raw("parts_that_are_not_base64", "Bearer !.?.#")
raw("parts_that_are_not_json", f"Bearer {encoded(b'x')}.{encoded(b'y')}.{encoded(b'z')}")
raw("very_long", "Bearer " + "a" * 9000)
raw("deep_json", f"Bearer {encoded(b'[' * 3000)}.{encoded(b'{}')}.YQ")
ATTEMPTS["another_scheme"] = lambda _: f"JWT {NORTH.token()}"
ATTEMPTS["no_scheme"] = lambda _: NORTH.token()
ATTEMPTS["two_blanks"] = lambda _: f"Bearer  {NORTH.token()}"
ATTEMPTS["a_blank_after_it"] = lambda _: f"Bearer {NORTH.token()} "
ATTEMPTS["two_tokens"] = lambda _: f"Bearer {NORTH.token()}, Bearer {NORTH.token()}"
ATTEMPTS["padded_base64"] = lambda _: bearer(NORTH.token() + "=")
ATTEMPTS["ordinary_base64_letters"] = lambda _: bearer(NORTH.token() + "+/")
ATTEMPTS["letters_beyond_ascii"] = lambda _: bearer(NORTH.token()[:-1] + "é")
ATTEMPTS["an_array_for_header"] = lambda _: bearer(f"{encoded([])}.{encoded(NORTH.claims())}.YQ")
ATTEMPTS["text_for_claims"] = lambda _: bearer(signed(NORTH.header(), "claims", NORTH.key))
ATTEMPTS["null_for_claims"] = lambda _: bearer(signed(NORTH.header(), None, NORTH.key))

# --- the algorithm ----------------------------------------------------------------------------

for spelling in ("none", "None", "NONE", "nOnE", ""):
    ATTEMPTS[f"algorithm_{spelling or 'empty'}_unsigned"] = lambda _, s=spelling: unsigned(
        {"alg": s}
    )
    ATTEMPTS[f"algorithm_{spelling or 'empty'}_with_something"] = lambda _, s=spelling: unsigned(
        {"alg": s}, "YQ"
    )
for hs in ("HS256", "HS384", "HS512"):
    ATTEMPTS[f"{hs}_with_the_public_key_as_secret"] = lambda _, a=hs: by_hmac(
        public_pem(NORTH), NORTH, a
    )
    ATTEMPTS[f"{hs}_with_the_rsa_public_key_as_secret"] = lambda _, a=hs: by_hmac(
        public_pem(SOUTH), SOUTH, a
    )
    ATTEMPTS[f"{hs}_with_the_jwk_as_secret"] = lambda _, a=hs: by_hmac(
        json.dumps(NORTH.jwk).encode(), NORTH, a
    )
    ATTEMPTS[f"{hs}_with_no_secret"] = lambda _, a=hs: by_hmac(b"", NORTH, a)
for other in ("ES256", "ES512", "RS256", "RS512", "PS384", "EdDSA", "es384", "ES384 "):
    header(f"algorithm_said_to_be_{other.strip()}{'_' * other.count(' ')}", alg=other)
header("algorithm_missing", alg=None)
header("algorithm_a_number", alg=384)
header("algorithm_a_list", alg=["ES384"])


@attempt
def said_es384_but_signed_by_rsa(_: str) -> str:
    return bearer(signed(NORTH.header(), NORTH.claims(), SOUTH.key))


@attempt
def said_rs384_with_the_kid_of_an_elliptic_key(_: str) -> str:
    return bearer(signed(NORTH.header(alg="RS384"), NORTH.claims(), SOUTH.key))


@attempt
def signed_with_rs256_by_the_right_key(_: str) -> str:
    return bearer(
        signed(
            SOUTH.header(alg="RS256"), SOUTH.claims(tenant="ward-1"), SOUTH.key, algorithm="RS256"
        )
    )


@attempt
def signed_with_pss_by_the_right_key(_: str) -> str:
    body = f"{encoded(SOUTH.header())}.{encoded(SOUTH.claims(tenant='ward-1'))}"
    assert isinstance(SOUTH.key, rsa.RSAPrivateKey)
    signature = SOUTH.key.sign(body.encode(), padding.PSS(padding.MGF1(SHA384()), 48), SHA384())
    return bearer(f"{body}.{encoded(signature)}")


@attempt
def signed_by_a_key_of_another_curve(_: str) -> str:
    return bearer(
        signed(
            NORTH.header(alg="ES256"),
            NORTH.claims(),
            ec.generate_private_key(ec.SECP256R1()),
            algorithm="ES256",
        )
    )


@attempt
def signed_by_an_edwards_key(_: str) -> str:
    body = f"{encoded(NORTH.header(alg='EdDSA'))}.{encoded(NORTH.claims())}"
    return bearer(f"{body}.{encoded(ed25519.Ed25519PrivateKey.generate().sign(body.encode()))}")


# --- the signature ----------------------------------------------------------------------------


@attempt
def signed_by_a_stranger(_: str) -> str:
    return bearer(NORTH.token(key=STRANGER.key))


@attempt
def signed_by_another_registered_client(_: str) -> str:
    return bearer(signed(SOUTH.header(), NORTH.claims(), SOUTH.key))


@attempt
def of_another_client_with_the_kid_of_the_first(_: str) -> str:
    return bearer(signed(SOUTH.header(kid=NORTH.jwk["kid"]), NORTH.claims(), SOUTH.key))


@attempt
def no_signature(_: str) -> str:
    return bearer(NORTH.token().rpartition(".")[0] + ".")


@attempt
def signature_left_off(_: str) -> str:
    return bearer(NORTH.token().rpartition(".")[0])


@attempt
def signature_cut_short(_: str) -> str:
    return bearer(NORTH.token()[:-8])


@attempt
def signature_made_longer(_: str) -> str:
    return bearer(NORTH.token() + "AAAA")


@attempt
def signature_of_zeros(_: str) -> str:
    return bearer(f"{NORTH.token().rpartition('.')[0]}.{encoded(bytes(96))}")


@attempt
def signature_of_ones(_: str) -> str:
    return bearer(f"{NORTH.token().rpartition('.')[0]}.{encoded(bytes([0, *bytes(46), 1] * 2))}")


@attempt
def signature_in_der(_: str) -> str:
    body = NORTH.token().rpartition(".")[0]
    assert isinstance(NORTH.key, ec.EllipticCurvePrivateKey)
    return bearer(f"{body}.{encoded(NORTH.key.sign(body.encode(), ec.ECDSA(SHA384())))}")


@attempt
def claims_changed_after_signing(_: str) -> str:
    head, _, signature = NORTH.token(audience=DISCOVERY).split(".")
    return bearer(f"{head}.{encoded(NORTH.claims())}.{signature}")


@attempt
def header_changed_after_signing(_: str) -> str:
    _, body, signature = NORTH.token().split(".")
    return bearer(f"{encoded(NORTH.header(extra=1))}.{body}.{signature}")


@attempt
def signature_of_another_token(_: str) -> str:
    return bearer(f"{NORTH.token().rpartition('.')[0]}.{NORTH.token().rpartition('.')[2]}")


# --- where the keys are -----------------------------------------------------------------------


def stranger_with(**changed: Any) -> str:
    """A token of the client's, signed by a stranger, whose header says where to find his key."""
    return bearer(NORTH.token(header=changed, key=STRANGER.key))


ATTEMPTS["his_key_at_jku"] = lambda listener: stranger_with(jku=listener, kid=STRANGER.jwk["kid"])
ATTEMPTS["his_key_at_jku_with_the_clients_kid"] = lambda listener: stranger_with(jku=listener)
ATTEMPTS["a_good_token_with_a_jku_elsewhere"] = lambda listener: bearer(
    NORTH.token(header={"jku": listener})
)
ATTEMPTS["jku_is_a_file"] = lambda _: stranger_with(jku="file:///etc/passwd")
ATTEMPTS["jku_is_inside_data"] = lambda _: stranger_with(
    jku="data:application/json," + json.dumps({"keys": [STRANGER.jwk]})
)
ATTEMPTS["jku_is_empty"] = lambda _: bearer(NORTH.token(header={"jku": ""}))
ATTEMPTS["jku_is_a_list"] = lambda listener: bearer(NORTH.token(header={"jku": [listener]}))
ATTEMPTS["his_key_at_x5u"] = lambda listener: stranger_with(x5u=listener)
ATTEMPTS["his_key_in_the_header"] = lambda _: stranger_with(jwk=STRANGER.jwk)
ATTEMPTS["his_key_in_the_header_with_his_kid"] = lambda _: stranger_with(
    jwk=STRANGER.jwk, kid=STRANGER.jwk["kid"]
)
ATTEMPTS["a_certificate_in_the_header"] = lambda _: stranger_with(x5c=["MIIB"])
for name, kid in {
    "missing": None,
    "empty": "",
    "unknown": "unknown",
    "a_path": "../../../../dev/null",
    "a_statement": "' OR 1=1 --",
    "a_number": 1,
    "a_list": ["a"],
    "an_address": "http://127.0.0.1:1/",
    "null_character": "\0",
}.items():
    header(f"kid_{name}", kid=kid)
header("type_missing", typ=None)
header("type_another", typ="at+jwt")
header("type_a_number", typ=1)
header("critical_extension", crit=["exp"], exp=1)
header("critical_unencoded_payload", crit=["b64"], b64=False)
header("critical_empty", crit=[])

# --- what it says -----------------------------------------------------------------------------

for name in ("iss", "aud", "exp", "iat", "jti"):
    claims(f"without_{name}", **({"audience": None} if name == "aud" else {name: None}))
claims("issuer_unknown", iss=STRANGER.issuer)
claims("issuer_with_a_slash", iss=NORTH.issuer + "/")
claims("issuer_in_capitals", iss=NORTH.issuer.upper())
claims("issuer_a_list", iss=[NORTH.issuer])
claims("issuer_of_another_client", iss=SOUTH.issuer)
claims("audience_of_another_service", audience=f"{DISCOVERY}/other")
claims("audience_is_discovery", audience=DISCOVERY)
claims("audience_is_feedback", audience=FEEDBACK)
claims("audience_is_the_base", audience=BASE)
claims("audience_with_a_slash", audience=CALL + "/")
claims("audience_in_capitals", audience=CALL.upper())
claims("audience_begins_like_ours", audience=CALL + "x")
claims("audience_of_another_host", audience="https://evil.example/b12/cds-services/small")
claims("audience_as_the_host_header_says", audience="http://localhost/cds-services/small")
claims("audience_empty", audience="")
claims("audience_nobody", audience=[])
claims("audience_others", audience=["https://a.example", "https://b.example"])
claims("audience_a_number", audience=1)
claims("audience_an_object", audience={"aud": CALL})
claims("audience_a_list_with_a_number", audience=[CALL, 1])
claims("expired", iat=now() - 600, exp=now() - 60)
claims("expired_long_ago", iat=1_000_000, exp=1_000_300)
claims("expires_before_it_was_issued", iat=now() + 10, exp=now() + 5)
claims("expires_when_issued", iat=now(), exp=now())
claims("lives_too_long", exp=now() + 3600)
claims("lives_for_ever", exp=1e300)
claims("expiry_beyond_numbers", exp=10**40)
claims("expiry_a_text", exp=str(now() + 300))
claims("expiry_true", exp=True)
claims("expiry_null_again", exp=[now() + 300])
claims("expiry_infinite", exp=float("inf"))
claims("expiry_not_a_number", exp=float("nan"))
claims("issued_in_the_future", iat=now() + 100_000, exp=now() + 100_300)
claims("issued_long_ago", iat=now() - 100_000)
claims("issued_a_text", iat=str(now()))
claims("issued_below_zero", iat=-1)
claims("not_valid_yet", nbf=now() + 100_000)
claims("not_valid_yet_a_text", nbf="soon")
claims("number_empty", jti="")
claims("number_long", jti="x" * 300)
claims("number_a_number", jti=7)
claims("number_with_a_line_break", jti="a\nb")


@attempt
def tenant_of_nobody(_: str) -> str:
    return bearer(SOUTH.token(tenant="ward-9"))


@attempt
def tenant_missing(_: str) -> str:
    return bearer(SOUTH.token())


@attempt
def tenant_a_list(_: str) -> str:
    return bearer(SOUTH.token(tenant=["ward-1"]))


@attempt
def claims_said_twice(_: str) -> str:
    """The first audience is ours, the last, which counts, is not."""
    sent = json.dumps(NORTH.claims())[:-1] + ', "aud": "https://evil.example"}'
    return bearer(signed(NORTH.header(), sent.encode(), NORTH.key))


@attempt
def algorithm_said_twice(_: str) -> str:
    sent = json.dumps(NORTH.header())[:-1] + ', "alg": "none"}'
    body = f"{encoded(sent.encode())}.{encoded(NORTH.claims())}"
    return bearer(f"{body}.")
