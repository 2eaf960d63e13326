//! What is wrong with many rows, told once for each cause with how many and where. Holds no more causes than a person reads.

use super::fault::RowFault;
use serde::Serialize;
use std::collections::HashMap;

/// Causes that are told apart; a file may hold a name of its own in each row.
const MOST: usize = 1_000;

/// One cause, and the rows that have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// What it is.
    pub fault: RowFault,
    /// How often.
    pub rows: u64,
    /// Line of the first, from 1.
    pub line: u64,
    /// Its application, where it could be read.
    pub application_id: Option<String>,
}

/// Causes in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Causes {
    list: Vec<Cause>,
    #[serde(skip)]
    places: HashMap<RowFault, usize>,
    /// Beyond the bound.
    beyond: u64,
}

impl Causes {
    pub(super) fn add(&mut self, fault: &RowFault, line: u64, application_id: Option<&str>) {
        if let Some(place) = self.places.get(fault) {
            self.list[*place].rows += 1;
        } else if self.list.len() < MOST {
            self.places.insert(fault.clone(), self.list.len());
            let application_id = application_id.map(str::to_owned);
            self.list.push(Cause { fault: fault.clone(), rows: 1, line, application_id });
        } else {
            self.beyond += 1;
        }
    }

    /// The most frequent ones, and how many causes are left.
    pub fn first(&self, most: usize) -> (Vec<&Cause>, u64) {
        let mut list: Vec<&Cause> = self.list.iter().collect();
        // Of two that are as frequent the one that came first.
        list.sort_by_key(|cause| std::cmp::Reverse(cause.rows));
        let left = list.len().saturating_sub(most) as u64 + self.beyond;
        list.truncate(most);
        (list, left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_and_the_most_frequent_first() {
        let fault = |column: &str| RowFault { column: Some(column.to_owned()), ..RowFault::default() };
        let mut causes = Causes::default();
        for (line, column) in (2..).zip(["a", "b", "b", "c", "b", "c"]) {
            causes.add(&fault(column), line, Some("x"));
        }
        let (first, left) = causes.first(2);
        let told: Vec<_> = first.iter().map(|cause| (cause.fault.column.as_deref(), cause.rows, cause.line)).collect();
        assert_eq!((told, left), (vec![(Some("b"), 3, 3), (Some("c"), 2, 5)], 1));
    }

    #[test]
    fn a_file_with_a_cause_in_each_row_is_counted_and_not_held() {
        let mut causes = Causes::default();
        for line in 0..3_000 {
            causes.add(&RowFault { why: line.to_string(), ..RowFault::default() }, line, None);
        }
        let (first, left) = causes.first(20);
        assert_eq!((first.len(), left, causes.list.len()), (20, 2_980, MOST));
    }
}
