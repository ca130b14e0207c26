//! Which connection is meant: ids are long, and people type the beginning.

use super::remote::Fault;
use crate::client::{Client, Connection, Query};
use crate::domain::Timestamp;

/// Characters of a whole id.
const WHOLE: usize = 36;
/// Characters of an id that are its time, to the millisecond: `01a21de7-10fe`.
const TIME: usize = 13;
/// How much a connection may have been opened before or after the time of its id, in microseconds.
const SLACK: i64 = 1_000_000;
/// Connections that are looked through: a page of the API.
const LOOKED_AT: usize = 1_000;

/// The id that is meant by `last`, or by its beginning.
pub(super) async fn connection(client: &Client, said: &str) -> Result<String, Fault> {
    if said == "last" {
        let newest = client.connections(&Query::new().limit(1)).await?.items.into_iter().next();
        return newest
            .map(|newest| newest.id)
            .ok_or_else(|| Fault::Failed("nobody has connected".to_owned()));
    }
    let Some(time) = time_of(said).filter(|_| said.len() < WHOLE) else { return Ok(said.to_owned()) };
    let moment = |shift: i64| Timestamp::from_micros(time.saturating_add(shift)).to_string();
    let around = Query::new().with("since", moment(-SLACK)).with("until", moment(SLACK)).limit(LOOKED_AT);
    let near = client.connections(&around).await?.items;
    let mut like = near.into_iter().map(|found| found.id).filter(|id| id.starts_with(said));
    match (like.next(), like.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(Fault::Failed(format!("no connection's id begins with {said}"))),
        (Some(one), Some(other)) => {
            Err(Fault::Failed(format!("{said} may be {one} or {other}, or yet another; give more of it")))
        }
    }
}

/// The time in the beginning of an id, in microseconds; `None` where that is not there.
fn time_of(said: &str) -> Option<i64> {
    let (high, low) = (said.get(..8)?, said.get(8..TIME)?.strip_prefix('-')?);
    let digits = format!("{high}{low}");
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    i64::from_str_radix(&digits, 16).ok().filter(|_| is_hex)?.checked_mul(1_000)
}

/// How many characters of their ids tell these connections from each other.
pub(super) fn enough(connections: &[Connection]) -> usize {
    let mut ids: Vec<_> = connections.iter().map(|connection| connection.id.as_str()).collect();
    ids.sort_unstable();
    let shared = |(a, b): (&&str, &&str)| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    ids.iter().zip(ids.iter().skip(1)).map(|two| shared(two) + 1).max().unwrap_or(TIME).max(TIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_is_a_time() {
        assert_eq!(time_of("01a21de7-10fe"), Some(0x01a2_1de7_10fe * 1_000));
        assert_eq!(time_of("01a21de7-10fe-7000-80"), Some(0x01a2_1de7_10fe * 1_000));
        for text in ["", "last", "01a21de7", "01a21de7-10f", "01a21de7_10fe", "+1a21de7-10fe", "问问问问问问"]
        {
            assert_eq!(time_of(text), None, "{text}");
        }
    }
}
