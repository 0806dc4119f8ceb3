//! Receiving a file tree (exporter `local`): the engine lists entries, this side asks for the files
//! it wants and writes them beneath the destination.
//!
//! The engine may be anyone's, so every name is checked before it is used: entries come depth
//! first in byte order (`/` lowest), each below a directory that was announced; this refuses
//! doubles and entries below symlinks in passing, without a table of all names.

use super::beneath::{self, Draft, Meta, Root};
use super::codec::{Packet, Stat};
use super::path::{self, split};
use crate::engine::callbacks::mode;
use crate::proto::filesync as wire;
use bytes::Bytes;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet, VecDeque, hash_map::RandomState};
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::packet::PacketType;

/// How many files are asked for and not yet complete. The engine reads four at a time; more asked
/// ones only hide the way there and back.
pub(crate) const WINDOW: usize = 128;

/// Why a transfer was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error("the engine sent the entry {name}, which is refused: {why}")]
    Refused { name: String, why: &'static str },
    #[error("cannot use {dest} as the destination directory: {why}")]
    Destination { dest: String, why: io::Error },
    #[error("cannot write {name} in {dest}: {why}")]
    Write {
        name: String,
        dest: String,
        why: io::Error,
    },
    #[error("the engine broke the rules of the file transfer: {0}")]
    Protocol(String),
    #[error("the engine gave up sending files: {0}")]
    Engine(String),
    #[error("the transfer of files broke off before its end")]
    BrokenOff,
}

/// Whether the transfer goes on after a packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Packet,
    /// Everything is in place and the engine knows.
    Done,
}

/// A name for messages: control and direction characters escaped, cut to a readable length.
fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    match text.char_indices().nth(120) {
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
        None => format!("{text:?}"),
    }
}

/// A regular file whose content is still to come.
#[derive(Debug)]
struct Pending {
    path: Box<[u8]>,
    size: u64,
    meta: Meta,
}

#[derive(Debug)]
struct Open {
    file: Pending,
    /// Made with the first piece of content, so that few files are open.
    draft: Option<Draft<Arc<OwnedFd>>>,
    written: u64,
}

#[derive(Debug)]
struct HardLink {
    path: Box<[u8]>,
    target: Box<[u8]>,
}

/// The last directory used, as most neighbours share it.
#[derive(Debug, Default)]
struct Near(Option<(Box<[u8]>, Arc<OwnedFd>)>);

impl Near {
    fn dir(&mut self, root: &Root, path: &[u8]) -> io::Result<Arc<OwnedFd>> {
        if let Some((known, fd)) = &self.0
            && known.as_ref() == path
        {
            return Ok(fd.clone());
        }
        let fd = Arc::new(root.dir(path)?);
        self.0 = Some((path.into(), fd.clone()));
        Ok(fd)
    }
}

/// One transfer. It keeps a few hundred bytes for each directory and for each file that was
/// announced and not yet received, and eight bytes for each file; content is written at once.
#[derive(Debug)]
pub(crate) struct Receiver {
    dest: PathBuf,
    root: Root,
    next_id: u32,
    last: Vec<u8>,
    /// Path of the directory that the last entry was, or was in.
    chain: Vec<u8>,
    /// Where entries are made, and where content is written: two places in the tree.
    near: Near,
    near_content: Near,
    dirs: Vec<(Box<[u8]>, Meta)>,
    links: Vec<HardLink>,
    /// Keyed hashes of the names a hard link may point to. A false hit (2^-64) does no harm: the
    /// name is then looked up beneath the root like any other.
    linkable: HashSet<u64>,
    hasher: RandomState,
    waiting: VecDeque<(u32, Pending)>,
    open: HashMap<u32, Open>,
    listed: bool,
    finished: bool,
}

impl Receiver {
    pub fn new(dest: &Path) -> Result<Self, ReceiveError> {
        let root = Root::open(dest).map_err(|why| ReceiveError::Destination {
            dest: shown(dest.as_os_str().as_encoded_bytes()),
            why,
        })?;
        Ok(Receiver {
            dest: dest.to_path_buf(),
            root,
            next_id: 0,
            last: Vec::new(),
            chain: Vec::new(),
            near: Near::default(),
            near_content: Near::default(),
            dirs: Vec::new(),
            links: Vec::new(),
            linkable: HashSet::new(),
            hasher: RandomState::new(),
            waiting: VecDeque::new(),
            open: HashMap::new(),
            listed: false,
            finished: false,
        })
    }

    /// Takes one packet of the engine; what is to be said in return goes to `reply`: never more
    /// than [`WINDOW`] + 1 packets ahead of the engine's answers.
    pub fn packet(
        &mut self,
        packet: Packet,
        reply: &mut dyn FnMut(wire::Packet),
    ) -> Result<Next, ReceiveError> {
        match PacketType::try_from(packet.kind) {
            Ok(PacketType::PacketStat) if self.listed => {
                return Err(ReceiveError::Protocol(
                    "an entry after the end of the list".into(),
                ));
            }
            Ok(PacketType::PacketStat) => match packet.stat {
                Some(stat) => self.entry(stat)?,
                None => self.listed = true,
            },
            Ok(PacketType::PacketData) => self.content(packet.id, &packet.data)?,
            Ok(PacketType::PacketFin) if self.finished => return Ok(Next::Done),
            Ok(PacketType::PacketFin) => {
                return Err(ReceiveError::Protocol("its end before ours".into()));
            }
            Ok(PacketType::PacketErr) => {
                return Err(ReceiveError::Engine(shown(&packet.data)));
            }
            Ok(PacketType::PacketReq) | Err(_) => {
                return Err(ReceiveError::Protocol(format!(
                    "a packet of type {}",
                    packet.kind
                )));
            }
        }
        while self.open.len() < WINDOW
            && let Some((id, file)) = self.waiting.pop_front()
        {
            self.open.insert(
                id,
                Open {
                    file,
                    draft: None,
                    written: 0,
                },
            );
            reply(wire::Packet {
                r#type: PacketType::PacketReq.into(),
                id,
                ..Default::default()
            });
        }
        if self.listed && self.open.is_empty() && !self.finished {
            self.finish()?;
            self.finished = true;
            reply(wire::Packet {
                r#type: PacketType::PacketFin.into(),
                ..Default::default()
            });
        }
        Ok(Next::Packet)
    }

    fn write_error(&self, name: &[u8]) -> impl FnOnce(io::Error) -> ReceiveError + use<> {
        let (name, dest) = (shown(name), shown(self.dest.as_os_str().as_encoded_bytes()));
        move |why| ReceiveError::Write { name, dest, why }
    }

    fn entry(&mut self, stat: Stat) -> Result<(), ReceiveError> {
        let id = self.next_id;
        self.next_id = id
            .checked_add(1)
            .ok_or_else(|| ReceiveError::Protocol("too many entries".into()))?;
        let path = stat.path.clone();
        let refuse = |why| ReceiveError::Refused {
            name: shown(&path),
            why,
        };
        let (parent, name) = self.fits(&path).map_err(refuse)?;
        let kind = stat.mode & mode::TYPE;
        let meta = Meta {
            mode: mode::permissions(stat.mode),
            mtime: stat.mod_time,
            xattrs: stat
                .xattrs
                .into_iter()
                .map(|(key, value)| (key, value.as_ref().into()))
                .collect(),
        };
        let dir = self
            .near
            .dir(&self.root, parent)
            .map_err(self.write_error(&path))?;
        let dir = dir.as_fd();
        match kind {
            mode::DIR => {
                beneath::make_dir(dir, name).map_err(self.write_error(&path))?;
                self.dirs.push((path.as_ref().into(), meta));
            }
            mode::SYMLINK => {
                if stat.linkname.is_empty() || stat.linkname.contains(&0) {
                    return Err(refuse("its link target is empty or holds a NUL"));
                }
                beneath::symlink(dir, name, &stat.linkname, &meta)
                    .map_err(self.write_error(&path))?;
            }
            0 | mode::FIFO if !stat.linkname.is_empty() => {
                self.hard_link(&path, &stat.linkname).map_err(refuse)?;
            }
            0 => {
                let size = u64::try_from(stat.size).map_err(|_| refuse("its size is negative"))?;
                self.file(id, &path, size, meta)?;
            }
            mode::FIFO => {
                self.linkable.insert(self.hasher.hash_one(path.as_ref()));
                beneath::fifo(dir, name, &meta).map_err(self.write_error(&path))?;
            }
            mode::SOCKET => {}
            _ if kind & (mode::DEVICE | mode::CHAR_DEVICE) != 0 => {
                return Err(refuse(
                    "it is a device node (use an output of type tar to keep it)",
                ));
            }
            _ => return Err(refuse("it is of an unknown type")),
        }
        self.chain.clear();
        self.chain
            .extend_from_slice(if kind == mode::DIR { &path } else { parent });
        self.last.clear();
        self.last.extend_from_slice(&path);
        Ok(())
    }

    /// Parent and name of an entry that may come here.
    fn fits<'a>(&self, path: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), &'static str> {
        path::check(path)?;
        match path::order(&self.last).cmp(path::order(path)) {
            Ordering::Less => {}
            Ordering::Equal => return Err("it was sent twice"),
            Ordering::Greater => return Err("it is out of order"),
        }
        let (parent, name) = split(path);
        if !path::is_self_or_ancestor(parent, &self.chain) {
            return Err("its parent was not sent as a directory");
        }
        Ok((parent, name))
    }

    fn hard_link(&mut self, path: &[u8], target: &[u8]) -> Result<(), &'static str> {
        path::check(target)
            .map_err(|_| "it is a hard link that leads outside of the destination")?;
        if !self.linkable.contains(&self.hasher.hash_one(target)) {
            return Err("it is a hard link to a file that was not sent before");
        }
        self.links.push(HardLink {
            path: path.into(),
            target: target.into(),
        });
        Ok(())
    }

    /// A regular file; without content it is complete at once.
    fn file(&mut self, id: u32, path: &[u8], size: u64, meta: Meta) -> Result<(), ReceiveError> {
        self.linkable.insert(self.hasher.hash_one(path));
        let file = Pending {
            path: path.into(),
            size,
            meta,
        };
        if size == 0 {
            return self.place(Open {
                file,
                draft: None,
                written: 0,
            });
        }
        self.waiting.push_back((id, file));
        Ok(())
    }

    fn content(&mut self, id: u32, data: &Bytes) -> Result<(), ReceiveError> {
        let Some(mut open) = self.open.remove(&id) else {
            return Err(ReceiveError::Protocol(format!(
                "content that was not asked for (id {id})"
            )));
        };
        if data.is_empty() {
            return self.place(open);
        }
        open.written += data.len() as u64;
        if open.written > open.file.size {
            let name = shown(&open.file.path);
            return Err(ReceiveError::Refused {
                name,
                why: "it is longer than announced",
            });
        }
        let written = self
            .draft(&mut open)
            .and_then(|draft| draft.file.write_all(data));
        written.map_err(self.write_error(&open.file.path))?;
        self.open.insert(id, open);
        Ok(())
    }

    fn draft<'a>(&mut self, open: &'a mut Open) -> io::Result<&'a mut Draft<Arc<OwnedFd>>> {
        let draft = match open.draft.take() {
            Some(draft) => draft,
            None => {
                let (parent, _) = split(&open.file.path);
                Draft::new(self.near_content.dir(&self.root, parent)?)?
            }
        };
        Ok(open.draft.insert(draft))
    }

    fn place(&mut self, mut open: Open) -> Result<(), ReceiveError> {
        if open.written != open.file.size {
            let name = shown(&open.file.path);
            return Err(ReceiveError::Refused {
                name,
                why: "it is shorter than announced",
            });
        }
        let made = self.draft(&mut open).map(|_| ());
        made.map_err(self.write_error(&open.file.path))?;
        let Open { file, draft, .. } = open;
        match draft {
            Some(draft) => draft
                .place(split(&file.path).1, &file.meta)
                .map_err(self.write_error(&file.path)),
            None => Ok(()),
        }
    }

    /// Hard links, now that their targets are complete; then directories, innermost first, whose
    /// modes may shut us out and whose times change with each entry made in them.
    fn finish(&mut self) -> Result<(), ReceiveError> {
        for HardLink { path, target } in std::mem::take(&mut self.links) {
            let (target_parent, target_name) = split(&target);
            let (parent, name) = split(&path);
            let made = self.root.dir(target_parent).and_then(|target_dir| {
                let dir = self.near.dir(&self.root, parent)?;
                beneath::hard_link(target_dir.as_fd(), target_name, dir.as_fd(), name)
            });
            made.map_err(self.write_error(&path))?;
        }
        for (path, meta) in std::mem::take(&mut self.dirs).into_iter().rev() {
            let done = self
                .root
                .dir(&path)
                .and_then(|dir| beneath::finish_dir(dir.as_fd(), &meta));
            done.map_err(self.write_error(&path))?;
        }
        Ok(())
    }
}
