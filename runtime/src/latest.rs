//! A value that one task replaces while others read it. A reader keeps what it has taken for as long as it needs it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// The newest value; clones share it.
#[derive(Default)]
pub struct Latest<T>(Arc<RwLock<Arc<T>>>);

impl<T> Latest<T> {
    /// With a first value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// The value of now.
    pub fn get(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it for everybody.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Latest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Latest<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || *self.get() == *other.get()
    }
}

impl<T: PartialEq> Eq for Latest<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_sees_what_is_set_and_what_was_taken_stays() {
        let latest = Latest::new(1);
        let (clone, taken) = (latest.clone(), latest.get());
        latest.set(2);
        assert_eq!((*clone.get(), *taken), (2, 1));
        assert!(clone == latest && latest == Latest::new(2) && latest != Latest::new(1));
    }
}
