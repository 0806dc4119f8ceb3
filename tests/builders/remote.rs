//! Driver `remote`: a proxy gives dockerd's own BuildKit a plain or encrypted socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use buildx::builder::node::Driver;
use buildx::engine::address::Address;
use buildx::engine::dial::{Upgrade, upgrade};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::{Store, one_line, wait_for};
use crate::support::engine::engine;
use crate::support::proxy::{Fault, Proxy};

#[test]
fn unix_and_tcp() {
    for proxy in [
        Proxy::unix(engine().address(), Fault::None),
        Proxy::tcp(engine().address(), Fault::None),
    ] {
        let store = Store::new();
        store.add(
            "remo",
            "remote",
            serde_json::json!([{"Name": "remo0", "Endpoint": proxy.endpoint()}]),
        );
        let found = wait_for(store.find("remo")).unwrap();
        assert_eq!(found.node.driver, Driver::Remote);
        assert_eq!(
            (found.node.builder.as_str(), found.node.node.as_str()),
            ("remo", "remo0")
        );
        assert!(!found.workers.platforms().is_empty());
        assert!(!found.default_network_host);
    }
}

#[test]
fn the_first_node_that_answers_is_taken() {
    let proxy = Proxy::unix(engine().address(), Fault::None);
    let store = Store::new();
    store.add(
        "two",
        "remote",
        serde_json::json!([
            {"Name": "dead", "Endpoint": "unix:///nonexistent/engine.sock"},
            {"Name": "live", "Endpoint": proxy.endpoint(),
             "Platforms": [{"os": "linux", "architecture": "arm", "variant": "v7"}]},
        ]),
    );
    let found = wait_for(store.find("two")).unwrap();
    assert_eq!(found.node.node, "live");
    assert_eq!(found.node.platforms, ["linux/arm/v7"]);
}

/// Certificates in a directory: `ca.pem`, `client.pem`, `client.key`, and a server's that is good
/// for the name `buildkit.test` only.
struct Certificates {
    dir: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let put = |name: &str, pem: String| std::fs::write(dir.path().join(name), pem).unwrap();
        put("ca.pem", ca.pem());
        for (name, host) in [("server", "buildkit.test"), ("client", "client.test")] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
            put(
                &format!("{name}.pem"),
                params.signed_by(&key, &ca).unwrap().pem(),
            );
            put(&format!("{name}.key"), key.serialize_pem());
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path(name)).unwrap()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate("ca.pem")).unwrap();
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![self.certificate("server.pem")],
                PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// An engine that wants a client certificate; returns its endpoint.
async fn tls_engine(certificates: &Certificates, docker: Address) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let acceptor = certificates.acceptor();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, docker) = (acceptor.clone(), docker.clone());
            tokio::spawn(async move {
                let mut client = acceptor.accept(stream).await.ok()?;
                let mut engine = upgrade(&docker, Upgrade::Grpc, &[]).await.ok()?;
                tokio::io::copy_bidirectional(&mut client, &mut engine)
                    .await
                    .ok()
            });
        }
    });
    endpoint
}

fn tls_builder(store: &Store, endpoint: &str, opts: &[(&str, &Path)]) {
    let opts: std::collections::BTreeMap<&str, &Path> = opts.iter().copied().collect();
    store.add(
        "tls",
        "remote",
        serde_json::json!([{"Name": "tls0", "Endpoint": endpoint, "DriverOpts": opts}]),
    );
}

#[tokio::test]
async fn mutual_tls() {
    let certificates = Certificates::new();
    let endpoint = tls_engine(&certificates, engine().address()).await;
    let store = Store::new();
    let ca = certificates.path("ca.pem");
    let cert = certificates.path("client.pem");
    let key = certificates.path("client.key");
    let name = Path::new("buildkit.test");

    let all: [(&str, &Path); 4] = [
        ("cacert", &ca),
        ("cert", &cert),
        ("key", &key),
        ("servername", name),
    ];
    tls_builder(&store, &endpoint, &all);
    let found = store.find("tls").await.unwrap();
    assert!(!found.workers.platforms().is_empty());

    // The address is not the certificate's name.
    tls_builder(&store, &endpoint, &all[..3]);
    let error = one_line(&store.find("tls").await.unwrap_err());
    assert!(error.contains("not valid for name"), "{error}");

    // No client certificate: under TLS 1.3 the server says so only after the handshake.
    tls_builder(&store, &endpoint, &[all[0], all[3]]);
    let error = one_line(&store.find("tls").await.unwrap_err());
    assert!(
        error.contains("CertificateRequired") || error.contains("certificate required"),
        "{error}"
    );

    // A certificate without its key.
    tls_builder(&store, &endpoint, &[all[0], all[1], all[3]]);
    let error = one_line(&store.find("tls").await.unwrap_err());
    assert!(error.contains("set key"), "{error}");

    // A file that is not there.
    let gone = certificates.path("gone.pem");
    tls_builder(&store, &endpoint, &[("cacert", &gone), all[3]]);
    let error = one_line(&store.find("tls").await.unwrap_err());
    assert!(error.contains("gone.pem"), "{error}");

    // The system does not know our authority.
    tls_builder(&store, &endpoint, &all[1..]);
    let error = one_line(&store.find("tls").await.unwrap_err());
    assert!(error.contains("UnknownIssuer"), "{error}");

    // TLS is not asked for at all.
    tls_builder(&store, &endpoint, &[]);
    one_line(&store.find("tls").await.unwrap_err());
}

#[test]
fn a_lost_proxy_is_told_in_one_line() {
    let proxy = Proxy::tcp(engine().address(), Fault::CutAfter(0));
    let store = Store::new();
    store.add(
        "cut",
        "remote",
        serde_json::json!([{"Name": "cut0", "Endpoint": proxy.endpoint()}]),
    );
    let error = one_line(&wait_for(store.find("cut")).unwrap_err());
    assert!(error.contains(&proxy.endpoint()), "{error}");
}
