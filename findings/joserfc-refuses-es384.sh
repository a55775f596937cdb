#!/bin/sh
# To joserfc the two algorithms that CDS Hooks and SMART Backend Services name, ES384 and RS384, are
# "not recommended": without a list of algorithms it neither signs nor verifies with them.
#
# ES256 and RS256 need no list. The key says P-384, and the token's header ES384; what decides is a
# table of the library. A service that was tried with ES256 refuses every client that follows the
# specification, and the message speaks of the algorithm, not of the list that is missing.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"


python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check joserfc==1.8.0

cat >seen <<'END'
joserfc 1.8.0
ES256 | without a list: verified | with a list: verified
RS256 | without a list: verified | with a list: verified
ES384 | without a list: Algorithm of 'ES384' is not recommended | with a list: verified
RS384 | without a list: Algorithm of 'RS384' is not recommended | with a list: verified
END

venv/bin/python - >now <<'END'
from importlib.metadata import version

from joserfc import jwt
from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jwk import ECKey, RSAKey

KEYS = {
    "ES256": ECKey.generate_key("P-256"),
    "RS256": RSAKey.generate_key(2048),
    "ES384": ECKey.generate_key("P-384"),
    "RS384": RSAKey.generate_key(2048),
}


def tried(alg, algorithms):
    token = jwt.encode({"alg": alg}, {"iss": "https://ehr.example.org"}, KEYS[alg], [alg])
    try:
        jwt.decode(token, KEYS[alg], algorithms)
    except UnsupportedAlgorithmError as error:
        return error.description
    return "verified"


print("joserfc", version("joserfc"))
for alg in KEYS:
    print(alg, "| without a list:", tried(alg, None), "| with a list:", tried(alg, [alg]))
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
