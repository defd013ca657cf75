"""Warnings, attributed to the line outside this package that caused them."""

from __future__ import annotations

import sys as _sys
import warnings as _warnings
from pathlib import Path as _Path

from netlink.errors import NetlinkWarning

__all__ = ["warn"]

_PACKAGE = str(_Path(__file__).parents[1]) + "/"


def warn(text: str, category: type[Warning] = NetlinkWarning) -> None:
    """Issue a warning."""
    # skip_file_prefixes does this from Python 3.12 on.
    level, frame = 2, _sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    _warnings.warn(text, category, stacklevel=level)
