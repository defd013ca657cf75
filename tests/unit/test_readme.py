"""The README's examples run as they stand, and what the documents of this folder link to is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("example", "prints"), list(zip(EXAMPLES, ["lo 65536\n"], strict=True)))
def test_example(example: str, prints: str) -> None:
    run = subprocess.run([sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, timeout=30)
    assert run.stderr == ""
    assert prints in run.stdout


@pytest.mark.parametrize("page", sorted(page.name for page in ROOT.glob("*.md")))
def test_links(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []
