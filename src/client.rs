//! The client's side of the server.
//!
//! [`follow`] shows a build as the server tells it; [`caller`] collects what belongs to the user who
//! asks; [`pipes`] carries standard input and output of a build; [`status`] puts refusals into words.

use tonic::transport::Channel;

use crate::proto::controller::controller_client::ControllerClient;

pub mod caller;
pub mod follow;
pub mod pipes;
pub mod status;

/// The typed handle on the server.
pub type Api = ControllerClient<Channel>;
