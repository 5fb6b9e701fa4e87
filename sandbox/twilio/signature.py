"""X-Twilio-Signature, as Twilio computes it (twilio.com/docs/usage/webhooks/webhooks-security)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable


def sign(token: str, url: str, *, form: Iterable[tuple[str, str]] = ()) -> str:
    """Return the signature of a POST of `form` to `url`; a GET has its fields in the url and no form.

    The fragment is not signed: it never reaches the server, which has to compute the same string.
    Fields come in order of name; of a repeated one each distinct value once, in order.
    """
    signed = url.partition("#")[0] + "".join(name + value for name, value in sorted(set(form)))
    return b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
