"""Offers, answers and candidates that the application itself exchanges with a peer."""

from __future__ import annotations

from darkswap_browser.api.node_owner import NodeOwner
from darkswap_browser.api.records import PeerSignal
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.node import page_signaling
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription


class ManualSignaling(NodeOwner):
    """The part of `Network` that negotiates by hand."""

    async def send_webrtc_offer(self, peer: str, sdp: str) -> None:
        """Begin a negotiation of the caller's own; the answer comes by `receive_webrtc_event`.

        Cancellation: The offer may have been sent. Another one begins anew.
        """
        await self._signal(peer, page_signaling.description("offer", "offer", sdp))

    async def send_webrtc_answer(self, peer: str, sdp: str) -> None:
        """Answer an offer of the peer's.

        Raises:
            InvalidArgument: No negotiation with the peer is under way.

        Cancellation: The answer may have been sent.
        """
        await self._signal(peer, page_signaling.description("answer", "answer", sdp))

    async def send_webrtc_ice_candidate(
        self, peer: str, candidate: str, sdp_mid: str | None = None, sdp_m_line_index: int | None = None
    ) -> None:
        """Tell the peer a candidate. Raises as `send_webrtc_answer`. Cancellation: It may have been sent."""
        await self._signal(peer, page_signaling.candidate("candidate", candidate, sdp_mid, sdp_m_line_index))

    async def _signal(self, peer: str, event: SessionDescription | IceCandidate) -> None:
        await (await self._up()).signals.send(PeerId.parse(peer), event)

    async def receive_webrtc_event(self) -> PeerSignal:
        """The next offer, answer or candidate that a peer sent, also those that the node answers by itself.

        Cancellation: Safe; it waits for the next caller.
        """
        return await self._facts.next_signal()
