//! Generated wire types: our own contract and restatements in `proto/`, and BuildKit's messages by short names.

/// Our own contract between clients and the server; documented in `proto/controller.proto`.
pub mod controller {
    #![allow(missing_docs, clippy::all)]
    tonic::include_proto!("buildx.controller.v1");

    impl From<session_event::Event> for SessionEvent {
        fn from(event: session_event::Event) -> Self {
            Self {
                event: Some(event),
                ..Self::default()
            }
        }
    }

    impl Client {
        /// Who it is: `pid 12 on /dev/pts/3`. What the server tells of its clients begins or ends with this.
        pub fn in_words(&self) -> String {
            match (self.pid, self.terminal.as_str()) {
                (0, "") => "somebody".to_owned(),
                (0, terminal) => format!("somebody on {terminal}"),
                (pid, "") => format!("pid {pid}"),
                (pid, terminal) => format!("pid {pid} on {terminal}"),
            }
        }
    }

    /// Without what may be secret: the values of the environment, and what stands in files.
    impl std::fmt::Debug for Caller {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Caller")
                .field("directory", &self.directory)
                .field("terminal", &self.terminal)
                .finish_non_exhaustive()
        }
    }
}

/// BuildKit's file transfer, with bytes decoded without a copy.
pub mod filesync {
    #![allow(missing_docs, clippy::all)]
    tonic::include_proto!("moby.filesync.v1");
}

/// The part of containerd's content service that an engine calls on a client.
pub mod content {
    #![allow(missing_docs, clippy::all)]
    tonic::include_proto!("containerd.services.content.v1");
}

pub use bollard_buildkit_proto::google::rpc::Status as RpcStatus;
pub use bollard_buildkit_proto::moby::buildkit::v1 as control;
pub use bollard_buildkit_proto::moby::buildkit::v1::frontend as gateway;
pub use bollard_buildkit_proto::pb;
