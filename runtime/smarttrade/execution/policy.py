"""What the account's state means for one order or decision; the table itself is in `state`."""

from __future__ import annotations

from smarttrade.api import DeletionPolicy
from smarttrade.execution.orders import Order, Purpose
from smarttrade.execution.state import TABLE, Protection, Reducing
from smarttrade.messages import EffectiveState, Side

_OWN_WILL = (Purpose.TARGET, Purpose.RESTING, Purpose.ADOPTED)


def allows_opening(state: EffectiveState) -> bool:
    return TABLE[state].new_entries


def allows_reducing(state: EffectiveState) -> bool:
    return TABLE[state].reducing is Reducing.DECISIONS


def keeps_protection(state: EffectiveState) -> bool:
    """Whether positions stay protected in this state, and a protective price still sells them."""
    return TABLE[state].protection is Protection.KEPT


def must_cancel(state: EffectiveState, order: Order) -> bool:
    """Whether a resting order may not stay in this state; one that reduces stays where decisions may."""
    row = TABLE[state]
    if order.purpose is Purpose.PROTECTIVE:
        return row.protection is not Protection.KEPT
    if row.own_entries_kept:
        return False
    if order.purpose in _OWN_WILL:
        return order.side is Side.BUY or row.reducing is not Reducing.DECISIONS
    return state is EffectiveState.HALTED


def state_while_deleting(policy: DeletionPolicy, state: EffectiveState) -> EffectiveState:
    """What the deletion policy makes of the account: Retain pauses, CancelOrders halts, Flatten flattens.

    A halted account that is deleted with Flatten is flattened: the owner asked for both, and this last.
    """
    if policy is DeletionPolicy.FLATTEN:
        return EffectiveState.FLATTEN
    closed = EffectiveState.PAUSED if policy is DeletionPolicy.RETAIN else EffectiveState.HALTED
    return max(closed, state, key=list(EffectiveState).index)
