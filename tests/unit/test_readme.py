"""The README's examples run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("example", "prints"), list(zip(EXAMPLES, ["lo 65536\n", " messages lost\n", "7 1 None\n"], strict=True))
)
def test_example(example: str, prints: str) -> None:
    run = subprocess.run([sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, timeout=30)
    assert run.stderr == ""
    assert prints in run.stdout
