//! Which engine and which kernels made a number. Scorecards, trees and dense nets give the same bits on all kernels; a net
//! that goes through the graph engine only on the same pair.

/// This engine, and the graph engine below it, which runs what is no tree, table or dense net; held to `Cargo.lock` by a test.
pub const ENGINE: &str = concat!("scoring ", env!("CARGO_PKG_VERSION"), " on tract-onnx 0.23.9");

/// Processor features that the engine chooses its kernels by, such as `x86_64+avx2+fma`.
pub fn kernel() -> String {
    let mut name = std::env::consts::ARCH.to_owned();
    for (feature, present) in features() {
        if present {
            name.push('+');
            name.push_str(feature);
        }
    }
    name
}

#[cfg(target_arch = "x86_64")]
fn features() -> [(&'static str, bool); 4] {
    [
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512vnni", std::is_x86_feature_detected!("avx512vnni")),
    ]
}

#[cfg(target_arch = "aarch64")]
fn features() -> [(&'static str, bool); 2] {
    [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
    ]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> [(&'static str, bool); 0] {
    []
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_named_is_the_engine_built() {
        let lock = include_str!("../../Cargo.lock");
        for engine in ENGINE.split(" on ") {
            let (name, version) = engine.split_once(' ').unwrap_or_default();
            assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")), "{ENGINE}");
        }
        assert!(kernel().starts_with(std::env::consts::ARCH));
    }
}
