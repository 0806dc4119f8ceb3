//! Registry logins: the engine asks this side for tokens, so that passwords stay here.
//!
//! An engine that may have a token made for it first asks for a public key (the *authority*), and
//! later has that key's owner sign a challenge before it uses a cached token for another build.

pub mod seed;
pub mod token;

use std::sync::Arc;

use bollard_buildkit_proto::moby::filesync::v1::auth_server::{Auth as Service, AuthServer};
use bollard_buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse,
    GetTokenAuthorityRequest, GetTokenAuthorityResponse, VerifyTokenAuthorityRequest,
    VerifyTokenAuthorityResponse,
};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use tonic::{Request, Response, Status};

use crate::engine::docker_config::{ConfigError, Credentials, DockerConfig};

/// The service.
#[derive(Clone, Debug)]
pub struct Auth {
    config: Arc<DockerConfig>,
    client_tokens: bool,
}

impl Auth {
    /// Logs in with what `config` knows. Without `client_tokens` (`BUILDKIT_NO_CLIENT_TOKEN`), the
    /// engine fetches tokens itself, with the passwords.
    pub fn new(config: Arc<DockerConfig>, client_tokens: bool) -> Self {
        Self {
            config,
            client_tokens,
        }
    }

    /// The service as it is added to the connection.
    pub fn service(&self) -> AuthServer<Self> {
        AuthServer::new(self.clone())
    }

    /// Runs something that reads files, runs helpers or talks to a server.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&DockerConfig) -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let config = Arc::clone(&self.config);
        tokio::task::spawn_blocking(move || work(&config))
            .await
            .map_err(|error| Status::internal(error.to_string()))?
    }

    async fn authority(&self, host: String, salt: Vec<u8>) -> Result<Ed25519KeyPair, Status> {
        if !self.client_tokens {
            return Err(Status::unavailable("client side tokens are disabled"));
        }
        self.blocking(move |config| {
            let anonymous = credentials(config, &host)?.is_anonymous();
            let key = hmac::Key::new(hmac::HMAC_SHA256, &salt);
            // All anonymous users share a key, and so the engine's cached tokens.
            let message = if anonymous {
                Vec::new()
            } else {
                seed::of_host(config.directory(), &host)
                    .map_err(|error| Status::unavailable(format!("token seed: {error}")))?
            };
            let tag = hmac::sign(&key, &message);
            Ed25519KeyPair::from_seed_unchecked(tag.as_ref())
                .map_err(|_| Status::internal("no key from the token seed"))
        })
        .await
    }
}

fn credentials(config: &DockerConfig, host: &str) -> Result<Credentials, Status> {
    config
        .credentials(host)
        .map_err(|ConfigError(text)| Status::failed_precondition(text))
}

#[tonic::async_trait]
impl Service for Auth {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let host = request.into_inner().host;
        let found = self
            .blocking(move |config| credentials(config, &host))
            .await?;
        // An identity token travels as a password without a name.
        let response = if found.identity_token.is_empty() {
            CredentialsResponse {
                username: found.username,
                secret: found.password,
            }
        } else {
            CredentialsResponse {
                username: String::new(),
                secret: found.identity_token,
            }
        };
        Ok(Response::new(response))
    }

    async fn fetch_token(
        &self,
        request: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        let request = request.into_inner();
        self.blocking(move |config| {
            let credentials = credentials(config, &request.host)?;
            token::fetch(&request, &credentials)
                .map_err(|error| Status::unauthenticated(format!("{}: {error}", request.host)))
        })
        .await
        .map(Response::new)
    }

    async fn get_token_authority(
        &self,
        request: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        let request = request.into_inner();
        let key = self.authority(request.host, request.salt).await?;
        Ok(Response::new(GetTokenAuthorityResponse {
            public_key: key.public_key().as_ref().to_vec(),
        }))
    }

    async fn verify_token_authority(
        &self,
        request: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        let request = request.into_inner();
        let key = self.authority(request.host, request.salt).await?;
        let mut signed = key.sign(&request.payload).as_ref().to_vec();
        signed.extend_from_slice(&request.payload);
        Ok(Response::new(VerifyTokenAuthorityResponse { signed }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(json: &str) -> (tempfile::TempDir, Auth) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), json).unwrap();
        let config = Arc::new(DockerConfig::load(dir.path()).unwrap());
        (dir, Auth::new(config, true))
    }

    async fn key(auth: &Auth, host: &str, salt: &[u8]) -> Vec<u8> {
        let request = GetTokenAuthorityRequest {
            host: host.into(),
            salt: salt.into(),
        };
        let response = auth.get_token_authority(Request::new(request)).await;
        response.unwrap().into_inner().public_key
    }

    #[tokio::test]
    async fn the_authority_signs_what_its_key_verifies() {
        let (_dir, auth) = auth(r#"{"auths":{"a.example":{"auth":"dTpw"}}}"#);
        let (salt, payload) = (b"salt".to_vec(), b"challenge".to_vec());
        let public = key(&auth, "a.example", &salt).await;
        let request = VerifyTokenAuthorityRequest {
            host: "a.example".into(),
            payload: payload.clone(),
            salt: salt.clone(),
        };
        let signed = auth
            .verify_token_authority(Request::new(request))
            .await
            .unwrap()
            .into_inner()
            .signed;
        let (signature, rest) = signed.split_at(64);
        assert_eq!(rest, payload);
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &public)
            .verify(&payload, signature)
            .unwrap();

        assert_eq!(key(&auth, "a.example", &salt).await, public, "stable");
        assert_ne!(key(&auth, "a.example", b"pepper").await, public);
        assert_ne!(key(&auth, "anonymous.example", &salt).await, public);
        assert_eq!(
            key(&auth, "anonymous.example", &salt).await,
            key(&auth, "other.example", &salt).await,
            "anonymous users are alike"
        );
    }

    #[tokio::test]
    async fn without_client_tokens_the_engine_gets_credentials_only() {
        let (_dir, auth) = auth(r#"{"auths":{"t.example":{"identitytoken":"refresh"}}}"#);
        let auth = Auth::new(Arc::clone(&auth.config), false);
        let request = GetTokenAuthorityRequest::default();
        let refused = auth.get_token_authority(Request::new(request)).await;
        assert_eq!(refused.unwrap_err().code(), tonic::Code::Unavailable);
        let request = CredentialsRequest {
            host: "t.example".into(),
        };
        let response = Service::credentials(&auth, Request::new(request)).await;
        let response = response.unwrap().into_inner();
        assert_eq!(
            (response.username.as_str(), response.secret.as_str()),
            ("", "refresh")
        );
    }
}
