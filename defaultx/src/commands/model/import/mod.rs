//! `model import`: a bare graph and a sample of rows become a package to fill in, which serves once people have said what
//! only they know. Writes a folder that was not there; changes none.
//!
//! Reading order: [`sample`] → [`engine`] (what the graph is; [`stock`] where it is neither trees, scorecard nor net) →
//! [`repair`] (trees whose library gives other answers) → [`contract`] → [`platt`] → [`golden`], [`reference`], [`manifest`],
//! [`card`] → [`answers`] (the library's own).

mod answers;
mod card;
mod contract;
mod engine;
mod golden;
mod manifest;
mod platt;
mod reference;
mod repair;
mod sample;
mod stock;

use crate::cli::ImportArgs;
use crate::commands::model::cells::Written;
use crate::commands::model::rows::Rows;
use answers::{Answers, Native};
use anyhow::{Context, Result, bail, ensure};
use contract::Feature;
use domain::Digest;
use domain::pd::Pd;
use domain::scale::Scale;
use engine::{Engine, Trial};
use inference::graph::Graph;
use inference::ops;
use platt::Platt;
use sample::{Sample, Sheet};
use scoring::manifest::{FILL_IN, Kind, Link, ReferenceName};
use scoring::record::Others;
use scoring::reference::Reference;
use scoring::{Model, PackageFiles, Scales};
use serde::Serialize;
use std::path::Path;

/// Version of every package that is imported.
const VERSION: &str = "1.0.0";
/// A threshold lies between these.
const THRESHOLDS: (f64, f64) = (0.0001, 0.9999);

/// What is known of a package while it is made.
pub struct Draft {
    name: String,
    product: String,
    scale: Scale,
    /// The sample's file and column.
    source: String,
    label: String,
    horizon_months: u32,
    sample: Sample,
    engine: Engine,
    features: Vec<Feature>,
    /// Of the sample's columns.
    medians: Vec<f32>,
    /// The sample as the contract settles it.
    rows: Vec<Vec<f32>>,
    platt: Platt,
    /// One for each row.
    pds: Vec<Pd>,
    threshold: f64,
    /// What was changed in the graph, and why.
    repaired: Option<String>,
    /// The library's own answers.
    answers: Option<Answers>,
    /// What they say, once they were compared.
    native: Option<Native>,
}

/// Imports it.
pub fn run(args: &ImportArgs) -> Result<i32> {
    let bytes = std::fs::read(&args.graph).with_context(|| format!("reading {}", args.graph.display()))?;
    let scales = super::scales(&args.scales)?;
    answers::bound(args.accept_deviation)?;
    let name = name_of(args)?;
    let folder = args.out.join(&name).join(VERSION);
    ensure!(!folder.exists(), "{} is there already: choose another --name or --out", folder.display());

    let mut draft = draft(args, &bytes, name, &scales)?;
    let mut files = files(&draft)?;
    match &draft.answers {
        Some(answers) => {
            let model = prove(&files, &scales)?;
            draft.native = Some(answers::compared(args, &model, answers)?);
            files.manifest = manifest::text(&draft, &digests(&files)).into_bytes();
        }
        None => eprintln!("{}", card::UNPROVEN),
    }
    prove(&files, &scales)?;
    write(&folder, &files, &draft).with_context(|| format!("writing {}", folder.display()))?;
    println!("{}", folder.display());
    eprintln!(
        "AUC {:.4}, Brier {:.4} on the sample. It serves once every {FILL_IN} in its manifest.toml is a reason code; then: \
         defaultx model check {}",
        card::auc(&draft.pds, &draft.sample.labels),
        card::brier(&draft.pds, &draft.sample.labels),
        folder.display()
    );
    Ok(0)
}

/// The package's name: as it is asked for, else the graph's file.
fn name_of(args: &ImportArgs) -> Result<String> {
    let stem = || args.graph.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(stem);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    ensure!(
        (1..=64).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.'),
        "{name:?} is no name for a package: give --name, 1 to 64 letters, digits and . _ -"
    );
    Ok(name)
}

/// The product's scale, the newest of several.
fn scale_of(args: &ImportArgs, scales: &Scales) -> Result<(String, Scale)> {
    let named = scales.iter().filter_map(|scale| scales.find(scale.id()));
    let mut found: Vec<(&str, &Scale)> = named.collect();
    let products: Vec<&str> = found.iter().map(|(product, _)| *product).collect();
    let products = products.join(", ");
    if let Some(wanted) = &args.product {
        found.retain(|(product, _)| product == wanted);
        ensure!(
            !found.is_empty(),
            "no scale is of product {wanted}: {} has those of {products}",
            args.scales.display()
        );
    }
    match found.as_slice() {
        [.., (product, scale)] if args.product.is_some() || found.len() == 1 => {
            Ok(((*product).to_owned(), (*scale).clone()))
        }
        _ => bail!("say which product the model is for, with --product: {products}"),
    }
}

fn draft(args: &ImportArgs, bytes: &[u8], name: String, scales: &Scales) -> Result<Draft> {
    let (product, scale) = scale_of(args, scales)?;
    let graph_file = || args.graph.display().to_string();
    let rows = Rows::open(&args.sample, &Written::of(&args.rows)?)?;
    let sheet = Sheet::of(&rows, args).with_context(|| args.sample.display().to_string())?;
    let graph = Graph::load(bytes, Some(sheet.names.len())).with_context(graph_file)?;
    let sheet = sheet.of_graph(&graph);
    graph.kinds(&sheet.names).with_context(|| {
        format!(
            "{} has, beside the label, the columns {}; leave others out with --without, or name the graph's with --columns",
            args.sample.display(),
            sheet.names.join(", ")
        )
    })?;
    let proto = ops::read(bytes, None).with_context(graph_file)?;
    let sample = sample::read(args, rows, &sheet, &graph, &proto)?;
    eprintln!(
        "{}: {} rows, {:.2}% with {} = {}",
        args.sample.display(),
        sample.rows.len(),
        sample.rate() * 100.0,
        args.label,
        bad(args)
    );

    let medians = contract::medians(&sample);
    let filled = contract::filled(&sample.rows, &medians);
    let trial = Trial {
        rows: &sample.rows,
        filled: &filled,
        labels: &sample.labels,
        words: &sample.words,
        bad: bad(args),
        answer: args.answer.as_deref(),
    };
    let engine = Engine::of(bytes, &proto, &graph, &trial).with_context(graph_file)?;
    let is_regression = engine.kind == Kind::Graph && engine.said.link == Some(Link::Probability);
    let native = match &args.native {
        None => None,
        Some(path) => {
            let answers = answers::read(path, args, sample.rows.len())?;
            Some(answers::probabilities(answers, is_regression, path)?)
        }
    };
    let (engine, repaired) = match native.as_ref().filter(|_| engine.kind == Kind::Trees) {
        Some(native) => engine.repaired(&trial, native).with_context(graph_file)?,
        None => (engine, None),
    };
    repaired.iter().for_each(|said| eprintln!("{}: {said}", graph_file()));
    eprintln!("{}: {}, {} features", graph_file(), engine.title(), sample.names.len());
    let features = contract::features(&sample, engine.kind, &engine.takes_nan(&filled)?, &medians);
    let settled = |row: &Vec<f32>| features.iter().zip(row).map(|(feature, value)| feature.settled(*value)).collect();
    let rows: Option<Vec<Vec<f32>>> = sample.rows.iter().map(settled).collect();
    let rows = rows.context("a row of the sample lacks what it must have")?;
    let (margins, _) = engine.margins(&rows)?;
    let platt = Platt::fit(&margins, &sample.labels)?;
    let pds: Option<Vec<Pd>> = margins.iter().map(|margin| platt.pd(*margin)).collect();
    let rate = (sample.rate() * 1e4).round() / 1e4;
    let threshold = args.threshold.unwrap_or(rate.clamp(THRESHOLDS.0, THRESHOLDS.1));
    ensure!(threshold > 0.0 && threshold < 1.0, "--threshold must lie between 0 and 1");
    let file = args.sample.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let answers = native.as_ref().map(|native| Answers::of(&args.library, &features, &rows, native)).transpose()?;
    Ok(Draft {
        name,
        product,
        scale,
        source: file,
        label: args.label.clone(),
        horizon_months: args.horizon_months,
        sample,
        engine,
        features,
        medians,
        rows,
        platt,
        pds: pds.context("the graph gives no number for some rows of the sample")?,
        threshold,
        repaired,
        answers,
        native: None,
    })
}

/// The risky class.
fn bad(args: &ImportArgs) -> &str {
    args.bad_label.as_deref().unwrap_or("1")
}

fn files(draft: &Draft) -> Result<PackageFiles> {
    let reference = json(&reference::document(draft)?)?;
    let sentinels: Vec<Option<f32>> = draft.features.iter().map(|feature| feature.settled(f32::NAN)).collect();
    let measured = Reference::parse(&reference, ReferenceName::NearCutoff, draft.engine.kind, &sentinels)?;
    let graph = draft.engine.bytes().to_vec();
    let native = draft.answers.as_ref().map(|answers| answers.sha256);
    let others = Others { graph: Digest::of(&graph), reference: Digest::of(&reference), native };
    let golden = golden::file(draft, draft.engine.base(&measured)?, others)?;
    let mut files = PackageFiles { manifest: vec![], graph, golden, reference };
    files.manifest = manifest::text(draft, &digests(&files)).into_bytes();
    Ok(files)
}

fn digests(files: &PackageFiles) -> manifest::Digests {
    manifest::Digests {
        graph: Digest::of(&files.graph),
        golden: Digest::of(&files.golden),
        reference: Digest::of(&files.reference),
    }
}

/// Loads the package as it will be once it is filled in: whoever fills it in is not to find out what is wrong with it.
fn prove(files: &PackageFiles, scales: &Scales) -> Result<Model> {
    let manifest = String::from_utf8_lossy(&files.manifest).replace(FILL_IN, "other").into_bytes();
    let model = Model::load(&PackageFiles { manifest, ..files.clone() }, scales);
    model.context("the graph cannot be a package")
}

/// All of it or nothing: whoever reads the folder of packages passes over names that begin with a dot.
fn write(folder: &Path, files: &PackageFiles, draft: &Draft) -> Result<()> {
    let partial = folder.with_file_name(format!(".{VERSION}.partial"));
    if partial.exists() {
        std::fs::remove_dir_all(&partial)?; // of an import that was broken off
    }
    std::fs::create_dir_all(&partial)?;
    let card = card::text(draft);
    let mut parts: Vec<(&str, &[u8])> = vec![
        ("manifest.toml", &files.manifest),
        ("model.onnx", &files.graph),
        ("golden.json", &files.golden),
        ("reference.json", &files.reference),
        ("CARD.md", card.as_bytes()),
    ];
    parts.extend(draft.answers.as_ref().map(|answers| (answers::FILE, answers.bytes.as_slice())));
    for (name, bytes) in parts {
        std::fs::write(partial.join(name), bytes)?;
    }
    Ok(std::fs::rename(&partial, folder)?)
}

fn json(document: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Positions spread evenly over `count`, the first and the last among them, all where there are no more than `most`.
fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (0..taken).map(move |at| at * (count - 1) / (taken - 1).max(1))
}

impl Draft {
    fn scores(&self) -> impl Iterator<Item = i32> {
        self.pds.iter().map(|pd| self.scale.score(*pd))
    }

    /// Rows of the sample from the safest to the riskiest, spread evenly.
    fn spread(&self, most: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|row| self.pds[*row]);
        evenly(order.len(), most).map(|at| order[at]).collect()
    }

    /// A row as the contract makes it of an application; nothing of one that lacks what it must have.
    fn settled(&self, row: &[f32]) -> Option<Vec<f32>> {
        self.features.iter().zip(row).map(|(feature, value)| feature.settled(*value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_spread_from_end_to_end() {
        let rows: [(usize, usize, &[usize]); 4] =
            [(10, 4, &[0, 3, 6, 9]), (3, 5, &[0, 1, 2]), (1, 5, &[0]), (5, 1, &[0])];
        for (count, most, expected) in rows {
            assert_eq!(evenly(count, most).collect::<Vec<_>>(), expected, "{count}, {most}");
        }
    }
}
