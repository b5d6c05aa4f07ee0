"""What a text is about."""

from __future__ import annotations

from collections import Counter, defaultdict
from operator import mul
from typing import TypedDict
from unicodedata import category, normalize

from indico.service.offload import offload

WINDOW = 4
ROUNDS = 30
DAMPING = 0.85
_ENGLISH = """
a about after all also an and any are as at be because been before being both but by can can't
could did do does doesn't don't down each even every few for from had has have he her here his how
i if in into is isn't it it's its just like may me more most much must my no nor not now of off on
once one only or other our out over own same she should so some such than that the their them then
there these they this those through to too under until up upon us very was we were what when where
which while who whom why will with would you your
"""
STOP_WORDS = frozenset(_ENGLISH.split())


class Keyword(TypedDict):
    """`score` is 1 for the best of a text."""

    word: str
    score: float


@offload(deadline_seconds=30)
def keywords(text: str, limit: int) -> list[Keyword]:
    """The `limit` words that say most of what the text is about, the best first.

    TextRank (Mihalcea and Tarau, 2004): a word counts for much if it stands near words that do,
    as a page counts for much in PageRank that others link to.
    """
    ranks = _ranks(_neighbours(_words(text)))
    best = sorted(ranks, key=lambda word: (-ranks[word], word))[:limit]
    return [Keyword(word=word, score=round(ranks[word] / ranks[best[0]], 4)) for word in best]


def _words(text: str) -> list[str]:
    """In lower case, without stop words; a word is of letters with their marks, in any script."""
    text = normalize("NFC", text).lower().replace("\u2019", "'")
    kept = "".join(c if c in "'-" or category(c)[0] in "LM" else " " for c in text)
    words = (word.strip("'-") for word in kept.split())
    return [word for word in words if len(word) > 1 and word not in STOP_WORDS]


def _neighbours(words: list[str]) -> dict[str, Counter[str]]:
    """How often each word stands within `WINDOW` words of each other one."""
    near: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for place, word in enumerate(words):
        near[word]
        for other in words[place + 1 : place + WINDOW]:
            if other != word:
                near[word][other] += 1
                near[other][word] += 1
    return near


def _ranks(near: dict[str, Counter[str]]) -> dict[str, float]:
    total = {word: others.total() for word, others in near.items()}
    ranks = dict.fromkeys(near, 1.0)
    for _ in range(ROUNDS):
        share = {word: rank / (total[word] or 1) for word, rank in ranks.items()}
        votes = {
            word: sum(map(mul, map(share.__getitem__, others), others.values()))
            for word, others in near.items()
        }
        ranks = {word: 1 - DAMPING + DAMPING * vote for word, vote in votes.items()}
    return ranks
