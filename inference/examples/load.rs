//! Loads a graph and says how long that took and the most memory it held: `cargo run --release -p inference --example load FILE`.

use inference::graph::Graph;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give the file of a graph")?;
    let start = Instant::now();
    let bytes = std::fs::read(path)?;
    let graph = Graph::load(&bytes, None)?;
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("unknown", str::trim);
    println!("{seconds:.3} s, {most} at most, {} outputs", graph.outputs().count());
    Ok(())
}
