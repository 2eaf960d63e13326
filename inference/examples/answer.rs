//! Answers three rows by a graph of the tests: `cargo run --release -p inference --example answer`.

use inference::graph::{Column, Graph, Table, Values};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/B8_qda/model.onnx");
    let graph = Graph::load(&std::fs::read(path)?, Some(6))?;
    if let Some(why) = graph.meet() {
        println!("row by row, since rows would meet at {why}");
    }
    let names = ["income", "util", "age", "tenure", "inq", "delinq"];
    let column = |(at, name): (usize, &str)| Column {
        name: name.to_owned(),
        values: Values::F32(vec![0.0, 0.25 * at as f32, -1.0]),
    };
    let table = Table { columns: names.into_iter().enumerate().map(column).collect() };
    for output in graph.run(&table)? {
        println!("{}: {:?}", output.columns.join(", "), output.values);
    }
    Ok(())
}
