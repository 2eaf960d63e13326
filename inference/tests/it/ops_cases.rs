//! Cases that Python wrote: a graph, tensors in, tensors out. Written once, read by every test.

use inference::graph::Values;
use inference::ops;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;

/// A case on disk.
pub struct Case {
    /// Its folder's name.
    pub name: String,
    /// The graph must not load.
    pub refused: bool,
    folder: PathBuf,
    said: Value,
}

/// All cases of a suite, by name.
pub fn written(suite: &str) -> Vec<Case> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(cases().join(suite)).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.into_iter().filter(|folder| folder.is_dir()).map(Case::at).collect()
}

/// Names of cases that a suite has and that cannot be written as tensors.
pub fn unwritten(suite: &str) -> BTreeSet<String> {
    let skipped = std::fs::read(cases().join(suite).join("skipped.json")).unwrap();
    let skipped: std::collections::BTreeMap<String, String> = serde_json::from_slice(&skipped).unwrap();
    skipped.into_keys().collect()
}

/// The folder of all suites, written on the first call.
fn cases() -> &'static Path {
    static CASES: OnceLock<PathBuf> = OnceLock::new();
    CASES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("../target/conformance");
        let output = Command::new(root.join("tests/conformance/run")).arg(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
        folder
    })
}

impl Case {
    fn at(folder: PathBuf) -> Self {
        let said: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        Self { name, refused: said["refused"] == true, folder, said }
    }

    /// The graph's bytes.
    pub fn graph(&self) -> Vec<u8> {
        std::fs::read(self.folder.join("model.onnx")).unwrap()
    }

    /// What it is given.
    pub fn inputs(&self) -> Vec<Tensor> {
        self.tensors("input")
    }

    /// What it must give.
    pub fn outputs(&self) -> Vec<Tensor> {
        self.tensors("output")
    }

    /// What the exporter's library itself gives; nothing where it could not be asked.
    pub fn natives(&self) -> Vec<Tensor> {
        if self.said["natives"].is_null() { vec![] } else { self.tensors("native") }
    }

    /// How far a stock export's answer may be from the expected one.
    pub fn most(&self) -> f64 {
        self.said["most"].as_f64().unwrap()
    }

    /// A part of what the refusal must say.
    pub fn says(&self) -> &str {
        self.said["says"].as_str().unwrap()
    }

    fn tensors(&self, side: &str) -> Vec<Tensor> {
        let count = self.said[format!("{side}s")].as_u64().unwrap();
        (0..count).map(|index| read(&self.folder.join(format!("{side}_{index}.pb")))).collect()
    }

    /// Runs the case and compares.
    pub fn passes(&self) -> Result<(), String> {
        self.compared(&run(&self.graph(), &self.inputs())?)
    }

    fn compared(&self, found: &[Tensor]) -> Result<(), String> {
        let expected = self.outputs();
        if found.len() != expected.len() {
            return Err(format!("gives {} outputs, not {}", found.len(), expected.len()));
        }
        let tolerance = |name: &str| self.said[name].as_f64().unwrap_or(0.0);
        let near = Near { relative: tolerance("rtol"), absolute: tolerance("atol") };
        found.iter().zip(&expected).enumerate().try_for_each(|(index, (found, expected))| {
            near.check(found, expected).map_err(|why| format!("output {index}: {why}"))
        })
    }

    /// Whether the graph is answered; one that is not must be refused by the node's name. Any other answer is an error.
    pub fn answers(&self) -> Result<bool, String> {
        match run(&self.graph(), &self.inputs()) {
            Ok(found) => self.compared(&found).map(|()| true),
            Err(why) if ["node it (", "Node it (", "\"it"].iter().any(|named| why.contains(named)) => Ok(false),
            Err(why) => Err(format!("is refused without the node's name: {why}")),
        }
    }

    /// Each row by itself must give the very bits that it gives among the others.
    pub fn row_by_row(&self) -> Result<(), String> {
        let summing = ["Linear", "SVM", "Tree"].iter().any(|operator| self.name.starts_with(operator));
        let inputs = self.inputs();
        let [input] = inputs.as_slice() else { return Ok(()) };
        if !summing || input.rank() != 2 {
            return Ok(());
        }
        let graph = self.graph();
        let together = run(&graph, &inputs)?;
        for row in 0..input.shape()[0] {
            let alone = run(&graph, &[input.slice(0, row, row + 1).unwrap()])?;
            for (alone, together) in alone.iter().zip(&together) {
                let same = Near { relative: 0.0, absolute: 0.0 };
                same.check(alone, &together.slice(0, row, row + 1).unwrap())
                    .map_err(|why| format!("row {row}: {why}"))?;
            }
        }
        Ok(())
    }

    /// The graph must not load, and the refusal must name the node.
    pub fn is_refused(&self) -> Result<(), String> {
        let shape = [4usize, 5];
        let loaded = ops::read(&self.graph(), None).map_err(|error| error.to_string()).and_then(|proto| {
            let mut model = ops::onnx().model_for_proto_model(&proto).map_err(|error| format!("{error:#}"))?;
            let datum_type = model.input_fact(0).ok().and_then(|fact| fact.datum_type.concretize());
            let fact = datum_type.unwrap_or(DatumType::F32).fact(shape);
            model.set_input_fact(0, fact.into()).map_err(|error| format!("{error:#}"))?;
            ops::typed(model).and_then(|model| model.into_optimized()).map_err(|error| format!("{error:#}"))
        });
        match loaded {
            Ok(_) => Err("loads, and must not".to_owned()),
            Err(why) if why.contains("it") => Ok(()),
            Err(why) => Err(format!("is refused without the node's name: {why}")),
        }
    }
}

/// Builds a graph for these very inputs and runs it.
fn run(graph: &[u8], inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let proto = ops::read(graph, None).map_err(|error| error.to_string())?;
    let work = || -> TractResult<Vec<Tensor>> {
        let mut model = ops::onnx().model_for_proto_model(&proto)?;
        for (index, input) in inputs.iter().enumerate() {
            model.set_input_fact(index, input.datum_type().fact(input.shape()).into())?;
        }
        let given = inputs.iter().map(|input| input.clone().into_tvalue()).collect();
        let outputs = ops::typed(model)?.into_optimized()?.into_runnable()?.run(given)?;
        Ok(outputs.into_iter().map(TValue::into_tensor).collect())
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(|error| format!("{error:#}")),
        Err(_) => Err("panics".to_owned()),
    }
}

fn read(path: &Path) -> Tensor {
    let proto = tract_onnx::tensor::proto_from_reader(std::fs::File::open(path).unwrap()).unwrap();
    tract_onnx::tensor::load_tensor(&tract_onnx::data_resolver::MmapDataResolver, &proto, None).unwrap()
}

/// How far floats may be apart; all else must be equal.
struct Near {
    relative: f64,
    absolute: f64,
}

impl Near {
    fn check(&self, found: &Tensor, expected: &Tensor) -> Result<(), String> {
        let found = match found.datum_type() {
            DatumType::TDim => found.cast_to::<i64>().map_err(|error| error.to_string())?.into_owned(),
            _ => found.clone(),
        };
        if found.datum_type() != expected.datum_type() || found.shape() != expected.shape() {
            return Err(format!("is {found:?}, not {expected:?}"));
        }
        if !expected.datum_type().is_float() {
            return if found == *expected { Ok(()) } else { Err(format!("is {found:?}, not {expected:?}")) };
        }
        let (found, expected) = (floats(&found), floats(expected));
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let same = found == expected || found.is_nan() && expected.is_nan();
            if !same && (found - expected).abs().total_cmp(&(self.absolute + self.relative * expected.abs())).is_gt() {
                return Err(format!("at {at} is {found}, not {expected}"));
            }
        }
        Ok(())
    }
}

fn floats(tensor: &Tensor) -> Vec<f64> {
    let wide = tensor.cast_to::<f64>().unwrap();
    wide.to_plain_array_view::<f64>().unwrap().iter().copied().collect()
}

/// A tensor as cells.
pub fn values(tensor: &Tensor) -> Values {
    fn all<D: Datum>(tensor: &Tensor) -> Vec<D> {
        tensor.to_plain_array_view::<D>().unwrap().iter().cloned().collect()
    }
    match tensor.datum_type() {
        DatumType::F32 => Values::F32(all(tensor)),
        DatumType::F64 => Values::F64(all(tensor)),
        DatumType::String => Values::Text(all(tensor)),
        _ => Values::I64(all(&tensor.cast_to::<i64>().unwrap())),
    }
}
