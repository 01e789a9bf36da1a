"""Errors of peers, streams, connections and relays."""

from __future__ import annotations

from collections.abc import Iterator

from darkswap_browser.errors.base import MAX_SENTENCE, DarkSwapError, clipped
from darkswap_browser.errors.local import NoAddress


class RemoteError(DarkSwapError):
    code = "REMOTE"
    hint = "The other side does not follow the protocol; try another peer or relay."


class MalformedMessage(RemoteError):
    """`what` names the structure, `reason` what is wrong with the bytes."""

    code = "MALFORMED_MESSAGE"

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(what, reason)

    def __str__(self) -> str:
        return f"malformed {self.what}: {self.reason}"


class ProtocolViolation(RemoteError):
    code = "PROTOCOL_VIOLATION"

    def __init__(self, protocol: str, reason: str) -> None:
        self.protocol = protocol
        self.reason = reason
        super().__init__(protocol, reason)

    def __str__(self) -> str:
        return f"{self.protocol}: {self.reason}"


class HandshakeFailed(RemoteError):
    code = "HANDSHAKE_FAILED"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"handshake failed: {self.reason}"


class PeerIdMismatch(HandshakeFailed):
    code = "PEER_ID_MISMATCH"
    hint = "The address belongs to someone else; ask the peer for its current one."

    def __init__(self, expected: str, actual: str) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(f"expected {expected}, got {actual}")


class ProtocolUnsupported(RemoteError):
    code = "PROTOCOL_UNSUPPORTED"
    hint = "The other side runs software without this feature."

    def __init__(self, protocols: tuple[str, ...]) -> None:
        self.protocols = protocols
        super().__init__(protocols)

    def __str__(self) -> str:
        return "peer supports none of " + ", ".join(self.protocols)


class RelayRefused(RemoteError):
    """A relay's no.

    Args:
        status: Number of circuit-relay-v2's Status enum, `name` its word.
        reason: Which limit it was, as relays of ours tell ("ip", "peer-rate" …); empty from others.
        retry_after: Seconds until the same request may succeed; 0 where it is not known.
    """

    code = "RELAY_REFUSED"
    retryable = True

    def __init__(self, relay: str, status: int, name: str, reason: str = "", retry_after: int = 0) -> None:
        self.relay = relay
        self.status = status
        self.name = name
        self.reason = reason
        self.retry_after = retry_after
        hint = REFUSAL_HINTS.get(reason) or RELAY_HINTS.get(status, "Try again later, or use another relay.")
        self.hint = hint + (f" Asked again in {retry_after} s it may agree." if retry_after else "")
        super().__init__(relay, status, name, reason, retry_after)

    def __str__(self) -> str:
        why = f", {self.reason}" if self.reason else ""
        return f"relay {self.relay} refused: {self.name} ({self.status}{why})"


PEER_ABSENT = (203, 204)
"""A relay's status when it could not reach the peer, or the peer holds no reservation there."""
REFUSAL_HINTS = {
    "ip": "Your network's address, which all behind one router share, has used up its part of the relay; use another "
    "relay, or close other pages that hold a place there.",
    "ip-rate": "Too many requests came from your network's address, which all behind one router share; wait, or use "
    "another relay.",
    "peer": "You have used up your part of the relay; use another relay.",
    "peer-rate": "You asked the relay too often; wait, or use another relay.",
    "draining": "The relay is about to stop; use another relay.",
}
RELAY_HINTS = {
    200: "The relay takes no more reservations from you; use another relay.",
    201: "The relay is full; try again later or use another relay.",
    202: "The relay does not allow this; connect to it directly, not through another relay.",
    203: "The relay could not reach the peer; the peer may just have gone offline.",
    204: "The peer holds no reservation there; ask it which relay it uses and whether it is online.",
}


class VoucherInvalid(RemoteError):
    code = "VOUCHER_INVALID"
    hint = "The relay's reservation cannot be trusted; use another relay."

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"reservation voucher: {self.reason}"


class ResourceLimit(RemoteError):
    code = "RESOURCE_LIMIT"

    def __init__(self, what: str, limit: int) -> None:
        self.what = what
        self.limit = limit
        super().__init__(what, limit)

    def __str__(self) -> str:
        return f"peer exceeded the limit of {self.limit} {self.what}"


class ConnectionLost(DarkSwapError):
    code = "CONNECTION_LOST"
    retryable = True
    hint = "Check the network connection; the peer or relay may have gone away."

    def __init__(self, what: str = "connection", reason: str = "") -> None:
        self.what = what
        self.reason = reason
        super().__init__(what, reason)

    def __str__(self) -> str:
        return f"{self.what} lost" + (f": {self.reason}" if self.reason else "")


class DialFailed(DarkSwapError):
    """`attempts`: (address or step, what went wrong), in the order tried, each once, with those of a dial within it."""

    code = "DIAL_FAILED"
    retryable = True
    hint = "Check that the peer is online and uses a relay that you can reach."

    def __init__(self, peer: str, attempts: tuple[tuple[str, Exception], ...]) -> None:
        self.peer = peer
        self.attempts = tuple(
            {(address, str(error)): (address, error) for address, error in _leaves(attempts)}.values()
        )
        last = self.attempts[-1][1] if self.attempts else None
        if isinstance(last, DarkSwapError) and last.hint:
            self.hint = last.hint
        super().__init__(peer, attempts)

    @classmethod
    def of(cls, peer: str, attempts: tuple[tuple[str, Exception], ...]) -> DialFailed:
        """A `PeerOffline` where every relay that could be asked said that the peer is not there."""
        reasons = [error for _, error in _leaves(attempts) if not isinstance(error, NoAddress)]
        absent = bool(reasons) and all(
            isinstance(each, RelayRefused) and each.status in PEER_ABSENT for each in reasons
        )
        return (PeerOffline if absent else DialFailed)(peer, attempts)

    def __str__(self) -> str:
        """The last reason; the others are in `attempts`."""
        last = f": {self.attempts[-1][1]}" if self.attempts else ""
        return clipped(f"could not reach {self.peer}{last}", MAX_SENTENCE)


def _leaves(attempts: tuple[tuple[str, Exception], ...]) -> Iterator[tuple[str, Exception]]:
    for address, error in attempts:
        if isinstance(error, DialFailed) and error.attempts:
            yield from error.attempts
        else:
            yield address, error


class PeerOffline(DialFailed):
    """Every relay that was asked answered that the peer is not there."""

    code = "PEER_OFFLINE"

    def __init__(self, peer: str, attempts: tuple[tuple[str, Exception], ...]) -> None:
        super().__init__(peer, attempts)
        self.hint = "Ask the peer to open its page or to start its node, or for the relay that it uses now."

    def __str__(self) -> str:
        return f"{self.peer} is not online at any relay known here"


class NoDirectPath(DarkSwapError):
    """The peer is there, and no direct link to it came about.

    Args:
        reason: A stable word, such as "no_stun" or "both_symmetric".
        detail: The reason as part of a sentence.
        local, remote: Kinds of candidates that each side found.
    """

    code = "NO_DIRECT_PATH"
    retryable = True

    def __init__(
        self, peer: str, reason: str, detail: str, local: tuple[str, ...], remote: tuple[str, ...], hint: str = ""
    ) -> None:
        self.peer = peer
        self.reason = reason
        self.detail = detail
        self.local = local
        self.remote = remote
        self.hint = hint or "Allow the relayed connection, or name a TURN server in ice_servers."
        super().__init__(peer, reason, detail, local, remote, hint)

    def __str__(self) -> str:
        return clipped(f"no direct link to {self.peer}: {self.detail}", MAX_SENTENCE)


class TimedOut(DarkSwapError):
    code = "TIMEOUT"
    retryable = True
    hint = "Try again; if it persists, check that the other side is online."

    def __init__(self, operation: str, seconds: float) -> None:
        self.operation = operation
        self.seconds = seconds
        super().__init__(operation, seconds)

    def __str__(self) -> str:
        return f"{self.operation} took longer than {self.seconds:g} s"


class Aborted(DarkSwapError):
    code = "ABORTED"
    hint = "The caller cancelled it."

    def __init__(self, operation: str = "operation") -> None:
        self.operation = operation
        super().__init__(operation)

    def __str__(self) -> str:
        return f"{self.operation} was aborted"
