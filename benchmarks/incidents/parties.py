"""Who speaks in a finding: the claimant, by role or by name, or somebody else."""

from __future__ import annotations

import re

from audit_flow.model.published_facts import Relation

_OTHER_OWNER = re.compile(
    r"(?:benchmark|data ?set|issue|report|blog|article|leaderboard|arena|base[- ]model|original "
    r"model|upstream|other|another|rival|source model)(?:'s|s)?(?: #?\d+)? (?:owner|author|"
    r"maintainer|developer|publisher|creator|team|vendor)"
    r"|(?:not|unlike|independent of|against) the (?:owner|author|claimant)"
    r"|\b(?:users?|customers?|community|readers|critics) of\b"
    r"|(?:owner|author|maintainer|developer)s? of (?:the |an? )?"
    r"(?:benchmark|data ?set|issue|report|base|original|upstream|other|rival)"
    r"|\busers?\b"
    r"|(?:owner|author|maintainer|developer|publisher)s? of an? (?!new |own )"
)
_OWNER = re.compile(
    r"\b(?:owners?|authors?|claimants?|developers?|publishers?|trainers?|uploaders?|maintainers?"
    r"|release team|model team|own (?:re-?run|report|card|statement|post-mortem)|vendor itself)\b"
)
# Somebody's maintainers, by a proper name: they are the claimant's only if the name is.
_NAMED_ROLE = re.compile(
    r"\b([A-Z][\w.-]*[\w]|[a-z][\w-]*\.[a-z]\w*)(?:'s?)? (?:core )?(?:owners?|authors?|developers?"
    r"|publishers?|maintainers?|trainers?)\b"
)
_IS_NAME = re.compile(r"[a-z].*[A-Z]|[A-Z].*[A-Z]|\.|\d")
_NO_NAME = {
    "the", "two", "three", "four", "both", "all", "some", "one", "several", "paper", "model",
    "release", "its", "their", "own", "original", "lead", "first", "core", "card", "repository",
    "weights", "main", "former", "co", "many", "other", "these", "those", "an", "a",
    "corresponding", "senior", "principal", "chief", "sole", "second", "joint", "repo", "account",
    "checkpoint", "project", "current", "previous", "official", "anonymous", "company", "vendor",
    "lab", "our", "github", "hub", "huggingface",
}  # fmt: skip
_THIRD = re.compile(
    r"independent|third[- ]part|external|researcher|university|communit|user|reader|press|news"
    r"|journalist|leaderboard|auditor|critics?\b|rival|tester"
)
_COMMON = {
    "team", "labs", "research", "institute", "university", "various", "several", "serving",
    "vendors", "vendor", "model", "models", "company", "group", "open", "with", "from", "authors",
    "https", "technologies", "technology", "intelligence", "artificial", "github", "none", "null",
    "independent", "foundation", "community", "users", "data", "news", "cloud", "instruct",
    "speech", "vision", "language", "audio", "image", "text", "code", "coder", "chat", "math",
    "robotics", "health", "medical", "medicine", "clinic", "clinical", "center", "centre",
    "science", "sciences", "computing", "systems", "system", "learning", "machine", "deep",
    "neural", "global", "national", "international", "college", "school", "department", "project",
    "initiative", "collective", "association", "corporation", "gmbh", "analytics", "solutions",
    "software", "security", "media", "network", "networks", "digital", "evaluation", "evals",
    "benchmark", "benchmarks", "translation", "embedding", "embeddings", "reasoning", "agents",
    "agent", "assistant", "studio", "works", "working", "laboratory", "engineering", "product",
    "products", "platform", "platforms", "services", "service", "weights", "small", "large",
    "base", "first", "second", "north", "south", "east", "west", "american", "european", "chinese",
    "report", "paper", "blog", "forum", "issue", "discussion", "state", "federal", "public",
    "private", "general", "applied", "advanced", "safety", "alignment", "trust", "transparency",
}  # fmt: skip


def relation_of(by: str, claimant: str, hub_repo: str) -> Relation:
    """Say whether a finding comes from the claimant, by role or by name."""
    text = by.casefold()
    own = names_in(claimant) | _organisations(hub_repo)
    if _OTHER_OWNER.search(text):
        return "third-party"
    if names_in(text) & own:
        return "claimant"
    if _OWNER.search(text):
        return _named_role(by, f"{claimant} {hub_repo}".casefold())
    return "third-party" if _THIRD.search(text) else "unknown"


def _named_role(by: str, known: str) -> Relation:
    """Return whose maintainers they are: the claimant's, unless a name before says otherwise."""
    named = [n for n in _NAMED_ROLE.findall(by) if n.casefold() not in _NO_NAME]
    others = [n for n in named if n.casefold() not in known]
    if not others:
        return "claimant"
    # A word with a capital alone may be a name or the first of a sentence.
    return "third-party" if any(_IS_NAME.search(n) for n in others) else "unknown"


def names_in(text: str) -> set[str]:
    """Return the words of a text that can name somebody."""
    found = re.findall(r"[a-z0-9][a-z0-9._-]*[a-z0-9]", text.casefold())
    return {w for w in found if len(w) >= 4 and w not in _COMMON and not w[:4].isdigit()}


def _organisations(hub_repo: str) -> set[str]:
    owners = re.findall(r"([A-Za-z0-9][\w.-]*)/[\w.-]+", hub_repo)
    return {o.casefold() for o in owners if o.casefold() not in _COMMON}
