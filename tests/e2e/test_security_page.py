"""The page about security names tests that there are."""

import glob
import os
import re

from support.proxy import ROOT


def test_each_named_test_exists():
    with open(os.path.join(ROOT, "docs", "security.md")) as page:
        text = page.read()
    there = set()
    for path in glob.glob(os.path.join(ROOT, "tests", "e2e", "*.py")):
        with open(path) as source:
            there.update(re.findall(r"^def (test_\w+)", source.read(), re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 50
    assert named - there == set()
    files = re.findall(r"`((?:src|tests|conformance)/[\w/.]+)`", text)
    assert files
    for name in files:
        assert os.path.exists(os.path.join(ROOT, name)) or os.path.exists(os.path.join(ROOT, "tests", "e2e", name)), name
