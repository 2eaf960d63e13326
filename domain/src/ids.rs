//! What an application is called: tenant, the originator's id, the revision, and the key that every internal topic uses.

use std::fmt;

/// The longest identifier, in characters.
pub(crate) const MAX_ID_LEN: usize = 64;

/// An identifier that is not `[A-Za-z0-9._:-]{1,64}`, or a revision outside 1..=2^31−1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// Empty or longer than [`MAX_ID_LEN`].
    #[error("{what} must have 1 to 64 characters, it has {len}")]
    Length {
        /// Which identifier.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// A character outside the alphabet.
    #[error("{what} may hold only letters, digits and . _ : -")]
    Alphabet {
        /// Which identifier.
        what: &'static str,
    },
    /// A revision below 1 or above 2^31−1.
    #[error("revision must be between 1 and 2147483647, it is {0}")]
    Revision(i64),
}

fn check(what: &'static str, text: &str) -> Result<(), BadId> {
    if text.is_empty() || text.len() > MAX_ID_LEN {
        return Err(BadId::Length { what, len: text.len() });
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if text.bytes().all(allowed) { Ok(()) } else { Err(BadId::Alphabet { what }) }
}

/// A lender or a lender's division; bound to topics and principals by configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(String);

impl Tenant {
    /// Checks and wraps a tenant's name.
    ///
    /// # Errors
    /// [`BadId`] outside `[A-Za-z0-9._:-]{1,64}`.
    pub fn new(text: &str) -> Result<Self, BadId> {
        check("tenant", text).map(|()| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The originator's identifier of an application, never reused within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationId(String);

impl ApplicationId {
    /// Checks and wraps an application's identifier.
    ///
    /// # Errors
    /// [`BadId`] outside `[A-Za-z0-9._:-]{1,64}`.
    pub fn new(text: &str) -> Result<Self, BadId> {
        check("application_id", text).map(|()| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Counts the bodies that an originator has sent for one application, from 1; each replaces the whole body before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(u32);

impl Revision {
    /// Checks and wraps a revision.
    ///
    /// # Errors
    /// [`BadId::Revision`] outside 1..=2^31−1.
    pub fn new(number: i64) -> Result<Self, BadId> {
        match u32::try_from(number) {
            Ok(value) if (1..=i32::MAX as u32).contains(&value) => Ok(Self(value)),
            _ => Err(BadId::Revision(number)),
        }
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// The record key of every internal topic: `tenant|application_id`. The bar is outside both alphabets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationKey(String);

impl ApplicationKey {
    /// Joins the two.
    pub fn new(tenant: &Tenant, application_id: &ApplicationId) -> Self {
        Self(format!("{}|{}", tenant.0, application_id.0))
    }

    /// Takes a key apart; `None` when it is not one.
    pub fn split(key: &str) -> Option<(&str, &str)> {
        let (tenant, application_id) = key.split_once('|')?;
        (check("tenant", tenant).is_ok() && check("application_id", application_id).is_ok())
            .then_some((tenant, application_id))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApplicationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_keep_to_their_alphabet() {
        for good in ["a", "A-1_b.c:d", &"x".repeat(64)] {
            assert!(Tenant::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a|b", "a b", "ä", &"x".repeat(65)] {
            assert!(ApplicationId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_comes_apart_as_it_was_joined() {
        let key = ApplicationKey::new(&Tenant::new("bank").unwrap(), &ApplicationId::new("L:1").unwrap());
        assert_eq!(ApplicationKey::split(key.as_str()), Some(("bank", "L:1")));
        assert_eq!(ApplicationKey::split("no bar"), None);
        assert_eq!(ApplicationKey::split("a|b|c"), None);
    }

    #[test]
    fn revisions_start_at_one() {
        assert_eq!(Revision::new(0), Err(BadId::Revision(0)));
        assert_eq!(Revision::new(1).unwrap().get(), 1);
        assert!(Revision::new(i64::from(i32::MAX) + 1).is_err());
    }
    #[test]
    fn a_refusal_names_the_identifier_and_what_is_wrong() {
        let long = "x".repeat(65);
        let rows = [
            (Tenant::new("").err(), "tenant must have 1 to 64 characters, it has 0"),
            (Tenant::new("a b").err(), "tenant may hold only letters, digits and . _ : -"),
            (ApplicationId::new(&long).err(), "application_id must have 1 to 64 characters, it has 65"),
            (ApplicationId::new("a|b").err(), "application_id may hold only letters, digits and . _ : -"),
            (Revision::new(-1).err(), "revision must be between 1 and 2147483647, it is -1"),
        ];
        for (error, expected) in rows {
            assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_key_of_other_parts_is_none() {
        for key in ["", "|", "a|", "|b", "a b|c", "a|ä"] {
            assert_eq!(ApplicationKey::split(key), None, "{key}");
        }
    }
}
