//! Sequences.
