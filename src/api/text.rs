//! Records as they are shown, with their texts.
//!
//! The text of a frame is that of its content, read by itself. The text of a message that is a read depends on what stood
//! before it in its stream. A page mostly holds neighbours, which are
//! decoded in one go; where it begins in the middle, the journal is asked for as much of what stands before as it takes.

use std::collections::HashMap;

use encoding_rs::{Encoding, UTF_8};

use crate::domain::{Charset, ConnectionId, Direction, Message};
use crate::store::{
    ConnectionRecord, Filter, Journal, JournalError, MessageQuery, MessageRecord, Order, PageRequest,
};
use crate::wire::{StreamDecoder, detect, sync_point};

use super::error::{ApiError, ApiResult};
use super::types::{ConnectionView, MessageView, Reading, Style, WrittenMessage};

/// Bytes before a message that are looked at first: mostly there is a line break or a blank among them.
const FIRST_LOOK: usize = 4 << 10;
/// Bytes before a message that are looked at for its sake at most. Where they hold nothing but double bytes, these are
/// taken to stand at even positions of the stream, as they do when there was never anything else.
const LONGEST_LOOK: usize = 1 << 20;
/// Bytes that are looked at for the sake of one answer; then only `FIRST_LOOK` for each message.
const ALL_LOOKS: usize = 32 << 20;
/// Bytes before a message that help to guess what the peer speaks, where messages are short.
const CONTEXT: usize = 256;
/// Bytes of a stream's beginning from which `auto` is guessed.
const BEGINNING: usize = 64 << 10;
/// Messages in which this beginning is looked for.
const BEGINNING_MESSAGES: usize = 256;
/// Payload bytes after which others get their turn: a few milliseconds of decoding and writing.
const TURN: usize = 256 << 10;

type Key = (ConnectionId, Direction);

/// Makes views of the records of one answer.
pub(super) struct Reader<'a> {
    journal: &'a dyn Journal,
    style: Style,
    streams: HashMap<Key, Stream>,
    guessed: HashMap<Key, &'static Encoding>,
    looks_left: usize,
    since_turn: usize,
}

/// One direction of a connection, as far as it was read.
struct Stream {
    decoder: StreamDecoder,
    /// Where the next message begins.
    offset: u64,
    /// The last bytes before that.
    context: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// A reader for one answer.
    pub(super) fn new(journal: &'a dyn Journal, style: Style) -> Self {
        let (streams, guessed) = (HashMap::new(), HashMap::new());
        Self { journal, style, streams, guessed, looks_left: ALL_LOOKS, since_turn: 0 }
    }

    /// Views of a page of messages that came in this order.
    pub(super) async fn messages(
        &mut self,
        mut records: Vec<MessageRecord>,
        order: Order,
    ) -> ApiResult<Vec<WrittenMessage>> {
        // A stream is read forwards.
        if order == Order::Descending {
            records.reverse();
        }
        let mut views = Vec::with_capacity(records.len());
        for record in records {
            views.push(self.message(record).await?);
        }
        if order == Order::Descending {
            views.reverse();
        }
        Ok(views)
    }

    /// Views of a page of connections.
    pub(super) async fn connections(
        &mut self,
        records: Vec<ConnectionRecord>,
    ) -> ApiResult<Vec<ConnectionView>> {
        let mut views = Vec::with_capacity(records.len());
        for record in records {
            views.push(self.connection(record).await?);
        }
        Ok(views)
    }

    /// The view of one connection.
    pub(super) async fn connection(&mut self, mut record: ConnectionRecord) -> ApiResult<ConnectionView> {
        let messages = self.messages(std::mem::take(&mut record.messages), Order::Ascending).await?;
        Ok(ConnectionView::new(record, messages))
    }

    async fn message(&mut self, record: MessageRecord) -> ApiResult<WrittenMessage> {
        let message = &record.message;
        let encoding = match self.style.encoding.unwrap_or(message.charset) {
            Charset::Fixed(encoding) => encoding,
            Charset::Auto => self.guess(&record).await?,
        };
        if message.is_frame() {
            return self.frame(record, encoding).await;
        }
        let mut stream = self.stream(&record, encoding).await?;
        let detected = match message.direction {
            Direction::Received => stream.detect(message),
            Direction::Sent => None,
        };
        let payload = &message.payload;
        let is_shortened = (payload.len() as u64) < record.stored;
        let decoded = if is_shortened {
            stream.decoder.decode(payload)
        } else if record.newest || message.is_cut() {
            stream.decoder.finish(payload)
        } else {
            let decoded = stream.decoder.decode(payload);
            stream.pass(payload);
            self.streams.insert((message.connection, message.direction), stream);
            decoded
        };
        self.take_turns(payload.len()).await;
        let reading = Reading { decoded, encoding, detected };
        MessageView::new(record, reading, self.style.payload).write().map_err(ApiError::internal)
    }

    /// A frame begins and ends where its sender says: no character reaches over its borders.
    async fn frame(
        &mut self,
        record: MessageRecord,
        encoding: &'static Encoding,
    ) -> ApiResult<WrittenMessage> {
        let message = &record.message;
        let content = message.content().of(&message.payload);
        let is_whole = content.len() as u64 == message.content().size;
        let mut decoder = StreamDecoder::new(encoding, 0);
        let is_shortened = !is_whole && (message.payload.len() as u64) < record.stored;
        let decoded = if is_shortened { decoder.decode(content) } else { decoder.finish(content) };
        let detected = match message.direction {
            Direction::Received => detect(content, message.charset),
            Direction::Sent => None,
        };
        self.take_turns(message.payload.len()).await;
        let reading = Reading { decoded, encoding, detected };
        MessageView::new(record, reading, self.style.payload).write().map_err(ApiError::internal)
    }

    /// The stream of a message, read up to where the message begins.
    async fn stream(
        &mut self,
        record: &MessageRecord,
        encoding: &'static Encoding,
    ) -> Result<Stream, JournalError> {
        let message = &record.message;
        let known = self.streams.remove(&(message.connection, message.direction));
        match known.filter(|stream| stream.offset == message.offset) {
            Some(stream) if stream.decoder.encoding() == encoding => Ok(stream),
            // The listener's encoding was changed here: what stands before is another text.
            Some(_) => Ok(Stream::new(encoding, message.offset, &[])),
            None if message.offset == 0 || self.is_first_of_its_charset(record).await? => {
                Ok(Stream::new(encoding, message.offset, &[]))
            }
            None => self.look_back(message, encoding).await,
        }
    }

    async fn is_first_of_its_charset(&self, record: &MessageRecord) -> Result<bool, JournalError> {
        if self.style.encoding.is_some() {
            return Ok(false);
        }
        let message = &record.message;
        let filter = Filter { direction: Some(message.direction), ..Filter::default() };
        let page =
            PageRequest { order: Order::Descending, after: Some(record.position), limit: 1, budget: 0 };
        let page = self
            .journal
            .messages(MessageQuery { connection: Some(message.connection), filter, page })
            .await?;
        Ok(page.items.iter().any(|before| before.message.charset != message.charset))
    }

    async fn look_back(
        &mut self,
        message: &Message,
        encoding: &'static Encoding,
    ) -> Result<Stream, JournalError> {
        let (id, direction, offset) = (message.connection, message.direction, message.offset);
        let mut window = FIRST_LOOK;
        loop {
            let bytes = self.journal.before(id, direction, offset, window).await?;
            self.looks_left = self.looks_left.saturating_sub(bytes.len());
            let reaches_start = bytes.len() < window;
            let begin = if reaches_start {
                Some(0)
            } else if window >= LONGEST_LOOK || self.looks_left == 0 {
                Some(usize::from((offset - bytes.len() as u64) % 2 == 1))
            } else {
                None
            };
            let begin = sync_point(encoding, &bytes, offset).or(begin);
            if let Some(before) = begin.and_then(|begin| bytes.get(begin..)) {
                let mut stream = Stream::new(encoding, offset - before.len() as u64, &bytes);
                stream.decoder.decode(before);
                stream.offset = offset;
                return Ok(stream);
            }
            window *= 4;
        }
    }

    /// What `auto` is for a stream: what the peer seems to speak, and what was sent to it follows that.
    async fn guess(&mut self, record: &MessageRecord) -> Result<&'static Encoding, JournalError> {
        let (id, direction) = (record.message.connection, record.message.direction);
        if let Some(known) = self.guessed.get(&(id, direction)) {
            return Ok(known);
        }
        let peer = detect(&self.beginning(record, Direction::Received).await?, Charset::Auto);
        let guess = match direction {
            Direction::Received => peer,
            Direction::Sent => {
                let likely = peer.map_or(Charset::Auto, Charset::Fixed);
                detect(&self.beginning(record, Direction::Sent).await?, likely).or(peer)
            }
        };
        let guess = guess.unwrap_or(UTF_8);
        self.guessed.insert((id, direction), guess);
        Ok(guess)
    }

    /// The first bytes of a stream that are kept.
    async fn beginning(&self, record: &MessageRecord, direction: Direction) -> Result<Vec<u8>, JournalError> {
        let message = &record.message;
        let is_all = message.direction == direction && message.seq == 1 && record.newest;
        if is_all && message.payload.len() as u64 == record.stored {
            return Ok(message.payload.get(..BEGINNING).unwrap_or(&message.payload).to_vec());
        }
        let filter = Filter { direction: Some(direction), ..Filter::default() };
        let (limit, budget) = (BEGINNING_MESSAGES, BEGINNING);
        let page = PageRequest { order: Order::Ascending, after: None, limit, budget };
        let first = self
            .journal
            .messages(MessageQuery { connection: Some(message.connection), filter, page })
            .await?;
        let mut bytes = Vec::new();
        for MessageRecord { message, .. } in first.items {
            let room = BEGINNING - bytes.len();
            bytes.extend_from_slice(message.payload.get(..room).unwrap_or(&message.payload));
        }
        Ok(bytes)
    }

    /// Writing a page may take tens of milliseconds; the clients of the endpoints share this thread.
    async fn take_turns(&mut self, bytes: usize) {
        self.since_turn += bytes;
        if self.since_turn >= TURN {
            self.since_turn = 0;
            tokio::task::yield_now().await;
        }
    }
}

impl Stream {
    /// A stream that is read from `offset` on; `before` is what is known to stand before the next message.
    fn new(encoding: &'static Encoding, offset: u64, before: &[u8]) -> Self {
        let mut stream = Self { decoder: StreamDecoder::new(encoding, offset), offset, context: Vec::new() };
        stream.remember(before);
        stream
    }

    fn pass(&mut self, payload: &[u8]) {
        self.offset += payload.len() as u64;
        self.remember(payload);
    }

    fn remember(&mut self, bytes: &[u8]) {
        let tail = bytes.get(bytes.len().saturating_sub(CONTEXT)..).unwrap_or_default();
        let room = CONTEXT - tail.len();
        self.context.drain(..self.context.len().saturating_sub(room));
        self.context.extend_from_slice(tail);
    }

    /// What the peer seems to speak in this message; what stands before it helps where it is short.
    fn detect(&self, message: &Message) -> Option<&'static Encoding> {
        let payload = &message.payload;
        let alone = detect(payload, message.charset);
        let is_telling = alone == Some(UTF_8) || payload.len() >= CONTEXT || payload.is_ascii();
        if is_telling || self.context.is_ascii() {
            return alone;
        }
        detect(&[&self.context, payload.as_ref()].concat(), message.charset)
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
