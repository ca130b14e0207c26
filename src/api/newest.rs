//! How far the journal goes now: a bound for whoever reads it to the end while others write.

use crate::store::{
    ConnectionQuery, Filter, JournalError, MessageQuery, Order, PageRequest, Position, Recorder,
};

/// The position of the newest record.
pub(super) async fn newest(recorder: &Recorder) -> Result<Position, JournalError> {
    let page = PageRequest { order: Order::Descending, after: None, limit: 1, budget: 0 };
    let (journal, filter) = (recorder.journal(), Filter::default());
    let query = ConnectionQuery { filter: filter.clone(), page, messages: 0, payload: 0 };
    let connection = journal.connections(query).await?.items.first().map(|record| record.position);
    let messages = journal.messages(MessageQuery { connection: None, filter, page }).await?;
    let message = messages.items.first().map(|record| record.position);
    Ok(connection.into_iter().chain(message).max().unwrap_or(Position::START))
}
