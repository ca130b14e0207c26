//! One client of the API, from its first byte to the close.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::limits::ServerLimits;
use super::stream::{Busy, Paced};

/// Serves one client until it goes, breaks a limit, or `stop` and then the grace are over.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: ServerLimits,
    stop: CancellationToken,
) {
    let busy = Busy::default();
    let paced = Paced::new(stream, busy.clone(), &limits);
    let routes = Routes { router, peer, busy };
    let mut connection = builder(&limits).serve_connection(TokioIo::new(paced), routes);
    let mut done = poll_fn(|cx| connection.poll_without_shutdown(cx));
    let outcome = tokio::select! {
        outcome = &mut done => outcome,
        () = stop.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            let done = poll_fn(|cx| connection.poll_without_shutdown(cx));
            match tokio::time::timeout(limits.grace, done).await {
                Ok(outcome) => outcome,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%peer, %error, "a connection to the API broke");
    }
    let paced = connection.into_parts().io.into_inner();
    let late = paced.was_late();
    let closing = close(paced.into_inner(), late);
    // Whoever has not closed by then has had its time; an error means that there is nobody to be polite to.
    drop(tokio::time::timeout(limits.linger, closing).await);
}

fn builder(limits: &ServerLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // `Paced` keeps the two apart and ends both earlier; this one holds if it should ever fail to.
        .header_read_timeout(limits.idle + limits.header)
        .max_buf_size(limits.buffer);
    builder
}

/// Says goodbye and takes in what is still on its way: closing on unread bytes is a reset, and a reset can overtake the
/// answer that says what was wrong.
async fn close(mut stream: TcpStream, late: bool) -> std::io::Result<()> {
    if late {
        let answer = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await?;
    }
    stream.shutdown().await?;
    let mut sink = vec![0; 8 * 1024];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

/// The routes, as hyper wants them.
struct Routes {
    router: Router,
    peer: SocketAddr,
    busy: Busy,
}

impl Service<Request<Incoming>> for Routes {
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.busy.set(true);
        let answered = Answered(self.busy.clone());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let routing = self.router.clone().oneshot(request);
        Box::pin(async move { Ok(routing.await?.map(|body| Tracked { body, answered })) })
    }
}

/// Ends the request when it is dropped.
struct Answered(Busy);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// An answer's body; when hyper drops it, all of it is on its way.
struct Tracked {
    body: Body,
    #[expect(dead_code, reason = "held for its drop")]
    answered: Answered,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
