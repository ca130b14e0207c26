//! `/connections/{id}/messages?framing=…`: the bytes on record, cut anew.
//!
//! Each page is cut from the oldest byte that is kept, so that it is cut the same way however it is asked for. What that
//! costs grows with what the connection has on record, and neither memory nor the answer does.

use std::sync::Arc;

use bytes::Bytes;

use crate::domain::{Charset, Content, Framing, Message, Note};
use crate::store::{ConnectionRecord, MessageRecord, Position};
use crate::wire::{End, Framer, Piece};

use super::Api;
use super::error::{ApiError, ApiResult};
use super::page::Weighed;
use super::payload::Pieces;
use super::types::{PAGE_BYTES, RecutRequest};

/// Frames after which others get their turn: less than a millisecond of cutting, however small and however hidden they are.
/// A record may have millions, and the clients of the endpoints share this thread.
const TURN: u64 = 4_096;

/// Some of the frames of a stream. The position of a frame is where it ends in its stream.
pub(super) struct Cut {
    pub(super) items: Vec<MessageRecord>,
    pub(super) next: Option<Position>,
    /// Where the stream begins, if its beginning is gone.
    pub(super) evicted_before: Option<Position>,
}

/// Cuts one direction of a connection.
pub(super) async fn cut(api: &Api, connection: &ConnectionRecord, request: &RecutRequest) -> ApiResult<Cut> {
    let mut pieces = Pieces::new(&api.recorder, connection.connection.id, request.direction);
    let mut cutter: Option<Cutter<'_>> = None;
    while let Some(records) = pieces.next().await? {
        for record in records {
            let cutter = match &mut cutter {
                Some(cutter) => cutter,
                none => none.insert(Cutter::new(request, &record)?),
            };
            if cutter.read(record).await == Page::Full {
                return Ok(cutter.page(Page::Full));
            }
        }
        tokio::task::yield_now().await;
    }
    let Some(mut cutter) = cutter else {
        return Ok(Cut { items: Vec::new(), next: None, evicted_before: None });
    };
    let end = if connection.closing.is_some() { End::Fin } else { End::Broken };
    let page = cutter.finish(end).await;
    Ok(cutter.page(page))
}

/// Whether there is room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Open,
    Full,
}

struct Cutter<'a> {
    request: &'a RecutRequest,
    framing: Arc<Framing>,
    framer: Framer,
    /// The record that is read: its frames are of its time.
    record: MessageRecord,
    begin: u64,
    /// Where the next piece begins.
    offset: u64,
    /// Where the next record does, if nothing is missing.
    expected: u64,
    frames: u64,
    room: usize,
    items: Vec<MessageRecord>,
}

impl<'a> Cutter<'a> {
    /// Texts in the framing are in the encoding that is asked for, else in that of the first message.
    fn new(request: &'a RecutRequest, first: &MessageRecord) -> ApiResult<Self> {
        let charset: Charset = request.style.encoding.unwrap_or(first.message.charset);
        let framing = Framing::new(request.framing.clone(), charset).map_err(|mut faults| {
            faults.iter_mut().for_each(|fault| fault.pointer = "?framing".to_owned());
            ApiError::invalid_fields(faults)
        })?;
        let framing = Arc::new(framing);
        let (framer, begin) = (Framer::new(Arc::clone(&framing)), first.message.offset);
        let mut record = first.clone();
        record.message.payload = Bytes::new();
        Ok(Self {
            request,
            framing,
            framer,
            record,
            begin,
            offset: begin,
            expected: begin,
            frames: 0,
            room: PAGE_BYTES,
            items: Vec::new(),
        })
    }

    async fn read(&mut self, mut record: MessageRecord) -> Page {
        let (offset, bytes) = (record.message.offset, std::mem::take(&mut record.message.payload));
        if offset != self.expected {
            // Bytes are missing: what waits for them is no frame, and behind them it begins anew.
            if self.finish(End::Broken).await == Page::Full {
                return Page::Full;
            }
            self.framer = Framer::new(Arc::clone(&self.framing));
            self.offset = offset;
        }
        self.expected = offset + bytes.len() as u64;
        self.record = record;
        self.framer.push(bytes);
        self.take().await
    }

    async fn finish(&mut self, end: End) -> Page {
        let is_cut = self.expected < self.record.message.offset + self.record.message.size;
        self.framer.end(if is_cut { End::Broken } else { end });
        self.take().await
    }

    async fn take(&mut self) -> Page {
        while let Some(piece) = self.framer.next_piece() {
            let size = piece.bytes.len() as u64;
            let offset = self.offset;
            self.offset += size;
            self.frames += 1;
            if self.frames.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
            if self.offset <= self.request.after {
                continue;
            }
            let item = self.item(piece, offset);
            let left = self.room.checked_sub(item.weight(self.request.style));
            if self.items.len() >= self.request.limit || (left.is_none() && !self.items.is_empty()) {
                return Page::Full;
            }
            self.room = left.unwrap_or_default();
            self.items.push(item);
        }
        Page::Open
    }

    fn item(&self, piece: Piece, offset: u64) -> MessageRecord {
        let Piece { bytes, content, fault, closes: _ } = piece;
        let size = bytes.len() as u64;
        let content = if fault.is_some() { Content::whole(size) } else { content };
        let (seq, note) = (self.frames, Some(Box::new(Note::of_frame(content, fault))));
        let (of, sha256) = (&self.record.message, None);
        let (connection, direction, at, charset) = (of.connection, of.direction, of.at, of.charset);
        let message =
            Message { connection, direction, seq, offset, at, size, payload: bytes, sha256, charset, note };
        let listener = Arc::clone(&self.record.listener);
        MessageRecord { position: Position(offset + size), message, stored: size, listener, newest: false }
    }

    fn page(&mut self, page: Page) -> Cut {
        let items = std::mem::take(&mut self.items);
        let last = items.last().map(|item| item.position);
        let is_missed = self.begin > self.request.after;
        Cut {
            items,
            next: last.filter(|_| page == Page::Full),
            evicted_before: is_missed.then_some(Position(self.begin)),
        }
    }
}
