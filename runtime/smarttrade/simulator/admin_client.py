"""One request to the admin API of a running simulator."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from smarttrade.errors import ConfigurationError, SmartTradeError

_PATIENCE_S = 10.0


class AdminClient:
    """`url` as http://host:8090; `token` as configured."""

    def __init__(self, url: str, token: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"--admin is {url!r}; give the admin API's address as http://HOST:PORT")
        self.url = url.rstrip("/")
        self._token = token

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The answer's JSON; ConfigurationError where the request was wrong, else SmartTradeError."""
        wanted = {name: value for name, value in query.items() if value is not None}
        url = f"{self.url}/admin/v1/{path}" + (f"?{urlencode(wanted)}" if wanted else "")
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, content, method=method)  # noqa: S310 - checked to be http
        request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise ConfigurationError(_reason(error)) from None
        except OSError as error:
            raise SmartTradeError(f"the admin API at {self.url} does not answer: {error}") from error


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"])
    except (ValueError, KeyError, TypeError):
        return f"the admin API answers {error.code} {error.reason}"
