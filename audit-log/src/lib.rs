//! PURE. The format of the audit log, for whoever writes, signs, reads or verifies it. Every layout and every bound is here once: what
//! one of them can write, all others can read. Knows no topic, table, file or clock, and decides nothing about what is logged.
//!
//! Reading order: `entry` (the bytes of one record), `digest` (what stands for a record that is not held whole), `segment` (entries one
//! after another, packed), `tree` and `proof` (RFC 9162), `note` and `key` (signed texts, C2SP signed-note), `cosignature` (when somebody
//! saw one), `checkpoint` (a signed head), `statement` (what else a signer says), `request` (what a witness is asked).

mod checkpoint;
mod cosignature;
mod digest;
mod entry;
mod key;
mod note;
mod proof;
mod request;
mod segment;
mod statement;
mod tree;

pub use checkpoint::{Head, NoteVerifier, SignedHead, Signer, read_checkpoint};
pub use cosignature::{Cosigner, WitnessKey};
pub use digest::{BadDigestKey, DigestKey, is_digest};
pub use entry::{BadEntry, Codec, Entry, Header};
pub use note::{BadNote, end_of_notes, notes_in, signed_text};
pub use proof::{Node, is_consistent, join_subtrees, proof_nodes};
pub use request::{AddCheckpoint, BadRequest, MAX_REQUEST_BYTES, parse_size};
pub use segment::{BadSegment, LENGTH_BYTES, MAX_OPEN_SEGMENT_BYTES, Packed, Packer, entries, push_entry, unpack};
pub use statement::{Epoch, Verification};
pub use tree::{Hash, TILE_WIDTH, Tile, Tree, empty_root, leaf_hash};
