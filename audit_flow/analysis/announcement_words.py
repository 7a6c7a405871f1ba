"""Numbers and boasts in words: "forty GPUs", "twice as fast", "most capable"."""

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

_GOOD = (
    r"(?:capable|accurate|powerful|advanced|efficient|reliable|intelligent|robust|performant|precise"
    r"|truthful|factual|helpful|trustworthy|cost-effective|sophisticated|impressive|affordable"
    r"|economical|secure|proficient|knowledgeable|versatile|skilled|competent)"
)
_THAN = r"(?:better|stronger|faster|higher|smarter|cheaper|greater)"
_EVERY = r"(?:every|all|any|anything|everything|everyone)"
_MEASURE = (
    r"(?:accuracy|scores?|performance|speed|throughput|quality|prices?|costs?|latency|memory|size"
    r"|compute|energy|errors?|error rate|hallucinations|parameters?)"
)
SUPERLATIVE = re.compile(
    r"\b(?:best|strongest|top|smartest|fastest|largest|biggest|smallest|cheapest|highest"
    r"|leading(?!\s+(?:to|up|zero|digit|space|white|character|newline|dimension|axis|bit|term)\w*)"
    r"|lowest|greatest|finest|safest|world'?s|state[- ]of[- ]the[- ]art|sota|number one|#1"
    r"|unmatched|unrivall?ed|unprecedented|unsurpassed|unbeaten|record[- ]breaking|world[- ]class"
    r"|first(?=\s+(?:open|fully|model|ever|truly|to\b))|most\s+\w+(?=\s+(?:open|model|llm|ai)\b)"
    rf"|(?<!at )most\s+{_GOOD}|flawless(?:ly)?"
    r"|(?<!not )(?<!n't )(?<!n’t )(?<!not a )(?<!never )(?<!far from )(?<!less than )"
    r"perfect(?!\s+(?:number|square|cube|power)s?\b)"
    rf"|(?:beats?|beating|outperform\w*|surpass\w*)\s+{_EVERY}|{_THAN}\s+than\s+{_EVERY}"
    r"|(?:nothing|nobody|none|no one)\s+(?:\w+\s+){0,3}?(?:close|near|better|faster|stronger)"
    rf"|no\s+(?:\w+\s+){{1,4}}?(?:{_THAN}|close)"
    r"|breakthrough|second to none|no other)\b|(?<!\w)#1\b|№\s?1\b",
    re.IGNORECASE,
)
# "Twice as fast", "half the price", "three times better": so many times another model.
FACTOR = re.compile(
    rf"\b(?:(?:twice|thrice|half)\s+as\s+\w+|(?:half|twice|double)\s+(?:the|its)\s+{_MEASURE}"
    r"|(?:doubles|triples|quadruples|halves)\s+(?:(?:the|its|our|their)\s+)?(?:\w+\s+)?"
    rf"{_MEASURE}|(?:doubled|doubling|tripled|tripling|halved|halving)\s+(?:(?:the|its)\s+)?{_MEASURE}"
    rf"|(?:doubles|triples|quadruples)\s+(?:that\s+of|what)"
    rf"|(?:\d+(?:\.\d+)?|{_WORD}|many|several)\s+times\s+(?:as\s+\w+|(?:more|less)\s+\w+"
    r"|better|worse|(?:fast|cheap|strong|small|larg|bigg|high|low|slow|smart|great|light|quick)e?r)"
    r")\b",
    re.IGNORECASE,
)
COMPARISON = re.compile(
    rf"\b(?:(?:outperform\w*|beats?|beating|surpass\w*)(?!\s+{_EVERY}\b)|exceed\w*(?!\s+\d)"
    rf"|(?:{_THAN}|more\s+{_GOOD})\s+than(?!\s+{_EVERY}\b)|superior to"
    r"|ahead of|on par with|comparable (?:to|with)|rivals?"
    r"|rivalling|rivaling|matches|matching|competitive with|tops|crushes|wins? (?:over|against))\b",
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
