//! How an event is written down (WHATWG HTML, section 9.2).

use serde::Serialize;

use crate::api::error::{ApiError, ApiResult};
use crate::store::{Cursor, Position};

/// Appends an event. JSON has no line breaks of its own, so it is one line.
pub(super) fn event(
    out: &mut Vec<u8>,
    name: &str,
    id: Option<Position>,
    data: &impl Serialize,
) -> ApiResult<()> {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(format!("\nid: {}", Cursor(id)).as_bytes());
    }
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer(&mut *out, data).map_err(ApiError::internal)?;
    out.extend_from_slice(b"\n\n");
    Ok(())
}

/// Appends a sign of life. A block that has an id and no data is no event, but it moves the reader's last event id: past
/// what did not fit, so that it is not looked through again.
pub(super) fn heartbeat(out: &mut Vec<u8>, id: Position) {
    out.extend_from_slice(format!(": still here\nid: {}\n\n", Cursor(id)).as_bytes());
}
