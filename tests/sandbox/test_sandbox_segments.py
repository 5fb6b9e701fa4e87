from __future__ import annotations

import pytest

from sandbox.segments import segment_count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param("", 1, id="nothing takes one"),
        pytest.param("x" * 160, 1, id="160 of GSM-7"),
        pytest.param("x" * 161, 2, id="161 of GSM-7"),
        pytest.param("x" * 306, 2, id="two of 153"),
        pytest.param("x" * 307, 3, id="one more than two of 153"),
        pytest.param("€" * 80, 1, id="the euro counts double"),
        pytest.param("€" * 81, 2, id="one euro too many"),
        pytest.param("x" * 152 + "€" + "x" * 7, 2, id="an escape pair does not straddle: 152, then the rest"),
        pytest.param("€" * 153, 3, id="76 pairs to a part of 153"),
        pytest.param("ñ" * 160, 1, id="accents of GSM-7"),
        pytest.param("ç" * 70, 1, id="a small c cedilla is none of them: 70 of UCS-2"),
        pytest.param("ç" * 71, 2, id="71 of UCS-2"),
        pytest.param("ç" * 134, 2, id="two of 67"),
        pytest.param("👍" * 35, 1, id="an emoji is two units"),
        pytest.param("👍" * 36, 2, id="36 emoji"),
        pytest.param("👍" * 67, 3, id="33 pairs to a part of 67"),
        pytest.param("\n" * 160, 1, id="a line feed is GSM-7"),
        pytest.param("\t" * 71, 2, id="a tab is not"),
    ],
)
def test_segments(text: str, count: int) -> None:
    assert segment_count(text) == count
