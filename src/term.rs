//! What stands between bytes that others wrote and the user's terminal.
