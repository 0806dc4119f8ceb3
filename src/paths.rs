//! Where state, sockets, locks and configuration live.
