"""What the models of one run may use, and have used: tokens, and time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from progress import OperationFailed, Progress
from progress.exceptions import ProgressError

from ..conf import setting

if TYPE_CHECKING:
    from pydantic_ai.usage import RequestUsage

BYTES_OF_A_TOKEN = 4  # about, in most languages
WARN_AT = 0.8


def tokens_of(size: int) -> int:
    """Estimate how many tokens a text of so many bytes is."""
    return -(-size // BYTES_OF_A_TOKEN)


class Budget:
    """The budget of one run, which all its calls of models share, nested operations included.

    What was used is in the run's last event, however it ends. Where a provider did not say, it is estimated and marked so.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.tokens, self.seconds = int(setting("RUN_TOKENS")), float(setting("RUN_SECONDS"))
        self._since = time.monotonic()
        self._read = self._wrote = 0  # by calls that have ended
        self._reading = self._writing = 0  # by the one under way: tokens, and bytes
        self._estimated = self._warned = False

    @classmethod
    def of(cls, progress: Progress) -> Budget:
        """Return the budget of the run that `progress` reports on; its time begins with the first call."""
        budget: Budget | None = progress.shared.get("budget")
        if budget is None:
            budget = progress.shared["budget"] = cls(progress)
            progress.at_end(budget.as_metadata)
        return budget

    @property
    def used(self) -> int:
        """Tokens read and written so far."""
        return self._read + self._reading + self._wrote + tokens_of(self._writing)

    def usage(self) -> dict[str, Any]:
        """Return what was used so far, as the run's last event tells it."""
        told: dict[str, Any] = {
            "inputTokens": self._read + self._reading,
            "outputTokens": self._wrote + tokens_of(self._writing),
        }
        if self._estimated or self._reading or self._writing:
            told["estimated"] = True
        return told

    def as_metadata(self) -> dict[str, Any]:
        return {"usage": self.usage()}

    def begin(self, size: int) -> None:
        """Note that a model is given so many bytes. Raises OperationFailed where that is more than is left."""
        self._reading = tokens_of(size)
        self._check()

    def hear(self, size: int) -> None:
        """Note that a model has written so many bytes. Raises OperationFailed where that is more than is left."""
        self._writing += size
        self._check()

    def end(self, told: RequestUsage | None, *, complete: bool) -> None:
        """Take what the provider said of a call that has ended in place of what was estimated; `complete` is all of it."""
        read, wrote = (told.input_tokens, told.output_tokens) if told else (0, 0)
        self._estimated |= bool((self._reading and not read) or (self._writing and not (complete and wrote)))
        self._read += read or self._reading
        self._wrote += wrote if complete and wrote else max(wrote, tokens_of(self._writing))
        self._reading = self._writing = 0

    def forget(self) -> None:
        """Leave out a call that the model refused: nothing was read."""
        self._reading = self._writing = 0

    @asynccontextmanager
    async def timed(self) -> AsyncIterator[None]:
        """End what is within as `timeout` where the run's time is over, with a warning before."""
        loop = asyncio.get_running_loop()
        left = self._since + self.seconds - time.monotonic()
        warning = loop.call_later(max(left - (1 - WARN_AT) * self.seconds, 0), self._warn_of_time)
        try:
            async with asyncio.timeout(left) as scope:
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            message = f"Stopped: the model took longer than the {self.seconds:g} seconds that a run has for it."
            raise OperationFailed(message, code="timeout") from None
        finally:
            warning.cancel()

    def _check(self) -> None:
        if self.used > self.tokens:
            message = f"Stopped: this took more than the {self.tokens:,} tokens that a run may use."
            raise OperationFailed(message, code="limit_exceeded")
        if self.used > WARN_AT * self.tokens and not self._warned:
            self._warned = True
            self._warn("tokens", f"{WARN_AT:.0%} of this run's {self.tokens:,} tokens are used")

    def _warn_of_time(self) -> None:
        with suppress(ProgressError):  # the run ends anyway, which its body learns at its next report
            self._warn("time", f"{WARN_AT:.0%} of this run's {self.seconds:g} seconds for the model are over")

    def _warn(self, of: str, message: str) -> None:
        self._progress(message=message, metadata={"warning": message, "budget": of})
