//! The records, piece by piece.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use futures_util::stream::try_unfold;

use crate::store::{
    ConnectionQuery, ConnectionRecord, Filter, JournalError, MessageQuery, MessageRecord, Order, PageRequest,
    Position, Recorder,
};

use super::super::Api;
use super::super::connections::find;
use super::super::error::ApiResult;
use super::super::extract::{PathParam, QueryPairs};
use super::super::types::{ExportFormat, ExportRequest, parse_export};
use super::hexdump::Hexdump;
use super::ndjson;
use super::pcapng::Pcapng;

/// Connections that are read from the journal at once, and how many messages come with each: all of most of them. A journal of
/// a million short connections would be a million questions otherwise.
const CONNECTIONS: usize = 256;
const FIRST: usize = 4;
/// Messages that are read from the journal at once, and their bytes. One message may exceed that.
const MESSAGES: usize = 500;
const PIECE: usize = 256 << 10;

/// `GET /export`
pub(in super::super) async fn export(State(api): State<Api>, query: QueryPairs) -> ApiResult<Response> {
    let ExportRequest { format, connection, filter } = parse_export(query)?;
    let (media_type, name) = match format {
        ExportFormat::Pcapng => ("application/vnd.tcpdump.pcap", "answerback.pcapng"),
        ExportFormat::Ndjson => ("application/x-ndjson", "answerback.ndjson"),
        ExportFormat::Hexdump => ("text/plain; charset=utf-8", "answerback.txt"),
    };
    // What comes later is not in it: who writes faster than this is read must not make it endless.
    let until = api.recorder.newest().await;
    let mut export = Export::new(Arc::clone(&api.recorder), filter, format, until);
    if let Some(id) = connection {
        export.only(find(&api, &PathParam(id.to_string()), 0, 0).await?);
    }
    // The first piece is read before the answer begins: a journal that cannot be read is an error, and no empty file.
    let begun = export.next().await?;
    let next = |begun: Option<(Bytes, Export)>| async move {
        let Some((bytes, export)) = begun else { return Ok(None) };
        let next = export.next().await.map_err(io::Error::other)?;
        Ok::<_, io::Error>(Some((bytes, next)))
    };
    let mut response = Response::new(Body::from_stream(try_unfold(begun, next)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers.extend(disposition.ok().map(|value| (CONTENT_DISPOSITION, value)));
    Ok(response)
}

/// What writes records down.
enum Writer {
    Pcapng(Box<Pcapng>),
    Hexdump(Hexdump),
    Ndjson,
}

/// An export on its way.
struct Export {
    recorder: Arc<Recorder>,
    filter: Filter,
    /// The newest record that is in it.
    until: Position,
    writer: Writer,
    /// Connections that come next.
    queue: VecDeque<ConnectionRecord>,
    /// Behind this are more; none when all were read.
    after: Option<Position>,
    /// The connection whose messages are being written, and how far.
    current: Option<(ConnectionRecord, Position)>,
    out: Vec<u8>,
}

impl Export {
    fn new(recorder: Arc<Recorder>, filter: Filter, format: ExportFormat, until: Position) -> Self {
        let mut out = Vec::new();
        let writer = match format {
            ExportFormat::Pcapng => Writer::Pcapng(Box::new(Pcapng::begin(&mut out))),
            ExportFormat::Hexdump => Writer::Hexdump(Hexdump::default()),
            ExportFormat::Ndjson => Writer::Ndjson,
        };
        let (queue, after) = (VecDeque::new(), Some(Position::START));
        Self { recorder, filter, until, writer, queue, after, current: None, out }
    }

    /// Makes it an export of this connection alone.
    fn only(&mut self, connection: ConnectionRecord) {
        self.queue.push_back(connection);
        self.after = None;
    }

    /// Some more of it, and the rest; `None` when there is no more.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, JournalError> {
        while self.out.len() < PIECE && self.step().await? {}
        if self.out.is_empty() {
            return Ok(None);
        }
        let bytes = std::mem::take(&mut self.out).into();
        Ok(Some((bytes, self)))
    }

    /// Writes a page of messages, or begins the next connection; whether there was one.
    async fn step(&mut self) -> Result<bool, JournalError> {
        if let Some((connection, after)) = self.current.take() {
            return self.messages(connection, after).await.map(|()| true);
        }
        if self.queue.is_empty() {
            self.fill().await?;
        }
        let Some(mut connection) = self.queue.pop_front() else { return Ok(false) };
        match &mut self.writer {
            Writer::Pcapng(writer) => writer.connection(&connection, &mut self.out),
            Writer::Hexdump(writer) => writer.connection(&connection, &mut self.out),
            Writer::Ndjson => ndjson::connection(&connection, &mut self.out),
        }
        let first = std::mem::take(&mut connection.messages);
        let (last, until) = (first.last().map(|message| message.position), self.until);
        self.write(first.into_iter().filter(|message| message.position <= until).collect()).await?;
        match last.unwrap_or(Position::START) {
            last if connection.more_messages > 0 && last < until => self.current = Some((connection, last)),
            _ => self.end(&connection),
        }
        Ok(true)
    }

    async fn fill(&mut self) -> Result<(), JournalError> {
        let Some(after) = self.after else { return Ok(()) };
        let page =
            PageRequest { order: Order::Ascending, after: Some(after), limit: CONNECTIONS, budget: PIECE };
        let filter = self.filter.clone();
        let query = ConnectionQuery { filter, page, messages: FIRST, payload: usize::MAX };
        let page = self.recorder.journal().connections(query).await?;
        let until = self.until;
        self.after = page.last.filter(|last| page.more && *last < until);
        self.queue.extend(page.items.into_iter().filter(|connection| connection.position <= until));
        Ok(())
    }

    async fn messages(&mut self, connection: ConnectionRecord, after: Position) -> Result<(), JournalError> {
        let page =
            PageRequest { order: Order::Ascending, after: Some(after), limit: MESSAGES, budget: PIECE };
        let id = connection.connection.id;
        let query = MessageQuery { connection: Some(id), filter: Filter::default(), page };
        let mut page = self.recorder.journal().messages(query).await?;
        let until = self.until;
        page.items.retain(|message| message.position <= until);
        self.write(page.items).await?;
        match page.last.filter(|last| page.more && *last < until) {
            Some(last) => self.current = Some((connection, last)),
            None => self.end(&connection),
        }
        Ok(())
    }

    fn end(&mut self, connection: &ConnectionRecord) {
        match &mut self.writer {
            Writer::Pcapng(writer) => writer.end(connection, &mut self.out),
            Writer::Hexdump(writer) => writer.end(connection, &mut self.out),
            Writer::Ndjson => {}
        }
    }

    async fn write(&mut self, messages: Vec<MessageRecord>) -> Result<(), JournalError> {
        match &mut self.writer {
            Writer::Pcapng(writer) => {
                messages.iter().for_each(|message| writer.message(message, &mut self.out))
            }
            Writer::Hexdump(writer) => {
                messages.iter().for_each(|message| writer.message(message, &mut self.out))
            }
            Writer::Ndjson => ndjson::messages(self.recorder.journal(), messages, &mut self.out).await?,
        }
        Ok(())
    }
}
