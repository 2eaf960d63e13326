//! What the targets share: changes that leave graphs graphs and documents documents, packages as one input, and the eye on
//! panics. Nothing of it is part of the engine.

pub mod document;
pub mod expression;
pub mod parcel;
pub mod parts;
pub mod watch;
pub mod ways_in;
pub mod wire;
pub mod workers;
