//! Many patterns as one tree of path components, so that a path is matched against all of them at
//! once: its cost depends on the patterns that fit, not on the number of patterns.

use std::collections::HashMap;

use super::glob;
use super::syntax::{self, Token};

/// Wildcards that are tried one by one in one place; from more of them on, one automaton for all
/// is faster.
const GLOBS: usize = 16;

/// A set of plain patterns, of exceptions, or of both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) fn of(exception: bool) -> Kinds {
        Kinds(if exception { 2 } else { 1 })
    }

    fn add(&mut self, other: Kinds) {
        self.0 |= other.0;
    }

    fn meets(self, other: Kinds) -> bool {
        self.0 & other.0 != 0
    }
}

#[derive(Debug, Default)]
struct Node {
    /// Children by the exact name of the component.
    literal: HashMap<Box<str>, u32>,
    /// Children for `*text`, by the length of the text and the text.
    suffixes: Vec<(usize, HashMap<Box<str>, u32>)>,
    /// Children for `text*`.
    prefixes: Vec<(usize, HashMap<Box<str>, u32>)>,
    /// Children for other wildcards, tried one by one.
    globs: Vec<(Vec<Token>, u32)>,
    /// The child behind `**/`, active wherever this node is, and in everything below.
    deep: Option<u32>,
    /// True for a node behind `**/`.
    sticky: bool,
    /// Patterns that end here.
    ends: Vec<u32>,
    /// Patterns that end in `**` here: they match everything below.
    ends_below: Vec<u32>,
    /// What could match below this node.
    below: Kinds,
}

/// The tree; node 0 is the root of the context.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

/// Where a directory stands in the tree.
#[derive(Debug, Clone, Default)]
pub(super) struct Position {
    /// Nodes whose components are those of the directory, sorted.
    active: Vec<u32>,
    /// Patterns that match everything below the directory.
    everything: Vec<u32>,
    everything_kinds: Kinds,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree {
            nodes: vec![Node::default()],
        }
    }
}

impl Tree {
    /// Adds a pattern; false when it must be matched as a whole: because a wildcard in it can
    /// swallow a `/`, or because of too many others like it.
    pub(super) fn add(&mut self, tokens: &[Token], index: u32, exception: bool) -> bool {
        let kind = Kinds::of(exception);
        let Some(parts) = components(tokens) else {
            return false;
        };
        let mut at = 0u32;
        for part in parts {
            self.node_mut(at).below.add(kind);
            match part {
                Part::Deep => at = self.deep_child(at),
                Part::Everything => {
                    self.node_mut(at).ends_below.push(index);
                    return true;
                }
                Part::Name(tokens) => match self.child(at, tokens) {
                    Some(child) => at = child,
                    None => return false,
                },
            }
        }
        self.node_mut(at).ends.push(index);
        true
    }

    /// The position of the root of the context.
    pub(super) fn root(&self, exceptions: &[bool]) -> Position {
        let mut position = Position::default();
        self.activate(0, &mut position.active);
        self.settle(&mut position, exceptions);
        position
    }

    /// The patterns that match the entry `name` of a directory, unsorted, appended to `hits`.
    pub(super) fn hits(&self, position: &Position, name: &str, hits: &mut Vec<u32>) {
        hits.extend_from_slice(&position.everything);
        for node in &position.active {
            self.each_child(*node, name, |child| {
                hits.extend_from_slice(&self.node(child).ends);
            });
        }
    }

    /// The position of the directory `name` inside of the directory at `position`.
    pub(super) fn enter(&self, position: &Position, name: &str, exceptions: &[bool]) -> Position {
        let mut next = Position {
            active: Vec::new(),
            everything: position.everything.clone(),
            everything_kinds: position.everything_kinds,
        };
        for node in &position.active {
            if self.node(*node).sticky {
                next.active.push(*node);
            }
            self.each_child(*node, name, |child| self.activate(child, &mut next.active));
        }
        self.settle(&mut next, exceptions);
        next
    }

    /// True when a pattern of this kind could match something below the directory.
    pub(super) fn may_match_below(&self, position: &Position, exception: bool) -> bool {
        let wanted = Kinds::of(exception);
        position.everything_kinds.meets(wanted)
            || position
                .active
                .iter()
                .any(|node| self.node(*node).below.meets(wanted))
    }

    fn activate(&self, node: u32, active: &mut Vec<u32>) {
        active.push(node);
        if let Some(deep) = self.node(node).deep {
            self.activate(deep, active);
        }
    }

    fn settle(&self, position: &mut Position, exceptions: &[bool]) {
        position.active.sort_unstable();
        position.active.dedup();
        for node in &position.active {
            for index in &self.node(*node).ends_below {
                position.everything.push(*index);
                let exception = exceptions.get(*index as usize).copied().unwrap_or(false);
                position.everything_kinds.add(Kinds::of(exception));
            }
        }
        position.everything.sort_unstable();
        position.everything.dedup();
    }

    fn each_child(&self, node: u32, name: &str, mut found: impl FnMut(u32)) {
        let node = self.node(node);
        if !node.literal.is_empty()
            && let Some(child) = node.literal.get(name)
        {
            found(*child);
        }
        for (length, by_text) in &node.suffixes {
            let tail = name
                .len()
                .checked_sub(*length)
                .and_then(|at| name.get(at..));
            if let Some(child) = tail.and_then(|tail| by_text.get(tail)) {
                found(*child);
            }
        }
        for (length, by_text) in &node.prefixes {
            if let Some(child) = name.get(..*length).and_then(|head| by_text.get(head)) {
                found(*child);
            }
        }
        for (tokens, child) in &node.globs {
            if glob::matches(tokens, name) {
                found(*child);
            }
        }
    }

    /// The child of `parent` for this component; `None` when there is no room for another glob.
    fn child(&mut self, parent: u32, tokens: &[Token]) -> Option<u32> {
        let fresh = self.nodes.len() as u32;
        let node = self.node_mut(parent);
        let child = match shape(tokens) {
            Shape::Literal(text) => *node.literal.entry(text.into()).or_insert(fresh),
            Shape::Suffix(text) => by_length(&mut node.suffixes, text, fresh),
            Shape::Prefix(text) => by_length(&mut node.prefixes, text, fresh),
            Shape::Other => match node.globs.iter().find(|(known, _)| known == tokens) {
                Some((_, child)) => *child,
                None if node.globs.len() == GLOBS => return None,
                None => {
                    node.globs.push((tokens.to_vec(), fresh));
                    fresh
                }
            },
        };
        if child == fresh {
            self.nodes.push(Node::default());
        }
        Some(child)
    }

    fn deep_child(&mut self, parent: u32) -> u32 {
        if let Some(child) = self.node(parent).deep {
            return child;
        }
        let fresh = self.nodes.len() as u32;
        self.node_mut(parent).deep = Some(fresh);
        self.nodes.push(Node {
            sticky: true,
            ..Node::default()
        });
        fresh
    }

    fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    fn node_mut(&mut self, index: u32) -> &mut Node {
        &mut self.nodes[index as usize]
    }
}

fn by_length(table: &mut Vec<(usize, HashMap<Box<str>, u32>)>, text: String, fresh: u32) -> u32 {
    let at = match table.iter().position(|(length, _)| *length == text.len()) {
        Some(at) => at,
        None => {
            table.push((text.len(), HashMap::new()));
            table.len() - 1
        }
    };
    *table[at].1.entry(text.into()).or_insert(fresh)
}

enum Part<'a> {
    /// One component of a path.
    Name(&'a [Token]),
    /// `**/`.
    Deep,
    /// `**` at the end.
    Everything,
}

/// The pattern by path components; `None` when a wildcard inside a component can cross a `/`.
fn components(tokens: &[Token]) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = tokens;
    loop {
        match rest.first() {
            None => return Some(parts),
            Some(Token::DeepDirs) => {
                parts.push(Part::Deep);
                rest = &rest[1..];
            }
            Some(Token::DeepAll) => {
                parts.push(Part::Everything);
                return (rest.len() == 1).then_some(parts);
            }
            Some(_) => {
                let slash = rest.iter().position(|t| *t == Token::Literal('/'));
                let name = &rest[..slash.unwrap_or(rest.len())];
                if name.is_empty() || name.iter().any(Token::crosses_components) {
                    return None;
                }
                parts.push(Part::Name(name));
                match slash {
                    None => return Some(parts),
                    Some(at) => rest = &rest[at + 1..],
                }
            }
        }
    }
}

enum Shape {
    Literal(String),
    Suffix(String),
    Prefix(String),
    Other,
}

fn shape(tokens: &[Token]) -> Shape {
    let literal = |tokens: &[Token]| {
        let text = syntax::literal_prefix(tokens);
        (text.chars().count() == tokens.len()).then_some(text)
    };
    if let Some(text) = literal(tokens) {
        return Shape::Literal(text);
    }
    match tokens {
        [Token::Star, rest @ ..] => literal(rest).map_or(Shape::Other, Shape::Suffix),
        [rest @ .., Token::Star] => literal(rest).map_or(Shape::Other, Shape::Prefix),
        _ => Shape::Other,
    }
}
