//! `scales.toml`: points and bands belong to a product and are shared by all its packages. Holds no scale of its own.

use crate::error::{LoadError, Part};
use crate::manifest::Manifest;
use domain::scale::{Band, Scale};
use serde::Deserialize;

/// Every scale of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Scales {
    scales: Vec<(String, Scale)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    scale: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    product: String,
    pdo: f64,
    base_score: f64,
    base_odds: f64,
    floor: i32,
    cap: i32,
    bands: Vec<BandEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BandEntry {
    name: String,
    min_score: i32,
}

impl Scales {
    /// Parses the file and checks each scale.
    ///
    /// # Errors
    /// [`LoadError::Form`] names the scale.
    pub fn parse(bytes: &[u8]) -> Result<Self, LoadError> {
        let fault = |why: String| LoadError::form(Part::Scales, why);
        let text = std::str::from_utf8(bytes).map_err(|error| fault(error.to_string()))?;
        let file: File = toml::from_str(text).map_err(|error| fault(error.to_string()))?;
        let mut scales: Vec<(String, Scale)> = Vec::with_capacity(file.scale.len());
        for entry in file.scale {
            if scales.iter().any(|(_, scale)| scale.id() == entry.id) {
                return Err(fault(format!("scale {} is there twice", entry.id)));
            }
            let bands = entry.bands.into_iter().map(|b| Band { name: b.name, min_score: b.min_score }).collect();
            let line = (entry.pdo, entry.base_score, entry.base_odds);
            let scale = Scale::new(&entry.id, line, (entry.floor, entry.cap), bands);
            scales.push((entry.product, scale.map_err(|error| fault(error.to_string()))?));
        }
        Ok(Self { scales })
    }

    /// Every scale, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &Scale> {
        self.scales.iter().map(|(_, scale)| scale)
    }

    /// The scale `id`, with the product it belongs to.
    pub fn find(&self, id: &str) -> Option<(&str, &Scale)> {
        self.scales.iter().find(|(_, scale)| scale.id() == id).map(|(product, scale)| (product.as_str(), scale))
    }

    /// The scale that a manifest names.
    pub(crate) fn of(&self, manifest: &Manifest) -> Result<Scale, LoadError> {
        match self.find(&manifest.scale_id) {
            None => Err(LoadError::contract("scale_id", format!("there is no scale {}", manifest.scale_id))),
            Some((product, _)) if product != manifest.product => Err(LoadError::contract(
                "scale_id",
                format!("scale {} belongs to {product}, the model to {}", manifest.scale_id, manifest.product),
            )),
            Some((_, scale)) => Ok(scale.clone()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ONE: &str = r#"
        [[scale]]
        id = "p.v1"
        product = "p"
        pdo = 20
        base_score = 600
        base_odds = 50
        floor = 300
        cap = 850
        bands = [ { name = "A", min_score = 600 }, { name = "B", min_score = 300 } ]
    "#;

    #[test]
    fn scales_are_found_by_id() {
        let scales = Scales::parse(ONE.as_bytes()).unwrap();
        let (product, scale) = scales.find("p.v1").unwrap();
        assert_eq!((product, scale.range()), ("p", (300, 850)));
        assert_eq!(scales.iter().map(Scale::id).collect::<Vec<_>>(), ["p.v1"]);
        assert!(scales.find("q.v1").is_none());
    }

    #[test]
    fn faults_are_named() {
        let rows = [
            (format!("{ONE}{ONE}"), "p.v1 is there twice"),
            (ONE.replace("pdo = 20", "pdo = 0"), "pdo and base_odds must be positive"),
            (ONE.replace("min_score = 300", "min_score = 301"), "the last must start at the floor"),
            (ONE.replace("cap = 850", "cap = 850\nroof = 1"), "unknown field `roof`"),
        ];
        for (text, expected) in rows {
            let why = Scales::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
        }
    }
}
