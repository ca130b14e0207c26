//! What is to be taken away, and in which form.

use crate::api::extract::QueryPairs;
use crate::domain::{ConnectionId, FieldError};
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

/// What is to be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportRequest {
    /// In which form.
    pub(crate) format: ExportFormat,
    /// This connection alone.
    pub(crate) connection: Option<ConnectionId>,
    /// Or those that fit.
    pub(crate) filter: Filter,
}

/// Filters, which mean nothing where one connection is named.
const OTHERS: [&str; 8] =
    ["listener", "peer", "state", "direction", "since", "until", "contains", "contains_hex"];

/// Reads the query of an export: its format, and one connection or the filters of a list of them.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_export(query: QueryPairs) -> Result<ExportRequest, Vec<FieldError>> {
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
    let connection = parameters.read("connection", |text| {
        ConnectionId::parse(text).ok_or_else(|| "must be the id of a connection".to_owned())
    });
    let filter = if connection.is_some() {
        parameters.refuse(&OTHERS, "connection");
        Filter::default()
    } else {
        parameters.filter(ListOf::Connections, None)
    };
    let format = format.unwrap_or(ExportFormat::Ndjson);
    parameters.finish().map(|()| ExportRequest { format, connection, filter })
}
