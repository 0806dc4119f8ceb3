use std::collections::HashMap;
use std::time::Duration;

use tokio_stream::wrappers::ReceiverStream;

use super::*;

/// The engine's side of a transfer, as far as the protocol goes.
struct Receiver {
    requests: mpsc::Sender<Result<Packet, Status>>,
    queue: mpsc::Receiver<Batch>,
    stats: Vec<Stat>,
    files: HashMap<u32, Vec<u8>>,
    finished: Vec<u32>,
    listed: bool,
}

fn packet(kind: PacketType, id: u32) -> Packet {
    Packet {
        r#type: kind.into(),
        id,
        ..Default::default()
    }
}

fn start(root: &Path) -> Receiver {
    let (requests, stream) = mpsc::channel(16);
    let queue = send(
        Arc::from(root),
        Filter::default(),
        ReceiverStream::new(stream),
    );
    Receiver {
        requests,
        queue,
        stats: Vec::new(),
        files: HashMap::new(),
        finished: Vec::new(),
        listed: false,
    }
}

impl Receiver {
    /// Takes the next batch; `None` at the end of the stream.
    async fn step(&mut self) -> Option<Result<bool, Status>> {
        let packets = match self.queue.recv().await? {
            Ok(packets) => packets,
            Err(status) => return Some(Err(status)),
        };
        let mut fin = false;
        for packet in packets {
            match packet.r#type() {
                PacketType::PacketStat => match packet.stat {
                    Some(stat) => self.stats.push(stat),
                    None => self.listed = true,
                },
                PacketType::PacketData if packet.data.is_empty() => self.finished.push(packet.id),
                PacketType::PacketData => {
                    self.files
                        .entry(packet.id)
                        .or_default()
                        .extend(&packet.data);
                }
                PacketType::PacketFin => fin = true,
                other => panic!("unexpected {other:?}"),
            }
        }
        Some(Ok(fin))
    }

    async fn list(&mut self) {
        while !self.listed {
            self.step().await.unwrap().unwrap();
        }
    }

    fn id(&self, path: &str) -> u32 {
        let position = self.stats.iter().position(|stat| stat.path == path);
        u32::try_from(position.unwrap()).unwrap()
    }

    async fn ask(&mut self, id: u32) {
        let request = packet(PacketType::PacketReq, id);
        self.requests.send(Ok(request)).await.unwrap();
    }

    async fn fetch(&mut self, path: &str) -> Vec<u8> {
        let id = self.id(path);
        self.ask(id).await;
        while !self.finished.contains(&id) {
            self.step().await.unwrap().unwrap();
        }
        self.files.remove(&id).unwrap_or_default()
    }

    /// Says FIN; the answer and then the end of the stream must come without any help.
    async fn finish(mut self) {
        let fin = packet(PacketType::PacketFin, 0);
        self.requests.send(Ok(fin)).await.unwrap();
        // The request side stays open, as the engine's does.
        let end = async {
            let mut answered = false;
            while let Some(step) = self.step().await {
                answered |= step.unwrap();
            }
            answered
        };
        let answered = tokio::time::timeout(Duration::from_secs(20), end).await;
        assert_eq!(answered, Ok(true), "the stream must end after FIN");
    }
}

fn write(dir: &Path, name: &str, content: &[u8]) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

#[tokio::test]
async fn files_of_all_sizes_arrive_whole_and_the_stream_ends_after_fin() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17];
    for size in sizes {
        let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        write(dir.path(), &format!("sub/{size}"), &content);
    }
    let mut engine = start(dir.path());
    engine.list().await;
    for size in sizes {
        let got = engine.fetch(&format!("sub/{size}")).await;
        assert_eq!(
            got,
            std::fs::read(dir.path().join(format!("sub/{size}"))).unwrap()
        );
    }
    engine.finish().await;
}

#[tokio::test]
async fn requests_are_answered_while_entries_are_still_being_told() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..5000 {
        write(
            dir.path(),
            &format!("d{:02}/f{i:04}", i % 50),
            format!("{i}").as_bytes(),
        );
    }
    let mut engine = start(dir.path());
    engine.step().await.unwrap().unwrap();
    assert!(!engine.listed);
    let early = engine.stats[1].path.clone();
    let want = std::fs::read(dir.path().join(&early)).unwrap();
    assert_eq!(engine.fetch(&early).await, want);
    engine.list().await;
    let files: Vec<String> = engine
        .stats
        .iter()
        .filter(|stat| stat.mode & (1 << 31) == 0)
        .map(|stat| stat.path.clone())
        .collect();
    assert_eq!(files.len(), 5000);
    for path in files.iter().skip(1).step_by(97) {
        let want = std::fs::read(dir.path().join(path)).unwrap();
        assert_eq!(engine.fetch(path).await, want, "{path}");
    }
    engine.finish().await;
}

#[tokio::test]
async fn a_vanished_file_is_empty_and_a_link_in_its_place_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "gone", b"x");
    write(dir.path(), "swapped", b"x");
    write(dir.path(), "below/file", b"x");
    let mut engine = start(dir.path());
    engine.list().await;
    std::fs::remove_file(dir.path().join("gone")).unwrap();
    std::fs::remove_file(dir.path().join("swapped")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("swapped")).unwrap();
    std::fs::remove_dir_all(dir.path().join("below")).unwrap();
    std::os::unix::fs::symlink("/etc", dir.path().join("below")).unwrap();
    for path in ["gone", "swapped", "below/file"] {
        assert_eq!(engine.fetch(path).await, b"", "{path}");
    }
    engine.finish().await;
}

#[tokio::test]
async fn what_was_not_told_cannot_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "file", b"x");
    let mut engine = start(dir.path());
    engine.list().await;
    engine.ask(7).await;
    let error = engine.step().await.unwrap().unwrap_err();
    assert!(error.message().contains("entry 7"), "{error}");
}

#[tokio::test]
async fn a_missing_root_is_an_error_in_words() {
    let mut engine = start(Path::new("/nonexistent/context"));
    let error = engine.step().await.unwrap().unwrap_err();
    assert!(error.message().contains("/nonexistent/context"), "{error}");
}

#[tokio::test]
async fn threads_end_when_the_connection_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3000 {
        write(dir.path(), &format!("f{i}"), b"x");
    }
    let root: Arc<Path> = Arc::from(dir.path());
    let (requests, stream) = mpsc::channel(1);
    let queue = send(
        Arc::clone(&root),
        Filter::default(),
        ReceiverStream::new(stream),
    );
    drop(queue);
    drop(requests);
    let gone = async {
        while Arc::strong_count(&root) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .unwrap();
}

#[test]
fn without_openat2_no_link_is_followed_either() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a/b/file", b"x");
    std::os::unix::fs::symlink("b", dir.path().join("a/link")).unwrap();
    std::os::unix::fs::symlink("file", dir.path().join("a/b/last")).unwrap();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = File::open(dir.path()).unwrap();
    let open = |path| open_stepwise(root.as_fd(), path, flags).map(drop);
    assert_eq!(open("a/b/file"), Ok(()));
    assert!(matches!(
        open("a/link/file"),
        Err(Errno::NOTDIR | Errno::LOOP)
    ));
    assert_eq!(open("a/b/last"), Err(Errno::LOOP));
}
