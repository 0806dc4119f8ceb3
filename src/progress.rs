//! One model of a build and the printers that show it.
