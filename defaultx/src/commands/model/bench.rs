//! `model bench`: what a package costs on this machine, on one thread, from JSON to reasons.

use anyhow::{Result, ensure};
use model_import::Golden;
use scoring::mapping::FeatureVector;
use scoring::{Model, PackageFiles};
use serde_json::json;
use std::hint::black_box;
use std::time::Instant;

/// Rows of a block, as many as the scorer takes at once under load.
const BLOCK: usize = 256;

/// Measures it.
pub fn run(files: &PackageFiles, model: &Model, seconds: f64, as_json: bool) -> Result<i32> {
    ensure!(seconds > 0.0 && seconds <= 600.0, "--seconds must be above 0 and at most 600");
    let golden = Golden::parse(&files.golden)?;
    let texts: Vec<String> = golden.applications.iter().map(|application| application.data.to_string()).collect();
    let block: Vec<FeatureVector> = golden.vectors().into_iter().cycle().take(BLOCK).collect();
    let flat: Vec<f32> = block.iter().flat_map(|row| row.values.iter().copied()).collect();
    let width = model.features().len();
    let mut state = model.state()?;

    let mut next = 0;
    let mut turn = |length: usize| {
        next = (next + 1) % length;
        next
    };
    let map = rate(seconds, 1, || Ok(model.map_text(&texts[turn(texts.len())])?))?;
    let one = rate(seconds, 1, || {
        let at = turn(BLOCK) * width;
        Ok(model.margins(&mut state, &flat[at..at + width])?)
    })?;
    let many = rate(seconds, BLOCK, || Ok(model.margins(&mut state, &flat)?))?;
    let one_explained = rate(seconds, 1, || {
        let at = turn(BLOCK);
        Ok(model.score_block(&mut state, &block[at..=at])?)
    })?;
    let many_explained = rate(seconds, BLOCK, || Ok(model.score_block(&mut state, &block)?))?;

    let (name, version) = (&model.manifest().name, &model.manifest().version);
    let figures = [
        ("map", "an application's JSON to a row", map),
        ("margin_one", "one row, without contributions", one),
        ("margin_block", "rows in blocks of 256, without contributions", many),
        ("scored_one", "one row, with contributions and reasons", one_explained),
        ("scored_block", "rows in blocks of 256, with contributions and reasons", many_explained),
    ];
    if as_json {
        let rates: serde_json::Map<_, _> =
            figures.iter().map(|(key, _, rate)| ((*key).to_owned(), json!(rate))).collect();
        println!("{:#}", json!({ "name": name, "version": version, "method": model.method(), "rows_per_s": rates }));
        return Ok(0);
    }
    println!("{name} {version}, {}, {width} features, one thread", model.method());
    for (_, what, rate) in figures {
        println!("{what:<55} {rate:>12.0}/s {:>10.2} µs a row", 1e6 / rate);
    }
    Ok(0)
}

/// Rows a second, of work that handles some rows at a time. A tenth of the time warms it up.
fn rate<T>(seconds: f64, rows: usize, mut work: impl FnMut() -> Result<T>) -> Result<f64> {
    let mut during = |seconds: f64| {
        let (started, mut times) = (Instant::now(), 0_usize);
        loop {
            black_box(work()?);
            times += 1;
            let elapsed = started.elapsed().as_secs_f64();
            if elapsed >= seconds {
                return anyhow::Ok((times * rows) as f64 / elapsed);
            }
        }
    };
    during(seconds / 10.0)?;
    during(seconds)
}
