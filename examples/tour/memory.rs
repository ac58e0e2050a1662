//! Resident memory, where the system tells.

/// A measurement of what is allocated from now on.
#[derive(Debug)]
pub struct Baseline(Option<u64>);

impl Baseline {
    pub fn take() -> Self {
        give_back();
        Baseline(resident())
    }

    /// Resident bytes since then for each of `count`, or "n/a".
    pub fn bytes_each(&self, count: u64) -> String {
        match (self.0, resident()) {
            (Some(before), Some(now)) => {
                let bytes = now.saturating_sub(before) as f64 / count.max(1) as f64;
                format!("{bytes:.0} resident bytes each")
            }
            _ => "resident bytes: n/a".into(),
        }
    }
}

/// The process's resident bytes.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_size()?)
}

#[cfg(target_os = "linux")]
fn page_size() -> Option<u64> {
    // SAFETY: `sysconf` only reads its argument.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).ok()
}

#[cfg(not(target_os = "linux"))]
fn page_size() -> Option<u64> {
    None
}

/// Has the allocator return what an earlier stage freed, which would hide what the next one takes.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` may be called at any time by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
