//! What a server is asked that does not know a newer field of the contract.

use crate::client::Client;
use crate::proto::controller::{LogPattern, LogRequest, SearchLogRequest};

/// Name of the feature that a filter and a search go into one question.
const BOTH: &str = "search-filter";

/// A question for lines that this server understands.
pub fn log(client: &Client, request: &mut LogRequest) {
    if !client.knows(BOTH) {
        request.filter = joined(request.filter.take(), request.search.take());
    }
}

/// A search that this server understands.
pub fn search(client: &Client, request: &mut SearchLogRequest) {
    if !client.knows(BOTH) {
        request.pattern = joined(request.filter.take(), request.pattern.take());
    }
}

/// One pattern for lines that both find. It leaves out those in which they only find pieces that overlap: no
/// regular expression without looking ahead can say it.
fn joined(one: Option<LogPattern>, other: Option<LogPattern>) -> Option<LogPattern> {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.or(other),
    };
    let part = |pattern: &LogPattern| {
        let text = match pattern.regex {
            true => pattern.text.clone(),
            false => regex::escape(&pattern.text),
        };
        let case = if pattern.ignore_case { "i" } else { "-i" };
        format!("(?{case}:{text})")
    };
    let (one, other) = (part(&one), part(&other));
    Some(LogPattern {
        text: format!("{one}.*{other}|{other}.*{one}"),
        regex: true,
        ignore_case: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_both() {
        let literal = LogPattern {
            text: "a.b".to_owned(),
            ..LogPattern::default()
        };
        let either = LogPattern {
            text: "c|d".to_owned(),
            regex: true,
            ignore_case: true,
        };
        assert_eq!(joined(None, Some(either.clone())), Some(either.clone()));
        let both = joined(Some(literal), Some(either)).unwrap();
        let regex = regex::Regex::new(&both.text).unwrap();
        for (line, found) in [
            ("a.b C", true),
            ("x D a.b", true),
            ("A.b c", false),
            ("axb c", false),
            ("a.b", false),
        ] {
            assert_eq!(regex.is_match(line), found, "{line}");
        }
    }
}
