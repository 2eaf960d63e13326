//! PURE but for its lock's owner. Who looked at what, gathered: one record for each token, minute and operation, which names the
//! applications that were looked at one by one. Knows no clock and no Kafka.

use runtime::auth::Claims;
use schemas::access::{Access, MAX_APPLICATIONS};
use std::collections::{BTreeMap, BTreeSet};

/// Most records that wait for Kafka. Beyond it nothing is shown, so that nobody looks unseen.
pub(crate) const MOST_WAITING: usize = 10_000;
const MINUTE_MS: i64 = 60_000;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // named as on the wire
pub enum Operation {
    Identity,
    Application,
    List,
    Figures,
    Stream,
}

impl Operation {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Application => "application",
            Self::List => "list",
            Self::Figures => "figures",
            Self::Stream => "stream",
        }
    }
}

/// A record to be, under a number that stays its own through every try to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks {
    /// Unique within this process.
    pub number: u64,
    actor: String,
    roles: Vec<String>,
    token_id: String,
    tenant: String,
    operation: Operation,
    applications: BTreeSet<String>,
    count: u32,
    first_ms: i64,
    last_ms: i64,
}

/// Minute, token, tenant, operation, and the number of the part where one record cannot name all applications.
type Place = (i64, String, String, Operation, u32);

/// What was looked at and is not written yet.
#[derive(Debug, Default)]
pub struct Gathered {
    looks: BTreeMap<Place, Looks>,
    next: u64,
}

/// More waits than may.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Gathered {
    /// One look that is a record of its own.
    pub fn single(
        &mut self,
        claims: &Claims,
        tenant: &str,
        operation: Operation,
        application: &str,
        now_ms: i64,
    ) -> Looks {
        let mut looks = self.begun(claims, tenant, operation, now_ms);
        looks.add(Some(application), now_ms);
        looks
    }

    /// Adds a look to those of its minute.
    ///
    /// # Errors
    /// [`Full`].
    pub fn add(
        &mut self,
        claims: &Claims,
        tenant: &str,
        operation: Operation,
        application: Option<&str>,
        now_ms: i64,
    ) -> Result<(), Full> {
        let minute = now_ms.div_euclid(MINUTE_MS);
        let place = |part| (minute, claims.jti.clone(), tenant.to_owned(), operation, part);
        let newest = self.looks.range(place(0)..=place(u32::MAX)).next_back().map(|(place, looks)| {
            let names_it = application.is_none_or(|id| looks.applications.contains(id));
            (place.4, names_it || looks.applications.len() < MAX_APPLICATIONS)
        });
        let part = match newest {
            Some((part, true)) => part,
            Some((part, false)) => part + 1,
            None => 0,
        };
        let place = place(part);
        if !self.looks.contains_key(&place) {
            if self.looks.len() >= MOST_WAITING {
                return Err(Full);
            }
            let begun = self.begun(claims, tenant, operation, now_ms);
            self.looks.insert(place.clone(), begun);
        }
        if let Some(looks) = self.looks.get_mut(&place) {
            looks.add(application, now_ms);
        }
        Ok(())
    }

    /// Takes those whose minute is over; all of them where there is no now.
    pub fn due(&mut self, now_ms: Option<i64>) -> Vec<Looks> {
        let first_open = now_ms.map_or(i64::MAX, |now_ms| now_ms.div_euclid(MINUTE_MS));
        let open = self.looks.split_off(&(first_open, String::new(), String::new(), Operation::Identity, 0));
        std::mem::replace(&mut self.looks, open).into_values().collect()
    }

    /// Puts back what could not be written. A clock that was set back may have begun the same minute again: then both stand.
    pub(crate) fn put_back(&mut self, looks: Looks) {
        let minute = looks.first_ms.div_euclid(MINUTE_MS);
        let place = |part| (minute, looks.token_id.clone(), looks.tenant.clone(), looks.operation, part);
        let free = (0..=u32::MAX).find(|part| !self.looks.contains_key(&place(*part)));
        self.looks.insert(place(free.unwrap_or_default()), looks);
    }

    fn begun(&mut self, claims: &Claims, tenant: &str, operation: Operation, now_ms: i64) -> Looks {
        self.next += 1;
        Looks {
            number: self.next,
            actor: claims.sub.clone(),
            roles: claims.roles.clone(),
            token_id: claims.jti.clone(),
            tenant: tenant.to_owned(),
            operation,
            applications: BTreeSet::new(),
            count: 0,
            first_ms: now_ms,
            last_ms: now_ms,
        }
    }
}

impl Looks {
    fn add(&mut self, application: Option<&str>, now_ms: i64) {
        self.applications.extend(application.map(str::to_owned));
        self.count = self.count.saturating_add(1);
        self.last_ms = self.last_ms.max(now_ms);
    }

    /// The body of the record; `time` writes milliseconds since 1970 as RFC 3339.
    pub fn body(&self, time: impl Fn(i64) -> String) -> Access {
        Access {
            actor: self.actor.clone(),
            token_id: self.token_id.clone(),
            roles: self.roles.clone(),
            tenant: self.tenant.clone(),
            operation: self.operation.as_str().to_owned(),
            applications: self.applications.iter().cloned().collect(),
            count: self.count,
            first_at: time(self.first_ms),
            last_at: time(self.last_ms),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn claims(jti: &str) -> Claims {
        Claims {
            sub: "ana".to_owned(),
            iss: String::new(),
            aud: String::new(),
            exp: 0,
            nbf: 0,
            iat: 0,
            jti: jti.to_owned(),
            roles: vec!["Officer".to_owned()],
            tenant: "bank".to_owned(),
        }
    }

    fn told(looks: &[Looks]) -> Vec<(String, String, Vec<String>, u32, String, String)> {
        let bodies = looks.iter().map(|looks| looks.body(|ms| ms.to_string()));
        bodies.map(|b| (b.token_id, b.operation, b.applications, b.count, b.first_at, b.last_at)).collect()
    }

    #[test]
    fn looks_of_a_token_and_minute_are_one_record() {
        let mut gathered = Gathered::default();
        let (a, b) = (claims("a"), claims("b"));
        for (claims, operation, application, at) in [
            (&a, Operation::Application, Some("L-2"), 59_000),
            (&a, Operation::Application, Some("L-1"), 59_500),
            (&a, Operation::Application, Some("L-1"), 59_900),
            (&a, Operation::List, None, 59_900),
            (&b, Operation::List, None, 59_950),
            (&a, Operation::List, None, 60_000),
        ] {
            gathered.add(claims, "bank", operation, application, at).unwrap();
        }
        let row = |token: &str, operation: &str, ids: &[&str], count, first: &str, last: &str| {
            let ids = ids.iter().map(|id| (*id).to_owned()).collect();
            (token.to_owned(), operation.to_owned(), ids, count, first.to_owned(), last.to_owned())
        };
        assert!(gathered.due(Some(59_999)).is_empty(), "the minute is not over");
        let due = gathered.due(Some(60_000));
        let expected = [
            row("a", "application", &["L-1", "L-2"], 3, "59000", "59900"),
            row("a", "list", &[], 1, "59900", "59900"),
            row("b", "list", &[], 1, "59950", "59950"),
        ];
        assert_eq!(told(&due), expected);
        for looks in due.clone() {
            gathered.put_back(looks);
        }
        assert_eq!(gathered.due(Some(60_000)), due, "what Kafka did not take comes again, under the same numbers");
        assert_eq!(told(&gathered.due(None)), [row("a", "list", &[], 1, "60000", "60000")], "the end of the process");
    }

    #[test]
    fn a_record_names_a_bounded_number_of_applications_and_the_next_goes_on() {
        let mut gathered = Gathered::default();
        for number in 0..=MAX_APPLICATIONS {
            gathered.add(&claims("a"), "bank", Operation::Application, Some(&format!("L-{number}")), 0).unwrap();
        }
        let sizes: Vec<usize> = told(&gathered.due(None)).iter().map(|row| row.2.len()).collect();
        assert_eq!(sizes, [MAX_APPLICATIONS, 1]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut gathered = Gathered::default();
        for number in 0..MOST_WAITING {
            gathered.add(&claims(&number.to_string()), "bank", Operation::List, None, 0).unwrap();
        }
        assert_eq!(gathered.add(&claims("more"), "bank", Operation::List, None, 0), Err(Full));
        assert_eq!(
            gathered.add(&claims("7"), "bank", Operation::List, None, 0),
            Ok(()),
            "a record that waits takes more"
        );
    }
}
