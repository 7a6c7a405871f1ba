"""Licences: which one a text is, whether it is open, and what a base's licence asks of a release.

Names are SPDX identifiers, or the Hub's for licences that have none. Open for code and documents:
the Open Source Initiative's list and Creative Commons' free licences; for data also CDLA and ODC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMED = (
    ("agpl-3.0", r"gnu affero general public license"),
    ("lgpl-3.0", r"gnu lesser general public license"),
    ("gpl-3.0", r"gnu general public license.{0,40}version 3"),
    ("gpl-2.0", r"gnu general public license.{0,40}version 2"),
    ("mpl-2.0", r"mozilla public license.{0,10}version 2\.0"),
    ("apache-2.0", r"apache license,? version 2\.0, january 2004"),
    ("cc0-1.0", r"cc0 1\.0 universal"),
    ("cc-by-nc-nd-4.0", r"attribution-noncommercial-noderivatives 4\.0 international"),
    ("cc-by-nc-sa-4.0", r"attribution-noncommercial-sharealike 4\.0 international"),
    ("cc-by-nc-4.0", r"attribution-noncommercial 4\.0 international"),
    ("cc-by-nd-4.0", r"attribution-noderivatives 4\.0 international"),
    ("cc-by-sa-4.0", r"attribution-sharealike 4\.0 international"),
    ("cc-by-4.0", r"attribution 4\.0 international"),
    ("cdla-permissive-2.0", r"community data license agreement.{0,5}permissive.{0,5}version 2\.0"),
    ("odc-by", r"open data commons attribution license"),
    ("gemma", r"gemma terms of use"),
    ("openrail", r"open ?rail|responsible ai license"),
    ("mit", r"permission is hereby granted, free of charge, to any person obtaining a copy"),
    ("bsd-3-clause", r"redistribution and use in source and binary forms.*neither the name"),
    ("bsd-2-clause", r"redistribution and use in source and binary forms"),
)  # fmt: skip
_LLAMA = re.compile(r"llama (\d(?:\.\d)?) community license")
_HEADER = re.compile(r"SPDX-License-Identifier:\s*([\w.+-]{2,60})")
_ANY = frozenset({"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"})
OPEN = _ANY | {
    "agpl-3.0", "lgpl-3.0", "gpl-3.0", "gpl-2.0", "mpl-2.0", "cc-by-sa-4.0", "isc", "zlib",
    "unlicense", "bsl-1.0", "epl-2.0", "cdla-permissive-2.0", "cdla-permissive-1.0", "odc-by",
    "pddl", "odbl",
}  # fmt: skip


def license_of_text(text: str) -> str | None:
    """Return the licence that a text is, by words that only it has; None for an unknown one."""
    plain = re.sub(r"\s+", " ", text).casefold()
    head = plain[:4000]
    if llama := _LLAMA.search(head):
        return f"llama{llama[1]}"
    return next((name for name, mark in _NAMED if re.search(mark, head)), None)


def license_of_header(text: str) -> str | None:
    """Return the licence that a file's SPDX header names."""
    found = _HEADER.search(text)
    return plain_name(found[1]) if found else None


def plain_name(name: str) -> str:
    """Return an identifier in small letters, without ``-only`` and ``-or-later``."""
    return re.sub(r"-(only|or-later)$", "", name.strip().casefold())


def is_open(name: str | None) -> bool:
    """Say whether a licence is on the list of open ones."""
    return name is not None and plain_name(name) in OPEN


@dataclass(frozen=True)
class Terms:
    """What a base's licence asks of a model that is made from it.

    ``allowed`` are the licences that the release may have (None: any); ``prefix`` is what its name
    must begin with, ``notice`` what its card must say.
    """

    license: str
    allowed: frozenset[str] | None
    source: str
    prefix: str | None = None
    notice: str | None = None


_LLAMAS = {
    "llama3": ("Llama 3", "Built with Meta Llama 3", "llama.com/llama3/license, 1.b.i"),
    "llama3.1": ("Llama", "Built with Llama", "llama.com/llama3_1/license, 1.b.i"),
    "llama3.2": ("Llama", "Built with Llama", "llama.com/llama3_2/license, 1.b.i"),
    "llama3.3": ("Llama", "Built with Llama", "llama.com/llama3_3/license, 1.b.i"),
    "llama4": ("Llama", "Built with Llama", "llama.com/llama4/license, 1.b.i"),
}
_RAIL = frozenset({"openrail", "openrail++", "bigscience-openrail-m", "creativeml-openrail-m",
                   "bigcode-openrail-m", "bigscience-bloom-rail-1.0"})  # fmt: skip
# Those that Creative Commons lists as compatible with BY-SA 4.0 are allowed too.
_TERMS: dict[str, tuple[tuple[str, ...], str]] = {
    "llama2": (("llama2",), "ai.meta.com/llama/license, 1.b.i: a copy of the agreement goes along"),
    "gemma": (("gemma",), "ai.google.dev/gemma/terms, 3.1: its use restrictions go along"),
    "cc-by-nc-4.0": (
        ("cc-by-nc-4.0", "cc-by-nc-sa-4.0"),
        "creativecommons.org/licenses/by-nc/4.0, 2.a.1: no commercial use is granted",
    ),
    "cc-by-nc-sa-4.0": (
        ("cc-by-nc-sa-4.0",),
        "creativecommons.org/licenses/by-nc-sa/4.0, 3.b: share alike",
    ),
    "cc-by-sa-4.0": (
        ("cc-by-sa-4.0", "gpl-3.0", "fal-1.3"),
        "creativecommons.org/licenses/by-sa/4.0, 3.b: share alike",
    ),
    "gpl-3.0": (("gpl-3.0", "agpl-3.0"), "GNU GPL 3, sections 5.c and 13"),
    "agpl-3.0": (("agpl-3.0",), "GNU AGPL 3, section 5.c"),
}
_BASES = (
    (r"meta-llama/(meta-)?llama-?3\.1", "llama3.1"),
    (r"meta-llama/(meta-)?llama-?3\.2", "llama3.2"),
    (r"meta-llama/(meta-)?llama-?3\.3", "llama3.3"),
    (r"meta-llama/(meta-)?llama-?3(?![.\d])", "llama3"),
    (r"meta-llama/(meta-)?llama-?4", "llama4"),
    (r"meta-llama/(meta-)?llama-?2", "llama2"),
    (r"(meta-llama|codellama)/codellama", "llama2"),
    # The first three generations; of later ones the licence must be stated.
    (r"google/(code|recurrent|pali)?gemma(?!-?[4-9](?!\d*b))", "gemma"),
    (r"bigscience/bloom", "bigscience-bloom-rail-1.0"),
)


def license_of_base(name: str) -> str | None:
    """Return the licence of a well-known base model, by its name on the Hub."""
    return next((x for mark, x in _BASES if re.match(mark, name.casefold())), None)


def terms_of(name: str) -> Terms | None:
    """Return what a licence asks of derived models; None for one that is not in the table."""
    name = plain_name(name)
    if name in _LLAMAS:
        prefix, notice, source = _LLAMAS[name]
        return Terms(name, frozenset({name}), source, prefix, notice)
    if found := _TERMS.get(name):
        allowed, source = found
        return Terms(name, frozenset(allowed), source)
    if name in _RAIL:
        return Terms(name, _RAIL, "the licence's paragraphs on use-based restrictions")
    return Terms(name, None, "permissive") if name in _ANY else None


def carries_no_terms(name: str) -> bool:
    """Say whether a licence is one whose whole text is known, so that it holds no other's terms."""
    plain = plain_name(name)
    return plain in OPEN or plain in _TERMS or plain in _LLAMAS or plain in _RAIL
