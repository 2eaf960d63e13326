//! `model explain`: one application's score, and what each feature did to it, as a bar chart.

use anyhow::{Context, Result, bail};
use model_import::explain::{chart, document};
use scoring::Model;
use serde_json::Value;
use std::io::Read;
use std::path::Path;

/// Explains an application.
pub fn run(model: &Model, input: &Path, as_json: bool) -> Result<i32> {
    let data = read(input)?;
    let row = match model.map(&data) {
        Ok(row) => row,
        Err(causes) => {
            let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
            bail!("{} cannot be scored: {}", input.display(), causes.join(", "));
        }
    };
    let scored = model.score_block(&mut model.state()?, std::slice::from_ref(&row))?;
    let scored = scored.into_iter().next().flatten().context("the graph gives no number")?;
    match as_json {
        true => println!("{:#}", document(model, &row, &scored)),
        false => print!("{}", chart(model, &row, &scored)),
    }
    Ok(0)
}

/// The `data` of an application, or of an event that holds it.
fn read(input: &Path) -> Result<Value> {
    let mut text = String::new();
    match input.as_os_str() == "-" {
        true => std::io::stdin().read_to_string(&mut text).map(|_| ()),
        false => std::fs::read_to_string(input).map(|read| text = read),
    }
    .with_context(|| format!("reading {}", input.display()))?;
    let mut document: Value = serde_json::from_str(&text).with_context(|| input.display().to_string())?;
    match document.get_mut("data") {
        Some(data @ Value::Object(_)) => Ok(data.take()),
        _ => Ok(document),
    }
}
