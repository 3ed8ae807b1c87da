"""How a password is kept and compared: Argon2id with the parameters that argon2-cffi recommends (RFC 9106)."""

from __future__ import annotations

import functools
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from studio.errors import AccessError

SHORTEST, LONGEST = 10, 200  # letters
_ONE_AT_A_TIME = threading.Lock()  # a comparison takes 64 MB


def hash_password(password: str) -> str:
    """Return what is kept of a password.

    Raises:
        AccessError: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccessError(
            "A password of {letters} letters was given. Expected {shortest} to {longest}: a few words are "
            "easier to remember than signs.",
            letters=len(password),
            shortest=SHORTEST,
            longest=LONGEST,
        )
    return _hasher().hash(password)


def is_password(kept: str | None, password: str) -> bool:
    """Whether a password is the one that was kept; takes as long where none was, so that nobody learns who has one."""
    with _ONE_AT_A_TIME:
        try:
            return _hasher().verify(kept or _of_nobody(), password[: LONGEST + 1]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


@functools.cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@functools.cache
def _of_nobody() -> str:
    return _hasher().hash("nobody has this password")
