//! Points and bands: a product's scale, shared by all its models. Points to double the odds (PDO), base odds, floor, cap.

use crate::pd::Pd;

/// A named range of scores, from `min_score` up to the next band's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// Its name, such as `A`.
    pub name: String,
    /// The lowest score in it, in points.
    pub min_score: i32,
}

/// How a probability becomes points and a band.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    id: String,
    pdo: f64,
    base_score: f64,
    base_odds: f64,
    floor: i32,
    cap: i32,
    bands: Vec<Band>,
}

/// Why a scale is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadScale {
    /// PDO or base odds not positive, or floor not below cap.
    #[error("scale {0}: pdo and base_odds must be positive and floor below cap")]
    Parameters(String),
    /// Bands not falling, empty, or the last not starting at the floor.
    #[error("scale {0}: bands must fall in min_score and the last must start at the floor")]
    Bands(String),
}

impl Scale {
    /// Checks and builds a scale. `base_odds` are good:bad at `base_score`.
    ///
    /// # Errors
    /// [`BadScale`] names what does not fit.
    pub fn new(
        id: &str,
        (pdo, base_score, base_odds): (f64, f64, f64),
        (floor, cap): (i32, i32),
        bands: Vec<Band>,
    ) -> Result<Self, BadScale> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(pdo) || !positive(base_odds) || !base_score.is_finite() || floor >= cap {
            return Err(BadScale::Parameters(id.to_owned()));
        }
        let falling = bands.windows(2).all(|pair| pair[0].min_score > pair[1].min_score);
        if !falling || bands.last().is_none_or(|last| last.min_score != floor) {
            return Err(BadScale::Bands(id.to_owned()));
        }
        Ok(Self { id: id.to_owned(), pdo, base_score, base_odds, floor, cap, bands })
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Lowest and highest points.
    pub fn range(&self) -> (i32, i32) {
        (self.floor, self.cap)
    }

    /// Its bands, safest first.
    pub fn bands(&self) -> &[Band] {
        &self.bands
    }

    /// Points of a probability: rounded half away from zero, then held between floor and cap.
    pub fn score(&self, pd: Pd) -> i32 {
        let factor = self.pdo / std::f64::consts::LN_2;
        let points = self.base_score + factor * (pd.log_odds_good() - libm::log(self.base_odds));
        points.round().clamp(f64::from(self.floor), f64::from(self.cap)) as i32
    }

    /// The band that holds a score.
    pub fn band(&self, score: i32) -> &str {
        let found = self.bands.iter().find(|band| score >= band.min_score);
        found.or(self.bands.last()).map_or("", |band| band.name.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn bands(starts: &[(&str, i32)]) -> Vec<Band> {
        starts.iter().map(|(name, min_score)| Band { name: (*name).to_owned(), min_score: *min_score }).collect()
    }

    #[test]
    fn doubling_the_odds_adds_pdo_points() {
        let scale = Scale::new("s", (20.0, 600.0, 50.0), (300, 850), bands(&[("A", 600), ("B", 300)])).unwrap();
        let at = |odds: f64| scale.score(Pd::quantise(1.0 / (1.0 + odds)).unwrap());
        assert_eq!((at(50.0), at(100.0), at(25.0)), (600, 620, 580));
        assert_eq!(scale.score(Pd::quantise(1.0).unwrap()), 300);
        assert_eq!((scale.band(600), scale.band(599)), ("A", "B"));
    }

    #[test]
    fn a_scale_that_contradicts_itself_is_refused() {
        let ok = bands(&[("A", 300)]);
        assert!(Scale::new("s", (0.0, 600.0, 50.0), (300, 850), ok.clone()).is_err());
        assert!(Scale::new("s", (20.0, 600.0, 50.0), (850, 300), ok).is_err());
        assert!(Scale::new("s", (20.0, 600.0, 50.0), (300, 850), bands(&[("A", 300), ("B", 600)])).is_err());
        assert!(Scale::new("s", (20.0, 600.0, 50.0), (300, 850), vec![]).is_err());
    }
    #[test]
    fn a_score_is_in_the_band_that_starts_below_it() {
        let bands = bands(&[("A", 700), ("B", 600), ("C", 300)]);
        let scale = Scale::new("s", (20.0, 600.0, 50.0), (300, 850), bands).unwrap();
        for (score, expected) in [(850, "A"), (700, "A"), (699, "B"), (600, "B"), (599, "C"), (300, "C"), (0, "C")] {
            assert_eq!(scale.band(score), expected, "{score}");
        }
    }

    #[test]
    fn points_stay_between_floor_and_cap() {
        let scale = Scale::new("s", (20.0, 600.0, 50.0), (500, 650), bands(&[("A", 500)])).unwrap();
        for (probability, expected) in [(0.0, 650), (1e-6, 650), (0.5, 500), (1.0, 500)] {
            assert_eq!(scale.score(Pd::quantise(probability).unwrap()), expected, "{probability}");
        }
    }
}
