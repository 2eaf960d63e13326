"""Loads large forests by the engine and by onnxruntime in turns, each time in a process of its own: seconds, and the most memory
that the process held (VmHWM). Arguments: a folder for the graphs, the engine's example `load`, and perhaps how many rounds."""

import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

# Trees of 8,800 nodes each: 91 and 170 MB.
FORESTS = {"forest-260": 260, "forest-480": 480}
ROUNDS = 7


def forest(path, trees):
    """A forest whose leaves hold two rows or more of 40,000, as skl2onnx exports it."""
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(1)
    rows = rng.normal(size=(40_000, 20)).astype(np.float32)
    label = (rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=40_000) > 0).astype(int)
    model = RandomForestClassifier(n_estimators=trees, min_samples_leaf=2, random_state=1, n_jobs=-1).fit(rows, label)
    path.write_bytes(to_onnx(model, rows[:1], options={"zipmap": False}).SerializeToString())


def most():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def baseline(path):
    """A session of one thread; what Python and the import take before it is said too."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    before, start = most(), time.perf_counter()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    seconds = time.perf_counter() - start
    print(f"{seconds:.3f} s, {most()} kB at most ({before} kB before), {len(session.get_outputs())} outputs")


def once(command):
    """Seconds and MB of one run."""
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, kilobytes = re.match(r"([\d.]+) s, (\d+) kB", said).groups()
    return float(seconds), int(kilobytes) / 1024


def contest(path, engine, rounds):
    sides = [[engine, str(path)], [sys.executable, __file__, "--baseline", str(path)]]
    for command in sides:
        once(command)
    runs = [[once(command) for command in sides] for _ in range(rounds)]
    print(f"{path.name}, {path.stat().st_size / 1e6:.1f} MB, {rounds} rounds: median (least to most)")
    for at, what in enumerate(["seconds", "MB"]):
        own, other = ([run[side][at] for run in runs] for side in (0, 1))
        spread = (f"{statistics.median(side):.2f} ({min(side):.2f} to {max(side):.2f})" for side in (own, other))
        ratios = [a / b for a, b in zip(own, other)]
        print(f"  {what}: engine {next(spread)}, onnxruntime {next(spread)}, ratio {statistics.median(ratios):.2f}"
              f" ({min(ratios):.2f} to {max(ratios):.2f})")


def main():
    if sys.argv[1] == "--baseline":
        return baseline(sys.argv[2])
    folder, engine = Path(sys.argv[1]), sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else ROUNDS
    folder.mkdir(parents=True, exist_ok=True)
    for name, trees in FORESTS.items():
        path = folder / f"{name}.onnx"
        if not path.exists():
            forest(path, trees)
        contest(path, engine, rounds)


main()
