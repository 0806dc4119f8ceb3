//! `--add-host`: names for the steps' `/etc/hosts`.

use std::net::IpAddr;

use super::Invalid;

/// What a host name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostTarget {
    /// This address.
    Ip(IpAddr),
    /// The machine that the engine runs on; only dockerd with a bridge can tell its address.
    Gateway,
}

/// Adds what one `--add-host` says: `name:ip` or `name=ip`, several with commas between them;
/// an address alone is another one of the name before it.
///
/// # Errors
/// `invalid host …`
pub fn add(hosts: &mut Vec<(String, HostTarget)>, text: &str) -> Result<(), Invalid> {
    let first = hosts.len();
    for field in super::fields::split(text)? {
        let field = field.trim();
        let invalid = || {
            Invalid(format!(
                "invalid host {field}, expected name:ip or name:host-gateway"
            ))
        };
        if let (Some(target), Some((name, _))) =
            (target(field), hosts.get(first..).and_then(<[_]>::last))
        {
            let name = name.clone();
            hosts.push((name, target));
            continue;
        }
        // `name=ip` first: an IPv6 address holds colons, but no name holds a `=`.
        let (name, value) = field
            .split_once('=')
            .or_else(|| field.split_once(':'))
            .ok_or_else(invalid)?;
        if name.is_empty() || name.contains([' ', '\t', '/']) {
            return Err(invalid());
        }
        let target = target(value).ok_or_else(invalid)?;
        hosts.push((name.to_owned(), target));
    }
    Ok(())
}

fn target(text: &str) -> Option<HostTarget> {
    if text == "host-gateway" {
        return Some(HostTarget::Gateway);
    }
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    inner.parse().ok().map(HostTarget::Ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let mut hosts = Vec::new();
        for text in [
            "a:1.2.3.4",
            "b=1.2.3.5,c:::1,d:[::2]",
            "e=::3,10.0.0.1",
            "g:host-gateway",
        ] {
            add(&mut hosts, text).unwrap();
        }
        let shown: Vec<_> = hosts
            .iter()
            .map(|(name, target)| match target {
                HostTarget::Ip(ip) => format!("{name}={ip}"),
                HostTarget::Gateway => format!("{name}=gateway"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "a=1.2.3.4",
                "b=1.2.3.5",
                "c=::1",
                "d=::2",
                "e=::3",
                "e=10.0.0.1",
                "g=gateway"
            ]
        );
        for text in ["foo", "foo:bar", ":1.2.3.4", "1.2.3.4"] {
            let error = add(&mut Vec::new(), text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("invalid host {text}")),
                "{error}"
            );
        }
    }
}
