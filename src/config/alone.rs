//! One setting alone, for the commands beside the service: whatever is wrong with the others.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::error::ConfigError;
use super::layers::{self, Inputs};
use super::read;
use super::settings::{Secret, TokenSetting};

/// Reads the API's address alone: what a client on this machine must know.
///
/// # Errors
/// Layers that cannot be read or contradict each other, or an address that is none.
pub fn listen_address(inputs: &Inputs) -> Result<SocketAddr, ConfigError> {
    let values = layers::merge(inputs)?.values;
    read::listen(&values)
}

/// Reads the data directory alone: what a command that looks into it must know.
///
/// # Errors
/// Layers that cannot be read or contradict each other, or a directory that is none.
pub fn data_dir(inputs: &Inputs) -> Result<PathBuf, ConfigError> {
    let values = layers::merge(inputs)?.values;
    read::data_dir(&values)
}

/// Reads the token alone: what a client of the API on this machine must show. One that is made at start nobody here knows.
///
/// # Errors
/// Layers that cannot be read or contradict each other, or a token that is none.
pub fn token(inputs: &Inputs) -> Result<Option<Secret>, ConfigError> {
    let values = layers::merge(inputs)?.values;
    Ok(match read::token(&values)? {
        TokenSetting::Given(secret) => Some(secret),
        TokenSetting::Automatic | TokenSetting::Off => None,
    })
}
