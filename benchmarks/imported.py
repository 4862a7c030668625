"""Import one module in a fresh process, and print the time that takes as JSON."""

import importlib
import json
import sys
import time

wall, cpu = time.perf_counter(), time.process_time()
importlib.import_module(sys.argv[1])
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))
