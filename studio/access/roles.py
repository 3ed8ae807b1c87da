"""Roles, from the least to the most: each may what the one before may, and more."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["viewer", "judge", "editor", "owner"]
# viewer: look. judge: and vote, rate, note. editor: and runs, prompt sets, exports. owner: and everything else.
ROLES: tuple[Role, ...] = get_args(Role)


def may(role: Role, needed: Role) -> bool:
    """Whether somebody with a role may do what needs another."""
    return ROLES.index(role) >= ROLES.index(needed)
