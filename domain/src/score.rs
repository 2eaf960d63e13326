//! The closed words of a score event: whether there is a score, which part the model has in the route, and whom it knows.

use crate::word::words;

words! {
    /// Whether there is a score.
    ScoreStatus {
        /// There is one.
        Scored = "scored",
        /// There is none, and the event says why.
        Unscorable = "unscorable",
    }
}

words! {
    /// The part of a model in a route.
    ModelRole {
        /// Decides on most customers.
        Champion = "champion",
        /// Decides on a share of the customers.
        Challenger = "challenger",
        /// Scores and decides on nobody.
        Shadow = "shadow",
    }
}

words! {
    /// Why the value of a feature is not as sent.
    FeatureFlag {
        /// It was absent or null; the value of the feature contract stands for it.
        Missing = "missing",
        /// It was outside the range and moved to its edge.
        Clamped = "clamped",
        /// It was no known category; the missing value of the feature contract stands for it.
        Unknown = "unknown",
    }
}

words! {
    /// Whom the sample of a model is of.
    Population {
        /// Those who got credit.
        Booked = "booked",
        /// Those who applied.
        ThroughTheDoor = "through_the_door",
    }
}
