//! Ids of builds and connections, as long and as random as Docker's own.

use std::io;

/// Characters of an id.
const LENGTH: usize = 25;

/// A new id: 25 characters of base 36 from 128 random bits.
///
/// # Errors
/// The system has no random numbers.
pub fn new_id() -> io::Result<String> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 16];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system gave no random numbers"))?;
    let mut number = u128::from_be_bytes(bytes);
    let digits = (0..LENGTH).map(|_| {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        number /= 36;
        char::from_digit(digit, 36).unwrap_or('0')
    });
    Ok(digits.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_25_base_36_characters_and_differ() {
        let (a, b) = (new_id().unwrap(), new_id().unwrap());
        assert_ne!(a, b);
        for id in [a, b] {
            assert_eq!(id.len(), LENGTH);
            assert!(id.chars().all(|c| c.is_digit(36)), "{id}");
        }
    }
}
