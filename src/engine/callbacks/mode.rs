//! File modes as the engine says them: the bits of Go's `io/fs.FileMode`, which differ from
//! `st_mode` above the permissions.

use rustix::fs::FileType;

/// A directory.
pub const DIR: u32 = 1 << 31;
/// A symbolic link.
pub const SYMLINK: u32 = 1 << 27;
/// A device; a block device unless [`CHAR_DEVICE`] is set, too.
pub const DEVICE: u32 = 1 << 26;
/// A named pipe.
pub const FIFO: u32 = 1 << 25;
/// A socket.
pub const SOCKET: u32 = 1 << 24;
/// Set user id.
pub const SETUID: u32 = 1 << 23;
/// Set group id.
pub const SETGID: u32 = 1 << 22;
/// Together with [`DEVICE`]: a character device.
pub const CHAR_DEVICE: u32 = 1 << 21;
/// Sticky.
pub const STICKY: u32 = 1 << 20;
/// Something that has no name here.
pub const IRREGULAR: u32 = 1 << 19;
/// All bits that tell a type; a regular file has none of them.
pub const TYPE: u32 = DIR | SYMLINK | DEVICE | FIFO | SOCKET | CHAR_DEVICE | IRREGULAR;

/// The special bits: Go's and those of `st_mode`.
const SPECIAL: [(u32, u32); 3] = [(SETUID, 0o4000), (SETGID, 0o2000), (STICKY, 0o1000)];

/// From a file's own mode. A socket cannot be made again elsewhere: it travels as an empty file.
pub fn from_stat(kind: FileType, st_mode: u32) -> u32 {
    let kind = match kind {
        FileType::Directory => DIR,
        FileType::Symlink => SYMLINK,
        FileType::BlockDevice => DEVICE,
        FileType::CharacterDevice => DEVICE | CHAR_DEVICE,
        FileType::Fifo => FIFO,
        _ => 0,
    };
    let special = SPECIAL.iter().filter(|(_, unix)| st_mode & unix != 0);
    special.fold(kind | st_mode & 0o777, |mode, (go, _)| mode | go)
}

/// The permissions and special bits as those of `st_mode`, without the type.
pub fn permissions(mode: u32) -> u32 {
    let special = SPECIAL.iter().filter(|(go, _)| mode & go != 0);
    special.fold(mode & 0o777, |all, (_, unix)| all | unix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_go_there_and_back() {
        let table = [
            (FileType::RegularFile, 0o100_644, 0o644),
            (FileType::Directory, 0o041_777, DIR | STICKY | 0o777),
            (FileType::Symlink, 0o120_777, SYMLINK | 0o777),
            (FileType::RegularFile, 0o106_755, SETUID | SETGID | 0o755),
            (
                FileType::CharacterDevice,
                0o020_600,
                DEVICE | CHAR_DEVICE | 0o600,
            ),
            (FileType::BlockDevice, 0o060_600, DEVICE | 0o600),
            (FileType::Fifo, 0o010_644, FIFO | 0o644),
            (FileType::Socket, 0o140_755, 0o755),
        ];
        for (kind, st_mode, go) in table {
            assert_eq!(from_stat(kind, st_mode), go, "{st_mode:o}");
            assert_eq!(permissions(go), st_mode & 0o7777, "{st_mode:o}");
        }
    }
}
