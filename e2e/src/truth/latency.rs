//! How long applications waited for their decisions, by the broker's own clock: from the record on the sender's topic to the
//! record on that of decisions. A clock of its own would measure the reader too.

use super::deployment::Deployment;
use anyhow::Result;
use defaultx::reader;
use rdkafka::message::Message;
use runtime::stream::Input;
use schemas::Topic;
use schemas::envelope::header;
use std::collections::HashMap;
use std::ops::Range;

/// The highest rank of a hundred.
const WORST: f64 = 0.99;

/// The 99th percentile of each range of a run's numbers, in milliseconds; `None` where none was decided.
///
/// # Errors
/// When Kafka cannot be read.
pub fn p99_ms(from: &Deployment, run: &str, ranges: &[Range<usize>]) -> Result<Vec<Option<i64>>> {
    let number = |id: &str| id.strip_prefix(run)?.strip_prefix('-')?.parse::<usize>().ok();
    let mut sent: HashMap<usize, i64> = HashMap::new();
    let mut waited: Vec<Vec<i64>> = vec![Vec::new(); ranges.len()];
    let published = from.kafka.topic(Topic::LoanApplications.base_name());
    reader::read_to_end(&from.kafka, [published.as_ref()], |message| {
        let input = Input::of(message);
        if let Some(number) = input.header_str(header::SUBJECT).and_then(number) {
            sent.entry(number).or_insert(input.timestamp_ms);
        }
        Ok(())
    })?;
    let decisions = from.kafka.topic(Topic::Decisions.base_name());
    reader::read_to_end(&from.kafka, [decisions.as_ref()], |message| {
        let key = std::str::from_utf8(message.key().unwrap_or_default())?;
        let number = key.split_once('|').and_then(|(_, id)| number(id));
        if let Some((number, sent)) = number.and_then(|number| Some((number, sent.get(&number)?))) {
            let at = Input::of(message).timestamp_ms;
            let of = ranges.iter().zip(&mut waited).filter(|(range, _)| range.contains(&number));
            of.for_each(|(_, waited)| waited.push(at - sent));
        }
        Ok(())
    })?;
    Ok(waited.into_iter().map(|waited| rank(waited, WORST)).collect())
}

fn rank(mut all: Vec<i64>, share: f64) -> Option<i64> {
    all.sort_unstable();
    let at = (all.len() as f64 * share).ceil() as usize;
    all.get(at.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_a_value_that_was_seen() {
        assert_eq!(rank((1..=100).rev().collect(), WORST), Some(99));
        assert_eq!(rank(vec![7], WORST), Some(7));
        assert_eq!(rank(Vec::new(), WORST), None);
    }
}
