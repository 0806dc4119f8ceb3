//! stand-in
use super::state::OpenState;
use crate::proto::controller::*;
use tokio::sync::watch;
use tonic::Status;
#[derive(Debug, Default, Clone)]
pub struct Settings {
    pub scrollback: usize,
    pub retained: usize,
}
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub processes: usize,
    pub clients: usize,
    pub revision: u64,
}
#[derive(Debug, Clone)]
pub struct Processes(
    watch::Receiver<Counts>,
    std::sync::Arc<watch::Sender<Counts>>,
);
pub type Attached =
    std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<AttachOutput, Status>> + Send>>;
pub fn describe(_: &Client) -> String {
    String::new()
}
impl Processes {
    pub fn new(_: impl Into<String>, _: Settings) -> Self {
        let (a, b) = watch::channel(Counts::default());
        Self(b, a.into())
    }
    pub fn watch(&self) -> watch::Receiver<Counts> {
        self.0.clone()
    }
    pub async fn open(&self, _: OpenState) {}
    pub async fn close(&self, _: &str) {}
    pub async fn exec(&self, _: ExecRequest) -> Result<ExecResponse, Status> {
        Err(Status::unimplemented("x"))
    }
    pub async fn rollback(&self, _: ExecRequest, _: &str) -> Result<ExecResponse, Status> {
        Err(Status::unimplemented("x"))
    }
    pub async fn list(&self) -> Vec<Process> {
        vec![]
    }
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
    pub async fn clients(&self) -> Vec<Client> {
        vec![]
    }
    pub async fn signal(&self, _: &str, _: &str, _: &str) -> Result<(), Status> {
        Ok(())
    }
    pub async fn kill(&self, _: &str, _: &str) -> Result<(), Status> {
        Ok(())
    }
    pub async fn attach(
        &self,
        _: AttachStart,
        _: Client,
        _: impl tokio_stream::Stream<Item = Result<AttachInput, Status>> + Send + 'static,
    ) -> Result<Attached, Status> {
        Err(Status::unimplemented("x"))
    }
}
