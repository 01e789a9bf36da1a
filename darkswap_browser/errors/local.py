"""Errors of the caller: what was asked for cannot be."""

from __future__ import annotations

from darkswap_browser.errors.base import MAX_REASON, DarkSwapError, clipped


class LocalError(DarkSwapError):
    code = "LOCAL"


class InvalidArgument(LocalError):
    """`path` names the argument or config key, `reason` says what is wrong with it."""

    code = "INVALID_ARGUMENT"

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        self.path = clipped(path)
        self.reason = clipped(reason, MAX_REASON)
        self.hint = hint or f"Check {self.path}."
        super().__init__(path, reason)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class ObjectClosed(LocalError):
    code = "FREED"
    hint = "Create another object; this one was freed or closed."

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.what} was freed"


class MessageTooLarge(LocalError):
    """`size` and `limit` in bytes."""

    code = "MESSAGE_TOO_LARGE"
    hint = "Split the message into smaller ones."

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(size, limit)

    def __str__(self) -> str:
        return f"message of {self.size} bytes; at most {self.limit} are allowed"


class NotConnected(LocalError):
    code = "NOT_CONNECTED"
    retryable = True
    hint = "Connect to the peer first, through a relay that both of you use."

    def __init__(self, peer: str) -> None:
        self.peer = peer
        super().__init__(peer)

    def __str__(self) -> str:
        return f"not connected to {self.peer}"


class NoAddress(NotConnected):
    code = "NO_ADDRESS"
    hint = "Give a multiaddr of the peer, or name a relay that it holds a reservation on."

    def __str__(self) -> str:
        return f"no address is known for {self.peer}"


class UnknownRelay(LocalError):
    code = "UNKNOWN_RELAY"
    hint = "Name the relay once by its full multiaddr: add_relay('/dns4/…/wss/p2p/…')."

    def __init__(self, relay: str) -> None:
        self.relay = relay
        super().__init__(relay)

    def __str__(self) -> str:
        return f"no address is known for relay {self.relay}"


class Unsupported(LocalError):
    code = "UNSUPPORTED"

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = what
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.what} is not available here"


class ListenFailed(LocalError):
    """The host lets nothing listen at `host` and `port`; `reason` is its own word."""

    code = "LISTEN_FAILED"
    hint = "Choose another address or port to listen on; 0 takes a free port."

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        self.reason = clipped(reason, MAX_REASON)
        super().__init__(host, port, reason)

    def __str__(self) -> str:
        return f"cannot listen on {self.host} port {self.port}: {self.reason}"


class NodeMoved(LocalError):
    """Another tab runs the node of identity `name` now: this one may neither write nor sign for it."""

    code = "NODE_MOVED"
    retryable = True
    hint = "Look whether the call had its effect, then make it again: it goes to the tab that runs the node now."

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return f"another tab runs the node of identity {self.name!r} now"


class SubscriberFailed(LocalError):
    """A callback of the application raised `error`. Told as an event, never raised."""

    code = "SUBSCRIBER_FAILED"
    hint = "The exception came from a callback of the application. The log has its traceback."

    def __init__(self, what: str, error: str) -> None:
        self.what = what
        self.error = error
        super().__init__(what, error)

    def __str__(self) -> str:
        return f"{self.what} raised {self.error}"


class TooManyRequests(LocalError):
    code = "TOO_MANY_REQUESTS"
    retryable = True
    hint = "Wait for earlier calls to finish."

    def __init__(self, what: str, limit: int) -> None:
        self.what = what
        self.limit = limit
        super().__init__(what, limit)

    def __str__(self) -> str:
        return f"too many {self.what}; at most {self.limit} at once"


class StorageError(LocalError):
    """The host's store failed. `place` names it, `reason` is the host's own word."""

    code = "STORAGE"
    retryable = True
    hint = "Check the place where this device keeps data."

    def __init__(self, place: str, reason: str, hint: str = "") -> None:
        self.place = place
        self.reason = reason
        self.hint = hint or type(self).hint
        super().__init__(place, reason)

    def __str__(self) -> str:
        return f"{self.place} failed: {self.reason}"


class StorageFull(StorageError):
    """Nothing more can be stored; what is stored can still be read, and usually deleted."""

    code = "STORAGE_FULL"
    hint = "Free some space on this device."

    def __str__(self) -> str:
        return f"{self.place} takes no more: {self.reason}"
