//! Which part of a list is in sight.

/// Rows that stay in sight on both sides of what is selected, where there is room.
const CONTEXT: usize = 3;

/// The first row in sight of a list of `len` rows, `height` of which are shown: the one nearest to `top` with which row
/// `at` and some rows around it are in sight.
pub fn first(top: usize, at: usize, len: usize, height: usize) -> usize {
    if len <= height {
        return 0;
    }
    let context = CONTEXT.min(height.saturating_sub(1) / 3);
    let highest = at.saturating_sub(context);
    let lowest = (at + context + 1).saturating_sub(height).min(highest);
    top.clamp(lowest, highest).min(len - height)
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn what_is_selected_stays_in_sight_and_moves_only_at_the_edges() {
        for (len, height) in [(0, 5), (3, 5), (20, 5), (20, 1), (20, 2), (500, 30)] {
            let mut top = 0;
            for at in (0..len).chain((0..len).rev()) {
                let next = first(top, at, len, height);
                assert!(next.abs_diff(top) <= 1, "{at} of {len} in {height}");
                assert!(
                    (next..next + height).contains(&at),
                    "{at} of {len} in {height}"
                );
                top = next;
            }
            assert_eq!(top, 0);
        }
    }

    #[test]
    fn rows_around_it_are_in_sight() {
        assert_eq!(first(0, 10, 100, 9), 4);
        assert_eq!(first(50, 10, 100, 9), 8);
        assert_eq!(first(6, 10, 100, 9), 6);
        assert_eq!(first(0, 99, 100, 9), 91);
        assert_eq!(first(0, 5, 100, 0), 5);
    }
}
