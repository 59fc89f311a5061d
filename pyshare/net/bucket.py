"""The amount that a client may send: a bucket of tokens that fills with time.

Pure: the time is an argument. Whoever draws decides what to do about a debt.
"""


class TokenBucket:
    """Tokens that come back at a steady rate, up to a limit; what is drawn above them is a debt.

    A draw is never refused, since what it pays for has been received already:
    one large message after a quiet time costs a pause behind it, not itself.
    """

    def __init__(self, tokens_per_second: float, *, burst: float, now: float) -> None:
        self._tokens_per_second = tokens_per_second
        # The most there can be.
        self._burst = burst
        # How many there were at `_time`; below zero for a debt.
        self._tokens = burst
        self._time = now

    def take(self, tokens: float, now: float) -> None:
        """Draw `tokens`, into debt if need be."""
        self._fill(now)
        self._tokens -= tokens

    def debt_seconds(self, now: float) -> float:
        """Return how long it takes until there is no debt, 0 if there is none."""
        self._fill(now)
        return max(0.0, -self._tokens / self._tokens_per_second)

    def is_full(self, now: float) -> bool:
        """Return whether nothing that was drawn is missing any more."""
        self._fill(now)
        return self._tokens >= self._burst

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._time) * self._tokens_per_second)
        self._time = now
