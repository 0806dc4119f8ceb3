//! Processes in the containers of builds that stay open, on the real engine: where they start, how
//! they share a container, how they end, and what those see who are attached.

mod attached;
mod containers;
mod output;
mod places;
mod session;
