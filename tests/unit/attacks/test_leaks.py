"""The search for leaked keys finds a planted one, however it is written, and nothing where there is none."""

import base64
import json
from urllib.parse import quote, quote_plus, urlencode

import pytest

from tests.e2e.operator.leaks import Output, find_leaks

SECRET = 'norma "secret"/+=\\'
AROUND = [b"", b"a", b"ab"]
PLANTED = {
    "raw": f"key is {SECRET}.",
    "json": json.dumps({"secret": SECRET}),
    "json in a log line of json": json.dumps({"event": json.dumps({"secret": SECRET})}),
    "repr": repr({"secret": SECRET}),
    "url": f"https://exchange.example/?key={quote(SECRET, safe='')}&x=1",
    "url in lower case": f"/?key={quote_plus(SECRET).lower()}",
    "form": urlencode({"secret": SECRET}),
    "hex": SECRET.encode().hex(),
    "hex in upper case": SECRET.encode().hex().upper(),
    **{f"basic auth {n}": base64.b64encode(b + SECRET.encode() + b).decode() for n, b in enumerate(AROUND)},
    **{f"url-safe {n}": base64.urlsafe_b64encode(b + SECRET.encode()).decode() for n, b in enumerate(AROUND)},
}


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED)
def test_a_planted_secret_is_found(text: str) -> None:
    [*leaks] = find_leaks({"secret": SECRET}, [Output("logs", "a pod", f"before {text} after".encode())])
    assert {(leak.secret, leak.kind, leak.place) for leak in leaks} == {("secret", "logs", "a pod")}


def test_nothing_is_found_where_there_is_none() -> None:
    others = [json.dumps({"secret": "norma"}), "signature", base64.b64encode(b"norma secret").decode()]
    assert not find_leaks({"secret": SECRET}, [Output("logs", "a pod", text.encode()) for text in others])


@pytest.mark.parametrize(
    "text",
    [f"GET /api/v3/order?symbol=BTCUSDT&signature={'0a' * 32}", json.dumps({"signature": "0A" * 32})],
)
def test_a_signed_request_is_found(text: str) -> None:
    [leak] = find_leaks({}, [Output("logs", "a pod", text.encode())])
    assert leak.secret == "signed request"
