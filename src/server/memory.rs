//! The memory of this process.

/// Resident memory in bytes; 0 when the kernel does not say it.
pub fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_has_some() {
        let bytes = super::resident();
        assert!((1 << 20..1 << 34).contains(&bytes), "{bytes}");
    }
}
