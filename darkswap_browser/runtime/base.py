"""What we need of a host, in Python types only.

Three hosts stand behind these: `browser` (the `js` FFI), `native` (CPython), `simulated`. Only `app` chooses one.
Time inside the package is the running event loop's: `asyncio.timeout`, `asyncio.sleep` and `loop.time()`; `Clock`
adds the wall.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Wall-clock time in unix seconds."""

    def now_ns(self) -> int:
        """Wall-clock time in unix nanoseconds."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, as fine as the host measures: for durations below a millisecond."""


class Entropy(Protocol):
    def bytes(self, count: int) -> bytes:
        """`count` cryptographically strong random bytes."""


class KeyAlgorithm(StrEnum):
    """Signature algorithms a remote identity may use; messages are hashed as libp2p's key types say."""

    ED25519 = "ed25519"
    RSA = "rsa"
    SECP256K1 = "secp256k1"
    ECDSA = "ecdsa"


class SigningKey(Protocol):
    """An Ed25519 private key that may never leave its host (WebCrypto, non-extractable)."""

    @property
    def public_bytes(self) -> bytes:
        """32 raw bytes."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """64-byte RFC 8032 signature."""
        ...


class Aead(Protocol):
    """ChaCha20-Poly1305 (RFC 8439) under one key. Synchronous: a frame costs one call."""

    def seal(self, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        """Ciphertext followed by the 16-byte tag; `nonce` is 12 bytes."""
        ...

    def open(self, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        """The plaintext, or None when the tag does not hold."""
        ...


class Crypto(Protocol):
    """Primitives; the same functions whichever library is under them."""

    async def generate_signing_key(self, *, extractable: bool = False) -> SigningKey: ...

    async def signing_key_from_seed(self, seed: bytes) -> SigningKey:
        """Ed25519 key of a 32-byte seed."""
        ...

    async def verify(self, algorithm: KeyAlgorithm, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """`public_key` is the Data field of libp2p's PublicKey: raw for Ed25519 and secp256k1, SPKI DER otherwise.

        False for a bad signature and for a malformed key or signature.
        """
        ...

    def x25519_public(self, private: bytes) -> bytes:
        """32-byte public key of 32 random bytes."""
        ...

    def x25519(self, private: bytes, public: bytes) -> bytes:
        """32-byte shared secret (RFC 7748); all zero for a low-order `public`, which callers refuse."""
        ...

    def chacha20poly1305(self, key: bytes) -> Aead: ...

    async def pbkdf2_sha256(self, password: bytes, salt: bytes, rounds: int) -> bytes:
        """32 bytes (RFC 8018). In a page only in a secure context, as the next two (`Unsupported` elsewhere)."""
        ...

    async def seal_aes_gcm(self, key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        """AES-256-GCM: 32-byte key, 12-byte nonce; the ciphertext followed by the 16-byte tag."""
        ...

    async def open_aes_gcm(self, key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        """The plaintext, or None when the tag does not hold."""
        ...


class ByteLink(Protocol):
    """A raw duplex of bytes: a WebSocket or a TCP socket. Message boundaries mean nothing.

    A subset of `net.stream.Stream`, so a relayed stream can stand in for a socket.
    """

    async def read(self, max_bytes: int = 65536) -> bytes:
        """At least one byte. Raises `EndOfStream` when the other side finished, `ConnectionLost` when it broke."""
        ...

    async def write(self, data: bytes) -> None:
        """Returns when the host's send buffer has room again (back-pressure). Raises `ConnectionLost`."""
        ...

    async def close(self) -> None:
        """Flush and close both directions. Idempotent; never raises for a link that is already gone."""
        ...

    def reset(self) -> None:
        """Drop the link at once. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class LinkListener:
    """A listening socket. `port` is the one bound (when 0 was asked for); `close` stops accepting."""

    host: str
    port: int
    close: Callable[[], Awaitable[None]]


LinkHandler = Callable[[ByteLink, str], Coroutine[Any, Any, None]]
"""Called with each accepted link and the remote's IP address as text; runs in a task of its own."""


class Sockets(Protocol):
    """Ways to reach out. A host raises `Unsupported` for what it has not."""

    async def connect_websocket(self, url: str) -> ByteLink:
        """`ws://` or `wss://`; raises `ConnectionLost` when it cannot be opened."""
        ...

    async def connect_tcp(self, host: str, port: int) -> ByteLink: ...

    async def listen_websocket(
        self, host: str, port: int, handler: LinkHandler, tls: tuple[str, str] | None = None
    ) -> LinkListener:
        """`tls` = paths of certificate chain and private key (PEM): then it is `wss`."""
        ...

    async def listen_tcp(self, host: str, port: int, handler: LinkHandler) -> LinkListener: ...


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """RTCSessionDescriptionInit: `type` is "offer" or "answer"."""

    type: str
    sdp: str


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """RTCIceCandidateInit; an empty `candidate` says that there will be no more."""

    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    username_fragment: str | None = None


@dataclass(frozen=True, slots=True)
class IceServer:
    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RtcConfiguration:
    ice_servers: tuple[IceServer, ...] = ()
    relay_only: bool = False
    """iceTransportPolicy "relay": only TURN candidates are used and sent, so no own address leaves."""


class DataChannelListener(Protocol):
    """Callbacks of one data channel, called synchronously from the host's event."""

    def opened(self) -> None: ...

    def received(self, data: bytes) -> None: ...

    def drained(self) -> None:
        """`buffered_amount` fell to the low threshold."""
        ...

    def closed(self) -> None:
        """The channel is gone; called once, after all messages."""
        ...


class DataChannel(Protocol):
    """RTCDataChannel: ordered, reliable, binary."""

    @property
    def label(self) -> str: ...

    @property
    def ready_state(self) -> str:
        """ "connecting", "open", "closing" or "closed"."""
        ...

    @property
    def buffered_amount(self) -> int: ...

    def listen(self, listener: DataChannelListener, low_threshold: int) -> None:
        """Attach the one listener; messages that came earlier are delivered to it first."""
        ...

    def send(self, data: bytes) -> None:
        """One SCTP message. Raises `StreamClosed` when not open, `TooManyRequests` when the UA's queue is full."""
        ...

    def close(self) -> None: ...


class PeerConnectionListener(Protocol):
    """Callbacks of one peer connection, called synchronously from the host's event."""

    def ice_candidate(self, candidate: IceCandidate | None) -> None:
        """A local candidate to send; None when gathering ended."""
        ...

    def data_channel(self, channel: DataChannel) -> None:
        """The peer opened a channel. `channel.listen` must be called before this returns."""
        ...

    def state_changed(self, state: str) -> None:
        """connectionState: new, connecting, connected, disconnected, failed.

        "closed": the peer closed the connection. A host tells it as soon as DTLS does, long before the state changes;
        our own `close` is not told.
        """
        ...


class PeerConnection(Protocol):
    """RTCPeerConnection in our words."""

    @property
    def connection_state(self) -> str: ...

    @property
    def local_description(self) -> SessionDescription | None: ...

    def create_data_channel(self, label: str, *, negotiated_id: int | None = None) -> DataChannel:
        """`negotiated_id`: both sides make the channel of that number by themselves; nothing is said about it."""
        ...

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription: ...

    async def create_answer(self) -> SessionDescription: ...

    async def set_local_description(self, description: SessionDescription) -> None: ...

    async def set_remote_description(self, description: SessionDescription) -> None:
        """Raises `MalformedMessage` when the host refuses the SDP."""
        ...

    async def add_ice_candidate(self, candidate: IceCandidate) -> None:
        """Raises `MalformedMessage` when the host refuses the candidate."""
        ...

    async def stats(self) -> Sequence[Mapping[str, Any]]:
        """The rows of getStats() as plain mappings with the W3C names."""
        ...

    def close(self) -> None:
        """Close and destroy every proxy of it and of its channels. Idempotent."""
        ...


class WebRtc(Protocol):
    """Raises `Unsupported` on a host without RTCPeerConnection (CPython, a worker)."""

    @property
    def available(self) -> bool: ...

    def create_peer_connection(
        self, configuration: RtcConfiguration, listener: PeerConnectionListener
    ) -> PeerConnection: ...


class KeyValueStore(Protocol):
    """Small durable records (IndexedDB, SQLite, a dict). Raises `Unsupported` when storage is blocked."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def keys(self, prefix: str) -> Sequence[str]:
        """Keys that begin with `prefix`, sorted."""
        ...

    async def load_signing_key(self, name: str) -> SigningKey | None:
        """A key kept with `save_signing_key`; in the browser a non-extractable CryptoKey."""
        ...

    async def save_signing_key(self, name: str, key: SigningKey) -> None: ...


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`headers` with lower-case names. `body` as sent: JSON is parsed in Python, so that no integer loses digits."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fetch(Protocol):
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float,
        max_bytes: int,
    ) -> HttpResponse:
        """Every status is an answer. Raises `ConnectionLost` (no answer, or CORS), `TimedOut`, and `ResourceLimit`
        when the body is larger than `max_bytes`, of which no more is read.
        """
        ...


class Locks(Protocol):
    """Exclusive locks by name, shared by every tab of the site (Web Locks) or process of the folder."""

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Waits until the lock is free; released at the end of the block, or with its tab."""
        ...


class WalletProviders(Protocol):
    """The wallets that extensions put into the page. Main thread of a page only: elsewhere there are none."""

    async def discover(self) -> Sequence[str]:
        """Names of what is there: "unisat", "okx", "xverse", "leather", "standard:<name>" … Waits for late ones."""
        ...

    async def call(self, provider: str, method: str, params: Any) -> Any:
        """Plain values both ways (dicts, lists, texts, numbers, bytes).

        `params`: a list of the arguments of the provider's own method `method`; where the provider has one `request`
        (xverse, leather and their like) the object for it, whose JSON-RPC result comes back; for "standard:…" the
        object for the function, `method` being "feature.function". There the account to sign with is given as
        {"account": address}. Raises `WalletRejected`, `WalletFailed`, `Unsupported` when there is no such method.
        """
        ...

    def subscribe(self, provider: str, callback: Callable[[str], None]) -> Callable[[], None]:
        """Tells "accounts", "network" or "disconnect" when the user changes it there."""
        ...


class Lifecycle(Protocol):
    """What the host tells about itself: "online", "offline", "visible", "hidden", "resumed", "leaving"."""

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Returns the function that ends the subscription."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One host, whole. `close` lets go of databases, listeners and proxies; the next use opens them again."""

    name: str
    clock: Clock
    entropy: Entropy
    crypto: Crypto
    sockets: Sockets
    webrtc: WebRtc
    store: KeyValueStore
    lifecycle: Lifecycle
    fetch: Fetch
    locks: Locks
    wallet_providers: WalletProviders
    features: Mapping[str, bool] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None
