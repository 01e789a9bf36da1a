"""Text forms of bytes: a prefix character names the base. https://github.com/multiformats/multibase

Decoders refuse what their encoder would not write (padding, stray bits, another case): one value, one text.
"""

from __future__ import annotations

import base64
import binascii

from darkswap_browser.errors import MalformedMessage

BASE58BTC = "z"
BASE36 = "k"
BASE32 = "b"
BASE32_UPPER = "B"
BASE16 = "f"
BASE64URL = "u"

MAX_TEXT = 1024
"""Characters. Base 58 and 36 cost time with the square of the length; the longest real value, an address with
several certificate hashes, has some 60 per part."""

_ALPHABET_58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ALPHABET_36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def _encode_radix(data: bytes, alphabet: str) -> str:
    """The whole as one big number; leading zero bytes become leading zero digits."""
    radix = len(alphabet)
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, radix)
        digits.append(alphabet[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return alphabet[0] * zeros + "".join(reversed(digits))


def _decode_radix(text: str, alphabet: str, what: str) -> bytes:
    if len(text) > MAX_TEXT:
        raise MalformedMessage(what, f"{len(text)} characters; at most {MAX_TEXT} are allowed")
    radix = len(alphabet)
    number = 0
    for character in text:
        digit = alphabet.find(character)
        if digit < 0:
            raise MalformedMessage(what, f"character {character!r} does not belong to the alphabet")
        number = number * radix + digit
    zeros = len(text) - len(text.lstrip(alphabet[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def b58encode(data: bytes) -> str:
    return _encode_radix(data, _ALPHABET_58)


def b58decode(text: str) -> bytes:
    """Raises `MalformedMessage`, also for more than `MAX_TEXT` characters."""
    return _decode_radix(text, _ALPHABET_58, "base58")


def multibase_encode(prefix: str, data: bytes) -> str:
    """Prefix character and digits."""
    match prefix:
        case "z":
            digits = b58encode(data)
        case "k":
            digits = _encode_radix(data, _ALPHABET_36)
        case "b":
            digits = base64.b32encode(data).decode().rstrip("=").lower()
        case "B":
            digits = base64.b32encode(data).decode().rstrip("=")
        case "f":
            digits = data.hex()
        case "u":
            digits = base64.urlsafe_b64encode(data).decode().rstrip("=")
        case _:
            raise ValueError(f"unknown multibase prefix {prefix!r}")
    return prefix + digits


def multibase_decode(text: str) -> bytes:
    """Any base that `multibase_encode` writes. Raises `MalformedMessage`."""
    prefix, digits = text[:1], text[1:]
    if len(digits) > MAX_TEXT:
        raise MalformedMessage("multibase text", f"{len(digits)} characters; at most {MAX_TEXT} are allowed")
    try:
        match prefix:
            case "z":
                return b58decode(digits)
            case "k":
                data = _decode_radix(digits, _ALPHABET_36, "base36")
            case "b" | "B":
                data = base64.b32decode(digits.upper() + "=" * (-len(digits) % 8))
            case "f":
                data = bytes.fromhex(digits)
            case "u":
                data = base64.b64decode(digits + "=" * (-len(digits) % 4), altchars=b"-_", validate=True)
            case _:
                raise MalformedMessage("multibase text", f"unknown base {prefix!r}")
    except (binascii.Error, ValueError):
        raise MalformedMessage("multibase text", "digits do not belong to the base") from None
    if multibase_encode(prefix, data) != text:
        raise MalformedMessage("multibase text", "not in canonical form")
    return data
