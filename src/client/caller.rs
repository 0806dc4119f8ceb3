//! What belongs to the user who asks, and goes with a request.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use bytes::Bytes;

use crate::build::options::BuildOptions;
use crate::build::services;
use crate::proto::controller::Caller;

/// The caller that this process is.
///
/// # Errors
/// There is no current directory any more.
pub fn of_process() -> std::io::Result<Caller> {
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        // A name that is no text cannot be asked for by a build.
        let name = name.into_string().ok()?;
        Some((name, Bytes::copy_from_slice(value.as_bytes())))
    });
    let mut environment: std::collections::HashMap<_, _> = environment.collect();
    // As `Env::from_process` has it.
    if !environment.contains_key("HOME")
        && let Some(home) = std::env::home_dir()
    {
        let home = Bytes::copy_from_slice(home.as_os_str().as_bytes());
        environment.insert("HOME".to_owned(), home);
    }
    Ok(Caller {
        environment,
        directory: std::env::current_dir()?.display().to_string(),
        umask: umask(),
        terminal: terminal(),
        stdout_is_terminal: std::io::stdout().is_terminal(),
        files: Default::default(),
    })
}

/// The caller of a build: with what only this process can read for it.
///
/// # Errors
/// There is no current directory any more.
pub fn of_build(options: &BuildOptions) -> std::io::Result<Caller> {
    let files = services::own_files(options);
    Ok(Caller {
        files,
        ..of_process()?
    })
}

/// The terminal of this process, such as `/dev/pts/3`; empty without one.
pub fn terminal() -> String {
    let name = |fd: std::os::fd::BorrowedFd<'_>| {
        let name = rustix::termios::ttyname(fd, Vec::new()).ok()?;
        name.into_string().ok()
    };
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]
        .into_iter()
        .find_map(name)
        .unwrap_or_default()
}

/// The mask can only be read by setting it, and not for one thread alone; the kernel tells it, too.
fn umask() -> u32 {
    const USUAL: u32 = 0o022;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("Umask:"))
        .and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok())
        .unwrap_or(USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_and_the_mask_go_along() {
        let caller = of_process().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        assert_eq!(caller.environment["PATH"], path.as_bytes());
        assert!(caller.directory.starts_with('/'));
        assert!(caller.umask <= 0o777);
    }
}
