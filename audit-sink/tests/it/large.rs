//! A log large enough for a second level of tiles, in batches of the size that the worker uses. Prints the rate it was written at
//! and walked at; asserts none of it.

use crate::events::Topics;
use crate::stand::{Writer, database};
use audit_sink::verify::{Options, run};
use std::time::Instant;

const STORIES: usize = 7_400;
const AT_ONCE: usize = 444;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_two_levels_of_tiles_is_whole_and_goes_on() {
    let url = database("large").await;
    let mut writer = Writer::new(&url).await;
    let (mut topics, mut written, mut seconds) = (Topics::default(), 0, 0.0);
    for start in (0..STORIES).step_by(AT_ONCE) {
        let end = STORIES.min(start + AT_ONCE);
        let batch: Vec<_> = (start..end).flat_map(|n| topics.story(n)).collect();
        let started = Instant::now();
        writer.write(&batch).await.unwrap();
        seconds += started.elapsed().as_secs_f64();
        written += batch.len();
        if start == 10 * AT_ONCE {
            writer = Writer::new(&url).await; // another writer takes over from what is stored
        }
    }
    println!("{written} records written at {:.0} a second", written as f64 / seconds);
    let report = run(&url, &Options::default()).await.unwrap();
    println!("{report}");
    assert!(report.is_whole(), "{report}");
    assert_eq!((report.entries(), report.logs[0].tiles), (66_600, 260 + 1));
}
