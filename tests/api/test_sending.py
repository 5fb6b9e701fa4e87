from __future__ import annotations

from typing import Any


def test_one_message(api: Any) -> None:
    answer = api.send({"to": "+15558675310", "message": "Your code is 1234"})
    assert answer.status_code == 200, answer.json
    print(answer.json)
