//! "Did you mean …?": the nearest of the words that would have been right.

/// The candidate that `word` was most probably meant to be; `None` when nothing is near enough to
/// be more help than noise.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match word.chars().count() {
        0 => return None,
        1..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
            (distance, candidate)
        })
        // A distance as long as the candidate shares nothing with it.
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `(did you mean X?)` with a space before it, or nothing.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!(" (did you mean {near}?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_near_words_only() {
        let words = ["tag", "target", "platform", "pull"];
        assert_eq!(nearest("tga", words), Some("tag"));
        assert_eq!(nearest("platfrom", words), Some("platform"));
        assert_eq!(nearest("Pull", words), Some("pull"));
        assert_eq!(nearest("zzzz", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(did_you_mean("pul", words), " (did you mean pull?)");
        assert_eq!(did_you_mean("quite different", words), "");
    }
}
