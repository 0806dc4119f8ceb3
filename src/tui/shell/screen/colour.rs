//! The colours of programs on terminals that show fewer.

use ratatui::style::Color;

/// How many colours the real terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// The palette's 16.
    Sixteen,
    /// Those, a cube of 6 x 6 x 6 and 24 greys.
    Indexed,
    /// All of RGB.
    #[default]
    True,
}

impl Depth {
    /// What the variables COLORTERM and TERM promise.
    pub fn of<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let is = |name: &str, words: &[&str]| {
            variable(name).is_some_and(|value| words.iter().any(|word| value.contains(word)))
        };
        if is("COLORTERM", &["truecolor", "24bit"]) || is("TERM", &["direct"]) {
            Self::True
        } else if is(
            "TERM",
            &["256", "kitty", "alacritty", "foot", "ghostty", "wezterm"],
        ) {
            Self::Indexed
        } else {
            Self::Sixteen
        }
    }

    /// A program's colour as this terminal can show it: itself, or the nearest. The palette's own 16 stay what they
    /// are, as nobody knows how they look.
    pub fn show(self, colour: vt100::Color) -> Color {
        match (colour, self) {
            (vt100::Color::Default, _) => Color::Reset,
            (vt100::Color::Idx(n), Depth::Sixteen) if n >= 16 => {
                let (r, g, b) = indexed(n);
                Color::Indexed(nearest_of_16(r, g, b))
            }
            (vt100::Color::Idx(n), _) => Color::Indexed(n),
            (vt100::Color::Rgb(r, g, b), Depth::True) => Color::Rgb(r, g, b),
            (vt100::Color::Rgb(r, g, b), Depth::Indexed) => Color::Indexed(nearest_of_240(r, g, b)),
            (vt100::Color::Rgb(r, g, b), Depth::Sixteen) => Color::Indexed(nearest_of_16(r, g, b)),
        }
    }
}

/// The steps of the cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// xterm's 16, which other terminals resemble.
const SIXTEEN: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

fn step(n: u8) -> u8 {
    STEPS.get(usize::from(n)).copied().unwrap_or(255)
}

/// The value of a colour of the cube or of the greys.
fn indexed(n: u8) -> (u8, u8, u8) {
    match n {
        232.. => {
            let grey = 8 + 10 * (n - 232);
            (grey, grey, grey)
        }
        _ => {
            let n = n.saturating_sub(16);
            (step(n / 36), step(n / 6 % 6), step(n % 6))
        }
    }
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    // The eye is most sensitive to green, least to blue.
    let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    3 * square(a.0, b.0) + 6 * square(a.1, b.1) + square(a.2, b.2)
}

fn nearest_of_240(r: u8, g: u8, b: u8) -> u8 {
    let nearest_step = |value: u8| match value {
        0..48 => 0,
        48..115 => 1,
        value => (value - 35) / 40,
    };
    let (cr, cg, cb) = (nearest_step(r), nearest_step(g), nearest_step(b));
    let cube = 16 + 36 * cr + 6 * cg + cb;
    let mean = (3 * u16::from(r) + 6 * u16::from(g) + u16::from(b)) / 10;
    let grey = 232 + (mean.saturating_sub(3) / 10).min(23) as u8;
    let target = (r, g, b);
    if distance(indexed(grey), target) < distance(indexed(cube), target) {
        grey
    } else {
        cube
    }
}

fn nearest_of_16(r: u8, g: u8, b: u8) -> u8 {
    let nearest = (0..16u8)
        .zip(SIXTEEN)
        .min_by_key(|(_, colour)| distance(*colour, (r, g, b)));
    nearest.map_or(7, |(n, _)| n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_stay_as_they_are_where_they_can() {
        let rgb = vt100::Color::Rgb(1, 2, 3);
        assert_eq!(Depth::True.show(rgb), Color::Rgb(1, 2, 3));
        assert_eq!(
            Depth::True.show(vt100::Color::Idx(200)),
            Color::Indexed(200)
        );
        for depth in [Depth::True, Depth::Indexed, Depth::Sixteen] {
            assert_eq!(depth.show(vt100::Color::Default), Color::Reset);
            assert_eq!(depth.show(vt100::Color::Idx(9)), Color::Indexed(9));
        }
    }

    #[test]
    fn the_nearest_is_taken_elsewhere() {
        let rgb = |depth: Depth, r, g, b| depth.show(vt100::Color::Rgb(r, g, b));
        assert_eq!(rgb(Depth::Indexed, 255, 0, 0), Color::Indexed(196));
        assert_eq!(rgb(Depth::Indexed, 128, 128, 128), Color::Indexed(244));
        assert_eq!(rgb(Depth::Indexed, 0, 0, 0), Color::Indexed(16));
        assert_eq!(rgb(Depth::Sixteen, 250, 10, 10), Color::Indexed(9));
        assert_eq!(rgb(Depth::Sixteen, 10, 10, 10), Color::Indexed(0));
        assert_eq!(
            Depth::Sixteen.show(vt100::Color::Idx(196)),
            Color::Indexed(9)
        );
        assert_eq!(
            Depth::Sixteen.show(vt100::Color::Idx(255)),
            Color::Indexed(7)
        );
    }

    proptest! {
        #![proptest_config(crate::term::hostile::config(300))]

        /// None of the 240 is nearer than the one that is taken, by more than rounding.
        #[test]
        fn the_nearest_is_the_nearest(r: u8, g: u8, b: u8) {
            let taken = indexed(nearest_of_240(r, g, b));
            let best = (16..=255).map(|n| distance(indexed(n), (r, g, b))).min().unwrap();
            prop_assert!(distance(taken, (r, g, b)) <= best + 100, "{taken:?} {best}");
        }

        #[test]
        fn the_240_are_their_own_nearest(n in 16u8..=255) {
            let (r, g, b) = indexed(n);
            prop_assert_eq!(indexed(nearest_of_240(r, g, b)), (r, g, b));
        }
    }
}
