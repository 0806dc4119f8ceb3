//! What an older server costs: one line.

/// The warning when the server's version is older than ours; `None` for the same, a newer one, and
/// what cannot be read as a version.
pub fn warning(server: &str) -> Option<String> {
    let ours = env!("CARGO_PKG_VERSION");
    (numbers(server)? < numbers(ours)?).then(|| {
        let server = crate::term::escape::line(server);
        format!(
            "the buildx server is older ({server}) than this buildx ({ours}) and may lack new features; when convenient: buildx server restart"
        )
    })
}

fn numbers(version: &str) -> Option<[u64; 3]> {
    let core = version.split(['-', '+']).next()?;
    let mut numbers = core.split('.').map(|number| number.parse().ok());
    let found = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_older_server_is_worth_a_line() {
        let said = warning("0.0.9").unwrap();
        assert!(said.contains("(0.0.9)"), "{said}");
        assert!(said.ends_with("buildx server restart"), "{said}");
        assert!(!said.contains('\n'), "{said}");
        for version in [env!("CARGO_PKG_VERSION"), "999.0.0", "0.0.0.1", "x", ""] {
            assert_eq!(warning(version), None, "{version}");
        }
        assert_eq!(numbers("1.22.3-rc1"), Some([1, 22, 3]));
    }
}
