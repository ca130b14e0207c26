//! All promises, and the backends that keep them.

use std::sync::Arc;

use super::super::cursor::Position;
use super::super::journal::Journal;
use super::super::memory::MemoryJournal;
use super::super::sqlite::SqliteJournal;

/// One `#[test]` a promise and backend.
macro_rules! promises {
    ($backend:ident by $make:expr; $($part:ident { $($promise:ident)+ })+) => {
        mod $backend {
            $(mod $part {
                $(#[tokio::test]
                async fn $promise() {
                    $crate::store::conformance::$part::$promise($make).await;
                })+
            })+

            #[test]
            fn it_answers_as_a_plain_list_of_records_would() {
                $crate::store::conformance::model::it_answers_as_a_plain_list_of_records_would($make);
            }
        }
    };
}

macro_rules! keeps_all_promises {
    ($backend:ident, $make:expr) => {
        promises! {
            $backend by $make;
            appending {
                what_is_appended_is_in_the_next_answer
                positions_grow_with_every_record
                records_of_one_call_become_visible_together
                records_of_unknown_connections_are_passed_over
                a_second_opening_or_end_changes_nothing
                tallies_count_what_was_cut_too
                what_did_not_leave_is_taken_back
                of_a_cut_message_what_did_not_leave_is_taken_back
                a_message_of_which_nothing_left_is_taken_out
            }
            lists {
                a_list_carries_first_messages_and_says_how_many_follow
                a_list_cuts_payloads_but_not_the_record
                one_connection_carries_its_messages_whole_within_the_budget
                what_is_unknown_is_none_or_empty
                the_newest_of_each_direction_is_marked
                the_bytes_before_an_offset_are_found_across_messages
                no_bytes_are_found_across_a_gap
                the_bytes_before_an_offset_are_found_in_a_long_conversation
            }
            paging {
                pages_of_any_size_carry_each_message_once
                pages_of_any_size_carry_each_connection_once
                pages_of_one_connection_carry_each_of_its_messages_once
                nothing_is_missed_or_doubled_while_records_are_appended
                a_page_ends_when_its_budget_is_spent
                a_page_has_room_for_one_item_whatever_its_size
                what_does_not_fit_is_not_looked_at_twice
                an_empty_page_has_no_last_record
            }
            filters {
                a_listener_is_found_by_id_and_by_name
                a_peer_is_found_by_network_also_when_mapped
                connections_are_found_by_state
                records_are_found_by_time
                messages_are_found_by_direction
                text_is_found_in_the_encoding_of_each_message
                bytes_are_found_wherever_they_stand
                all_needles_have_to_be_in_one_message
                connections_are_found_by_what_crossed_in_a_direction
                filters_hold_together
                a_search_through_many_payloads_ends_with_everything_found
                a_page_of_a_search_goes_on_where_it_ended
            }
            forgetting {
                what_is_forgotten_is_gone_from_every_list
                open_connections_are_kept_whole
                only_what_fits_is_forgotten
                records_of_forgotten_connections_are_passed_over
                forgetting_gives_memory_back_and_evicts_nothing
                a_connection_with_very_many_messages_is_forgotten_at_once
            }
            listeners {
                a_listener_is_kept_whole
                what_is_kept_again_takes_the_place_of_what_was_kept
                a_dropped_listener_is_gone_and_its_connections_stay
                listeners_come_in_the_order_of_their_ids
                forgetting_records_keeps_the_listeners
                a_listener_comes_with_the_figures_of_its_clients
            }
            retention {
                the_oldest_goes_first_and_the_bound_holds
                open_connections_outlive_their_messages
                an_ended_connection_goes_after_its_last_message
                what_comes_after_its_end_keeps_a_connection
                connections_without_messages_go_too
                a_message_larger_than_the_journal_breaks_nothing
                an_ascending_list_says_that_it_begins_in_what_was_evicted
                a_descending_list_says_that_it_ends_in_what_was_evicted
                the_messages_of_one_connection_say_whether_some_of_them_were_evicted
                a_cursor_of_an_earlier_run_stands_before_everything
                what_did_not_leave_is_taken_back_even_after_eviction
                what_did_not_leave_is_taken_back_although_only_what_came_later_is_left
            }
        }
    };
}

fn in_memory(first: Position, capacity: u64) -> Arc<dyn Journal> {
    Arc::new(MemoryJournal::new(first, capacity))
}

keeps_all_promises!(memory, crate::store::conformance::promises::in_memory);

fn on_disk(first: Position, capacity: u64) -> Arc<dyn Journal> {
    Arc::new(SqliteJournal::in_a_directory_of_its_own(first, capacity))
}

keeps_all_promises!(sqlite, crate::store::conformance::promises::on_disk);
