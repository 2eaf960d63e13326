//! What a process exports about itself. Names are constants here; the loop's are in [`crate::stream::meter`].

use crate::clock;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, IntGauge, IntGaugeVec, Opts, Registry};

/// Constant 1; its labels say what runs.
pub const BUILD_INFO: &str = "defaultx_build_info";
/// Constant 1 while the process answers, for each worker it runs.
pub const UP: &str = "defaultx_up";
/// Memory that is resident, in bytes.
pub const RESIDENT_MEMORY: &str = "defaultx_resident_memory_bytes";
/// Processor time since the start, in seconds, user and system.
pub const CPU_SECONDS: &str = "defaultx_cpu_seconds_total";
/// When the process started, in seconds since 1970.
pub const START_TIME: &str = "defaultx_start_time_seconds";

/// Ticks a second of the kernel's accounting; fixed in its interface to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Exports the process's own metrics.
///
/// # Errors
/// When the registry holds one of the names already.
pub fn register_process(
    registry: &Registry,
    version: &str,
    instance: &str,
    workers: &[&str],
) -> Result<(), prometheus::Error> {
    let build = IntGaugeVec::new(Opts::new(BUILD_INFO, "Constant 1; what runs"), &["version", "instance"])?;
    registered(registry, build)?.with_label_values(&[version, instance]).set(1);
    let up = registered(
        registry,
        IntGaugeVec::new(Opts::new(UP, "Constant 1 for each worker of the process"), &["worker"])?,
    )?;
    workers.iter().for_each(|worker| up.with_label_values(&[worker]).set(1));
    let start = registered(registry, Gauge::new(START_TIME, "When the process started, in seconds since 1970")?)?;
    start.set(clock::now_ms() as f64 / 1000.0);
    registry.register(Box::new(Usage {
        memory: IntGauge::new(RESIDENT_MEMORY, "Memory that is resident")?,
        cpu: Counter::new(CPU_SECONDS, "Processor time since the start, user and system")?,
    }))
}

/// Registers a collector and gives it back.
///
/// # Errors
/// When the registry holds it already.
pub fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// Bytes of this process's memory that are resident; `None` where the kernel does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets and may hold spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// Asks the kernel at each scrape.
struct Usage {
    memory: IntGauge,
    cpu: Counter,
}

impl Collector for Usage {
    fn desc(&self) -> Vec<&Desc> {
        self.memory.desc().into_iter().chain(self.cpu.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(bytes) = resident_bytes() {
            self.memory.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        if let Some(seconds) = cpu_seconds() {
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        }
        self.memory.collect().into_iter().chain(self.cpu.collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let registry = Registry::new();
        register_process(&registry, "1.0.0", "0", &["scorer"]).expect("an empty registry takes all");
        let names: Vec<String> = registry.gather().iter().map(|family| family.name().to_owned()).collect();
        for name in [BUILD_INFO, UP, RESIDENT_MEMORY, CPU_SECONDS, START_TIME] {
            assert!(names.iter().any(|n| n == name), "{name} is missing in {names:?}");
        }
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20), "a test takes more than a mebibyte");
    }
}
