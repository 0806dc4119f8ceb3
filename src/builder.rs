//! Which engine a build runs on: the buildx builder store, docker contexts, and the search order.
//!
//! * [`store`]: builders that `buildx create` and `buildx use` wrote, and what a build leaves there.
//! * [`context`]: docker hosts: `DOCKER_HOST`, docker contexts, endpoint URLs.
//! * [`node`]: one engine that a build can run on, and the driver that reaches it.
//! * [`find`]: the search order, and one error that says everything that was tried.

pub mod context;
pub mod find;
pub mod node;
pub mod store;
