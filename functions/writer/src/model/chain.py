"""A Markov chain of words: a very small language model, which is trained in a moment."""

import random


class Chain:
    """Continues a text with words that follow each other in the text that it was made of."""

    def __init__(self, text):
        words = text.split()
        self._after = {}  # the words that follow one word, or two
        for i in range(1, len(words)):
            for known in (1, 2):
                self._after.setdefault(tuple(words[max(i - known, 0):i]), []).append(words[i])
        self._first = [words[0]] + [word for before, word in zip(words, words[1:]) if before[-1] in ".!?"]

    def write(self, start, seed):
        """Yields the words that follow start, without an end; the same ones for the same seed."""
        choose = random.Random(seed).choice
        last = start.split()[-2:]
        while True:
            word = choose(self._after.get(tuple(last)) or self._after.get(tuple(last[-1:])) or self._first)
            yield word
            last = [*last, word][-2:]
