"""Trade messages under signature: sealed by our identity key, opened by the key inside the sender's peer id."""

from __future__ import annotations

from dataclasses import replace

from darkswap_browser.errors import ProtocolViolation
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.runtime.base.crypto import Crypto
from darkswap_browser.settlement import messages
from darkswap_browser.settlement.messages import Body, TradeEnvelope
from darkswap_browser.settlement.terms import Role

WHAT = "trade message"


async def sign_message(identity: Identity, sender: Role, trade_id: str, seq: int, body: Body) -> bytes:
    """The same body under the same number is the same message: Ed25519 has no chance in it."""
    message = messages.envelope(trade_id, seq, body)
    signature = await identity.sign(message.signing_bytes(sender))
    return messages.encode(replace(message, signature=signature))


async def verify_message(crypto: Crypto, sender: PeerId, role: Role, message: TradeEnvelope) -> None:
    """Raises `ProtocolViolation` unless `sender`, in `role`, signed it."""
    key = sender.embedded_key()
    if key is None or not await key.verify(crypto, message.signing_bytes(role), message.signature):
        raise ProtocolViolation(WHAT, "is not signed by its sender")
