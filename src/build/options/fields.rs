//! The `key=value,key="va,lue"` grammar that many flags share.

use super::Invalid;

/// Splits one line of comma-separated fields; a field may be quoted as in CSV.
pub(crate) fn split(text: &str) -> Result<Vec<String>, Invalid> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let record = match records.next() {
        Some(Ok(record)) => record,
        Some(Err(error)) => return Err(Invalid(format!("invalid value {text:?}: {error}"))),
        None => return Ok(Vec::new()),
    };
    if records.next().is_some() {
        return Err(Invalid(format!(
            "invalid value {text:?}: more than one line"
        )));
    }
    Ok(record.iter().map(str::to_owned).collect())
}

/// One `key=value`; the key is in lower case and trimmed.
pub(super) fn pair(field: &str) -> Result<(String, String), Invalid> {
    let (key, value) = field.split_once('=').ok_or_else(|| match field {
        "" => Invalid("invalid value: a field is empty, expected key=value".to_owned()),
        _ => Invalid(format!("invalid value {field}")),
    })?;
    Ok((key.trim().to_lowercase(), value.to_owned()))
}

/// `text` as CSV: the fields quoted where they need it.
pub(crate) fn join<I: IntoIterator<Item = S>, S: AsRef<str>>(fields: I) -> String {
    let quoted = fields.into_iter().map(|field| {
        let field = field.as_ref();
        if field.contains([',', '"', '\n', '\r']) || field.starts_with(' ') {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field.to_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(",")
}

/// Go's reading of a truth value.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_quotes_and_joins() {
        let fields = split(r#"type=local,"dest=a,b",x="#).unwrap();
        assert_eq!(fields, ["type=local", "dest=a,b", "x="]);
        assert_eq!(join(&fields), r#"type=local,"dest=a,b",x="#);
        assert!(split("").unwrap().is_empty());
        assert!(split("a\nb").is_err());
        assert_eq!(
            pair("Type=a=b").unwrap(),
            ("type".to_owned(), "a=b".to_owned())
        );
        assert_eq!(pair("x").unwrap_err().to_string(), "invalid value x");
        let empty = pair("").unwrap_err().to_string();
        assert!(empty.ends_with("a field is empty, expected key=value"));
    }
}
