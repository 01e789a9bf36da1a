"""What people are told in each state: one active step, safe advice, and a reason with a stable code."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from darkswap_browser.settlement import states as at
from darkswap_browser.settlement.terms import Role
from darkswap_browser.trades.status_text import advice_text, failure_reason, progress_steps
from tests.soak.world import COINS, RAW, SETTLED, SIGNED, trade_of

MAKER, TAKER = Role.MAKER, Role.TAKER
NEW = {role: trade_of(role) for role in Role}
MET = {role: replace(NEW[role], own=COINS[role], theirs=COINS[role.other], txid=SETTLED) for role in Role}
GIVEN = {TAKER: replace(MET[TAKER], witnesses=SIGNED), MAKER: replace(MET[MAKER], raw=RAW)}
BOTH = {role: replace(GIVEN[role], raw=RAW) for role in Role}

STEPS: list[tuple[at.State, str, str]] = [
    (at.AwaitingAcceptance(NEW[TAKER], 9), "request", "active"),
    (at.Validating(NEW[MAKER], 9), "verify", "active"),
    (at.Verifying(MET[TAKER], 9), "verify", "active"),
    (at.Reviewing(MET[TAKER], 9), "review", "active"),
    (at.Signing(MET[TAKER], 9), "sign", "active"),
    (at.AwaitingTakerSignatures(MET[MAKER], 9), "sign", "active"),
    (at.AwaitingMakerSignatures(GIVEN[TAKER], 9), "countersign", "active"),
    (at.Countersigning(MET[MAKER], 9, SIGNED), "countersign", "active"),
    (at.SignatureExposed(GIVEN[TAKER]), "countersign", "active"),
    (at.Revoking(GIVEN[TAKER]), "countersign", "active"),
    (at.Broadcasting(BOTH[MAKER], 9), "broadcast", "active"),
    (at.AwaitingConfirmation(BOTH[TAKER], 9), "broadcast", "active"),
    (at.AwaitingConfirmation(BOTH[MAKER], 9, refusal="full"), "broadcast", "active"),
    (at.AwaitingConfirmation(BOTH[MAKER], 0, seen=True), "confirm", "active"),
    (at.Conflicted(BOTH[MAKER], "ab" * 32, 1), "confirm", "failed"),
    (at.Failed(NEW[TAKER], "ORDER_GONE", ""), "request", "failed"),
    (at.Failed(MET[TAKER], "V11", ""), "verify", "failed"),
    (at.Failed(NEW[MAKER], "V9", ""), "verify", "failed"),
    (at.Failed(MET[MAKER], "V17", ""), "sign", "failed"),
    (at.Failed(GIVEN[TAKER], "INPUT_SPENT", ""), "countersign", "failed"),
    (at.Failed(BOTH[TAKER], "INPUT_SPENT", ""), "confirm", "failed"),
    (at.Canceled(NEW[TAKER], MAKER, "BUSY", ""), "request", "failed"),
    (at.Canceled(MET[MAKER], TAKER, "USER_REJECTED", ""), "sign", "failed"),
    (at.Revoked(GIVEN[TAKER]), "countersign", "failed"),
    (at.Expired(MET[TAKER], "reviewing"), "review", "failed"),
    (at.Expired(MET[MAKER], "offered"), "sign", "failed"),
]


@pytest.mark.parametrize(("state", "step", "mark"), STEPS, ids=lambda value: type(value).__name__)
def test_the_story_is_done_up_to_one_step(state: at.State, step: str, mark: str) -> None:
    steps = progress_steps(state)
    names = [name for name, _ in steps]
    here = names.index(step)
    assert [kind for _, kind in steps] == ["done"] * here + [mark] + ["todo"] * (len(steps) - here - 1)
    assert ("review" in names) is (state.trade.role is TAKER)


@pytest.mark.parametrize("state", [at.Completed(BOTH[TAKER], 1, 1), at.Settled(BOTH[MAKER], 1)])
def test_of_a_trade_that_is_done_every_step_is(state: at.State) -> None:
    assert {kind for _, kind in progress_steps(state)} == {"done"}
    assert failure_reason(state, "") is None


def test_without_a_review_there_is_no_such_step() -> None:
    auto = replace(MET[TAKER], auto_sign=True)
    assert "review" not in dict(progress_steps(at.Signing(auto, 9)))


def test_every_state_has_its_advice() -> None:
    told = {type(state): advice_text(state) for state, _, _ in STEPS}
    told |= {
        at.Completed: advice_text(at.Completed(BOTH[TAKER], 1, 1)),
        at.Settled: advice_text(at.Settled(BOTH[TAKER], 1)),
    }
    kinds = {kind for union in get_args(at.State) for kind in (get_args(union) or (union,))}
    assert set(told) == kinds
    assert all(text.endswith(".") for text in told.values())


@pytest.mark.parametrize("state", [state for state, _, _ in STEPS], ids=lambda value: type(value).__name__)
def test_coins_are_called_free_only_where_nothing_signed_is_out(state: at.State) -> None:
    out = isinstance(state, at.Committed) or bool(state.trade.witnesses or state.trade.raw)
    assert ("left this device. Your coins are free" in advice_text(state)) <= (not out)


REASONS: list[tuple[at.State, str, str]] = [
    (at.Failed(NEW[TAKER], "V11", "no runes"), "V11", "A check before signing did not hold (V11): no runes."),
    (
        at.Failed(NEW[TAKER], "INSUFFICIENT_FUNDS", ""),
        "INSUFFICIENT_FUNDS",
        "There are not enough coins for this trade.",
    ),
    (at.Failed(NEW[TAKER], "ODD", "why"), "ODD", "It did not work out. (why)"),
    (at.Canceled(NEW[TAKER], TAKER, "USER_REJECTED", "x"), "USER_REJECTED", "You canceled it."),
    (
        at.Canceled(NEW[TAKER], MAKER, "BUSY", ""),
        "BUSY",
        "The maker ended it. The maker has too much to do with others.",
    ),
    (at.Canceled(NEW[MAKER], TAKER, "V3", ""), "V3", "The taker ended it. A check did not hold there (V3)."),
    (at.Canceled(NEW[MAKER], TAKER, "<i>", "hi"), "OTHER", "The taker ended it. Its code is OTHER. They say: “hi”"),
    (at.Expired(NEW[TAKER], "requesting"), "TIMEOUT", "The maker did not answer in time."),
    (at.AwaitingConfirmation(BOTH[MAKER], 9, refusal="full"), "BROADCAST_REJECTED", "The network says: full"),
    (at.SignatureExposed(GIVEN[TAKER], "no coins"), "REVOKE_FAILED", "Taking the signature back failed: no coins"),
    (
        at.SignatureExposed(GIVEN[TAKER], declined="TIMEOUT"),
        "TIMEOUT",
        "The maker says that it does not complete the trade. It took too long.",
    ),
    (at.Conflicted(BOTH[MAKER], "ab", 2), "INPUT_SPENT", "ab spent a coin of this trade, 2 blocks deep."),
]


@pytest.mark.parametrize(("state", "code", "words"), REASONS, ids=lambda value: type(value).__name__)
def test_a_reason_has_a_code_for_programs_and_a_sentence_for_people(state: at.State, code: str, words: str) -> None:
    reason = failure_reason(state, "")
    assert reason is not None
    assert (reason.code, reason.detail) == (code, words)


def test_a_chain_that_cannot_be_seen_is_the_reason_while_there_is_no_other() -> None:
    waiting = failure_reason(at.AwaitingConfirmation(BOTH[MAKER], 0, seen=True), "no answer")
    assert waiting is not None and (waiting.code, "no answer" in waiting.detail) == ("CHAIN", True)
    ended = failure_reason(at.Failed(NEW[TAKER], "V11", ""), "no answer")
    assert ended is not None and ended.code == "V11"


def test_advice_for_an_exposed_signature_is_that_of_the_role() -> None:
    assert "The maker did not complete" in advice_text(at.SignatureExposed(GIVEN[TAKER]))
    advice = advice_text(at.SignatureExposed(BOTH[MAKER], refused="min relay fee not met"))
    assert "The maker" not in advice and "Take your signature back" in advice
    reason = failure_reason(at.SignatureExposed(BOTH[MAKER], refused="min relay fee not met"), "")
    assert reason is not None and reason.code == "BROADCAST_REJECTED"


def test_advice_for_a_settlement_with_a_rival_names_it() -> None:
    state = at.AwaitingConfirmation(BOTH[TAKER], 0, seen=True, rival="ab" * 32)
    reason = failure_reason(state, "")
    assert reason is not None and reason.code == "INPUT_SPENT" and "ab" * 32 in reason.detail
    assert "mined first" in advice_text(state)
