"""What a Prefect server's API says, asked as Prefect's own client asks: a busy server that answers 503 is asked again."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

#: Times. Seconds between two of them. On SQLite a transaction that began to read before another one wrote is refused at
#: once, whatever the database's own patience; the server then undoes all of it and says 503.
ATTEMPTS, PAUSE = 20, 0.5


def ask(api: str, path: str, body: Mapping[str, Any] | None = None, *, method: str | None = None) -> Any:
    """The answer, as JSON; None where it has no body. A GET without a body, a POST with one.

    Raises:
        urllib.error.HTTPError: any other refusal, and the last 503.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{api}/{path}", data, {"Content-Type": "application/json"}, method=method)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code != 503 or attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE)
    raise AssertionError(path)
