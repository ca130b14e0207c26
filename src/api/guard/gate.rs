//! The checks in their order, and the layer that runs them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::error::ApiError;

use super::authority::AllowedHost;
use super::host::Hosts;
use super::token::TokenDigest;
use super::{content, origin, token};

/// What the guard goes by.
#[derive(Debug, Clone)]
pub struct GuardConfig {
    /// Where the API listens, with the resolved port.
    pub api_addr: SocketAddr,
    /// More hosts that it answers to.
    pub allow_hosts: Vec<AllowedHost>,
    /// The token, if one is needed.
    pub token: Option<TokenDigest>,
}

/// Decides about requests by their heads.
#[derive(Debug, Clone)]
pub struct Guard {
    hosts: Hosts,
    token: Option<TokenDigest>,
}

impl Guard {
    /// A guard for this service.
    pub fn new(config: GuardConfig) -> Self {
        Self { hosts: Hosts::new(config.api_addr, config.allow_hosts), token: config.token }
    }

    /// Lets a request through.
    ///
    /// # Errors
    /// The answer of the first check that fails: 400 or 421, 403, 401, 415.
    pub fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = self.hosts.check(uri, headers)?;
        origin::check(method, headers, &host)?;
        token::check(self.token.as_ref(), method, uri.path(), headers)?;
        content::check(method, headers)
    }
}

/// The guard as a layer, for `axum::middleware::from_fn_with_state`.
pub async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}
