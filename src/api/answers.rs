//! Large answers on their way, and the bound of all of them together.
//!
//! A client may ask for a page and never read it. Its JSON then stays in memory until the server gives the client up, and
//! hundreds of clients can do so at once. So whoever makes a large answer takes a share of a fixed number of bytes first
//! and waits while there is none; the bytes of the answer hold the share until the system has taken the last of them.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::line;
use super::error::{ApiError, ApiResult};

/// Bytes of all large answers together: 64 MiB, sixteen full pages.
const MOST: usize = 64 << 20;
/// An answer that is no larger needs no share, so that small ones do not queue behind large ones: on all of the server's
/// 1,280 connections that is 80 MiB.
const SMALL: usize = 64 << 10;
/// Bytes that are counted as one.
const UNIT: usize = 1 << 10;

/// The bytes that large answers may take up, as they are shared out.
#[derive(Debug, Clone)]
pub(super) struct Answers(Arc<Semaphore>);

/// The part of one answer.
#[derive(Debug)]
pub(super) struct Share(Option<OwnedSemaphorePermit>);

impl Answers {
    /// All of them.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MOST / UNIT)))
    }

    /// A share of so many bytes, in the order of asking, as soon as it is there. Who asks for more than there are gets all
    /// of them. How long that may take is bounded as every answer is.
    ///
    /// # Errors
    /// None: the semaphore is never closed.
    pub(super) async fn share(&self, bytes: usize) -> ApiResult<Share> {
        if bytes <= SMALL {
            return Ok(Share(None));
        }
        let units = u32::try_from(units(bytes).min(MOST / UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.0)
            .acquire_many_owned(units)
            .await
            .map(|permit| Share(Some(permit)))
            .map_err(ApiError::internal)
    }
}

impl Share {
    /// The value as a JSON answer. What it did not need of the share is given back.
    ///
    /// # Errors
    /// None of the API's values can fail to be written.
    pub(super) fn answer(mut self, value: &impl Serialize) -> ApiResult<Response> {
        let json = line(value).map_err(ApiError::internal)?;
        let share = self.0.as_mut().and_then(|all| all.split(units(json.len()).min(all.num_permits())));
        // The server drops the body when it has queued it, but the bytes not before they are written.
        let bytes = Bytes::from_owner(Held { json, share });
        let mut response = Response::new(Body::from(bytes));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

const fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT)
}

struct Held {
    json: Vec<u8>,
    #[expect(dead_code, reason = "held for its drop")]
    share: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.json
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::extract::State;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use crate::api::server::{ServerLimits, spawn};

    use super::*;

    /// More than the sockets of both ends hold.
    const LARGE: usize = 24 << 20;

    async fn large(State(answers): State<Answers>) -> ApiResult<Response> {
        answers.share(2 * LARGE).await?.answer(&"x".repeat(LARGE))
    }

    #[tokio::test]
    async fn an_answer_keeps_its_share_until_it_is_sent_or_its_client_is_gone() {
        let answers = Answers::new();
        let router = Router::new().route("/", get(large)).with_state(answers.clone());
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        spawn(socket, router, ServerLimits::default(), &tasks, stop.clone());
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        client.read_exact(&mut vec![0; 1 << 20]).await.unwrap();
        assert_eq!(
            answers.0.available_permits(),
            (MOST - LARGE) / UNIT - 1,
            "what is not needed is given back"
        );
        let next = tokio::time::timeout(Duration::from_millis(50), answers.share(2 * LARGE));
        assert!(next.await.is_err(), "there is room for one of them only");
        assert!(answers.share(SMALL).await.unwrap().0.is_none(), "a small one does not wait");
        drop(client);
        assert_eq!(answers.share(usize::MAX).await.unwrap().0.unwrap().num_permits(), MOST / UNIT);
        stop.cancel();
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_gives_its_share_back() {
        let answers = Answers::new();
        let answer = answers.share(MOST).await.unwrap().answer(&[1, 2, 3]).unwrap();
        assert_eq!(answers.0.available_permits(), MOST / UNIT - 1);
        assert_eq!(axum::body::to_bytes(answer.into_body(), 100).await.unwrap(), "[1,2,3]\n");
        assert_eq!(answers.0.available_permits(), MOST / UNIT);
    }
}
