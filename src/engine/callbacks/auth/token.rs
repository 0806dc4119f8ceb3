//! Fetching a registry token from its realm.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard_buildkit_proto::moby::filesync::v1::{FetchTokenRequest, FetchTokenResponse};
use serde::Deserialize;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::engine::docker_config::Credentials;

/// How long a realm may take; the engine gives up after 60 s.
const ANSWER: Duration = Duration::from_secs(30);

/// Largest answer of a realm, in bytes.
const LARGEST: u64 = 1 << 20;

/// Seconds that a token lives when its realm does not say.
const LIFE: i64 = 60;

/// Why there is no token; one line, without the credentials.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The realm did not answer.
    #[error("the token server {realm} does not answer: {why}")]
    Silent {
        /// Its URL.
        realm: String,
        /// What went wrong.
        why: String,
    },
    /// The realm answered, but with no token.
    #[error(
        "the token server {realm} refused with status {status}; check the login (docker login)"
    )]
    Refused {
        /// Its URL.
        realm: String,
        /// HTTP status.
        status: u16,
    },
    /// A password must not travel in the clear.
    #[error("the token server {0} is not encrypted: the password is not sent to it")]
    Insecure(String),
    /// The answer is no token.
    #[error("the token server {0} sent no token")]
    Malformed(String),
}

/// Gets a token for the scopes of `request`: by OAuth with credentials, then by basic
/// authentication where a realm does not know that; plainly without credentials.
///
/// # Errors
/// [`TokenError`]
pub fn fetch(
    request: &FetchTokenRequest,
    credentials: &Credentials,
) -> Result<FetchTokenResponse, TokenError> {
    if !credentials.registry_token.is_empty() {
        return Ok(FetchTokenResponse {
            token: credentials.registry_token.clone(),
            ..Default::default()
        });
    }
    if !credentials.is_anonymous() && !is_private(&request.realm) {
        return Err(TokenError::Insecure(request.realm.clone()));
    }
    let agent = agent();
    if !credentials.is_anonymous() {
        match post(&agent, request, credentials) {
            // Realms that only know the old way answer in one of these.
            Err(TokenError::Refused {
                status: 401 | 404 | 405,
                ..
            }) if credentials.identity_token.is_empty() => {}
            other => return other,
        }
    }
    get(&agent, request, credentials)
}

/// Whether nobody can listen on the way: encrypted, or not leaving this machine.
fn is_private(realm: &str) -> bool {
    if realm.starts_with("https://") {
        return true;
    }
    let Ok(uri) = realm.parse::<http::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn agent() -> Agent {
    let certificates = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> = certificates
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    Agent::config_builder()
        .timeout_global(Some(ANSWER))
        .http_status_as_error(false)
        .user_agent(concat!("buildx/", env!("CARGO_PKG_VERSION")))
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::Specific(Arc::new(roots)))
                .build(),
        )
        .build()
        .new_agent()
}

fn post(
    agent: &Agent,
    request: &FetchTokenRequest,
    credentials: &Credentials,
) -> Result<FetchTokenResponse, TokenError> {
    let scope = request.scopes.join(" ");
    let client = if request.client_id.is_empty() {
        "buildkit-client"
    } else {
        &request.client_id
    };
    let mut form = vec![
        ("service", request.service.as_str()),
        ("client_id", client),
        ("scope", &scope),
    ];
    if credentials.identity_token.is_empty() {
        form.extend([
            ("grant_type", "password"),
            ("username", credentials.username.as_str()),
            ("password", credentials.password.as_str()),
        ]);
    } else {
        form.extend([
            ("grant_type", "refresh_token"),
            ("refresh_token", credentials.identity_token.as_str()),
        ]);
    }
    read(request, agent.post(&request.realm).send_form(form))
}

fn get(
    agent: &Agent,
    request: &FetchTokenRequest,
    credentials: &Credentials,
) -> Result<FetchTokenResponse, TokenError> {
    let mut call = agent.get(&request.realm);
    if !request.service.is_empty() {
        call = call.query("service", &request.service);
    }
    for scope in &request.scopes {
        call = call.query("scope", scope);
    }
    if !credentials.username.is_empty() {
        let login = format!("{}:{}", credentials.username, credentials.password);
        call = call
            .query("account", &credentials.username)
            .header("Authorization", format!("Basic {}", STANDARD.encode(login)));
    }
    read(request, call.call())
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: i64,
    #[serde(default)]
    issued_at: String,
}

fn read(
    request: &FetchTokenRequest,
    answer: Result<http::Response<Body>, ureq::Error>,
) -> Result<FetchTokenResponse, TokenError> {
    let realm = request.realm.clone();
    let silent = |error: ureq::Error| TokenError::Silent {
        realm: realm.clone(),
        why: error.to_string(),
    };
    let answer = answer.map_err(silent)?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(TokenError::Refused { realm, status });
    }
    let mut body = answer.into_body();
    let bytes = body
        .with_config()
        .limit(LARGEST)
        .read_to_vec()
        .map_err(silent)?;
    let answer: Answer =
        serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed(realm.clone()))?;
    let token = if answer.token.is_empty() {
        answer.access_token
    } else {
        answer.token
    };
    if token.is_empty() {
        return Err(TokenError::Malformed(realm));
    }
    let issued = humantime::parse_rfc3339(&answer.issued_at).unwrap_or_else(|_| SystemTime::now());
    let issued_at = issued
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or_default();
    Ok(FetchTokenResponse {
        token,
        expires_in: if answer.expires_in > 0 {
            answer.expires_in
        } else {
            LIFE
        },
        issued_at,
    })
}

#[cfg(test)]
#[path = "token/tests.rs"]
mod tests;
