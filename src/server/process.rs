//! stand-in
use super::state::OpenState;
use crate::proto::controller::*;
use tonic::{Status, Streaming};
#[derive(Debug, Default, Clone)]
pub struct Settings {
    pub scrollback: usize,
}
#[derive(Debug)]
pub struct Processes;
type Out = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<AttachOutput, Status>> + Send>>;
impl Processes {
    pub fn new(_: String, _: Settings, _changed: impl Fn() + Send + Sync + 'static) -> Self {
        Self
    }
    pub fn open(&self, _: OpenState) {}
    pub async fn close(&self, _: &str) {}
    pub async fn exec(&self, _: ExecRequest) -> Result<ExecResponse, Status> {
        Err(Status::unimplemented("x"))
    }
    pub async fn rollback(&self, _: ExecRequest) -> Result<ExecResponse, Status> {
        Err(Status::unimplemented("x"))
    }
    pub fn list(&self) -> Vec<Process> {
        vec![]
    }
    pub fn counts(&self) -> (usize, usize) {
        (0, 0)
    }
    pub fn clients(&self) -> Vec<Client> {
        vec![]
    }
    pub fn not_carried(&self) -> Vec<String> {
        vec![]
    }
    pub async fn signal(&self, _: &str, _: &str, _: &str) -> Result<(), Status> {
        Ok(())
    }
    pub async fn kill(&self, _: &str, _: &str) -> Result<(), Status> {
        Ok(())
    }
    pub fn attach(
        &self,
        _: AttachStart,
        _: Client,
        _: Streaming<AttachInput>,
    ) -> Result<Out, Status> {
        Err(Status::unimplemented("x"))
    }
}
