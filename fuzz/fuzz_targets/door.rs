//! Any request at the door: parts are its body, then name and value of each header. It is taken or refused.
#![no_main]

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use defaultx_fuzz::{parts, watch};
use ingest::door::request::events;
use ingest::outputs::{Origin, Topics, received};
use ingest::receive::{Arrival, Channel, receive};
use ingest::rules::{Rules, TenantRule};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use runtime::kafka::KafkaConfig;
use std::sync::LazyLock;

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&ingest::Config::default()).expect("rules"));
static TENANT: LazyLock<TenantRule> =
    LazyLock::new(|| TenantRule::new("demo", ingest::config::DEMO_KEY).expect("a tenant"));

fuzz_target!(init: watch::begin(), |bytes: &[u8]| {
    watch::watched(|| {
        let parts = parts::unpack(bytes);
        let Some((body, named)) = parts.split_first() else { return };
        let mut headers = HeaderMap::new();
        for pair in named.chunks_exact(2) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&pair[0]), HeaderValue::from_bytes(&pair[1])) {
                headers.append(name, value);
            }
        }
        let topics = Topics::new(&KafkaConfig::default());
        for (_, event) in events(&headers, body, "demo", 1000).unwrap_or_default() {
            let header_of = |name: &str| event.header(name);
            let arrival = Arrival {
                channel: Channel::Http,
                at_ms: 1_795_132_800_000,
                header_of: &header_of,
                body: Some(event.body),
                tenant: &TENANT,
            };
            if let Ok(taken) = receive(&RULES, &arrival) {
                let origin = Origin { channel: Channel::Http, place: None, received_at_ms: None };
                assert!(!received(taken, origin, &topics).is_empty());
            }
        }
    });
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
    let changed = parts::changed(parts::unpack(&bytes[..size]), &mut rng).map(|changed| parts::pack(&changed));
    match changed.filter(|packed| packed.len() <= most) {
        Some(changed) if rng.random_bool(0.7) => {
            bytes[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(bytes, size, most),
    }
});
