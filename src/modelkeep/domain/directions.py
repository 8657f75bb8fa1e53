"""Which way a metric is better, as its name says.

`neg_` in front of it wants more; one of the words below in it wants less; otherwise more is better.
"""

import re

_LOWER = """
brier cer deviance duration err error fnr fpr latency logloss loss mae mape mse msle nll
perplexity ppl regret rmse rmsle smape wer
"""
LOWER_WORDS = frozenset(_LOWER.split())
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def sounds_lower(metric: str) -> bool:
    """Whether less of a metric of this name is better."""
    words = [word.lower() for word in _WORD.findall(metric)]
    return words[:1] != ["neg"] and not LOWER_WORDS.isdisjoint(words)
