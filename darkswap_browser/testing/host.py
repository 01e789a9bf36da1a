"""What one simulated host has besides its network: clock, chance, keys, store and life events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from urllib.parse import urlsplit

from darkswap_browser.errors import InvalidArgument, StorageFull, Unsupported
from darkswap_browser.runtime.base.crypto import Aead, Crypto, KeyAlgorithm, SigningKey
from darkswap_browser.runtime.base.links import ByteLink, LinkHandler, LinkListener
from darkswap_browser.runtime.memory_store import MemoryStore
from darkswap_browser.testing.network import SimulatedNetwork


class SimulatedClock:
    """The wall: `epoch` (unix seconds) plus the loop's time."""

    def __init__(self, epoch: float) -> None:
        self._epoch = epoch
        self.skew = 0.0
        """Seconds that this host's clock is wrong by."""

    def now(self) -> float:
        return self._epoch + self.skew + asyncio.get_running_loop().time()

    def now_ns(self) -> int:
        return int(self.now() * 1_000_000_000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class SeededEntropy:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def bytes(self, count: int) -> bytes:
        return self._chance.randbytes(count)


class SeededCrypto:
    """Another host's primitives, with keys drawn from seeded chance so that a world is the same every time."""

    def __init__(self, crypto: Crypto, entropy: SeededEntropy) -> None:
        self._crypto = crypto
        self._entropy = entropy

    async def generate_signing_key(self, *, extractable: bool = False) -> SigningKey:
        return await self._crypto.signing_key_from_seed(self._entropy.bytes(32))

    async def signing_key_from_seed(self, seed: bytes) -> SigningKey:
        return await self._crypto.signing_key_from_seed(seed)

    async def verify(self, algorithm: KeyAlgorithm, public_key: bytes, message: bytes, signature: bytes) -> bool:
        return await self._crypto.verify(algorithm, public_key, message, signature)

    def x25519_public(self, private: bytes) -> bytes:
        return self._crypto.x25519_public(private)

    def x25519(self, private: bytes, public: bytes) -> bytes:
        return self._crypto.x25519(private, public)

    def chacha20poly1305(self, key: bytes) -> Aead:
        return self._crypto.chacha20poly1305(key)

    async def pbkdf2_sha256(self, password: bytes, salt: bytes, rounds: int) -> bytes:
        return await self._crypto.pbkdf2_sha256(password, salt, rounds)

    async def seal_aes_gcm(self, key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        return await self._crypto.seal_aes_gcm(key, nonce, plaintext, associated_data)

    async def open_aes_gcm(self, key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        return await self._crypto.open_aes_gcm(key, nonce, ciphertext, associated_data)


class SimulatedStore(MemoryStore):
    """Survives `World.reload`. `blocked`: a browser that forbids storage; `full`: one whose quota is used up."""

    def __init__(self) -> None:
        super().__init__()
        self.blocked = False
        self.full = False

    async def get(self, key: str) -> bytes | None:
        self._check()
        return await super().get(key)

    async def put(self, key: str, value: bytes) -> None:
        self._check()
        self._check_room()
        await super().put(key, value)

    async def delete(self, key: str) -> None:
        self._check()
        await super().delete(key)

    async def move(self, key: str, to: str, value: bytes) -> bool:
        self._check()
        self._check_room()
        return await super().move(key, to, value)

    async def keys(self, prefix: str) -> list[str]:
        self._check()
        return await super().keys(prefix)

    async def load_signing_key(self, name: str) -> SigningKey | None:
        self._check()
        return await super().load_signing_key(name)

    async def save_signing_key(self, name: str, key: SigningKey) -> None:
        self._check()
        self._check_room()
        await super().save_signing_key(name, key)

    def _check(self) -> None:
        if self.blocked:
            raise Unsupported("storage", "Allow this site to store data.")

    def _check_room(self) -> None:
        if self.full:
            raise StorageFull("the store of this host", "quota exceeded")


class SimulatedLifecycle:
    def __init__(self) -> None:
        self._callbacks: dict[int, Callable[[str], None]] = {}
        self._next = 0

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        self._next += 1
        number = self._next
        self._callbacks[number] = callback

        def unsubscribe() -> None:
            self._callbacks.pop(number, None)

        return unsubscribe

    def tell(self, event: str) -> None:
        for callback in list(self._callbacks.values()):
            callback(event)


class SimulatedSockets:
    def __init__(self, network: SimulatedNetwork, host: str) -> None:
        self._network = network
        self._host = host

    async def connect_websocket(self, url: str) -> ByteLink:
        try:
            parts = urlsplit(url)
            port = parts.port or {"ws": 80, "wss": 443}[parts.scheme]
        except (ValueError, KeyError):
            raise InvalidArgument("url", f"{url} is no WebSocket URL") from None
        return await self._network.connect(self._host, parts.scheme, parts.hostname or "", port)

    async def connect_tcp(self, host: str, port: int) -> ByteLink:
        return await self._network.connect(self._host, "tcp", host, port)

    async def listen_websocket(
        self, host: str, port: int, handler: LinkHandler, tls: tuple[str, str] | None = None
    ) -> LinkListener:
        return await self._network.listen(self._host, "ws" if tls is None else "wss", host, port, handler)

    async def listen_tcp(self, host: str, port: int, handler: LinkHandler) -> LinkListener:
        return await self._network.listen(self._host, "tcp", host, port, handler)
