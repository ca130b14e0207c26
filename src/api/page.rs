//! Pages of a list: how they are read, and how large they get.

use crate::store::{Answer, ConnectionRecord, MessageRecord, Order, Page, PageRequest, Position};

use super::Api;
use super::error::ApiResult;
use super::types::{ListRequest, PAGE_BYTES, PayloadForm, Style};
use super::wait::{Misfits, Waiter};

/// Bytes of a record's JSON besides its payload and text, at most.
const FRAME: usize = 1 << 10;
/// Bytes of JSON that a byte of payload becomes as text, at most: a control character is written as `\u0000`.
const TEXT: usize = 6;

/// Something of which the size as JSON can be told before it is written.
pub(super) trait Weighed {
    /// Where it stands.
    fn position(&self) -> Position;

    /// Bytes of its JSON, at most.
    fn weight(&self, style: Style) -> usize;
}

impl Weighed for MessageRecord {
    fn position(&self) -> Position {
        self.position
    }

    fn weight(&self, style: Style) -> usize {
        let raw = match style.payload {
            // Four letters for three bytes, and a padding that is less than a byte's share of them.
            PayloadForm::Base64 => 2,
            PayloadForm::Hex => 3,
            PayloadForm::None => 0,
        };
        FRAME + self.message.payload.len().saturating_mul(TEXT + raw)
    }
}

impl Weighed for ConnectionRecord {
    fn position(&self) -> Position {
        self.position
    }

    fn weight(&self, style: Style) -> usize {
        FRAME + weight(&self.messages, style)
    }
}

/// Bytes of the JSON of all of them, at most.
pub(super) fn weight<T: Weighed>(items: &[T], style: Style) -> usize {
    items.iter().map(|item| item.weight(style)).fold(0, usize::saturating_add)
}

/// How many of the first items a page has room for; one, whatever its size.
pub(super) fn room<T: Weighed>(items: &[T], style: Style) -> usize {
    let mut left = PAGE_BYTES;
    let fits = |item: &&T| {
        let fits = left.checked_sub(item.weight(style));
        left = fits.unwrap_or_default();
        fits.is_some()
    };
    items.iter().take_while(fits).count().max(1)
}

/// Reads a page: at once, or as soon as there is something on it. Beside it, where the next one goes on.
pub(super) async fn read<'a, T: Weighed + Send + 'a>(
    api: &'a Api,
    request: &ListRequest,
    misfits: Misfits,
    look: impl Fn(PageRequest) -> Answer<'a, Page<T>>,
) -> ApiResult<(Page<T>, Option<Position>)> {
    let style = request.style;
    let look = |after| -> Answer<'a, Page<T>> {
        let request = PageRequest { after, ..request.page };
        let page = look(request);
        Box::pin(async move { Ok(fitting(page.await?, style, request.order)) })
    };
    let Some(wait) = request.wait else {
        let page = look(request.page.after).await?;
        let next = page.last.filter(|_| page.more);
        return Ok((page, next));
    };
    let waiter = Waiter { recorder: &api.recorder, shutdown: &api.shutdown, misfits };
    let after = request.page.after.unwrap_or(Position::START);
    let (page, next) = waiter.first(wait, after, |after| look(Some(after))).await?;
    Ok((page, Some(next)))
}

/// The page without those of its last items that make its JSON too large.
fn fitting<T: Weighed>(mut page: Page<T>, style: Style, order: Order) -> Page<T> {
    let room = room(&page.items, style);
    if room < page.items.len() {
        page.items.truncate(room);
        page.last = page.items.last().map(Weighed::position);
        page.more = true;
        // Backwards it was the end of the list that reached into what is gone, and that is on a later page now.
        page.evicted_before = page.evicted_before.filter(|_| order == Order::Ascending);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An item of so many bytes.
    #[derive(Debug, PartialEq)]
    struct Item(u64, usize);

    impl Weighed for Item {
        fn position(&self) -> Position {
            Position(self.0)
        }

        fn weight(&self, _: Style) -> usize {
            self.1
        }
    }

    fn page(sizes: &[usize]) -> Page<Item> {
        let items = (1..).zip(sizes).map(|(position, size)| Item(position, *size)).collect();
        Page { items, last: Some(Position(90)), more: false, evicted_before: Some(Position(80)) }
    }

    #[test]
    fn a_page_that_is_too_large_goes_on_behind_its_last_item() {
        let fits = fitting(page(&[100, PAGE_BYTES - 100]), Style::default(), Order::Descending);
        assert_eq!(fits, page(&[100, PAGE_BYTES - 100]));
        for (order, evicted_before) in [(Order::Ascending, Some(Position(80))), (Order::Descending, None)] {
            let cut = fitting(page(&[100, PAGE_BYTES - 100, 1, 1]), Style::default(), order);
            assert_eq!((cut.items.len(), cut.last, cut.more), (2, Some(Position(2)), true));
            assert_eq!(cut.evicted_before, evicted_before);
        }
    }

    #[test]
    fn a_page_has_room_for_one_item_whatever_its_size() {
        let cut = fitting(page(&[usize::MAX, 1]), Style::default(), Order::Ascending);
        assert_eq!((cut.items.len(), cut.last), (1, Some(Position(1))));
        assert_eq!(weight(&page(&[usize::MAX, 1]).items, Style::default()), usize::MAX);
    }

    #[test]
    fn an_empty_page_stays_as_it_is() {
        assert_eq!(fitting(page(&[]), Style::default(), Order::Ascending), page(&[]));
    }
}
