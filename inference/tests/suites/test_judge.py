"""The judge is judged: made-up answers, and the outcome that they must have."""

from judge import judged, remedy

HEADS = [["label", 1, "l"], ["probabilities", 2, "p"], ["score", 1, "f"]]
META = {"name": "it", "expected": HEADS, "decided": "largest", "within": None, "because": "", "undecided": [3]}
GOOD = ["0", "0.75", "0.25", "100"]
TIE = ["0", "0.500001", "0.499999", "100"]
# What, native, expected, own, and the outcome: each a row; the others are all the same.
ROWS = [
    ("all agree", GOOD, GOOD, GOOD, "same"),
    ("within the tolerances", GOOD, GOOD, ["0", "0.750009", "0.249991", "100.009"], "same"),
    ("beyond that of probabilities", GOOD, GOOD, ["0", "0.75002", "0.24998", "100"], "WRONG"),
    ("beyond that of numbers", GOOD, GOOD, ["0", "0.75", "0.25", "100.03"], "WRONG"),
    ("another label", GOOD, GOOD, ["1", "0.75", "0.25", "100"], "WRONG"),
    ("another label at a tie", TIE, TIE, ["1", *TIE[1:]], "same"),
    ("a missing number", GOOD, GOOD, ["0", "0.75", "0.25", ""], "WRONG"),
    ("missing on all sides", [*GOOD[:3], ""], [*GOOD[:3], ""], [*GOOD[:3], "NaN"], "same"),
    ("an infinity", GOOD, GOOD, ["0", "0.75", "0.25", "inf"], "WRONG"),
    ("a label written as a float", GOOD, GOOD, ["0.0", *GOOD[1:]], "same"),
    ("the file is wrong", GOOD, ["1", "0.2", "0.8", "100"], ["1", "0.2", "0.8", "100"], "file wrong"),
    ("onnxruntime is wrong", GOOD, ["0", "0.7", "0.3", "100"], GOOD, "ours"),
    ("each says something else", GOOD, ["0", "0.7", "0.3", "100"], ["0", "0.6", "0.4", "100"], "WRONG"),
    ("one cell of ours is right and one wrong", GOOD, ["0", "0.7", "0.3", "90"], ["0", "0.75", "0.25", "80"], "WRONG"),
]
SAID = [
    ("its output y has no rows", ""),
    (
        "node it (CDist): is of domain com.microsoft; export with operators of ai.onnx alone",
        "export with operators of ai.onnx alone",
    ),
    ("node it: two weights for one leaf: add them up", "add them up"),
    ("ended with 101: panicked; give up", ""),
]


def file(row: list[str], column: int = 4) -> list[list[str]]:
    """A file with this row second, and one at the end that is left out."""
    names = ["label", "probabilities_0", "probabilities_bad", "score"]
    return [names[:column], GOOD[:column], row[:column], GOOD[:column], ["9", "9", "9", "9"][:column]]


def main() -> None:
    for what, native, expected, own, outcome in ROWS:
        found = judged({"kind": "it", "library": ""}, META, file(native), file(expected), file(own))
        assert found.outcome == outcome, f"{what}: {found.line()}"
    fewer = judged({"kind": "it", "library": ""}, META, file(GOOD), file(GOOD), file(GOOD, 3))
    assert fewer.outcome == "WRONG", fewer.line()
    for said, way_out in SAID:
        assert remedy(said) == way_out, said


if __name__ == "__main__":
    main()
