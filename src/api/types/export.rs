//! What is to be taken away, and in which form.

use crate::api::extract::QueryPairs;
use crate::domain::FieldError;
use crate::store::Filter;

use super::query::{ListOf, Parameters, word};

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// A capture file for Wireshark.
    Pcapng,
    /// JSON lines.
    Ndjson,
    /// To read.
    Hexdump,
}

/// Reads the query of an export: its format, and the filters of a list of connections.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_export(query: QueryPairs) -> Result<(ExportFormat, Filter), Vec<FieldError>> {
    let formats = [
        ("pcapng", ExportFormat::Pcapng),
        ("ndjson", ExportFormat::Ndjson),
        ("hexdump", ExportFormat::Hexdump),
    ];
    let is_there = query.has("format");
    let mut parameters = Parameters::new(query);
    let format = parameters.read("format", |text| word(text, &formats));
    if !is_there {
        parameters.wrong("format", "is required: pcapng, ndjson or hexdump");
    }
    let filter = parameters.filter(ListOf::Connections, None);
    parameters.finish().map(|()| (format.unwrap_or(ExportFormat::Ndjson), filter))
}
