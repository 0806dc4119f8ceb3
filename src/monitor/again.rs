//! The way back to a server that was lost.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::exec::Api;
use crate::client::{Client, status};
use crate::proto::controller::InfoRequest;

/// A connection that is made.
type Connecting = Pin<Box<dyn Future<Output = Result<Client, String>> + Send>>;

/// How the server of a monitor is connected to again; without a way, what is lost stays lost.
#[derive(Clone, Default)]
pub struct Again(Option<Arc<dyn Fn() -> Connecting + Send + Sync>>);

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Again({})", self.0.is_some())
    }
}

impl Again {
    /// Through `connect`.
    pub fn new(connect: impl Fn() -> Connecting + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(connect)))
    }

    /// A new connection if that of `api` is lost; `None` while it is there.
    ///
    /// # Errors
    /// It is lost, and there is no way back; one line.
    pub async fn if_lost(&self, api: &mut Api) -> Result<Option<Api>, String> {
        let Some(connect) = &self.0 else {
            return Ok(None);
        };
        match api.info(InfoRequest {}).await {
            Err(lost) if status::is_lost(&lost) => {}
            _ => return Ok(None),
        }
        let client = connect().await?;
        match client.info.in_process {
            false => Ok(Some(client.api)),
            // What the monitor is in is of no interest to a server of its own.
            true => Err("the server has ended; start it with: buildx server start".to_owned()),
        }
    }
}
