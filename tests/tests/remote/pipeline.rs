//! An ingest through a server, killed (SIGKILL) on either side: all rows are there once.
//!
//! `ADB_PIPELINE_KILLS` says how often; `.ci/server-kills` runs the long form.

use std::time::Duration;

use super::{
    assert_whole,
    process::{Ingesting, Served, asked, chance},
    write_rows,
};

/// Rows that each kill meets.
const ROWS: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn kills_on_either_side_lose_and_double_no_row() {
    let kills = asked("ADB_PIPELINE_KILLS", 5);
    let dir = tempfile::tempdir().unwrap();
    let rows = dir.path().join("rows");
    std::fs::create_dir(&rows).unwrap();
    let mut server = Served::start(dir.path());
    let url = server.url();
    let (mut early, mut again, mut most) = (0, 0, Duration::from_millis(1500));
    for round in 0..kills {
        write_rows(&rows, round * ROWS..(round + 1) * ROWS);
        let ingest = Ingesting::start(&rows, &url);
        std::thread::sleep(chance(most));
        let whole = if round % 2 == 0 {
            server.kill_and_restart();
            ingest.ended()
        } else {
            let was_at_work = ingest.kill();
            early += u64::from(!was_at_work);
            // The next one comes sooner, if this one came too late.
            most = if was_at_work { most } else { most / 2 };
            false
        };
        // As a user would: what was cut is run again.
        let mut attempts = 0;
        let mut whole = whole;
        while !whole {
            assert!(attempts < 3, "round {round}: rows fail although nothing is killed");
            whole = Ingesting::start(&rows, &url).ended();
            attempts += 1;
            again += 1;
        }
    }
    let db = adb::connect(&url).unwrap();
    assert_whole(&*db, kills * ROWS).await;
    eprintln!(
        "{kills} kills, half of them of the server; {early} came too late, {again} runs were begun \
         again: {} rows, none lost, none twice",
        kills * ROWS
    );
}
