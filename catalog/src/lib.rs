//! Versioned documents: folders of them, what is wrong with them, and which one is in force. Knows no policy and no route: what a
//! document says is told by a loader that its worker brings. Reads folders; everything else here is data in, data out.
//!
//! Reading order: [`Kind`] and [`Label`] name a version, [`Document`] is its text, [`Finding`] what is wrong with it; [`places`] lists a
//! folder, [`Versions`] holds what was taken of it and of the stream; [`Asked`] is what an activation asks for, [`InForce`] what is
//! remembered of it, [`Codec`] its bytes.

mod asked;
mod codec;
mod document;
mod error;
mod finding;
mod folder;
mod in_force;
mod kind;
mod label;
mod load;
mod versions;

pub use asked::{Asked, other_digest};
pub use codec::Codec;
pub use document::Document;
pub use error::{Error, NotHeld, Why};
pub use finding::{Finding, Rejected, Severity};
pub use folder::{place, places, read};
pub use in_force::{Carried, InForce, Slot};
pub use kind::Kind;
pub use label::{Label, NotALabel};
pub use load::Version;
pub use versions::Versions;
