use proptest::prelude::*;

use super::*;

fn judge(patterns: &[&str], path: &str) -> bool {
    Patterns::new(patterns).unwrap().judge_alone(path).matched
}

#[test]
fn the_rules_of_single_patterns() {
    let table = [
        ("**", "file", true),
        ("**", "dir/file", true),
        ("**/", "file", true),
        ("**/", "dir/file", true),
        ("**/**", "dir/file", true),
        ("dir/**", "dir/file", true),
        ("dir/**", "dir", false),
        ("dir/**", "dir2/file", false),
        ("dir/**/*", "dir/a/b", true),
        ("**/dir", "dir", true),
        ("**/dir", "a/dir", true),
        ("**/dir", "a/dir/file", true),
        ("**/dir2/*", "dir/dir2/file", true),
        ("**/dir2/**", "dir/dir2/dir2/file", true),
        ("**file", "file", true),
        ("**file", "a/b/the-file", true),
        ("**/file*txt", "dir/dir/file.txt", true),
        ("**/file*.txt*", "dir/dir/file.txt.more", true),
        ("**/**/*.txt", "dir/file.txt", true),
        ("**/**/*.txt2", "dir/file.txt", false),
        ("**/*.txt", "file.txt", true),
        ("a**/*.txt", "a/file.txt", true),
        ("a**/*.txt", "a/dir/file.txt", true),
        ("a/*.txt", "a/dir/file.txt", false),
        ("a/*.txt**", "a/file.txt", true),
        ("a[b-d]e", "ae", false),
        ("a[b-d]e", "ace", true),
        ("a[^b-d]e", "ace", false),
        ("a[^b-d]e", "aze", true),
        (".*", ".foo", true),
        (".*", "foo", false),
        ("abc.def", "abcdef", false),
        ("abc.def", "abc.def", true),
        ("abc.def", "abcZdef", false),
        ("abc?def", "abcZdef", true),
        ("a\\*b", "a*b", true),
        ("a\\*b", "axb", false),
        ("a\\\\", "a\\", true),
        ("**/foo/bar", "foo/bar", true),
        ("**/foo/bar", "dir/dir2/foo/bar", true),
        ("abc/**", "abc", false),
        ("abc/**", "abc/def/ghi", true),
        ("**/.foo", ".foo", true),
        ("**/.foo", "bar.foo", false),
        ("a(b)c/def", "a(b)c/def", true),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
        (
            "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
            "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
            true,
        ),
        ("a/", "a", true),
        ("./a//b/../c", "a/c", true),
        ("dir", "dir/below/file", true),
        ("dir", "directory", false),
        ("caf?", "café", true),
        ("a*", "a\nb", true),
        ("", "a", false),
        ("[*]", "*", true),
        ("[*]", "x", false),
    ];
    for (pattern, path, want) in table {
        assert_eq!(judge(&[pattern], path), want, "{pattern:?} {path:?}");
    }
}

#[test]
fn the_last_match_wins_and_directories_carry_their_children() {
    let table: [(&[&str], &str, bool); 10] = [
        (&["**", "!util/docker/web"], "util/docker/web/foo", false),
        (
            &["**", "!util/docker/web", "util/docker/web/foo"],
            "util/docker/web/foo",
            true,
        ),
        (&["**", "!dist/*.whl"], "dist/a.whl", false),
        (&["**", "!dist/*.whl"], "dist/a.tar", true),
        (&["*.md", "!README*.md"], "README-a.md", false),
        (
            &["*.md", "!README*.md", "README-secret.md"],
            "README-secret.md",
            true,
        ),
        (&["a", "!a/b", "a"], "a/b", false),
        (&["!a"], "a", false),
        (&["a", "!a/b/c"], "a/b/d", true),
        (&["a", "!a/b/c"], "a/b/c", false),
    ];
    for (patterns, path, want) in table {
        assert_eq!(judge(patterns, path), want, "{patterns:?} {path:?}");
    }
}

#[test]
fn the_pattern_that_decided_is_known_by_its_index() {
    let patterns = Patterns::new(&["", "*.md", "!README.md", "docs"]).unwrap();
    assert_eq!(patterns.judge_alone("a.md").decided_by, Some(1));
    assert_eq!(patterns.judge_alone("README.md").decided_by, Some(2));
    assert_eq!(patterns.judge_alone("docs/x").decided_by, Some(3));
    assert_eq!(patterns.judge_alone("x").decided_by, None);
}

#[test]
fn bad_patterns_are_named() {
    assert_eq!(
        Patterns::new(&["!"]).unwrap_err(),
        PatternError::LoneException
    );
    for bad in ["[", "[^", "[]a]", "a\\", "a/[b", "[z-a]", "[a-]", "[-]"] {
        let error = Patterns::new(&["fine", bad]).unwrap_err();
        assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
    }
}

/// The rules spelled out one character at a time, without any shortcut.
mod oracle {
    /// `pattern` against the whole of `path`; both as characters.
    pub fn matches(pattern: &[char], path: &[char]) -> bool {
        match pattern {
            [] => path.is_empty(),
            ['*', '*', rest @ ..] => {
                let rest = rest.strip_prefix(&['/']).unwrap_or(rest);
                if rest.is_empty() {
                    return true;
                }
                matches(rest, path)
                    || (0..path.len()).any(|i| path[i] == '/' && matches(rest, &path[i + 1..]))
            }
            ['*', rest @ ..] => {
                let segment = path.iter().take_while(|c| **c != '/').count();
                (0..=segment).any(|i| matches(rest, &path[i..]))
            }
            ['?', rest @ ..] => {
                path.first().is_some_and(|c| *c != '/') && matches(rest, &path[1..])
            }
            [c, rest @ ..] => path.first() == Some(c) && matches(rest, &path[1..]),
        }
    }

    /// One pattern, with the quirk of a leading `**` before plain text.
    pub fn one(pattern: &str, path: &str) -> bool {
        if let Some(rest) = pattern.strip_prefix("**")
            && !rest.contains(['*', '?'])
        {
            return path.ends_with(rest) || rest.strip_prefix('/') == Some(path);
        }
        let pattern: Vec<char> = pattern.chars().collect();
        let path: Vec<char> = path.chars().collect();
        matches(&pattern, &path)
    }

    /// The list, from the root directory down to the path.
    pub fn list(patterns: &[String], path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let mut parent = vec![false; patterns.len()];
        let mut matched = false;
        for depth in 1..=parts.len() {
            let path = parts[..depth].join("/");
            let mut here = vec![false; patterns.len()];
            matched = false;
            for (i, pattern) in patterns.iter().enumerate() {
                let (text, exception) = match pattern.strip_prefix('!') {
                    Some(text) => (text, true),
                    None => (pattern.as_str(), false),
                };
                if !parent[i] && (exception != matched || !one(text, &path)) {
                    continue;
                }
                here[i] = true;
                matched = !exception;
            }
            parent = here;
        }
        matched
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_global_rejects: 100_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn agrees_with_the_slow_oracle(
        patterns in prop::collection::vec("!?([ab]|\\*|\\*\\*|\\?)(/?([ab.]|\\*|\\*\\*|\\?)){0,4}", 0..6),
        path in "[ab.]{1,2}(/[ab]{1,2}){0,3}",
    ) {
        // Only patterns and paths that cleaning leaves alone: the oracle does not clean.
        prop_assume!(patterns.iter().all(|p| clean(p) == *p && p.strip_prefix('!').is_none_or(|p| !p.is_empty())));
        prop_assume!(clean(&path) == path);
        let fast = Patterns::new(&patterns).unwrap().judge_alone(&path).matched;
        prop_assert_eq!(fast, oracle::list(&patterns, &path));
    }

    #[test]
    fn nothing_is_pruned_that_could_match(
        patterns in prop::collection::vec("!?([ab]|\\*|\\*\\*|[ab]\\*\\*|[ab]\\?[ab])(/([ab]|\\*|\\*\\*|a\\*b)){0,3}", 0..5),
        path in "[ab]{1,3}(/[ab]{1,3}){1,3}",
    ) {
        let all = Patterns::new(&patterns).unwrap();
        let (directory, _) = path.rsplit_once('/').unwrap();
        let mut inherited = all.root();
        for (end, _) in path.match_indices('/') {
            inherited = all.judge_directory(&path[..end], &inherited).1;
        }
        if all.judge_alone(directory).matched && !all.judge_alone(&path).matched {
            prop_assert!(all.exception_below(directory, &inherited));
        }
        if !all.judge_alone(directory).matched && all.judge_alone(&path).matched {
            prop_assert!(all.match_below(directory, &inherited));
        }
    }

    #[test]
    fn many_wildcards_are_judged_as_few_are(
        patterns in prop::collection::vec("!?(\\*\\*/)?[ab]\\?[ab]\\*[abc]", 20..40),
        path in "[ab]{3,4}c?(/[ab]{3,5}){0,2}",
    ) {
        let fast = Patterns::new(&patterns).unwrap().judge_alone(&path).matched;
        prop_assert_eq!(fast, oracle::list(&patterns, &path));
    }
}

#[test]
fn directories_without_hope_are_not_entered() {
    let list = ["*", "!src/**/*.rs", "!docs/*.md", "!a**b"];
    let patterns = Patterns::new(&list).unwrap();
    let hope = |path: &str| {
        let inherited = patterns.judge_directory(path, &patterns.root()).1;
        patterns.exception_below(path, &inherited)
    };
    assert!(hope("src") && hope("docs") && hope("abc"));
    assert!(!hope("node_modules") && !hope("docs2") && !hope("sr"));
}

#[test]
fn rooted_patterns_and_blanks_are_cleaned() {
    assert!(judge(&["/a/b"], "a/b"));
    assert!(judge(&["  a/b "], "a/b"));
    assert!(!judge(&["a", "! ./a/b"], "a/b"));
    assert!(!judge(&["."], "a"));
    assert!(!judge(&["../a"], "a"));
}
