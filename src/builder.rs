//! Which engine a build runs on: the buildx builder store, docker contexts, and the search order.
