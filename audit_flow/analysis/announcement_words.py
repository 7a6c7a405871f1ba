"""Numbers in words: "forty GPUs", "ninety-nine percent", "ten thousand steps"."""

from __future__ import annotations

import re

_ONES = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen"""
_SMALL = {word: value for value, word in enumerate(_ONES.split(), start=1)}
_DECADES = """twenty thirty forty fifty sixty seventy eighty ninety"""
_TENS = {word: 10 * tens for tens, word in enumerate(_DECADES.split(), start=2)}
_LARGE = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
_WORD = "|".join(sorted({*_SMALL, *_TENS, *_LARGE}, key=len, reverse=True))
# Only what counts something of the training or a share is a statement: "two of us" is none.
SPELLED = re.compile(
    rf"(?<![\w.,-])(?<!\d\s)(?P<words>(?!one\b(?!\s+(?:hundred|thousand|million|billion|trillion)))"
    rf"(?:{_WORD})(?:(?:\s+|-)(?:{_WORD}))*)"
    r"(?=\s+(?:(?P<percent>per\s?cent\b)|(?:[A-Z]\w*\s+){0,3}(?:gpu|node|gpu-?hour|token|parameter"
    r"|step|epoch|hour|day|week|month|second|minute|dollar|euro)s?\b|[A-Z]{1,2}\d{1,4}s?\b))",
    re.IGNORECASE,
)


def spelled_value(words: str) -> int:
    """Return the number that words such as "two hundred ten" say."""
    total, part = 0, 0
    for word in re.split(r"[\s-]+", words.casefold()):
        scale = _LARGE.get(word)
        if scale is None:
            part += _SMALL.get(word, _TENS.get(word, 0))
        elif scale == 100:
            part = (part or 1) * scale
        else:
            total, part = total + (part or 1) * scale, 0
    return total + part
