//! Downloads within a budget, from a server of our own.

#[path = "../../../tests/local_web/mod.rs"]
mod local_web;

use std::{sync::Arc, thread};

use self::local_web::{Answer, Web};
use super::*;
use crate::media::budget::Budget;

/// Bodies whose size is not told, all at once, within a budget that holds fewer of them.
fn fetch_untold(bytes: usize, within: u64, at_once: usize) -> Arc<Budget> {
    let body: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
    let sent = body.clone();
    let web = Web::start(move |_| Answer::Untold(sent.clone()));
    let (trusted, max_bytes) = (vec![web.url("/")], bytes as u64 + 1);
    let options = MediaOptions { trusted, max_bytes, ..MediaOptions::default() };
    let remote = Remote::start(Arc::new(options)).unwrap();
    let budget = Budget::new(within);
    thread::scope(|scope| {
        for n in 0..at_once {
            let (remote, budget, body, url) = (&remote, &budget, &body, web.url(&format!("/{n}")));
            scope.spawn(move || {
                let download = remote.download(&url, None, Some(budget.nothing()));
                let runtime = Builder::new_current_thread().build().unwrap();
                let (bytes, held) = runtime.block_on(download).unwrap();
                assert_eq!(bytes, body);
                drop(held);
            });
        }
    });
    budget
}

#[test]
fn bodies_of_a_size_that_is_not_told_stay_within_the_budget() {
    let (size, within) = (5 << 20, 6 << 20);
    let most = fetch_untold(size, within, 8).most_taken();
    // One of them may go beyond it, and no more.
    assert!(most <= within + size as u64 + (8 << 10), "{most}");
}
