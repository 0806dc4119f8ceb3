//! Which line of a log looks like the cause of a failure: the first one of the last group of complaints.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Most lines between two complaints of one group.
const GAP: usize = 8;

/// Most lines of a group.
const GROUP: usize = 80;

static COMPLAINT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?ix) \w*error\b | \berror\[ | \bfatal\b | \bcannot\b | \bcan't\b | \bcould\ not\b | \bunable\ to\b | not\ found\b
        | \bno\ such\b | \bfailed\b | \bfailure\b | \bpanic(ked)?\b | \w*exception\b | \bdenied\b | \bundefined\b
        | \binvalid\b | \bmissing\b | \bERR! | ^E:\ | \bsegmentation\ fault\b | \bkilled\b | \brefused\b | \bno\ space\ left\b
        | \bunrecognized\b | \bunknown\ (option|command|argument|flag)\b ",
    )
    .ok()
});

/// What has the words of a complaint and is none.
static NOISE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?ix) \b(0|no)\ (errors?|failures?|failed)\b | \b(errors?|failures?|failed)\s*[:=]\s*0\b | -Wno | -Werror
        | ^\s*(warning|note|info|debug)\b | \bwarning: | \berror[-_.]\w+\.(o|c|h|js|go|rs)\b | \(ignored\) | ^\+ | (no|without)\ error
        | ^\s*ok\b | \.\.\.\ ok$ ",
    )
    .ok()
});

/// What follows from the cause: the last words of tools that ran the one that failed.
static CONSEQUENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?ix) ^g?make(\[\d+\])?:\ \*\*\* | ^ninja:\ build\ stopped | \bexit\ (status|code)\b | ^npm\ (ERR!|error)\ (A\ complete|\s*/)
        | ^error:\ could\ not\ compile | ^error:\ aborting\ due | ^error\ Command\ failed | ^subprocess-exited-with-error
        | ^The\ command\ .*\ returned ",
    )
    .ok()
});

fn is(pattern: &LazyLock<Option<Regex>>, line: &str) -> bool {
    pattern
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(line))
}

/// The line that looks like the cause, by its index; `None` when none does.
pub fn find(lines: &[String]) -> Option<usize> {
    let complains = |index: &usize| -> bool {
        lines
            .get(*index)
            .is_some_and(|line| is(&COMPLAINT, line) && !is(&NOISE, line))
    };
    let last = (0..lines.len()).rev().find(complains)?;
    let least = last.saturating_sub(GROUP);
    let mut group: Vec<usize> = vec![last];
    let mut at = last;
    while let Some(before) = (at.saturating_sub(GAP).max(least)..at)
        .rev()
        .find(complains)
    {
        group.push(before);
        at = before;
    }
    let strong = |index: &&usize| {
        lines
            .get(**index)
            .is_some_and(|line| !is(&CONSEQUENCE, line))
    };
    group.iter().rev().find(strong).or(group.last()).copied()
}

/// Lines as they are shown: which ones, and how often one after another.
pub fn fold(lines: &[String], range: Range<usize>) -> Vec<(usize, usize)> {
    let mut folded: Vec<(usize, usize)> = Vec::new();
    for index in range {
        match folded.last_mut() {
            Some((first, count)) if lines.get(*first) == lines.get(index) => *count += 1,
            _ => folded.push((index, 1)),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(text: &str) -> Option<String> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        find(&lines).map(|index| lines[index].clone())
    }

    #[test]
    fn every_pattern_is_one() {
        for pattern in [&COMPLAINT, &NOISE, &CONSEQUENCE] {
            assert!(pattern.is_some());
        }
    }

    #[test]
    fn the_first_complaint_of_the_last_group() {
        for (log, expected) in [
            (
                "ok  a/server 1.2s\n--- FAIL: TestParse (0.02s)\n    parse_test.go:88: open testdata/a.json: no such file or directory\nFAIL\tweb/parse\t0.4s\nmake: *** [Makefile:12: test] Error 1",
                Some("    parse_test.go:88: open testdata/a.json: no such file or directory"),
            ),
            (
                "Error: an old one that was retried\n1\n2\n3\n4\n5\n6\n7\n8\n9\nmain.c:3:5: error: unknown type name 'x'\nmain.c:4:1: error: more\nmake: *** [all] Error 1",
                Some("main.c:3:5: error: unknown type name 'x'"),
            ),
            (
                "Reading package lists...\nE: Unable to locate package nosuch",
                Some("E: Unable to locate package nosuch"),
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    import x\nModuleNotFoundError: No module named 'x'",
                Some("ModuleNotFoundError: No module named 'x'"),
            ),
            (
                "npm ERR! code E404\nnpm ERR! 404 Not Found\nnpm ERR! A complete log of this run can be found in: /root/x.log",
                Some("npm ERR! code E404"),
            ),
            (
                "error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:2:5\nerror: could not compile `a` (bin \"a\") due to 1 previous error",
                Some("error[E0425]: cannot find value `x` in this scope"),
            ),
            ("make: *** [all] Error 1", Some("make: *** [all] Error 1")),
            (
                "0 errors, 3 warnings\ngcc -Werror -c error_list.c\nwarning: failed to be nice",
                None,
            ),
            ("", None),
        ] {
            assert_eq!(cause(log).as_deref(), expected, "{log}");
        }
    }

    #[test]
    fn repeated_lines_are_one() {
        let lines: Vec<String> = ["a", "b", "b", "b", "a"].map(str::to_owned).to_vec();
        assert_eq!(fold(&lines, 0..5), [(0, 1), (1, 3), (4, 1)]);
        assert_eq!(fold(&lines, 2..4), [(2, 2)]);
        assert_eq!(fold(&lines, 5..9), [(5, 4)]);
    }
}
