"""Input that is nearly right: what somebody wrote, with some of it changed, cut or repeated."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

_Change = tuple[str, float, float, bytes]


def mutated(examples: Sequence[bytes], words: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy for what becomes of examples after a few changes.

    Parameters:
        examples: what is right.
        words: what changes put in, beside any bytes.
    """
    changes = st.tuples(
        st.sampled_from(["put", "cut", "repeat", "flip"]),
        st.floats(0, 1),
        st.floats(0, 1),
        st.sampled_from(words) | st.binary(max_size=4),
    )
    return st.builds(_changed, st.sampled_from(examples), st.lists(changes, max_size=6))


def _changed(content: bytes, changes: Sequence[_Change]) -> bytes:
    for kind, begin, end, word in changes:
        first, last = sorted((int(begin * len(content)), int(end * len(content))))
        match kind:
            case "put":
                content = content[:first] + word + content[first:]
            case "cut":
                content = content[:first] + content[last:]
            case "repeat":
                content = content[:last] + content[first:]
            case _ if first < len(content):
                flipped = content[first] ^ (1 << last % 8)
                content = content[:first] + bytes([flipped]) + content[first + 1 :]
    return content
