//! What the writer knows without asking: the ends of the tables, and the connections that are open.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::{ConnectionId, ListenerId, ListenerRef, Name, Tally};

use super::super::query::Order;
use super::block::Block;
use super::ends::newest_ends;
use super::places::Places;
use super::placing::Unplaced;
use super::row::{number, signed};
use super::sums::{Figures, read_newest, read_own};

/// What the writer knows. It is of the transaction that is under way; after one that failed it is loaded anew.
pub(super) struct State {
    /// The position of the next record.
    pub(super) next: u64,
    pub(super) bytes: u64,
    pub(super) messages: u64,
    /// The position of the newest record that was evicted; 0 when none was.
    pub(super) evicted_to: u64,
    /// Up to here all went that could go.
    pub(super) looked_to: u64,
    /// Connections at or before `looked_to` that could not go then and can now; the oldest first.
    pub(super) late: BinaryHeap<Reverse<u64>>,
    /// The connections that have not ended.
    pub(super) open: HashMap<ConnectionId, Known>,
    /// The listeners under the names that they had.
    names: HashMap<(ListenerId, Option<Name>), Place>,
    /// The one that was asked for last: mostly it is asked for again.
    last_name: Option<(Arc<ListenerRef>, Place)>,
    /// By `listeners.number`.
    pub(super) figures: HashMap<i64, Figures>,
    /// Whose figures are newer than their own rows.
    pub(super) newest_sums: Vec<i64>,
    /// The ends that are not in their table yet: their positions and their connections'.
    pub(super) ends: Vec<(u64, u64)>,
    /// The records since the last block was written.
    pub(super) block: Block,
    /// The exchanges that are not in the table of places.
    pub(super) unplaced: Unplaced,
    /// Whether there are messages of forgotten connections to be removed.
    pub(super) has_doomed: bool,
}

/// Where a listener stands in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Its number in `names`.
    pub(super) name: i64,
    /// Its number in `listeners`.
    pub(super) listener: i64,
}

/// What is known of a connection while records of it come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) position: u64,
    pub(super) place: Place,
    pub(super) peer: IpAddr,
    pub(super) received: Tally,
    pub(super) sent: Tally,
    /// The size of its newest sent message.
    pub(super) newest_sent: u64,
    pub(super) is_closed: bool,
}

impl State {
    /// What the database says.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let columns = "next, bytes, messages, evicted_to, looked_to";
        let [next, bytes, messages, evicted_to, looked_to] =
            db.query_row(&format!("SELECT {columns} FROM journal"), [], |row| {
                Ok([0, 1, 2, 3, 4].map(|column| number(row, column)))
            })?;
        let figures = read_newest(db)?;
        let mut state = Self {
            next: next?,
            bytes: bytes?,
            messages: messages?,
            evicted_to: evicted_to?,
            looked_to: looked_to?,
            late: BinaryHeap::new(),
            open: HashMap::new(),
            names: HashMap::new(),
            last_name: None,
            newest_sums: figures.keys().copied().collect(),
            figures,
            ends: newest_ends(db)?,
            block: Block::default(),
            unplaced: Unplaced::load(db)?,
            has_doomed: db.query_row("SELECT EXISTS (SELECT 1 FROM doomed)", [], |row| row.get(0))?,
        };
        state.load_names(db)?;
        state.load_open(db)?;
        state.load_late(db)?;
        Ok(state)
    }

    fn load_names(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut names = db.prepare(
            "SELECT n.number, n.listener, n.name, l.id FROM names n JOIN listeners l ON l.number = n.listener",
        )?;
        let mut rows = names.query([])?;
        while let Some(row) = rows.next()? {
            let place = Place { name: row.get(0)?, listener: row.get(1)? };
            let name: Option<String> = row.get(2)?;
            let id = ListenerId::from_u128(u128::from_be_bytes(row.get(3)?));
            self.names.insert((id, name.and_then(|name| Name::parse(&name).ok())), place);
        }
        Ok(())
    }

    fn load_open(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let places = Places::new(db)?;
        let mut open = db.prepare("SELECT id FROM connections WHERE closed_at IS NULL")?;
        let mut rows = open.query([])?;
        while let Some(row) = rows.next()? {
            let id = ConnectionId::from_u128(u128::from_be_bytes(row.get(0)?));
            if let Some(known) = find(db, &places, id)? {
                self.open.insert(id, known);
            }
        }
        Ok(())
    }

    /// Few connections are older than what was evicted: those that are open or have newer messages, and these.
    fn load_late(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut late =
            db.prepare("SELECT position FROM connections WHERE position <= ?1 AND closed_at IS NOT NULL")?;
        let places = Places::new(db)?;
        let mut rows = late.query([signed(self.looked_to)])?;
        while let Some(row) = rows.next()? {
            let position = number(row, 0)?;
            if places.all(position, Order::Ascending).next_exchange()?.is_none() {
                self.late.push(Reverse(position));
            }
        }
        Ok(())
    }

    /// Where the listener stands; it is added to the tables if it is new there.
    pub(super) fn place(&mut self, db: &Connection, listener: &Arc<ListenerRef>) -> rusqlite::Result<Place> {
        if let Some((last, place)) = &self.last_name
            && Arc::ptr_eq(last, listener)
        {
            return Ok(*place);
        }
        let key = (listener.id, listener.name.clone());
        let place = match self.names.get(&key) {
            Some(place) => *place,
            None => {
                let place = add_name(db, listener)?;
                self.names.insert(key, place);
                place
            }
        };
        self.last_name = Some((Arc::clone(listener), place));
        Ok(place)
    }

    /// A listener's sums, to be changed.
    pub(super) fn figures(&mut self, db: &Connection, listener: i64) -> rusqlite::Result<&mut Figures> {
        let figures = match self.figures.entry(listener) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(read_own(db, listener)?),
        };
        if !figures.is_newer {
            figures.is_newer = true;
            self.newest_sums.push(listener);
        }
        Ok(figures)
    }

    /// The connection, whether it is open or not.
    pub(super) fn known(&self, db: &Connection, id: ConnectionId) -> rusqlite::Result<Option<Known>> {
        match self.open.get(&id) {
            Some(known) => Ok(Some(*known)),
            None => find(db, &Places::new(db)?, id),
        }
    }

    /// The next position, which is given away.
    pub(super) const fn take_position(&mut self) -> u64 {
        let position = self.next;
        self.next += 1;
        position
    }
}

/// A connection as the tables have it.
fn find(db: &Connection, places: &Places<'_>, id: ConnectionId) -> rusqlite::Result<Option<Known>> {
    let mut statement = db.prepare_cached(
        "SELECT c.position, c.listener, n.listener, c.peer_ip, c.closed_at IS NOT NULL,
                coalesce(c.received_messages, 0), coalesce(c.received_bytes, 0), coalesce(c.sent_messages, 0),
                coalesce(c.sent_bytes, 0), coalesce(c.newest_sent, 0)
         FROM connections c JOIN names n ON n.number = c.listener WHERE c.id = ?1",
    )?;
    let known = |row: &Row<'_>| {
        let ip: String = row.get(3)?;
        Ok(Known {
            position: number(row, 0)?,
            place: Place { name: row.get(1)?, listener: row.get(2)? },
            peer: ip.parse().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
            is_closed: row.get(4)?,
            received: Tally { messages: number(row, 5)?, bytes: number(row, 6)? },
            sent: Tally { messages: number(row, 7)?, bytes: number(row, 8)? },
            newest_sent: number(row, 9)?,
        })
    };
    let found = statement.query_row([id.as_u128().to_be_bytes()], known).optional()?;
    found.map(|known| with_tallies(places, known)).transpose()
}

/// Its newest exchange says what all of them came to.
fn with_tallies(places: &Places<'_>, mut known: Known) -> rusqlite::Result<Known> {
    let mut newest_first = places.all(known.position, Order::Descending);
    let Some(newest) = newest_first.next_exchange()? else { return Ok(known) };
    (known.received, known.sent) = newest.tallies();
    let mut next = Some(newest);
    while let Some(exchange) = next {
        if let Some(size) = exchange.sent_size() {
            known.newest_sent = size;
            break;
        }
        next = newest_first.next_exchange()?;
    }
    Ok(known)
}

fn add_name(db: &Connection, listener: &ListenerRef) -> rusqlite::Result<Place> {
    let id = listener.id.as_u128().to_be_bytes();
    db.execute("INSERT OR IGNORE INTO listeners (id) VALUES (?1)", [id])?;
    let number: i64 = db.query_row("SELECT number FROM listeners WHERE id = ?1", [id], |row| row.get(0))?;
    let name = listener.name.as_ref().map(Name::as_str);
    db.execute("INSERT INTO names (listener, name) VALUES (?1, ?2)", params![number, name])?;
    Ok(Place { name: db.last_insert_rowid(), listener: number })
}
