//! A bare graph and a sample of rows become a package to fill in, which serves once people have said what only they know.
//! Writes a folder that was not there; changes none.
//!
//! Reading order: [`options`] → [`sample`] → [`trial`] (what the graph is; [`stock`] where it is neither trees, scorecard nor net),
//! which makes an [`engine`] → [`repair`] (trees whose library gives other answers) → [`contract`] → [`platt`] → [`draft`] →
//! [`golden`], [`reference`], [`manifest`], [`card`] → [`answers`] (the library's own).

mod answers;
mod card;
mod contract;
mod draft;
mod engine;
mod golden;
mod json;
mod manifest;
mod options;
mod platt;
mod reference;
mod repair;
mod sample;
mod spread;
mod stock;
mod trial;

pub use options::Options;

use crate::error::{Context, Result, bail, ensure};
use crate::reporter::Reporter;
use crate::rows::Rows;
use answers::Answers;
use domain::Digest;
use domain::pd::Pd;
use domain::scale::Scale;
use draft::{Draft, VERSION};
use inference::graph::Graph;
use inference::ops;
use json::json;
use platt::Platt;
use sample::Sheet;
use scoring::manifest::{FILL_IN, Kind, Link, ReferenceName};
use scoring::record::Others;
use scoring::reference::Reference;
use scoring::{Model, PackageFiles, Scales};
use std::path::{Path, PathBuf};
use trial::Trial;

/// A threshold lies between these.
const THRESHOLDS: (f64, f64) = (0.0001, 0.9999);

/// A package that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Its folder.
    pub folder: PathBuf,
    /// Of the sample: the chance that a default is ranked above another row.
    pub auc: f64,
    /// Of the sample: the mean squared error of the probability.
    pub brier: f64,
}

/// Makes a package of a graph, proves it as it will be once it is filled in, and writes it. `reporter` is told what is found.
///
/// # Errors
/// What is in the way, and what to do.
pub fn import(args: &Options, reporter: &dyn Reporter) -> Result<Imported> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    let bytes = read(&args.graph)?;
    let scales = Scales::parse(&read(&args.scales)?)?;
    answers::bound(args.accept_deviation)?;
    let name = name_of(args)?;
    let folder = args.out.join(&name).join(VERSION);
    ensure!(!folder.exists(), "{} is there already: choose another --name or --out", folder.display());

    let mut draft = draft(args, &bytes, name, &scales, reporter)?;
    let mut files = files(&draft)?;
    match &draft.answers {
        Some(answers) => {
            let model = prove(&files, &scales)?;
            draft.native = Some(answers::compared(args, &model, answers, reporter)?);
            files.manifest = manifest::text(&draft, &digests(&files)).into_bytes();
        }
        None => reporter.line(card::UNPROVEN),
    }
    prove(&files, &scales)?;
    write(&folder, &files, &draft).with_context(|| format!("writing {}", folder.display()))?;
    let (auc, brier) = (card::auc(&draft.pds, &draft.sample.labels), card::brier(&draft.pds, &draft.sample.labels));
    Ok(Imported { folder, auc, brier })
}

/// The package's name: as it is asked for, else the graph's file.
fn name_of(args: &Options) -> Result<String> {
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
fn scale_of(args: &Options, scales: &Scales) -> Result<(String, Scale)> {
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

fn draft(args: &Options, bytes: &[u8], name: String, scales: &Scales, reporter: &dyn Reporter) -> Result<Draft> {
    let (product, scale) = scale_of(args, scales)?;
    let graph_file = || args.graph.display().to_string();
    let rows = Rows::open(&args.sample, &args.written, reporter)?;
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
    reporter.line(&format!(
        "{}: {} rows, {:.2}% with {} = {}",
        args.sample.display(),
        sample.rows.len(),
        sample.rate() * 100.0,
        args.label,
        args.bad()
    ));

    let medians = contract::medians(&sample);
    let filled = contract::filled(&sample.rows, &medians);
    let trial = Trial {
        rows: &sample.rows,
        filled: &filled,
        labels: &sample.labels,
        words: &sample.words,
        bad: args.bad(),
        answer: args.answer.as_deref(),
    };
    let engine = trial::engine(bytes, &proto, &graph, &trial).with_context(graph_file)?;
    let is_regression = engine.kind == Kind::Graph && engine.said.link == Some(Link::Probability);
    let native = match &args.native {
        None => None,
        Some(path) => {
            let answers = answers::read(path, args, sample.rows.len(), reporter)?;
            Some(answers::probabilities(answers, is_regression, path)?)
        }
    };
    let (engine, repaired) = match native.as_ref().filter(|_| engine.kind == Kind::Trees) {
        Some(native) => trial::repaired(engine, &trial, native).with_context(graph_file)?,
        None => (engine, None),
    };
    repaired.iter().for_each(|said| reporter.line(&format!("{}: {said}", graph_file())));
    reporter.line(&format!("{}: {}, {} features", graph_file(), engine.title(), sample.names.len()));
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
