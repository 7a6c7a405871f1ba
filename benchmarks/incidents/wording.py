"""What the words of a case mean: the free text of findings in the closed terms of the product.

Each list is tried in order and the first that fits decides; text that fits none is ``unclear``,
which never passes and never blocks. A word alone decides nothing: the product weighs who says it,
on what basis, and who answers it (audit_flow/analysis/published_weighing.py).
"""

from __future__ import annotations

import re

from audit_flow.model.published_facts import Basis, Says, Standing

_WHAT_DIFFERS = (
    r"(?:conditions?|protocols?|harness(?:es)?|prompts?|(?:chat )?templates?|settings?|set-?ups?"
    r"|versions?|variants?|subsets?|splits?|scaffolds?|(?:reasoning )?efforts?|budgets?|sampling"
    r"|shots?|temperatures?|parsers?|extraction|hardware|precision|implementations?)"
)
_DIFFERENT = (
    rf"{_WHAT_DIFFERS}(?: \w+)? (?:differs?|differed|differing|differences?|mismatch(?:es)?"
    r"|not comparable|mix-?up|error)"
    r"|(?:different|other|another|older|newer|unlike|differing|wrong|without the|incorrect"
    rf"|unequal|unmatched) (?:\w+ )?{_WHAT_DIFFERS}"
    rf"|differences? (?:of|in|between) (?:\w+ ){{0,2}}{_WHAT_DIFFERS}"
    r"|not (?:directly )?comparable|incomparable|apples"
)
_AGAINST = (
    r"mismatch|contradict|contaminat|leak|train(?:ed)? on (?:the )?test|overlap|memori[sz]"
    r"|test (?:set|data|items?|questions?) (?:\w+ ){0,3}(?:in|among|within)\b|unfair|cherry|inflat"
    r"|overstat|over-?claim|exaggerat|misrepresent|misleading|mislabel|swapp|substitut|replac"
    r"|impersonat|copied|plagiar|stolen|corrupt|truncat|damaged|cut short|incomplete|missing"
    r"|unloadable|(?<!un)alter|\bmodif|(?<!un)tamper|\bedit|\bchanged|decepti|conflict|invalid"
    r"|lower|below (?:the )?claim|not (?:reached|as claimed|the (?:released|claimed|same|stated))"
    r"|(?:not|n't|unable to|cannot|could not)(?: be)? re(?:produc|plicat)|irreproduc|fail"
    r"|malicious|malware|backdoor|trojan|payload|poison|\bdefect|degrad|oracle"
    r"|fabricat|fake|false|untrue|incorrect|wrong|violat|breach|incompatible|silent|quanti[sz]"
    r"|undisclosed (?:change|quanti|substitut|deriv|base)|downgrad|rigged|gamed|gaming|hack"
    r"|exploit|cheat|artefact differs|artifact differs|identity differs"
    r"|differs? from (?:the )?(?:claim|release|card)|\bderiv(?:ed|ation|ative)"
    r"|identical to another|best[- ]of|cons@|maj@|impossib|inconsisten|disagree|not available"
    r"|(?:digests?|hash(?:es)?|sha-?\d+|checksums?|sizes?|files?|api|endpoint|outputs?|answers?"
    r"|licen[cs]e|served|tokeni[sz]er|tokens?|ids|tensors?|values|results?|config)(?: \w+)?"
    r" differs?"
    r"|absent|\bbugs?\b|visible|accessible"
    r"|(?:not|n't) (?:load|hold|run|open|parse|honou?r|respect|work)|does not load|not loadable"
    r"|(?:without|no) (?:notice|attribution|announcement)|majority vote|in (?:the )?training"
    r"|(?:shorter|smaller|fewer|less|worse|more|higher effort) (?:\w+ )?than (?:stated|claimed|"
    r"announced|advertised)|(?:less|fewer|more) than (?:half|twice|double|a (?:third|quarter))\b"
    r"|(?:not|no|n't)(?: a)? match|not (?:permitted|allowed|equal|identical|consistent)"
)
_OTHER_ARTEFACT = (
    r"(?:model|weights|checkpoint|artefact|artifact)(?: version)? (?:differs?|swapp)"
    r"|(?:different|other|another|unreleased|experimental|private) (?:\w+ )?"
    r"(?:model|weights|checkpoint|artefact|artifact|system|entry)\b"
)
# What a negation takes away: "no leak found", "not derived from it".
_NEGATED = re.compile(
    r"\b(?:no|not|never|nothing|without|isn't|wasn't|aren't)\b(?: \w+){0,3} (?:mismatch|contradict|"
    r"contaminat|leak|swapp|copied|plagiar|corrupt|deriv|fabricat|violat|cherry|missing|tamper|"
    r"overlap|memori[sz]|conflict|alter|cheat|exploit|lower|malware|malicious|backdoor|trojan|"
    r"payload|poison|defect|degrad|oracle|differ|flagg|accus|suspect)\w*"
)
_SAYS: tuple[tuple[Says, str], ...] = (
    # Of the claim itself: that it was refuted is a contradiction.
    ("contradicts", r"claims? (?:is |was |were )?(?:refuted|disprove[dn]|debunked)"),
    ("contradicts", r"^(?:consistent|in line|fits?) (?:with )?[\d.]+[^,;]{0,30}[,;] not [\d.]+"
                    r"(?: ?(?:billion|million|%|percent|b|m|gb|points))?$"
                    r"|accusations? (?:is |was |were )?(?:confirmed|upheld|verified|substantiated|"
                    r"true|right|correct)"),
    ("informs", r"^(?!.*(?:inflat|exploit|copied|gam(?:ed|ing)|memori|contaminat|leak)).*(?:(?:"
                r"errors?|faults?|flaws?|bugs?|mistakes?) (?:of|in) the (?:benchmark|data ?set"
                r"|harness|leaderboard|labels?|test)|benchmark(?:'s)? (?:own )?(?:error|fault"
                r"|bug))"),
    ("refutes", r"explanation (?:is |was )?(?:verified|confirmed|upheld)(?! (?:to be "
                r"|as )?(?:false|"
                r"wrong|untrue))"
                r"|(?:wrongly|falsely|mistakenly) (?:accus|flag|suspect)"
                r"|(?:flagged|accused|suspected) (?:in error|by mistake)|ruled out$"),
    ("refutes", r"(?:accusation|allegation|suspicion|plagiarism|copying|derivation|contamination) "
                r"(?:is |was )?(?:not (?:supported|confirmed|shown|found|substantiated|borne out)"
                r"|unsupported|unsubstantiated|unproven)"),
    ("refutes", r"refut|(?:suspicion|accusation|allegation|alarm) (?:was |is )?(?:dropped|closed)"
                r"|unfounded|debunk|disprov|baseless|exonerat|false (?:accusation|alarm|"
                r"positive|claim of)|cleared|accusation (?:is )?(?:false|wrong)|coinciden"),
    ("informs", r"^(?:information(?:al)?|background|for reference|neutral)\b|^(?:note|context)$"
                r"|alternative method|^no (?:contradiction|mismatch|conflict|evidence|finding|"
                r"issue|problem)|^not (?:contaminat|contradict)|^none\b|no contradiction"
                r"|duplicate (?:of|report)|\brepeat(?:s|ed|ing)? (?:of|an?|the|what|earlier|from)\b"
                r"|^repeat$|^repetition|same source|second-?hand|^duplicate$|^copy of"),
    ("contests", r"(?<!no )(?<!without )explanation (?:given|offered)$|(?<!un)contest"
                 r"|(?<!un)disput|denied"
                 r"|denies|denial|rebut|challeng|counter-?example|reject"
                 r"|method\w* (?:\w+ ){0,4}(?:unsound|invalid|flawed"
                 r"|criticis|unreliable|meaningless)"
                 r"|(?:flawed|unsound|invalid) (?:method|test|measure)|test (?:is )?invalid"
                 r"|criticis|(?:tester|user|measurement) error|(?:owner|author)s? disagree"),
    ("mixed", r"\bmismatch\b.*\b(?<!mis)match\b|\b(?<!mis)match(?:es)?\b.*\bmismatch|mixed|partly"
              r"|partial|both ways|inconclusive|match(?:es)? to\b"
              r"|\b(?:match|agree|consistent|identical|equal)\w*\b.*\b(?:only|except|but not)\b"),
    ("contradicts", _OTHER_ARTEFACT),
    ("not-comparable", _DIFFERENT),
    ("suggests", r"suspic|alleg|implausib|(?<!im)possib|\blikely"
                 r"|probabl|unverif|unconfirmed|uncorroborat"
                 r"|\b(?:could|might|may) be (?!reproduc|confirm|verif|replic|match|shown)"
                 r"|^(?!.*(?:confirm|verif|proven|admit|acknowledg|upheld|substantiat|holds|true))"
                 r".*(?:suspect|accus|flagged|perhaps|maybe|\breported mismatch)"
                 r"|rumou?r|hint|suggest|appears|seems|doubt|question|concern|unproven|not proven"
                 r"|pending|anomal|unresolved$|weak|speculat|claimed by|unsubstantiated"),
    ("corrects", r"^(?!.*\b(?:not|never|yet|un\w+|later|weeks?|months?)\b)(?:.*\b(?:transient|"
                 r"temporary|momentary|short-lived)\b.*\b(?:repaired|fixed|corrected|resolved|"
                 r"restored|re-?uploaded|sent again)\b|.*\b(?:repaired|fixed|corrected|resolved|"
                 r"re-?uploaded) before (?:the )?(?:announcement|release|publication|launch))"),
    ("corrects", r"(?:typo|transcription|copying|clerical).*(?:correct|fix)"
                 r"|(?:correct|fix|errat).*typo|erratum|corrigendum"
                 r"|(?:honest|open|sign|announc|dat|volunt|document|public|prompt|transparen)\w*"
                 r" (?:and \w+ )?correct|correct\w* (?:honestly|openly|publicly|promptly|with a "
                 r"(?:signed|dated|public))|self-correct"),
    ("admits", r"admit|acknowledg|conced|apolog|confess|owned up|(?:claim|model|score|release|"
               r"weights) (?:was |were )?(?:withdrawn|retracted|pulled)|withdrew the|^corrected\b"),
    ("differs-slightly", r"without effect|no effect|harmless|cosmetic|small|minor|trivial|benign"
                         r"|negligible|typo|placeholder|(?:wrong|one|bad|stale) (?:wrong )?label"
                         r"|\bgaps?\b|unresolved reference|resolve by|naming only|rounding"
                         r"|within (?:the )?(?:noise|toleranc|margin|error|\d)"
                         r"|documentation|formatting|renamed with|outdated|\bstale\b|dead link"
                         r"|(?:transcription|copying|clerical) error"
                         r"|not (?:statistically )?significant|indistinguishable|inside (?:the )?"
                         r"noise|expected (?:change|difference)|acceptable|(?:announced|versioned|"
                         r"documented) (?:update|change|rename|replacement)|renamed?,? documented"
                         r"|disclosed late"),
    # What is left out: no contradiction by itself, but not nothing either.
    ("suggests", r"under-?specified|unsupported|missing (?:evidence|reports?|logs?|documentation"
                 r"|records?|disclosure|details?)|biased|unexplained|understated"
                 r"|undisclosed (?!change|quanti|substitut|deriv|base)|undisclosed$"
                 r"|not (?:disclosed|stated|named|published|shown|documented)|unnamed|unknown"
                 r"|undocumented"),
    ("supports", r"^(?:match|reproduced|replicated|consistent|agree|equal|holds|upheld|verified"
                 r"|as claimed|identical$|within|same$|same as (?:claimed|stated)|correct$"
                 r"|valid\b|accurate|supported"
                 r"|pass(?:es|ed)?\b|higher_than_claimed|bit-?identical|permitted|allowed|intact"
                 r"|unchanged|unmodified|licensed|with permission|attributed)"),
    ("contradicts", _AGAINST),
    ("supports", r"\bmatch(?:es|ed)?\b|\breproduc(?:ed|es|ible)|\breplicat(?:ed|es)|\bconsistent"
                 r"|\bagrees?\b|confirm(?:s|ed) (?:the )?(?:claim|score|result|reproduction)"
                 r"|with permission|by permission|permission granted|unmodified|unchanged|intact"
                 r"|^disclosed|^substantiated|independent(?:ly)? train"),
)  # fmt: skip
# Words of agreement: tried last, and never beside doubt.
_AGREES = re.compile(
    r"^confirm(?:s|ed)?(?: (?:the )?(?:claims?|scores?|results?|figures?|numbers?|card|clean"
    r"|correct"
    r"|true|valid|genuine|(?:own|independent) training))?"
    r"(?:[,;:(].*| by (?:others|two|three|several|another).*)?$"
    r"|^(?:(?:the )?(?:origin|provenance|claim|score|result|identity|training|figure|licence"
    r"|license)s?"
    r" (?:is |are |was |were )?(?:confirmed|verified|upheld|substantiated)(?:$|[,;(]))"
    r"|\bas (?:declared|stated|described|advertised|listed|documented|promised"
    r"|the card (?:says|states)|on the card)\b"
    r"|^(?:all )?(?:signed |stated |listed |published )?(?:checksums?|digests?|hash(?:es)?"
    r"|signatures?|sha-?\d+s?|sums|bytes|sizes?)(?: all)? (?:is |are |was |were )?(?:verified|valid"
    r"|correct|confirmed|ok|okay|good|right|in order|check(?:s|ed)? out|agree)(?:$|[,;(])"
    r"|^permission (?:is |was )?(?:confirmed|given)$"
    r"|^(?:results?|figures?|scores?|numbers?) repeated$|^complete$"
    r"|^(?:all )?(?:in order|fine|ok|okay|clean|no objections?|compliant|complies)$"
    r"|^same (?:figure|number|score|result)$|^(?:bit|byte)-?wise (?:equal|identical)$"
    r"|^identical (?:content|contents|weights|tensors|bytes|files|digests|hashes)$"
)
_DOUBT = re.compile(
    r"\b(?:no|not|never|nothing|nobody|nowhere|none|neither|without|hardly|barely|quite|only"
    r"|except|"
    r"unless|until|but|however|far from|nearly|almost|partly|some|sometimes|if|vendor|owner"
    r"|himself|"
    r"itself|themselves)\b|n't\b|\?"
)
_SAYS_PATTERNS = tuple((says, re.compile(pattern)) for says, pattern in _SAYS)

_STANDING: tuple[tuple[Standing, str], ...] = (
    ("disputed", r"unconfirmed|not (?:admitted|confirmed|acknowledged)|unverified|unresolved"),
    ("admitted", r"(?:claims?|model|score|release|card|weights|paper) (?:was |were )?(?:withdrawn|"
                 r"retracted|pulled|removed)|withdrawn by (?:the |its |their )?(?:author|owner|"
                 r"claimant|publisher|developer)"),
    ("withdrawn", r"withdrawn|retract|unfounded|debunk|refut|cleared|baseless|exonerat"
                  r"|false (?:accusation|alarm|positive)"),
    ("disputed", r"disput|contest|denied|denies|alleg|rumou?r|under review|unproven"),
    ("admitted", r"admit|acknowledg|confirm|conced|correct|apolog|fixed|patched|repaired"
                 r"|re-?uploaded|reverted"),
)  # fmt: skip
_STANDING_PATTERNS = tuple((standing, re.compile(pattern)) for standing, pattern in _STANDING)

_HEDGED = re.compile(
    r"looks? like|resembl|similar|suggest|appears|seems|reported(?:ly)?|alleg|claims? to be|says "
    r"it is|self-identif|believ|correlat|histogram|likely|probably|rumou?r|opinion|accus"
)
_REPEATABLE = re.compile(
    r"sha-?\d+|md5|digest|\bhash|checksum|\bbytes?\b|byte size|\bsizes?\b|header|\bshards?\b"
    r"|\bcommits?\b|config|git (?:log|history)|\bdiff\b|\blogs?\b|logged|\bfiles?\b|tensors?\b"
    r"|\bitems?\b|\brows?\b|n-grams?|string match|\blicen[cs]e|\bindex\b|tokeni[sz]er|vocab"
    r"|embedding|readme|\bcard\b|template|prompt|\d+ of (?:the )?\d+|best-of-\d|pass@\d|maj@\d"
    r"|cons@\d|@\d+\b|training (?:data|set)|data ?set|images?\b|containers?\b|source code|\bcode\b"
    r"|repository|arithmetic|max_position|context length|dtype|revision|problems?\b|questions\b"
)
_ON_RELEASE = re.compile(
    r"(?:released|public|open|downloadable|downloaded|published|official|hub|same|exact|shipped) "
    r"(?:weights|checkpoints?|model|artefact|artifact|files)|at (?:commit|revision) [0-9a-f]{7}"
)
_ON_OTHERS = re.compile(
    r"other weights|different (?:weights|checkpoint|upload)|(?:earlier|later|older|newer|another) "
    r"(?:weights|upload|checkpoint|repository|model)|quanti[sz]ed|\bapi\b|hosted|endpoint"
    r"|(?:not|instead of) the released|retrained"
)


def says_of(verdict: str) -> Says:
    """Return what a finding's verdict says in the product's terms; ``unclear`` if not known."""
    text = " ".join(verdict.casefold().split())
    rest = _NEGATED.sub(" ", text)
    found = _first(rest)
    return "informs" if rest != text and found == "unclear" else found


def _first(text: str) -> Says:
    found = next((says for says, pattern in _SAYS_PATTERNS if pattern.search(text)), None)
    if (
        found is None
        and _AGREES.search(text)
        and not _DOUBT.search(text.replace("no objection", ""))
    ):
        return "supports"
    return found or "unclear"


def is_doubtful(text: str) -> bool:
    """Say whether words of doubt, or of the contrary, stand in a text."""
    return bool(_DOUBT.search(text.casefold()))


def standing_of(status: str) -> Standing:
    """Return whether an accusation was admitted, disputed or withdrawn, by the word for it."""
    text = " ".join(status.casefold().split())
    fitting = (standing for standing, pattern in _STANDING_PATTERNS if pattern.search(text))
    return next(fitting, "open")


_TAKEN_BACK = re.compile(r"withdrawn|withdrew|retract|recanted|taken back")
_CLAIMED = r"(?:claims?|models?|scores?|release|weights|card|paper|preprint)"
_CLAIM_TAKEN_BACK = re.compile(
    rf"{_CLAIMED} (?:was |were |is )?(?:withdrawn|retracted|taken down)(?! by (?:the )?(?:critic|"
    r"tester|accuser|blog|reporter|user))"
    rf"|(?<!critic )(?<!accuser )(?<!tester )(?:withdrew|retracted|withdraws?|retracts?) "
    rf"(?:the |its |their )?{_CLAIMED}"
)
_FINDING_TAKEN_BACK = re.compile(
    r"(?:finding|report|accusation|analysis|allegation|post|test) (?:\w+ ){0,2}(?:withdrawn|"
    r"retracted)|(?:withdrew|retracted|withdraws|retracts) (?:the |its |their |his |her )?"
    r"(?:finding|report|accusation|analysis|allegation|post)"
)


def is_withdrawal(verdict: str, value: str) -> bool:
    """Say whether a finding was taken back, by its verdict or by what it tells."""
    text = verdict.casefold()
    by_verdict = _TAKEN_BACK.search(text) and not _CLAIM_TAKEN_BACK.search(text)
    return bool(by_verdict or _FINDING_TAKEN_BACK.search(value.casefold()))


def is_claim_withdrawal(verdict: str) -> bool:
    """Say whether a verdict tells that the claim itself, or what made it, was taken back."""
    return bool(_CLAIM_TAKEN_BACK.search(verdict.casefold()))


def names_accusation(status: str) -> bool:
    """Say whether a status speaks of an accusation that fell, not of a claim taken back."""
    return bool(
        re.search(
            r"accus|alleg|alarm|suspicion|finding|report|cleared|refut|unfounded|baseless|debunk"
            r"|exonerat|false positive",
            status.casefold(),
        )
    )


def is_objection(verdict: str) -> bool:
    """Say whether a verdict, given by the claimant, only says that he sees it otherwise."""
    text = " ".join(verdict.casefold().split())
    objection = (
        r"^(?:(?:the |we|they|owners?|authors?|team|lab|publisher)\s?){0,3}"
        r"(?:disagrees?|objects|protests|sees? it otherwise)\b"
    )
    rest = re.sub(objection, " ", text)
    return rest != text and says_of(rest) == "unclear" and "with the claim" not in text


def basis_of(text: str, is_number: bool) -> Basis:
    """Say whether anybody can look a finding up again, or it was measured, or only said."""
    lower = text.casefold()
    if is_number or _HEDGED.search(lower):
        return "measured"
    # A figure that is not a score can be counted again.
    if _REPEATABLE.search(lower) or re.search(r"\d", lower):
        return "repeatable"
    return "statement"


_EXPLAINED = re.compile(
    r"\b(?:because|since|due to|explain\w*|reason|cause[ds]?|wrong|incorrect|different|other"
    r"|another|older|newer|should (?:be|have)|must be|needs?|requires?|templates?|prompts?"
    r"|settings?|versions?|uploads?|bugs?|harness|quanti\w*|parser|temperature|precision|error in"
    r"|published (?!by)\w|posted|shows?|logs? (?:of|at|are|were published)|re-?ran|second run|third"
    r" part\w+|independent)\b"
)
_NOTHING_SHOWN = re.compile(
    r"\b(?:no|without(?: any)?|not any)\b[^.;]{0,80}?\b(?:published|given|shown|named|provided|"
    r"offered|stated|shared|disclosed)"
    r"|\b(?:no|without(?: any)?) (?:logs?|evidence|data|details?|figures?|numbers?|proof|reasons?"
    r"|explanations?)\b|(?:gave|gives|named|offered|published|showed) (?:none|nothing)"
)


def is_bare_denial(text: str) -> bool:
    """Say whether a claimant only stands by his word: neither reason nor evidence is named."""
    return not _EXPLAINED.search(_NOTHING_SHOWN.sub(" ", text.casefold()))


def conditions_in(text: str) -> str | None:
    """Return the words that say a measurement was made otherwise than the claim's, if any."""
    found = re.search(_DIFFERENT, text.casefold())
    return found.group(0) if found else None


def weights_in(text: str) -> str:
    """Return ``released``, ``other`` or ``unknown``: what was measured, as far as it says."""
    lower = text.casefold()
    if _ON_OTHERS.search(lower):
        return "other"
    return "released" if _ON_RELEASE.search(lower) else "unknown"
