//! `--attest`, `--sbom` and `--provenance`.

use std::collections::BTreeMap;

use super::{Invalid, fields};
use crate::build::suggest::did_you_mean;

/// Attestations asked for, by type (`sbom`, `provenance`): the attributes as the engine reads them,
/// or `None` where the user wants none.
pub type Attests = BTreeMap<String, Option<String>>;

const TYPES: [&str; 2] = ["sbom", "provenance"];

/// Reads `--attest` values and the two short forms; an `--attest` wins over the short form.
///
/// # Errors
/// The value that cannot be understood.
pub fn parse(
    attests: &[String],
    sbom: Option<&str>,
    provenance: Option<&str>,
) -> Result<Attests, Invalid> {
    let mut all = Attests::new();
    for text in attests {
        let (kind, attributes) = one(text)?;
        if all.insert(kind.clone(), attributes).is_some() {
            return Err(Invalid(format!("--attest type={kind} is given twice")));
        }
    }
    for (kind, value) in [("sbom", sbom), ("provenance", provenance)] {
        let text = match value {
            None | Some("") => continue,
            Some(value) => match fields::truth(value) {
                Some(on) => format!("type={kind},disabled={}", !on),
                None => format!("type={kind},{value}"),
            },
        };
        let (kind, attributes) = one(&text)?;
        all.entry(kind).or_insert(attributes);
    }
    Ok(all)
}

fn one(text: &str) -> Result<(String, Option<String>), Invalid> {
    let mut kind = None;
    let mut disabled = false;
    let mut kept = Vec::new();
    for field in fields::split(text)? {
        let (key, value) = fields::pair(&field)?;
        match key.as_str() {
            "disabled" => {
                disabled = fields::truth(&value).ok_or_else(|| {
                    Invalid(format!("invalid value {field}: expected true or false"))
                })?;
                continue;
            }
            "type" => kind = Some(value.clone()),
            "mode" if !matches!(value.as_str(), "min" | "max") => {
                return Err(Invalid(format!(
                    "invalid value {field}: expected mode=min or mode=max"
                )));
            }
            _ => {}
        }
        kept.push(format!("{key}={value}"));
    }
    let kind = kind.ok_or_else(|| {
        Invalid(format!(
            "invalid attestation {text:?}: attestation type not specified, expected type=sbom or type=provenance"
        ))
    })?;
    if !TYPES.contains(&kind.as_str()) {
        return Err(Invalid(format!(
            "unknown attestation type {kind:?}, expected sbom or provenance{}",
            did_you_mean(&kind, TYPES)
        )));
    }
    Ok((kind, (!disabled).then(|| fields::join(kept))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(attests: &[&str], sbom: Option<&str>, provenance: Option<&str>) -> Vec<String> {
        let attests: Vec<_> = attests.iter().map(|s| (*s).to_owned()).collect();
        let all = parse(&attests, sbom, provenance).unwrap();
        all.into_iter()
            .map(|(kind, value)| format!("{kind}: {}", value.unwrap_or("off".into())))
            .collect()
    }

    #[test]
    fn forms() {
        assert_eq!(table(&[], None, None), [""; 0]);
        assert_eq!(
            table(&[], Some("true"), Some("mode=max")),
            ["provenance: type=provenance,mode=max", "sbom: type=sbom"]
        );
        assert_eq!(table(&[], None, Some("false")), ["provenance: off"]);
        assert_eq!(table(&[], None, Some("")), [""; 0]);
        assert_eq!(
            table(&["type=sbom,generator=x"], Some("false"), None),
            ["sbom: type=sbom,generator=x"]
        );
        assert_eq!(
            table(&["type=sbom,disabled=true"], Some("true"), None),
            ["sbom: off"]
        );
    }

    #[test]
    fn refusals() {
        let refused = |attest: &str, sbom, provenance| {
            let attests: Vec<_> = (!attest.is_empty())
                .then(|| attest.to_owned())
                .into_iter()
                .collect();
            parse(&attests, sbom, provenance).unwrap_err().to_string()
        };
        assert_eq!(refused("foo", None, None), "invalid value foo");
        assert_eq!(
            refused("", Some("generator"), None),
            "invalid value generator"
        );
        assert_eq!(refused("", None, Some("foo")), "invalid value foo");
        assert!(refused("type=sbm", None, None).ends_with("(did you mean sbom?)"));
        assert!(refused("generator=x", None, None).contains("type not specified"));
        assert!(refused("type=sbom,disabled=maybe", None, None).contains("disabled=maybe"));
        assert!(refused("", None, Some("mode=mix")).contains("mode=min or mode=max"));
        assert!(
            parse(&["type=sbom".into(), "type=sbom".into()], None, None)
                .unwrap_err()
                .to_string()
                .contains("twice")
        );
    }
}
