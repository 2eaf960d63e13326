//! The applications of the demonstration: rows of the public data sets, turned into documents by the same mapping files that
//! the training reads. Sends nothing.

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use ingest::mapping::Mapping;
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// The data sets, each a folder with `<name>.csv.gz` and `mapping.toml`.
pub(crate) const DATA_SETS: [&str; 3] = ["taiwan", "sba_national_22k", "south_german"];

/// One application, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The originator's tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// `data` as JSON.
    pub data: Arc<str>,
}

impl Document {
    /// From a `data` document; its clock says `now` (RFC 3339), as a sender's would.
    ///
    /// # Errors
    /// When it has no tenant or id.
    pub fn new(mut data: Value, now: &str) -> Result<Self> {
        data["submitted_at"] = now.into();
        data["completed_at"] = now.into();
        let text = |field: &str| data[field].as_str().map(str::to_owned).with_context(|| format!("no {field}"));
        let (tenant, application_id) = (text("tenant")?, text("application_id")?);
        Ok(Self { tenant, application_id, data: data.to_string().into() })
    }

    /// The record key.
    pub fn key(&self) -> String {
        format!("{}|{}", self.tenant, self.application_id)
    }
}

/// Reads the data sets under `folder`; of each the first `scale` (above 0, at most 1).
///
/// # Errors
/// When a file cannot be read, or a row does not fit its mapping.
pub fn read(folder: &Path, scale: f64, now: &str) -> Result<Vec<Document>> {
    let mut all = Vec::new();
    for name in DATA_SETS {
        let path = folder.join(name);
        let rows = read_set(&path, name, now).with_context(|| format!("data set {}", path.display()))?;
        let wanted = (rows.len() as f64 * scale).ceil() as usize;
        all.extend(rows.into_iter().take(wanted));
    }
    Ok(all)
}

fn read_set(path: &Path, name: &str, now: &str) -> Result<Vec<Document>> {
    let mapping = Mapping::load(&path.join("mapping.toml"))?;
    let file = File::open(path.join(format!("{name}.csv.gz")))?;
    let mut rows = csv::Reader::from_reader(GzDecoder::new(file));
    let header = rows.headers()?.clone();
    let bound = mapping.bind(header.iter())?;
    let mut documents = Vec::new();
    for (number, row) in (1..).zip(rows.records()) {
        let data = bound.application(&row?, number).with_context(|| format!("row {number}"))?;
        documents.push(Document::new(data, now)?);
    }
    Ok(documents)
}
