//! The words of a Dockerfile: quotes, escapes, variables.

/// The words of `text`, with their quotes.
fn words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match quote {
            None if letter.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if matches!(letter, '\'' | '"') => quote = Some(letter),
            Some(open) if letter == open => quote = None,
            _ => {}
        }
        word.push(letter);
        if letter == escape && quote != Some('\'') {
            word.extend(letters.next());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// What an ENV assigns: names and values, the values with their quotes. In its old form it has one name, and the rest of
/// the line is the value.
pub(super) fn assignments(text: &str, escape: char) -> Vec<(String, String)> {
    let words = words(text, escape);
    match words.first() {
        Some(first) if !first.contains('=') => {
            let rest = text.trim().strip_prefix(first.as_str());
            vec![(first.clone(), rest.unwrap_or_default().trim().to_owned())]
        }
        _ => words
            .iter()
            .map(|word| word.split_once('=').unwrap_or((word, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// The names that an ARG declares.
pub(super) fn names(text: &str, escape: char) -> Vec<String> {
    let words = words(text, escape);
    let name = |word: &String| word.split('=').next().unwrap_or_default().to_owned();
    words.iter().map(name).collect()
}

/// `text` without quotes and escapes, and with the values of its variables; `None` when one is not known, or is used in
/// another way than `$NAME` and `${NAME}`, and when the values of variables are more than `most` bytes.
pub(super) fn expand<'a>(
    text: &str,
    escape: char,
    most: usize,
    variable: impl Fn(&str) -> Option<&'a str>,
) -> Option<String> {
    let mut left = most;
    let mut value = String::new();
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), letter) if letter == open => quote = None,
            (Some('\''), letter) => value.push(letter),
            (quote, letter) if letter == escape => match letters.next() {
                // Between quotes, only what means something there is escaped.
                Some(next) if quote.is_some() && !matches!(next, '"' | '$') && next != escape => {
                    value.extend([letter, next]);
                }
                Some(next) => value.push(next),
                None => value.push(letter),
            },
            (_, '$') => {
                let braced = letters.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(letter) =
                    letters.next_if(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
                {
                    name.push(letter);
                }
                if name.is_empty() || (braced && letters.next() != Some('}')) {
                    return None;
                }
                let found = variable(&name)?;
                left = left.checked_sub(found.len())?;
                value.push_str(found);
            }
            (_, letter) => value.push(letter),
        }
    }
    quote.is_none().then_some(value)
}
