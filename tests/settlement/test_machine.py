from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.settlement import effects as do
from darkswap_browser.settlement import events as on
from darkswap_browser.settlement import machine
from darkswap_browser.settlement import states as at
from darkswap_browser.settlement.messages import Cancel, FinalTransaction, TakeAccept, TakerSignatures
from darkswap_browser.settlement.step import Step, StepOutcome, effects_on_resume
from darkswap_browser.settlement.terms import Role
from darkswap_browser.storage import codec
from tests.soak.world import COINS, DEADLINE, RAW, REQUEST, SETTLED, SIGNED, START, Stepping, explore, trade_of

TRADES = tuple(
    replace(trade_of(role), own=COINS[role], theirs=COINS[role.other], txid=SETTLED, last_sent=REQUEST, sent=1)
    for role in Role
)
SALE = replace(trade_of(Role.TAKER), own=COINS[Role.TAKER], theirs=COINS[Role.MAKER], txid=SETTLED, sale=SIGNED)
STATES: tuple[at.State, ...] = tuple(
    state
    for trade in (*TRADES, SALE)
    for state in (
        at.AwaitingAcceptance(trade, 1020),
        at.Verifying(trade, 1010),
        at.Reviewing(trade, DEADLINE),
        at.Signing(trade, 1060),
        at.Validating(trade, 1020),
        at.AwaitingTakerSignatures(trade, DEADLINE),
        at.Countersigning(trade, 1060, SIGNED),
        at.AwaitingMakerSignatures(trade, 1080),
        at.Broadcasting(replace(trade, raw=RAW), 1090),
        at.AwaitingConfirmation(trade, DEADLINE),
        at.AwaitingConfirmation(replace(trade, raw=RAW), 0, True, 1),
        at.Completed(trade, 100, 2),
        at.SignatureExposed(trade, "late"),
        at.SignatureExposed(trade, refused="min relay fee not met"),
        at.Revoking(trade),
        at.Revoking(replace(trade, spend_txid="cd" * 32, spend_raw=b"spend"), remake=True),
        at.Revoking(replace(trade, spend_txid="cd" * 32, spend_raw=b"spend"), 1),
        at.Conflicted(trade, "99" * 32, 1),
        at.Settled(trade, 100),
        at.Revoked(trade),
        at.Failed(trade, "V11", "gone"),
        at.Canceled(trade, Role.MAKER, "PRICE_CHANGED", ""),
        at.Expired(trade, "offered"),
    )
)
EVENTS: tuple[on.Event, ...] = (
    *(
        on.MessageReceived(2, body)
        for body in (
            REQUEST,
            TakeAccept(COINS[Role.MAKER], SETTLED),
            TakerSignatures(SIGNED),
            FinalTransaction(RAW),
            FinalTransaction(b"?"),
            Cancel("PEER_GONE", ""),
        )
    ),
    on.MessageReceived(0, FinalTransaction(RAW)),
    on.TimerFired(),
    on.Reconnected(),
    on.Validated(COINS[Role.MAKER], SETTLED),
    on.Verified(),
    on.CheckFailed("V3", ""),
    on.Approved(),
    on.Signed(SIGNED),
    on.Countersigned(RAW),
    on.SigningFailed("V15", ""),
    on.SigningFailed("USER_REJECTED", ""),
    on.CancelRequested(),
    on.RevokeRequested(),
    on.SelfSpendSigned("cd" * 32, b"spend"),
    on.SelfSpendFailed("locked"),
    on.BroadcastAccepted(SETTLED),
    on.BroadcastAccepted("cd" * 32),
    on.BroadcastFailed(SETTLED, "fee"),
    on.BroadcastFailed(SETTLED, "spent", True),
    on.BroadcastFailed("cd" * 32, "less fees", True, 5_000),
    on.RivalSeen("99" * 32),
    on.RevokeRequested(700, 900),
    on.FinalTransactionFetched(RAW),
    on.SeenInMempool(SETTLED),
    on.SeenInMempool("cd" * 32),
    on.Confirmed(SETTLED, 100, 1),
    on.Confirmed(SETTLED, 100, 9),
    on.Confirmed("cd" * 32, 100, 9),
    on.NotSeenOnChain(),
    on.ConflictConfirmed("99" * 32, 1),
    on.ConflictConfirmed("99" * 32, 9),
)


def named(state: at.State) -> str:
    return f"{type(state).__name__}-{'sale' if state.trade.sale else state.trade.role}"


@pytest.mark.parametrize("state", STATES, ids=named)
def test_every_event_in_every_state_has_an_answer(state: at.State) -> None:
    for event in EVENTS:
        for now in (START, DEADLINE + 1):
            step = machine.step(state, event, now)
            moved = type(step.state) is not type(state)
            assert step.answer is StepOutcome.MOVED or not moved or now > DEADLINE
            if isinstance(state, at.Committed) and isinstance(step.state, at.Ended):
                assert isinstance(event, on.Confirmed | on.ConflictConfirmed)
            if isinstance(state, at.Ended):
                assert step.state == state and do.Release() not in step.effects
            else:
                assert (do.Release() in step.effects) == isinstance(step.state, at.Ended)


@pytest.mark.parametrize("state", STATES, ids=named)
def test_a_state_is_kept_as_bytes_and_comes_back(state: at.State) -> None:
    data = codec.encode(codec.STATE, state, at.VERSION)
    assert codec.decode(codec.STATE, data, at.VERSION) == state
    for cut in range(0, len(data), 7):
        with pytest.raises(MalformedMessage):
            codec.decode(codec.STATE, data[:cut], at.VERSION)


def test_no_state_is_left_out_of_these_tests() -> None:
    assert {type(state) for state in STATES} == set(get_args(at.State))


def test_every_state_has_its_names_of_the_original_bindings() -> None:
    """TradeState and TradeStatus as its users know them; an end is never called pending or confirming."""
    names = {at.names_of(state) for state in STATES}
    assert {name for name, _ in names} == {
        "Created", "MakerPsbtSent", "TakerPsbtSent", "TakerSigned", "MakerSigned", "Completed", "Failed", "Canceled",
        "Expired",
    }  # fmt: skip
    assert {status for _, status in names} == {"pending", "confirming", "completed", "failed", "canceled"}
    for state in STATES:
        status = at.names_of(state)[1]
        assert (status in ("pending", "confirming")) <= (not isinstance(state, at.Ended))
        assert (status == "pending") <= isinstance(state, at.Negotiating)


def test_a_cancel_after_our_signatures_left_frees_nothing() -> None:
    step = machine.step(
        at.AwaitingMakerSignatures(TRADES[1], 1080), on.MessageReceived(2, Cancel("PRICE_CHANGED", "")), START
    )
    assert isinstance(step.state, at.SignatureExposed) and do.Release() not in step.effects


def test_a_final_transaction_of_another_trade_is_refused() -> None:
    step = machine.step(
        at.AwaitingMakerSignatures(replace(TRADES[1], txid="11" * 32), 1080),
        on.MessageReceived(2, FinalTransaction(RAW)),
        START,
    )
    assert step.answer is StepOutcome.REFUSED


def test_a_deadline_with_signatures_out_exposes_and_a_wish_then_spends_ourselves() -> None:
    late = machine.step(at.AwaitingMakerSignatures(TRADES[1], 1080), on.TimerFired(), 1080)
    assert isinstance(late.state, at.SignatureExposed)
    wish = machine.step(late.state, on.RevokeRequested(), 1081)
    assert isinstance(wish.state, at.Revoking) and do.SelfSpend() in wish.effects


def test_a_private_sale_is_bought_without_a_word_to_anybody() -> None:
    step = machine.start_purchase(SALE, START)
    for event, state in (
        (on.Verified(), at.Reviewing(SALE, DEADLINE)),
        (on.Approved(), at.Countersigning(SALE, START + 60, SIGNED)),
        (on.Countersigned(RAW), at.AwaitingConfirmation(replace(SALE, raw=RAW), DEADLINE)),
        (on.SeenInMempool(SETTLED), at.AwaitingConfirmation(replace(SALE, raw=RAW), 0, seen=True)),
        (on.Confirmed(SETTLED, 100, 2), at.Completed(replace(SALE, raw=RAW), 100, 2)),
    ):
        assert not any(isinstance(each, do.Send) for each in step.effects)
        step = machine.step(step.state, event, START)
        assert step.state == state
    assert do.Countersign(SIGNED) in effects_on_resume(at.Countersigning(SALE, START + 60, SIGNED))


@pytest.mark.parametrize("state", [each for each in STATES if each.trade.sale], ids=named)
def test_in_a_private_sale_nothing_is_said_or_heard(state: at.State) -> None:
    for event in EVENTS:
        for now in (START, DEADLINE + 1):
            step = machine.step(state, event, now)
            assert not any(isinstance(each, do.Send) for each in step.effects)
            assert step.state.trade.last_sent is None
            if isinstance(event, on.MessageReceived) and now == START:
                assert step.state == state and step.answer in (
                    StepOutcome.REFUSED,
                    StepOutcome.DUPLICATE,
                )


def test_a_buyer_who_is_told_to_sign_at_once_signs_at_once() -> None:
    at_once = replace(SALE, auto_sign=True)
    step = machine.step(machine.start_purchase(at_once, START).state, on.Verified(), START)
    assert step.state == at.Countersigning(at_once, START + 60, SIGNED)


def test_the_loser_of_two_buyers_has_his_coins_back_once_the_other_purchase_is_deep() -> None:
    state: at.State = at.AwaitingConfirmation(replace(SALE, raw=RAW), DEADLINE)
    state = machine.step(state, on.BroadcastFailed(SETTLED, "txn-mempool-conflict"), START).state
    state = machine.step(state, on.ConflictConfirmed("99" * 32, 1), START).state
    assert isinstance(state, at.Conflicted)
    step = machine.step(state, on.ConflictConfirmed("99" * 32, 9), START)
    assert isinstance(step.state, at.Failed) and step.state.code == "INPUT_SPENT" and do.Release() in step.effects


def test_schedules_keep_every_promise() -> None:
    ends = {tuple(type(side.state).__name__ for side in explore(seed).sides.values()) for seed in range(1000)}
    assert ("Settled", "Settled") in ends and any("Revoked" in pair for pair in ends)


def _frees_too_early(state: at.State, event: on.Event, now: int) -> Step:
    step = machine.step(state, event, now)
    if isinstance(step.state, at.SignatureExposed):
        ended = at.Failed(step.state.trade, "TIMEOUT", "")
        return Step(ended, effects_on_resume(ended))
    return step


def _does_not_verify(state: at.State, event: on.Event, now: int) -> Step:
    step = machine.step(state, event, now)
    if isinstance(step.state, at.Verifying):
        signing = at.Signing(step.state.trade, DEADLINE)
        return Step(signing, effects_on_resume(signing))
    return step


def _hears_twice(state: at.State, event: on.Event, now: int) -> Step:
    step = machine.step(state, event, now)
    if step.answer is StepOutcome.DUPLICATE:
        return replace(step, effects=effects_on_resume(state))
    return step


@pytest.mark.parametrize("broken", [_frees_too_early, _does_not_verify, _hears_twice])
def test_a_broken_machine_is_caught(broken: Stepping) -> None:
    with pytest.raises(AssertionError, match="seed"):
        for seed in range(1000):
            explore(seed, broken)
