//! One JSON object a line: a connection, then its messages, then the next.

use crate::store::{ConnectionRecord, Journal, JournalError, MessageRecord, Order};

use super::super::text::Reader;
use super::super::types::{ConnectionView, Style};

/// A connection without its messages: they follow.
pub(super) fn connection(record: &ConnectionRecord, out: &mut Vec<u8>) {
    let view = ConnectionView::new(record.clone(), Vec::new());
    if let Ok(json) = serde_json::to_string(&view) {
        line("connection", &json, out);
    }
}

/// Messages as the API shows them.
pub(super) async fn messages(
    journal: &dyn Journal,
    records: Vec<MessageRecord>,
    out: &mut Vec<u8>,
) -> Result<(), JournalError> {
    let views = Reader::new(journal, Style::default()).messages(records, Order::Ascending).await;
    for view in views.map_err(|error| JournalError::Unavailable(error.to_string()))? {
        line("message", view.as_str(), out);
    }
    Ok(())
}

/// An object that says first what it is.
fn line(kind: &str, object: &str, out: &mut Vec<u8>) {
    let members = object.strip_prefix('{').unwrap_or(object);
    out.extend_from_slice(format!("{{\"type\":\"{kind}\",").as_bytes());
    out.extend_from_slice(members.as_bytes());
    out.push(b'\n');
}
