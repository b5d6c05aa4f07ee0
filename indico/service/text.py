"""The most important words of a text."""

from __future__ import annotations

from collections import Counter, defaultdict
from operator import mul
from typing import Annotated
from unicodedata import category, normalize

from pydantic import Field
from typing_extensions import TypedDict

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
    """A word and its score, which is 1 for the best word of the text."""

    word: Annotated[str, Field(examples=["tree"])]
    score: Annotated[float, Field(ge=0, le=1, examples=[1.0])]


@offload(deadline_seconds=30)
def keywords(text: str, limit: int) -> list[Keyword]:
    """Return the `limit` most important words of a text, best first.

    The algorithm is TextRank (Mihalcea and Tarau, 2004): PageRank over words. A word is important
    if important words stand near it.
    """
    ranks = _ranks(_neighbours(_words(text)))
    best = sorted(ranks, key=lambda word: (-ranks[word], word))[:limit]
    return [Keyword(word=word, score=round(ranks[word] / ranks[best[0]], 4)) for word in best]


def _words(text: str) -> list[str]:
    """Return the words in lower case, without stop words, in any script."""
    text = normalize("NFC", text).lower().replace("\u2019", "'")
    kept = "".join(c if c in "'-" or category(c)[0] in "LM" else " " for c in text)
    words = (word.strip("'-") for word in kept.split())
    return [word for word in words if len(word) > 1 and word not in STOP_WORDS]


def _neighbours(words: list[str]) -> dict[str, Counter[str]]:
    """Count how often each word stands within `WINDOW` words of each other word."""
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
