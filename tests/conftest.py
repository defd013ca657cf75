"""How Hypothesis runs its cases, in all tests."""

from __future__ import annotations

from hypothesis import settings

# What a case takes depends on the machine, on what else runs there, and on an emulator.
settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")
