//! How well a few typed letters fit a text: they have to be in it, in this order; the better, the closer together and
//! the nearer to beginnings of words.

/// What a letter at the beginning of a word is worth, and one right behind the last one found.
const WORD: i64 = 8;
const NEXT: i64 = 5;

/// The most characters of a text that are looked at.
const LONGEST: usize = 512;

/// How well each of the typed words fits `text`, upper and lower case alike; `None` when one does not. More is better.
pub fn score(typed: &str, text: &str) -> Option<i64> {
    let text: Vec<char> = text
        .chars()
        .take(LONGEST)
        .flat_map(char::to_lowercase)
        .collect();
    typed
        .split_whitespace()
        .try_fold(0, |sum: i64, word| Some(sum + of_word(word, &text)?))
}

fn of_word(word: &str, text: &[char]) -> Option<i64> {
    let word: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    let first = *word.first()?;
    let starts = text
        .iter()
        .enumerate()
        .filter(|(_, letter)| **letter == first)
        .map(|(at, _)| at);
    starts.filter_map(|start| from(&word, text, start)).max()
}

/// The score when the first letter is the one at `start`, and each other one the next that fits.
fn from(word: &[char], text: &[char], start: usize) -> Option<i64> {
    let begins = |at: usize| {
        at.checked_sub(1)
            .and_then(|before| text.get(before))
            .is_none_or(|letter| !letter.is_alphanumeric())
    };
    let mut sum = 0;
    let mut at = start;
    for (index, letter) in word.iter().enumerate() {
        let found = at + text.get(at..)?.iter().position(|other| other == letter)?;
        if begins(found) {
            sum += WORD;
        } else if index > 0 && found == at {
            sum += NEXT;
        }
        sum -= i64::try_from(found - at).unwrap_or(0);
        at = found + 1;
    }
    // Of two that fit alike, the one that begins earlier, then the shorter one.
    let behind = i64::try_from(text.len() - at).unwrap_or(0).min(100);
    Some(sum * 100 - i64::try_from(start).unwrap_or(0).min(100) - behind)
}

/// The indexes of the texts that fit, the best first; all in their order when nothing is typed. A text has a name and
/// what is said of it: those whose names fit come before the others.
pub fn choose<'a>(typed: &str, texts: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<usize> {
    let fits = |(index, (name, about)): (usize, (&str, &str))| {
        if let Some(score) = score(typed, name) {
            return Some((true, score, index));
        }
        let score = score(typed, &format!("{name} {about}"))?;
        Some((false, score, index))
    };
    let mut found: Vec<(bool, i64, usize)> = texts.enumerate().filter_map(fits).collect();
    if typed.trim().is_empty() {
        return found.into_iter().map(|(_, _, index)| index).collect();
    }
    found.sort_by_key(|(named, score, index)| (!named, std::cmp::Reverse(*score), *index));
    found.into_iter().map(|(_, _, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn beginnings_of_words_and_neighbours_come_first() {
        let texts = ["next-session", "previous-session", "sessions", "host-shell"];
        let best = |typed| {
            choose(typed, texts.iter().map(|text| (*text, "of sessions")))
                .first()
                .map(|index| texts[*index])
        };
        assert_eq!(best("ns"), Some("next-session"));
        assert_eq!(best("ps"), Some("previous-session"));
        assert_eq!(best("sess"), Some("sessions"));
        assert_eq!(best("hsh"), Some("host-shell"));
        assert_eq!(best("session prev"), Some("previous-session"));
        assert_eq!(best("xyz"), None);
        let pairs = [("inspect", "show everything"), ("shell", "open one")];
        assert_eq!(choose("", pairs.into_iter()), [0, 1]);
        assert_eq!(choose("sh", pairs.into_iter()), [1, 0]);
        assert!(score("ÄB", "xäb").is_some());
    }

    proptest! {
        #[test]
        fn every_subsequence_fits_and_nothing_else(text in "\\PC{0,40}", take in prop::collection::vec(any::<bool>(), 40)) {
            let letters: String = text
                .chars()
                .zip(&take)
                .filter(|(letter, take)| **take && !letter.is_whitespace())
                .map(|(letter, _)| letter)
                .collect();
            prop_assert!(score(&letters, &text).is_some());
            let absent = format!("{letters}\u{1}");
            prop_assert!(score(&absent, &text).is_none());
        }
    }
}
