//! What every adapter does, whatever the vendor does.

pub mod creates;
pub mod endings;
pub mod polls;
pub mod results;
pub mod statuses;
pub mod webhooks;

/// Writes one test of each kind for every vendor, so that a failure names both.
macro_rules! for_every_vendor {
    ($($name:ident: $vendor:ty,)+) => {
        $(mod $name {
            $crate::contract::tests_of!($vendor:
                creates::a_purchase_is_one_create_and_the_exact_bytes,
                creates::a_create_whose_line_was_cut_is_found_and_sent_once,
                creates::a_create_that_was_never_answered_is_found_and_sent_once,
                creates::a_create_that_did_not_arrive_is_sent_again,
                creates::a_create_answered_with_garbage_is_looked_up,
                creates::of_two_alike_each_gets_its_own,
                creates::what_nobody_can_tell_is_owed_back_where_the_operator_says_so,
                creates::an_answer_that_is_late_is_an_answer,
                creates::without_a_connection_nothing_was_created,
                statuses::what_has_no_room_is_asked_again_and_does_not_count,
                statuses::a_pause_that_is_asked_for_is_kept,
                statuses::what_is_refused_for_good_is_owed_back,
                statuses::a_refused_account_is_not_sold_until_it_is_mended,
                statuses::a_model_that_is_not_there_is_not_sold,
                statuses::a_server_error_on_create_is_looked_up,
                polls::how_far_it_is_reaches_the_caller,
                polls::how_many_come_first_reaches_the_caller,
                polls::garbage_is_survived,
                polls::an_answer_that_is_late_is_waited_for,
                polls::a_minute_of_outage_is_survived,
                polls::what_it_has_lost_is_made_again,
                polls::a_key_that_is_refused_meanwhile_loses_nothing,
                endings::a_failure_is_owed_back,
                endings::rejected_content_is_told_and_owed_back,
                endings::a_transient_failure_is_tried_again,
                endings::at_the_deadline_it_is_stopped_and_owed_back,
                endings::what_has_ended_is_forgotten_upstream,
                endings::no_secret_is_logged,
                results::too_large_is_owed_back,
                results::of_the_wrong_kind_is_owed_back,
                results::from_elsewhere_is_never_fetched,
                results::a_redirect_elsewhere_is_never_followed,
                results::what_is_gone_is_looked_for_again_and_costs_no_other_generation,
                results::a_broken_transfer_goes_on,
                webhooks::a_webhook_finds_the_create_whose_line_was_cut,
                webhooks::a_forged_or_old_webhook_changes_nothing,
            );
        })+
    };
}
macro_rules! tests_of {
    ($vendor:ty: $($module:ident::$test:ident,)+) => {
        $(#[tokio::test]
        async fn $test() {
            $crate::contract::$module::$test::<$vendor>().await;
        })+
    };
}
pub(crate) use {for_every_vendor, tests_of};

/// Answers that mean nothing.
pub const GARBAGE: [&str; 4] = ["<html><body>502 Bad Gateway</body></html>", "", "[[]]", "{\"hello\":\"world\"}"];
