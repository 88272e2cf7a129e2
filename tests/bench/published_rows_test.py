"""Published rates by the simulator: rows that calibrate come out exactly, most of the others within a quarter.  All of it is
arithmetic, so the same on every machine.

usage: published_rows_test.py PROGRAM SOURCE_FOLDER
"""
import json
import pathlib
import subprocess
import sys

PROGRAM, SOURCE = (pathlib.Path(word) for word in sys.argv[1:3])
document = json.loads(subprocess.run([PROGRAM, SOURCE / "bench/published/rows.yaml"], check=True, capture_output=True,
                                     timeout=120).stdout)
rows = document["rows"]
assert all(0.01 < share < 2 for share in document["efficiencies"].values()), document["efficiencies"]
calibrating = [row for row in rows if row["calibrates"]]
assert len(calibrating) == 4 and all(abs(row["error"]) < 1e-3 for row in calibrating), calibrating
unseen = [row for row in rows if not row["calibrates"]]
assert len(unseen) >= 8, len(unseen)
for row in unseen:
    assert abs(row["predicted"] / row["published"] - 1 - row["error"]) < 2e-3 and abs(row["error"]) < 0.6, row
by_layers = [row for row in unseen if row["split"] == "layers"]  # by tensors the plans behind the rates are others
near = [row for row in by_layers if abs(row["error"]) <= 0.25]
assert len(near) / len(by_layers) > 0.7, [(row["name"], row["phase"], row["error"]) for row in by_layers]
wrong = subprocess.run([PROGRAM, SOURCE / "CMakeLists.txt"], capture_output=True, timeout=60)
assert wrong.returncode == 1 and b"CMakeLists.txt" in wrong.stderr, wrong.stderr
