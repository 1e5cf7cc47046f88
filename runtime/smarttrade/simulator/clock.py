"""The exchange's clock. Skew moves it against everybody else's, to test clients with a wrong idea of time."""

import time


class ExchangeClock:
    """Milliseconds since 1970 by the exchange."""

    def __init__(self) -> None:
        self.skew_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.skew_ms
