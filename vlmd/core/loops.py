"""Notices while an answer is being generated that it goes round in circles, so that it need not go on to its limit."""

from __future__ import annotations

LOOP_RULE = 1
"""Version of this rule, part of every recipe: raised when it would end other answers."""

_LONGEST_PERIOD = 96
"""Tokens; about the longest sentence, or object, that models are seen to repeat."""
_LEAST_TOKENS = 64
_LEAST_TIMES = 6


class LoopWatch:
    """Hears every token of one answer. A loop is the same run of tokens, again and again, up to the last one."""

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._alike = [0] * (_LONGEST_PERIOD + 1)
        """By period: how many of the last tokens, without a break, equal the one a period earlier."""

    def add(self, token: int) -> bool:
        """Whether the answer is in a loop with this token."""
        count, looping = len(self._tokens), False
        for period in range(1, min(_LONGEST_PERIOD, count) + 1):
            if token != self._tokens[count - period]:
                self._alike[period] = 0
                continue
            self._alike[period] += 1
            looping |= self._alike[period] + period >= max(_LEAST_TOKENS, _LEAST_TIMES * period)
        self._tokens.append(token)
        return looping

    def copy(self) -> LoopWatch:
        """Another that has heard the same."""
        watch = LoopWatch()
        watch._tokens, watch._alike = self._tokens.copy(), self._alike.copy()
        return watch
