//! Where the agent listens, and who may ask there: the socket file, its folder, TCP, and connections within bounds.

mod access;
pub(crate) mod connections;
#[cfg(unix)]
pub(crate) mod socket_file;
#[cfg(unix)]
mod socket_folder;
