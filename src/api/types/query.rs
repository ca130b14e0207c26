//! Queries of lists: filters, pages and how items are shown. Every fault is named at once.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use crate::api::extract::QueryPairs;
use crate::domain::{Charset, Direction, FieldError, ListenerId, Name, Timestamp, parse_duration};
use crate::store::{ConnectionState, Cursor, Filter, ListenerFilter, Needle, Order, PageRequest, Position};

use super::literal::parse_hex;
use super::message::{PayloadForm, Style};

/// Items of a page, unless told otherwise.
const LIMIT: usize = 100;
/// Items of a page at most.
const MOST_ITEMS: usize = 1_000;
/// The longest that a list waits for its first item: proxies and clients give up on an answer after about a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Bytes of a page's JSON, after which it ends early: 4 MiB. So no more payload than that is asked of the journal.
pub(crate) const PAGE_BYTES: usize = 4 << 20;

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListOf {
    /// Connections.
    Connections,
    /// Messages across connections.
    Messages,
    /// Messages of one connection.
    MessagesOfOne,
}

/// What was asked of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListRequest {
    /// Which items.
    pub(crate) filter: Filter,
    /// Which page of them.
    pub(crate) page: PageRequest,
    /// How long to wait for the first; `None` is not at all.
    pub(crate) wait: Option<Duration>,
    /// How messages are shown.
    pub(crate) style: Style,
}

/// Reads the query of a list.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_list(query: QueryPairs, of: ListOf) -> Result<ListRequest, Vec<FieldError>> {
    let mut parameters = Parameters::new(query);
    let style = parameters.style();
    let filter = parameters.filter(of, style.encoding);
    let wait = parameters.read("wait", |text| match parse_duration(text)? {
        wait if wait > LONGEST_WAIT => {
            Err("must be at most 60s; ask again with the `next` of the answer".to_owned())
        }
        wait => Ok(wait),
    });
    let page = parameters.page(of, wait.is_some());
    parameters.finish().map(|()| ListRequest { filter, page, wait, style })
}

/// Reads the filters of `DELETE /connections`: those of the list.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_filter(query: QueryPairs) -> Result<Filter, Vec<FieldError>> {
    let mut parameters = Parameters::new(query);
    let filter = parameters.filter(ListOf::Connections, None);
    parameters.finish().map(|()| filter)
}

/// Reads how the messages of one connection are to be shown.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_style(query: QueryPairs) -> Result<Style, Vec<FieldError>> {
    let mut parameters = Parameters::new(query);
    let style = parameters.style();
    parameters.finish().map(|()| style)
}

/// Reads `direction` alone; `received` unless told otherwise.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_direction(query: QueryPairs) -> Result<Direction, Vec<FieldError>> {
    let mut parameters = Parameters::new(query);
    let wanted = parameters.read("direction", direction);
    parameters.finish().map(|()| wanted.unwrap_or(Direction::Received))
}

/// A query that is being read: what was asked for by name is known, the rest is a fault.
pub(super) struct Parameters {
    query: QueryPairs,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Parameters {
    pub(super) const fn new(query: QueryPairs) -> Self {
        Self { query, known: Vec::new(), errors: Vec::new() }
    }

    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.known.push(name);
        match parse(&self.query.take(name)?) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.wrong(name, detail);
                None
            }
        }
    }

    pub(super) fn wrong(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(format!("?{name}"), detail));
    }

    pub(super) fn finish(mut self) -> Result<(), Vec<FieldError>> {
        self.errors.extend(self.query.unknown(&self.known));
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }

    pub(super) fn style(&mut self) -> Style {
        let forms = [("base64", PayloadForm::Base64), ("hex", PayloadForm::Hex), ("none", PayloadForm::None)];
        Style {
            payload: self.read("payload", |text| word(text, &forms)).unwrap_or_default(),
            encoding: self.read("encoding", Charset::parse),
        }
    }

    /// A text is looked for as it is shown: in the encoding that is asked for, else in each listener's.
    pub(super) fn filter(&mut self, of: ListOf, encoding: Option<Charset>) -> Filter {
        let mut filter = Filter::default();
        if of != ListOf::MessagesOfOne {
            let states = [("open", ConnectionState::Open), ("closed", ConnectionState::Closed)];
            filter.listener = self.read("listener", listener);
            filter.peer = self.read("peer", peer);
            filter.state = self.read("state", |text| word(text, &states));
        }
        filter.direction = self.read("direction", direction);
        filter.since = self.read("since", moment);
        filter.until = self.read("until", moment);
        filter.contains.extend(self.read("contains", |text| needle(text, encoding)));
        filter
            .contains
            .extend(self.read("contains_hex", |text| not_empty(parse_hex(text)?.into()).map(Needle::Bytes)));
        if of == ListOf::Connections && filter.direction.is_some() && filter.contains.is_empty() {
            let detail = "says which messages `contains` and `contains_hex` look at; give one of them, or leave it out";
            self.wrong("direction", detail);
        }
        filter
    }

    fn page(&mut self, of: ListOf, waits: bool) -> PageRequest {
        let orders = [("asc", Order::Ascending), ("desc", Order::Descending)];
        let order = self.read("order", |text| word(text, &orders));
        if waits && order == Some(Order::Descending) {
            self.wrong("wait", "what is waited for comes behind the cursor; with `wait`, the order is asc");
        }
        let usual = if of == ListOf::Connections && !waits { Order::Descending } else { Order::Ascending };
        let order = order.unwrap_or(usual);
        let goes_back = order == Order::Descending && !waits;
        let after = self.read("after", |text| match Cursor::parse(text)? {
            // Written as a cursor, as an answer to `wait` gives it, it is an end like any other: nothing is behind it.
            Cursor(Position::START) if goes_back && text == "start" => {
                Err("nothing is older than `start`; add order=asc to read from the oldest on".to_owned())
            }
            Cursor(position) => Ok(position),
        });
        PageRequest { order, after, limit: self.limit(), budget: PAGE_BYTES }
    }

    /// Items of a page at most.
    pub(super) fn limit(&mut self) -> usize {
        let limit = self.read("limit", |text| {
            let number = text.parse().ok().filter(|number| (1..=MOST_ITEMS).contains(number));
            number.ok_or_else(|| format!("must be a whole number from 1 to {MOST_ITEMS}"))
        });
        limit.unwrap_or(LIMIT)
    }

    /// Notes a fault for each of these that is there: it does not go with `other`.
    pub(super) fn refuse(&mut self, names: &[&'static str], other: &str) {
        for name in names {
            if self.read(name, |_| Ok(())).is_some() {
                self.wrong(name, format!("does not go with `{other}`"));
            }
        }
    }
}

/// One of some words.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("must be one of {}", words.join(", "))
    })
}

pub(super) fn direction(text: &str) -> Result<Direction, String> {
    word(text, &[("received", Direction::Received), ("sent", Direction::Sent)])
}

pub(super) fn listener(text: &str) -> Result<ListenerFilter, String> {
    match ListenerId::parse(text) {
        Some(id) => Ok(ListenerFilter::Id(id)),
        None => Name::parse(text)
            .map(ListenerFilter::Name)
            .map_err(|detail| format!("neither an id nor a name: {detail}")),
    }
}

/// An address or a network. An IPv4 client is IPv4, however the socket that took it writes its address.
fn peer(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpAddr>() {
        Ok(ip) => Ok(IpNet::from(ip)),
        Err(_) => text.parse::<IpNet>(),
    };
    let network =
        network.map_err(|_| "must be an address such as 192.168.1.7, or a network such as 10.0.0.0/8")?;
    Ok(match network.network().to_canonical() {
        IpAddr::V4(ip) if network.addr().is_ipv6() && network.prefix_len() >= 96 => {
            Ipv4Net::new(ip, network.prefix_len() - 96).map_or(network, IpNet::V4)
        }
        _ => network.trunc(),
    })
}

/// A `+` that was not escaped arrives as a space.
fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).or_else(|fault| match text.rsplit_once(' ') {
        Some((time, zone)) => Timestamp::parse(&format!("{time}+{zone}")).map_err(|_| fault),
        None => Err(fault),
    })
}

fn needle(text: &str, encoding: Option<Charset>) -> Result<Needle, String> {
    let bytes = match encoding.and_then(Charset::fixed) {
        None if text.is_empty() => return Err(EMPTY.to_owned()),
        None => return Ok(Needle::Text(text.to_owned())),
        Some(encoding) => Charset::Fixed(encoding).encode(text).map_err(|fault| fault.to_string())?,
    };
    not_empty(bytes).map(Needle::Bytes)
}

const EMPTY: &str = "must not be empty; leave it out to see everything";

fn not_empty(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.is_empty() { Err(EMPTY.to_owned()) } else { Ok(bytes) }
}

/// Reads a parameter that says yes or no; without it, no.
///
/// # Errors
/// It says neither.
pub(crate) fn parse_flag(name: &str, value: Option<&str>) -> Result<bool, Vec<FieldError>> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(vec![FieldError::new(format!("?{name}"), "must be true or false")]),
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts;
    use axum::http::Request;

    use super::*;

    async fn list(of: ListOf, query: &str) -> Result<ListRequest, Vec<FieldError>> {
        let (mut parts, ()) = Request::get(format!("/x?{query}")).body(()).unwrap().into_parts();
        parse_list(QueryPairs::from_request_parts(&mut parts, &()).await.unwrap(), of)
    }

    #[tokio::test]
    async fn an_empty_query_is_the_newest_hundred_connections_or_the_oldest_hundred_messages() {
        let connections = list(ListOf::Connections, "").await.unwrap();
        assert_eq!((connections.page.order, connections.page.limit), (Order::Descending, 100));
        assert_eq!((connections.filter, connections.wait), (Filter::default(), None));
        for of in [ListOf::Messages, ListOf::MessagesOfOne] {
            assert_eq!(list(of, "").await.unwrap().page.order, Order::Ascending);
        }
        let waiting = list(ListOf::Connections, "wait=1m&after=start").await.unwrap();
        assert_eq!((waiting.page.order, waiting.wait), (Order::Ascending, Some(LONGEST_WAIT)));
    }

    #[tokio::test]
    async fn every_parameter_is_read() {
        let query = "listener=gate&peer=10.1.2.3/8&state=closed&direction=sent&since=2026-11-22T18:00:00+08:00\
                     &until=2026-11-22T10:00:01Z&contains=%E9%97%AE&contains_hex=0D+0a&limit=1000&order=asc&after=start";
        let request = list(ListOf::Connections, query).await.unwrap();
        let filter = request.filter;
        assert_eq!(filter.listener, Some(ListenerFilter::Name(Name::parse("gate").unwrap())));
        assert_eq!(filter.peer.unwrap().to_string(), "10.0.0.0/8");
        assert_eq!((filter.state, filter.direction), (Some(ConnectionState::Closed), Some(Direction::Sent)));
        assert_eq!(filter.until.unwrap().as_micros() - filter.since.unwrap().as_micros(), 1_000_000);
        assert_eq!(filter.contains, [Needle::Text("问".into()), Needle::Bytes(vec![0x0d, 0x0a])]);
        let page = request.page;
        assert_eq!((page.order, page.after, page.limit), (Order::Ascending, Some(Position::START), 1_000));
    }

    #[tokio::test]
    async fn a_text_is_looked_for_in_the_encoding_that_is_asked_for() {
        let request = list(ListOf::Messages, "contains=%E9%97%AE&encoding=gbk").await.unwrap();
        assert_eq!(request.filter.contains, [Needle::Bytes(vec![0xce, 0xca])]);
        let faults = list(ListOf::Messages, "contains=%E9%97%AE&encoding=latin1").await.unwrap_err();
        assert_eq!(faults[0].pointer, "?contains");
    }

    #[tokio::test]
    async fn an_ipv4_peer_is_ipv4_however_it_is_written() {
        let networks = [
            ("192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ];
        for (text, network) in networks {
            assert_eq!(peer(text).unwrap().to_string(), network, "{text}");
        }
    }

    #[tokio::test]
    async fn every_fault_is_named_at_once() {
        let query = "limit=0&order=up&wait=61s&after=x&peer=10.0.0.0/33&since=now&listener=GATE&state=half\
                     &direction=up&contains=&contains_hex=0&encoding=klingon&payload=raw&limti=1";
        let mut pointers: Vec<_> =
            list(ListOf::Messages, query).await.unwrap_err().into_iter().map(|fault| fault.pointer).collect();
        pointers.sort_unstable();
        let mut expected: Vec<_> =
            query.split('&').map(|pair| format!("?{}", pair.split('=').next().unwrap())).collect();
        expected.sort_unstable();
        assert_eq!(pointers, expected);
    }

    #[tokio::test]
    async fn every_cursor_that_is_given_out_is_taken_in_both_orders() {
        for order in ["asc", "desc"] {
            let query = format!("after={}&order={order}", Cursor(Position::START));
            let request = list(ListOf::Connections, &query).await.unwrap();
            assert_eq!(request.page.after, Some(Position::START));
        }
    }

    #[tokio::test]
    async fn what_can_mean_nothing_is_refused() {
        for (query, pointer) in [
            ("wait=1s&order=desc", "?wait"),
            ("after=start", "?after"),
            ("direction=sent", "?direction"),
            ("contains_hex=", "?contains_hex"),
            ("limit=1001", "?limit"),
            ("limit=-1", "?limit"),
        ] {
            let faults = list(ListOf::Connections, query).await.unwrap_err();
            assert_eq!(
                faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(),
                [pointer],
                "{query}"
            );
        }
        assert!(list(ListOf::MessagesOfOne, "listener=gate").await.is_err());
    }
}
