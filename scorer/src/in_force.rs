//! Which version of a package, and which route, is in force in a partition from here on, as the worker's state. What that means, and
//! its bytes, are [`catalog`]'s.

use catalog::{Codec, InForce, Slot};
use runtime::stream::Stored;

/// The form of this worker's changelog.
pub const CODEC: Codec = Codec::Lines;

/// What is remembered: the state's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kept(pub Slot);

/// The state's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(pub InForce);

impl Stored for Kept {
    fn encode(&self) -> Vec<u8> {
        CODEC.write_slot(&self.0)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        CODEC.read_slot(bytes).map(Self)
    }
}

impl Stored for Entry {
    fn encode(&self) -> Vec<u8> {
        CODEC.write(&self.0)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        CODEC.read(bytes).map(Self)
    }
}
