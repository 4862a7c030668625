"""Run one empty test with pytest, and print the CPU time of the whole process as JSON.

    python pytest_start.py without|with

The argument says whether the plugin of tingting_async is loaded. No other plugin is.
"""

import contextlib
import importlib.metadata
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

(plugin,) = importlib.metadata.entry_points(group="pytest11", name="tingting_async")
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
options = ["-p", plugin.module] if sys.argv[1] == "with" else []
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    test = Path(folder, "test_nothing.py")
    test.write_text("def test_nothing():\n    pass\n")
    status = pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", folder, *options, str(test)])
assert status == 0
print(json.dumps({"cpu": time.process_time()}))
