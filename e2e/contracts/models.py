"""Pydantic models of every published JSON Schema, as datamodel-code-generator writes them, must judge the examples as the schemas do.

What the generator does not carry over stands in differences.json, by schema and example; an entry that no longer differs is a finding.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel, ValidationError

HERE = Path(__file__).parent
SCHEMAS = HERE.parents[1] / "schemas"


def name_of(schema: Path) -> str:
    """A schema's name as Python takes it: the generator makes packages of dots."""
    return schema.name.removesuffix(".json").replace(".", "_").replace("-", "_")


def bundled(schema: Path) -> dict:
    """A schema with the files that it refers to among its own definitions: the generator makes one module of one file only."""
    definitions: dict = {}

    def moved(node: object, file: Path, root: str) -> object:
        if isinstance(node, list):
            return [moved(item, file, root) for item in node]
        if not isinstance(node, dict):
            return node
        node = {key: moved(value, file, root) for key, value in node.items() if key not in ("$id", "$schema")}
        if isinstance(node.get("$ref"), str):
            other, _, pointer = node["$ref"].partition("#")
            target = (file.parent / other) if other else file
            base = root
            if target != file:
                base = f"#/$defs/{name_of(target)}"
                if name_of(target) not in definitions:
                    definitions[name_of(target)] = {}
                    definitions[name_of(target)] = moved(json.loads(target.read_text()), target, base)
            node["$ref"] = base + pointer
        return node

    whole = moved(json.loads(schema.read_text()), schema, "#")
    if definitions:
        whole["$defs"] = {**whole.get("$defs", {}), **definitions}
    return whole


def generated(schema: Path, folder: Path) -> type[BaseModel]:
    """The model of a schema."""
    source, output = folder / f"{name_of(schema)}.json", folder / f"{name_of(schema)}.py"
    source.write_text(json.dumps(bundled(schema)))
    command = [sys.executable, "-W", "ignore", "-m", "datamodel_code_generator", "--input", source, "--input-file-type", "jsonschema"]
    command += ["--output", output, "--output-model-type", "pydantic_v2.BaseModel", "--class-name", "Root", "--field-constraints"]
    command += ["--disable-timestamp", "--formatters", "builtin"]
    subprocess.run([str(part) for part in command], check=True)
    spec = importlib.util.spec_from_file_location(output.stem, output)
    module = importlib.util.module_from_spec(spec)
    sys.modules[output.stem] = module
    spec.loader.exec_module(module)
    return module.Root


def takes(model: type[BaseModel], example: Path) -> bool:
    """Whether the model takes an example."""
    try:
        model.model_validate_json(example.read_bytes(), strict=True)
    except ValidationError:
        return False
    return True


def main() -> int:
    """Judges every example; the number of findings is told, and none is 0."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    known = json.loads((HERE / "differences.json").read_text())
    found, judged = {}, 0
    for schema in sorted((SCHEMAS / "json").rglob("*.json")):
        examples = sorted((SCHEMAS / "examples" / schema.stem).glob("*-*.json"))
        if not examples:
            continue
        model = generated(schema, folder)
        for example in examples:
            judged += 1
            if takes(model, example) == example.name.startswith("bad-"):
                found.setdefault(schema.stem, []).append(example.stem)
    findings = 0
    for schema in sorted(found.keys() | known.keys()):
        differs, listed = set(found.get(schema, [])), set(known.get(schema, {}))
        for example in sorted(differs - listed):
            print(f"{schema}: {example} is judged otherwise")
        for example in sorted(listed - differs):
            print(f"{schema}: {example} is listed and judged alike")
        findings += len(differs ^ listed)
    print(f"{judged} examples judged, {findings} findings")
    return 1 if findings or not judged else 0


if __name__ == "__main__":
    sys.exit(main())
