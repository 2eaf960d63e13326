//! `topics apply` makes what is missing, once, and refuses to move keys.

use crate::kafka;
use defaultx::topics::{Finding, apply, check};
use schemas::Topic;

#[tokio::test]
async fn a_prefix_is_made_once_and_its_partition_count_stays() {
    let mut kafka = kafka("topics.");
    let missing = check(&kafka).await.unwrap();
    assert!(missing.iter().all(|finding| matches!(finding, Finding::Missing(_))));
    assert_eq!(missing.len(), Topic::ALL.len());
    assert_eq!(apply(&kafka).await.unwrap().len(), Topic::ALL.len());
    assert_eq!(check(&kafka).await.unwrap(), [], "the broker took every setting");
    assert_eq!(apply(&kafka).await.unwrap(), Vec::<String>::new(), "the second time there is nothing to do");

    kafka.partitions = 4;
    let refused = apply(&kafka).await.unwrap_err().to_string();
    assert!(refused.starts_with("nothing was changed"), "{refused}");
    kafka.partitions = 3;
    assert_eq!(check(&kafka).await.unwrap(), []);
}
