//! `model import`: a bare graph and a sample of rows become a package, and where it stands is printed.

use super::package;
use super::progress::Terminal;
use crate::cli::ImportArgs;
use anyhow::Result;
use model_import::Options;
use scoring::manifest::FILL_IN;

/// Imports it.
pub fn run(args: &ImportArgs) -> Result<i32> {
    let imported = model_import::import(&options(args)?, &Terminal)?;
    let folder = imported.folder.display();
    println!("{folder}");
    eprintln!(
        "AUC {:.4}, Brier {:.4} on the sample. It serves once every {FILL_IN} in its manifest.toml is a reason code; then: \
         defaultx model check {folder}",
        imported.auc, imported.brier
    );
    Ok(0)
}

fn options(args: &ImportArgs) -> Result<Options> {
    Ok(Options {
        graph: args.graph.clone(),
        sample: args.sample.clone(),
        written: package::written(&args.rows)?,
        label: args.label.clone(),
        bad_label: args.bad_label.clone(),
        answer: args.answer.clone(),
        native: args.native.clone(),
        library: args.library.clone(),
        accept_deviation: args.accept_deviation,
        columns: args.columns.clone(),
        without: args.without.clone(),
        out: args.out.clone(),
        name: args.name.clone(),
        product: args.product.clone(),
        scales: args.scales.clone(),
        threshold: args.threshold,
        horizon_months: args.horizon_months,
    })
}
