//! Which idempotency keys each tenant has used at this door, and with what: the same key with other content is a sender's
//! mistake, told at once. Only digests are kept, a bounded number of them, the oldest forgotten first. What makes a repetition
//! harmless is `admit`; this only names the mistake.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The first half of a digest.
type Short = [u8; 16];

/// The keys in memory.
pub struct Keys {
    most: usize,
    by_tenant: Mutex<HashMap<String, Used>>,
}

#[derive(Default)]
struct Used {
    content_of: HashMap<Short, Short>,
    oldest_first: VecDeque<Short>,
}

/// The key was used with other content.
#[derive(Debug, PartialEq, Eq)]
pub struct Reused;

/// A key that a request uses. Unless it is kept it is free again.
pub struct Claim {
    /// None where an earlier request has it.
    own: Option<(Arc<Keys>, String, Short)>,
}

impl Keys {
    /// Remembers at most so many keys of each tenant; 0 remembers none.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, by_tenant: Mutex::default() })
    }

    /// Uses a key of a tenant, which must be one of the configured ones, for content of that digest.
    ///
    /// # Errors
    /// [`Reused`].
    pub fn claim(self: &Arc<Self>, tenant: &str, key: Short, content: Short) -> Result<Claim, Reused> {
        let mut by_tenant = self.lock();
        let used = by_tenant.entry(tenant.to_owned()).or_default();
        match used.content_of.get(&key) {
            Some(known) if *known == content => return Ok(Claim { own: None }),
            Some(_) => return Err(Reused),
            None if self.most == 0 => return Ok(Claim { own: None }),
            None => {}
        }
        if used.oldest_first.len() >= self.most
            && let Some(oldest) = used.oldest_first.pop_front()
        {
            used.content_of.remove(&oldest);
        }
        used.content_of.insert(key, content);
        used.oldest_first.push_back(key);
        Ok(Claim { own: Some((self.clone(), tenant.to_owned(), key)) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Used>> {
        self.by_tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a request that is on its way to Kafka: remembered, also when its sender leaves.
pub struct Kept {
    own: Option<(Arc<Keys>, String, Short)>,
}

impl Claim {
    /// The request is taken, or may be: its key is remembered.
    pub fn keep(mut self) -> Kept {
        Kept { own: self.own.take() }
    }
}

impl Kept {
    /// Nothing of the request is taken: its key is free again.
    pub fn free(self) {
        drop(Claim { own: self.own });
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((keys, tenant, key)) = self.own.take()
            && let Some(used) = keys.lock().get_mut(&tenant)
        {
            used.content_of.remove(&key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const A: Short = [1; 16];
    const B: Short = [2; 16];

    #[test]
    fn a_key_is_for_one_content_of_one_tenant() {
        let keys = Keys::new(9);
        keys.claim("bank", [0; 16], A).unwrap().keep();
        assert!(keys.claim("bank", [0; 16], A).is_ok(), "a repetition");
        assert_eq!(keys.claim("bank", [0; 16], B).err(), Some(Reused));
        assert!(keys.claim("rival", [0; 16], B).is_ok());
        drop(keys.claim("bank", [1; 16], A).unwrap());
        assert!(keys.claim("bank", [1; 16], B).is_ok(), "the first was not taken");
        keys.claim("bank", [2; 16], A).unwrap().keep().free();
        assert!(keys.claim("bank", [2; 16], B).is_ok(), "it was on its way, and is not there");
        keys.claim("bank", [3; 16], A).unwrap().keep();
        keys.claim("bank", [3; 16], A).unwrap().keep().free();
        assert_eq!(keys.claim("bank", [3; 16], B).err(), Some(Reused), "a repetition frees nothing");
    }

    #[test]
    fn the_oldest_keys_are_forgotten() {
        let keys = Keys::new(2);
        for key in 0..3 {
            keys.claim("bank", [key; 16], A).unwrap().keep();
        }
        assert!(keys.claim("bank", [0; 16], B).is_ok(), "forgotten");
        assert_eq!(keys.claim("bank", [2; 16], B).err(), Some(Reused));
        let none = Keys::new(0);
        none.claim("bank", [0; 16], A).unwrap().keep();
        assert!(none.claim("bank", [0; 16], B).is_ok());
        for _ in 0..9 {
            drop(keys.claim("rival", [7; 16], A));
        }
        assert!(keys.lock()["rival"].oldest_first.len() <= 2, "what is given back leaves nothing to grow");
    }
}
