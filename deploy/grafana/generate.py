"""Writes dashboards/pipeline.json and dashboards/risk.json: panels as data, the layout computed.

    python3 generate.py            write both files
    python3 generate.py --check    end with code 1 if a file is not what would be written

Only the standard library. The JSON is what Grafana reads and what is tested; this file keeps it uniform.
"""

import json
import sys
from pathlib import Path

from pipeline import pipeline
from risk import risk

FOLDER = Path(__file__).parent / "dashboards"


def main() -> int:
    stale = []
    for name, built in (("pipeline", pipeline()), ("risk", risk())):
        path = FOLDER / f"{name}.json"
        text = json.dumps(built, indent=1, ensure_ascii=False) + "\n"
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(path.name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not what generate.py writes: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
