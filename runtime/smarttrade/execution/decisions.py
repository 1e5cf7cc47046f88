"""Takes decisions in, exactly once, and gives each its one outcome.

The high-water mark per strategy and market is in the log: whatever is at or below it is never executed,
whoever sends it, before or after a fail-over. A newer decision ends the one before it.
"""

from __future__ import annotations

from smarttrade.execution.context import Context
from smarttrade.execution.effects import Publish, Reply
from smarttrade.execution.flatten import FLATTEN_STRATEGY
from smarttrade.execution.plausibility import implausible
from smarttrade.execution.records import DecisionAccepted, DecisionClosed
from smarttrade.messages import Answer, Decision, DecisionOutcome, DecisionReply, Outcome, RestingOrders

_AFTER_REFUSAL_MS = 1_000.0


class Decisions:
    """Acceptance and outcomes."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.counts: dict[tuple[str, str], int] = {}
        self.denials: dict[str, int] = {}
        self.watched: dict[str, tuple[Outcome, str, str] | None] = {}
        self._unanswered: dict[str, tuple[int, DecisionReply]] = {}

    def receive(self, decision: Decision, token: int) -> bool:
        """Accept or answer at once; True if the market now has something new to work at."""
        refusal = self._refusal(decision)
        if refusal is not None:
            if token:
                self._answer_known(Reply(token=token, reply=refusal))
            return False
        self.accept(decision, token)
        return True

    def accept(self, decision: Decision, token: int = 0) -> None:
        """Log the decision; the one it supersedes is closed in the same breath."""
        current = self._ctx.book.market(decision.market).current
        if current is not None:
            self.close(current, Outcome.SUPERSEDED, "", f"by {decision.id}")
        self._ctx.resume_ms.pop(decision.market, None)
        if token:
            self._unanswered[decision.id] = (token, DecisionReply(id=decision.id, answer=Answer.ACCEPTED))
        self._ctx.record(DecisionAccepted(decision=decision, time_ms=self._ctx.exchange_ms))

    def answer(self) -> None:
        """Answer what was accepted in this step, when the log has it; what risk denied at once is told so."""
        for token, reply in self._unanswered.values():
            self._ctx.outbox.after(Reply(token=token, reply=reply))
        self._unanswered.clear()

    def _answer_known(self, reply: Reply) -> None:
        """Answer what needs no record of its own; "accepted before" is true when that record is durable."""
        if reply.reply.answer is Answer.ACCEPTED and not self._ctx.outbox.idle:
            self._ctx.outbox.after(reply)
        else:
            self._ctx.emit(reply)

    def close(self, decision: Decision, outcome: Outcome, code: str = "", message: str = "") -> None:
        """Give a decision its outcome, and tell the strategy."""
        time_ms = self._ctx.exchange_ms
        if outcome in (Outcome.DENIED, Outcome.REJECTED):
            self._ctx.resume_ms[decision.market] = self._ctx.now_ms + _AFTER_REFUSAL_MS
        self._ctx.record(
            DecisionClosed(
                id=decision.id,
                market=decision.market,
                outcome=outcome,
                code=code,
                message=message,
                time_ms=time_ms,
            ),
            Publish(
                message=DecisionOutcome(
                    id=decision.id,
                    market=decision.market,
                    outcome=outcome,
                    code=code,
                    message=message,
                    time_ms=time_ms,
                )
            ),
        )
        if outcome is Outcome.DENIED and decision.id in self._unanswered:
            token, _ = self._unanswered[decision.id]
            self._unanswered[decision.id] = (token, self._deny(decision, code, message))
        if decision.id in self.watched:
            self.watched[decision.id] = (outcome, code, message)
        if decision.strategy == FLATTEN_STRATEGY:
            text = f"{outcome} {code} {message}".strip()
            self._ctx.exits[decision.market] = "" if outcome is Outcome.REACHED else text
        if outcome is Outcome.DENIED and not isinstance(decision.want, RestingOrders):
            self.note_denial(code)
        key = (str(outcome), code)
        self.counts[key] = self.counts.get(key, 0) + 1

    def note_denial(self, code: str) -> None:
        """Count a denial: of a decision, or of one order of a set."""
        self.denials[code] = self.denials.get(code, 0) + 1

    def _refusal(self, decision: Decision) -> DecisionReply | None:
        ctx = self._ctx
        malformed = implausible(decision)
        if malformed is not None:
            return self._deny(decision, "Malformed", malformed)
        if not ctx.leading:
            return self._deny(decision, "NotLeading", "another replica leads; it decides")
        if ctx.lead.draining:
            return self._deny(decision, "Draining", "this replica hands over")
        if ctx.spec is None or all(market.symbol != decision.market for market in ctx.spec.markets):
            return self._deny(decision, "UnknownMarket", f"{decision.market} is not in spec.markets")
        if ctx.book.restoring:
            return self._deny(
                decision, "NotLeading", "the exchange is asked first what this account has done"
            )
        if decision.event_time_ms <= ctx.book.not_before_ms:
            return DecisionReply(
                id=decision.id,
                answer=Answer.SUPERSEDED,
                code="BeforeLogLoss",
                message="the log was lost after this event: it may have been acted on already",
            )
        mark = ctx.book.market(decision.market).high_water.get(decision.strategy)
        if mark is None or decision.order_key > mark.order_key:
            return None
        if mark.id == decision.id:
            return DecisionReply(id=decision.id, answer=Answer.ACCEPTED, code="AlreadyLogged")
        return DecisionReply(
            id=decision.id,
            answer=Answer.SUPERSEDED,
            code="BelowHighWater",
            message=f"decision {mark.id} of this strategy and market is newer",
        )

    def _deny(self, decision: Decision, code: str, message: str) -> DecisionReply:
        return DecisionReply(id=decision.id, answer=Answer.DENIED, code=code, message=message)
