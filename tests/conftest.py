"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# On a submission the same examples every time; everywhere else new ones, which is how faults are found.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
