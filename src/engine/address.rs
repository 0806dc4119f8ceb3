//! Where an engine can be reached, before anything is connected.

use std::path::PathBuf;

/// The files of a TLS client configuration, as buildx's `remote` driver names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file of the certificate authorities to trust; the system's when absent.
    pub cacert: Option<PathBuf>,
    /// PEM file of the client certificate; goes together with `key`.
    pub cert: Option<PathBuf>,
    /// PEM file of the client's private key; goes together with `cert`.
    pub key: Option<PathBuf>,
    /// Name to verify in the server's certificate, instead of the host of the address.
    pub servername: Option<String>,
    /// Accept any server certificate (docker's `tcp://` without `DOCKER_TLS_VERIFY`).
    pub skip_verify: bool,
}

/// A byte stream that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// `host:port`, in the clear or (with `tls`) encrypted.
    Tcp {
        /// Host name or IP address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
        /// TLS configuration; `None` means in the clear.
        tls: Option<TlsFiles>,
    },
    /// A docker host over ssh: `ssh ARGS docker system dial-stdio`.
    Ssh {
        /// Arguments of `ssh` up to and including the host, without a remote command.
        args: Vec<String>,
    },
    /// `buildctl dial-stdio` in a container of this docker host.
    Container {
        /// The docker host's API.
        docker: Box<Address>,
        /// Name or id of the container.
        name: String,
    },
}

/// Which protocol is spoken once a stream is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// BuildKit inside dockerd: HTTP upgrades `/grpc` and `/session` on the Engine API at this address.
    Docker(Address),
    /// BuildKit itself: HTTP/2 with prior knowledge at this address.
    Direct(Address),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp { host, port, .. } if host.contains(':') => {
                write!(f, "tcp://[{host}]:{port}")
            }
            Address::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
            Address::Ssh { args } => {
                write!(
                    f,
                    "ssh://{}",
                    args.last().map(String::as_str).unwrap_or_default()
                )
            }
            Address::Container { name, .. } => write!(f, "docker-container://{name}"),
        }
    }
}

impl Transport {
    /// The address below the protocol.
    pub fn address(&self) -> &Address {
        match self {
            Transport::Docker(address) | Transport::Direct(address) => address,
        }
    }
}
