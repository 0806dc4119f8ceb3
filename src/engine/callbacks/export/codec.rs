//! The codec that hands gRPC messages through undecoded, and the two payloads that arrive in it.
//!
//! `FileSend.DiffCopy` carries [`BytesMessage`] or [`Packet`] on one path, depending on the exporter
//! (`buildkit-protocol` trap T14), so the service cannot be generated for one message type.

use bytes::{Buf, BufMut, Bytes};
use std::collections::HashMap;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Passes the bytes of each message through; what was received is sliced, not copied.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        dst.reserve(item.len());
        dst.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(src.copy_to_bytes(src.remaining())))
    }
}

/// One piece of a tar stream.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BytesMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub data: Bytes,
}

/// A packet of the file transfer as an engine sends it: like `proto::filesync::Packet`, but names
/// are bytes, because a root file system may hold names that are not UTF-8.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Packet {
    /// A value of `proto::filesync::packet::PacketType`.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(message, optional, tag = "2")]
    pub stat: Option<Stat>,
    #[prost(uint32, tag = "3")]
    pub id: u32,
    #[prost(bytes = "bytes", tag = "4")]
    pub data: Bytes,
}

/// One announced entry; the fields are those of `proto::filesync::Stat`. The stream's owners and
/// device numbers are not read: files belong to the caller, and devices are refused.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Stat {
    #[prost(bytes = "bytes", tag = "1")]
    pub path: Bytes,
    #[prost(uint32, tag = "2")]
    pub mode: u32,
    #[prost(int64, tag = "5")]
    pub size: i64,
    #[prost(int64, tag = "6")]
    pub mod_time: i64,
    #[prost(bytes = "bytes", tag = "7")]
    pub linkname: Bytes,
    #[prost(map = "string, bytes", tag = "10")]
    pub xattrs: HashMap<String, Bytes>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn tar_bytes_are_sliced_not_copied() {
        let wire = Bytes::from(
            BytesMessage {
                data: Bytes::from_static(b"tar bytes"),
            }
            .encode_to_vec(),
        );
        let inside = wire.as_ptr_range();
        let data = BytesMessage::decode(wire.clone()).unwrap().data;
        assert_eq!(data.as_ref(), b"tar bytes");
        assert!(inside.contains(&data.as_ptr()));
    }

    #[test]
    fn packets_agree_with_the_generated_ones() {
        let generated = crate::proto::filesync::Packet {
            r#type: 2,
            stat: Some(crate::proto::filesync::Stat {
                path: "a/b".into(),
                mode: 0o644,
                size: 7,
                mod_time: -3,
                linkname: "t".into(),
                xattrs: [("user.x".to_string(), Bytes::from_static(b"v"))].into(),
                ..Default::default()
            }),
            id: 9,
            data: Bytes::from_static(b"d"),
        };
        let own = Packet::decode(generated.encode_to_vec().as_slice()).unwrap();
        assert_eq!((own.kind, own.id, own.data.as_ref()), (2, 9, &b"d"[..]));
        let stat = own.stat.unwrap();
        assert_eq!(stat.path.as_ref(), b"a/b");
        assert_eq!((stat.mode, stat.size, stat.mod_time), (0o644, 7, -3));
        assert_eq!(stat.linkname.as_ref(), b"t");
        assert_eq!(stat.xattrs["user.x"].as_ref(), b"v");
    }
}
