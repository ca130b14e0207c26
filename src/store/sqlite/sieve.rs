//! A filter, made ready for rows and for blocks.

use std::net::IpAddr;

use rusqlite::{Connection, Row};

use crate::domain::{Charset, Timestamp};

use super::super::query::{ConnectionState, Filter, ListenerFilter, Needle};
use super::super::search::is_within;
use super::block::may_contain;
use super::row::signed;

/// What a connection must be like, in the words of the tables.
pub(super) struct Sieve<'a> {
    pub(super) filter: &'a Filter,
    /// The numbers in `names` of the listeners that are asked for.
    listeners: Option<Vec<i64>>,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(db: &Connection, filter: &'a Filter) -> rusqlite::Result<Self> {
        let numbers = |sql: &str, value: &dyn rusqlite::ToSql| -> rusqlite::Result<Vec<i64>> {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([value], |row| row.get(0))?;
            rows.collect()
        };
        let listeners = match &filter.listener {
            None => None,
            Some(ListenerFilter::Id(id)) => Some(numbers(
                "SELECT n.number FROM names n JOIN listeners l ON l.number = n.listener WHERE l.id = ?1",
                &id.as_u128().to_be_bytes(),
            )?),
            Some(ListenerFilter::Name(name)) => {
                Some(numbers("SELECT number FROM names WHERE name = ?1", &name.as_str())?)
            }
        };
        Ok(Self { filter, listeners })
    }

    /// Whether it lets every connection through, so that none has to be looked at.
    pub(super) fn is_open(&self) -> bool {
        self.listeners.is_none() && self.filter.peer.is_none() && self.filter.state.is_none()
    }

    /// Whether a connection fits by listener, peer and state. The row has `listener`, `peer_ip` and `closed_at IS NULL`
    /// from the column `first` on.
    pub(super) fn lets_through(&self, row: &Row<'_>, first: usize) -> rusqlite::Result<bool> {
        if let Some(listeners) = &self.listeners
            && !listeners.contains(&row.get(first)?)
        {
            return Ok(false);
        }
        if let Some(state) = self.filter.state
            && row.get::<_, bool>(first + 2)? != (state == ConnectionState::Open)
        {
            return Ok(false);
        }
        let Some(net) = &self.filter.peer else { return Ok(true) };
        let peer = row.get_ref(first + 1)?.as_str()?;
        Ok(peer.parse().is_ok_and(|ip: IpAddr| net.contains(&ip.to_canonical())))
    }

    /// Whether a connection by its position fits. One that is forgotten fits nothing.
    pub(super) fn has(&self, db: &Connection, connection: u64) -> rusqlite::Result<bool> {
        let mut statement = db.prepare_cached(
            "SELECT listener, peer_ip, closed_at IS NULL FROM connections WHERE position = ?1",
        )?;
        let mut rows = statement.query([signed(connection)])?;
        match rows.next()? {
            Some(row) => self.lets_through(row, 0),
            None => Ok(false),
        }
    }

    /// Whether a moment lies in the filter's time.
    pub(super) fn is_within(&self, at: i64) -> bool {
        is_within(self.filter, Timestamp::from_micros(at))
    }

    /// Whether blocks can say anything of it.
    pub(super) fn asks_blocks(&self) -> bool {
        let filter = self.filter;
        self.listeners.is_some()
            || filter.peer.is_some()
            || filter.since.is_some()
            || filter.until.is_some()
            || !filter.contains.is_empty()
    }

    /// Whether a record in a block may fit. The row has `since`, `until`, `listeners`, `peers`, `encodings` and `trigrams`
    /// from the column `first` on, in this order: the large ones are read last.
    pub(super) fn may_be_in(&self, row: &Row<'_>, first: usize) -> rusqlite::Result<bool> {
        let (since, until): (i64, i64) = (row.get(first)?, row.get(first + 1)?);
        if self.filter.since.is_some_and(|from| until < from.as_micros())
            || self.filter.until.is_some_and(|to| since >= to.as_micros())
        {
            return Ok(false);
        }
        let listeners = row.get_ref(first + 2)?.as_blob_or_null()?;
        if let (Some(wanted), Some(there)) = (&self.listeners, listeners)
            && !numbers_in(there).any(|number| wanted.contains(&number))
        {
            return Ok(false);
        }
        let peers = row.get_ref(first + 3)?.as_blob_or_null()?;
        if let (Some(net), Some(there)) = (&self.filter.peer, peers)
            && !addresses_in(there).any(|ip| net.contains(&ip))
        {
            return Ok(false);
        }
        if self.filter.contains.is_empty() {
            return Ok(true);
        }
        let encodings = row.get_ref(first + 4)?.as_str()?;
        let Some(trigrams) = row.get_ref(first + 5)?.as_blob_or_null()? else { return Ok(true) };
        Ok(may_have(trigrams, encodings, &self.filter.contains))
    }
}

/// Whether a message of one of these encodings may have everything that is looked for.
fn may_have(trigrams: &[u8], encodings: &str, needles: &[Needle]) -> bool {
    let has_all = |label: &str| {
        let encoding = Charset::parse(label).ok().and_then(Charset::fixed);
        needles
            .iter()
            .all(|needle| needle.bytes_in(encoding).iter().any(|bytes| may_contain(trigrams, bytes)))
    };
    encodings.split(',').filter(|label| !label.is_empty()).any(has_all)
}

fn numbers_in(listed: &[u8]) -> impl Iterator<Item = i64> + '_ {
    listed.as_chunks::<4>().0.iter().map(|bytes| i64::from(u32::from_be_bytes(*bytes)))
}

fn addresses_in(listed: &[u8]) -> impl Iterator<Item = IpAddr> + '_ {
    listed.as_chunks::<16>().0.iter().map(|bytes| IpAddr::from(*bytes).to_canonical())
}
