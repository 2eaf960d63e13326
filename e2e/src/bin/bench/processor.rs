//! Processor time of processes, out of `/proc`.

use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// User and system time of a process that runs.
pub fn of_process(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(ticks(Times::of(&stat).context("no times")?.own))
}

/// The same with its children, those that have ended included.
pub fn of_tree(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let parent = Times::of(&stat).context("no times")?;
    let mut sum = parent.own + parent.ended_children;
    for entry in fs::read_dir("/proc")?.flatten() {
        // A process may end while it is looked at; its parent has its time then.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        sum += Times::of(&stat).filter(|times| times.parent == pid).map_or(0, |times| times.own);
    }
    Ok(ticks(sum))
}

/// Of one line of `stat`, in ticks.
struct Times {
    parent: u32,
    own: u64,
    ended_children: u64,
}

impl Times {
    fn of(stat: &str) -> Option<Self> {
        // The second field is a name in brackets, of any content; the parent is the fourth, times are the 14th to 17th.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let time = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: time(11)? + time(12)?,
            ended_children: time(13)? + time(14)?,
        })
    }
}

fn ticks(count: u64) -> Duration {
    let a_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    Duration::from_secs_f64(count as f64 / a_second as f64)
}
