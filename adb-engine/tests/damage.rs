//! Files that were cut, overwritten, or taken away, and directories that may not be written to.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

#[path = "common/groups.rs"]
mod groups;

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    num::NonZero,
    os::unix::fs::FileExt as _,
    path::Path,
};

use adb_engine::{Engine, Error, ErrorKind};
use adb_model::{Database as _, Fate};

const PAGE: usize = 8192;
const GROUPS: i64 = 12;

async fn fill(engine: &Engine, numbers: std::ops::RangeInclusive<i64>) {
    engine.execute(groups::set()).await.unwrap().done().unwrap();
    for n in numbers {
        engine.execute(groups::group(n)).await.unwrap().done().unwrap();
    }
}

/// A database that was closed, so all is in one file.
async fn closed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fill(&Engine::open(dir.path()).unwrap(), 1..=GROUPS).await;
    dir
}

/// What a kill leaves: the first groups in the database, the others in the log.
async fn with_log() -> tempfile::TempDir {
    let dir = closed().await;
    let engine = Engine::open(dir.path()).unwrap();
    fill(&engine, GROUPS + 1..=2 * GROUPS).await;
    let killed = tempfile::tempdir().unwrap();
    for name in ["adb.sqlite", "adb.sqlite-wal"] {
        fs::copy(dir.path().join(name), killed.path().join(name)).unwrap();
    }
    killed
}

fn open(dir: &Path) -> Result<Engine, Error> {
    Engine::options().readers(NonZero::<usize>::MIN).open(dir)
}

/// Opens it and asks for everything.
async fn everything(dir: &Path) -> Result<BTreeSet<i64>, String> {
    groups::whole_groups(&open(dir).map_err(|e| e.to_string())?).await
}

fn all(last: i64) -> BTreeSet<i64> {
    (1..=last).collect()
}

#[tokio::test]
async fn a_database_that_was_cut_is_refused() {
    let dir = closed().await;
    let file = dir.path().join("adb.sqlite");
    let whole = fs::read(&file).unwrap();
    for part in 0..24 {
        let length = whole.len() * part / 24;
        fs::write(&file, &whole[..length]).unwrap();
        for read_only in [true, false] {
            let error = Engine::options().read_only(read_only).open(dir.path()).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Damaged(_)), "{length} bytes: {error}");
            assert!(error.to_string().contains("restore a copy"), "{error}");
        }
        assert_eq!(fs::read(&file).unwrap().len(), length, "nothing was made in its place");
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(everything(dir.path()).await, Ok(all(GROUPS)));
}

/// An empty file with a log beside it: opening must not take the log away.
#[tokio::test]
async fn an_emptied_database_keeps_its_log() {
    let dir = with_log().await;
    let log = fs::read(dir.path().join("adb.sqlite-wal")).unwrap();
    let whole = fs::read(dir.path().join("adb.sqlite")).unwrap();
    fs::write(dir.path().join("adb.sqlite"), "").unwrap();
    assert!(matches!(open(dir.path()).unwrap_err().kind(), ErrorKind::Damaged(_)));
    assert_eq!(fs::read(dir.path().join("adb.sqlite-wal")).unwrap(), log);
    fs::remove_file(dir.path().join("adb.sqlite")).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("`adb.sqlite` is gone, and its log or its packs are still there"),
        "{error}"
    );
    assert_eq!(fs::read(dir.path().join("adb.sqlite-wal")).unwrap(), log);
    fs::write(dir.path().join("adb.sqlite"), whole).unwrap();
    assert_eq!(everything(dir.path()).await, Ok(all(2 * GROUPS)));
}

/// A log that was taken away takes with it what was in it alone; the rest is whole.
#[tokio::test]
async fn a_log_that_is_gone() {
    let dir = with_log().await;
    fs::remove_file(dir.path().join("adb.sqlite-wal")).unwrap();
    assert_eq!(everything(dir.path()).await, Ok(all(GROUPS)));
    groups::sound(dir.path()).unwrap();
}

/// A log whose end was cut or overwritten counts up to there. Every group is whole or not there.
#[tokio::test]
async fn a_log_that_was_cut_or_overwritten() {
    let dir = with_log().await;
    let (file, log) = (dir.path().join("adb.sqlite"), dir.path().join("adb.sqlite-wal"));
    let (whole, whole_log) = (fs::read(&file).unwrap(), fs::read(&log).unwrap());
    let mut seen = BTreeSet::new();
    for part in 0..24 {
        let at = whole_log.len() * part / 24;
        for cut in [true, false] {
            fs::write(&file, &whole).unwrap();
            fs::write(&log, &whole_log).unwrap();
            let handle = OpenOptions::new().write(true).open(&log).unwrap();
            if cut {
                handle.set_len(at as u64).unwrap();
            } else {
                handle.write_all_at(&[0xa5; 64], at as u64).unwrap();
            }
            let there = everything(dir.path()).await.unwrap();
            let last = there.iter().next_back().copied().unwrap();
            assert_eq!(there, all(last), "no group is missing among those that are there");
            assert!((GROUPS..=2 * GROUPS).contains(&last));
            seen.insert(last);
            groups::sound(dir.path()).unwrap();
        }
    }
    assert!(seen.len() > 5, "{seen:?}");
}

/// A database that was cut while the log of a killed process lies beside it.
#[tokio::test]
async fn a_database_that_was_cut_beside_its_log() {
    for part in 1..12 {
        let dir = with_log().await;
        let file = OpenOptions::new().write(true).open(dir.path().join("adb.sqlite")).unwrap();
        file.set_len(file.metadata().unwrap().len() * part / 12).unwrap();
        let error = everything(dir.path()).await.unwrap_err();
        assert!(error.contains("the store is damaged"), "{part}: {error}");
    }
}

/// Pages of the database overwritten with noise. No panic; an answer is right, or there is none.
#[tokio::test]
async fn overwritten_pages() {
    let dir = closed().await;
    let file = dir.path().join("adb.sqlite");
    let whole = fs::read(&file).unwrap();
    let noise: Vec<u8> =
        (0..PAGE as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let (mut refused, mut right, mut named) = (0, 0, 0);
    for page in 0..whole.len() / PAGE {
        fs::write(&file, &whole).unwrap();
        let handle = OpenOptions::new().write(true).open(&file).unwrap();
        handle.write_all_at(&noise, (page * PAGE) as u64).unwrap();
        match everything(dir.path()).await {
            Ok(there) => {
                assert_eq!(there, all(GROUPS), "page {page}");
                right += 1;
            }
            Err(text) if text.contains("than were stored") => named += 1,
            Err(text) => {
                assert!(
                    text.contains("damaged") || text.contains("not made by adb"),
                    "page {page}: {text}"
                );
                refused += 1;
            }
        }
    }
    eprintln!(
        "of {} pages: {refused} refused, {right} not asked for, {named} within an object that is named",
        whole.len() / PAGE
    );
    assert!(refused > 10 && named > 0);
}

/// Not a test by itself: what a user without rights sees.
#[tokio::test]
#[ignore = "run by another test, as another user"]
async fn without_rights() {
    let dir = std::path::PathBuf::from(std::env::var("ADB_ENGINE_DAMAGE_DIRECTORY").unwrap());
    for read_only in [true, false] {
        match Engine::options().read_only(read_only).open(&dir) {
            Err(e) => {
                assert!(matches!(e.kind(), ErrorKind::NoAccess(_)), "{e}");
                assert!(e.to_string().contains("the right to write"), "{e}");
            }
            Ok(engine) => {
                assert_eq!(groups::whole_groups(&engine).await, Ok(all(GROUPS)));
                let error = engine.execute(groups::group(50)).await.unwrap_err();
                assert_eq!(error.fate(), Fate::NotApplied);
                let text = error.to_string();
                assert!(text.contains("read-only") || text.contains("ermission denied"), "{text}");
            }
        }
    }
    let error = open(&dir.join("new")).unwrap_err().to_string();
    assert!(
        error.contains("making the directory") && error.contains("ermission denied"),
        "{error}"
    );
}

/// A directory that this process may read and not write. The superuser may write everywhere, so
/// such a process becomes somebody else for this.
#[tokio::test]
async fn a_directory_that_may_not_be_written() {
    use std::os::unix::{fs::PermissionsExt as _, process::CommandExt as _};
    let dir = closed().await;
    let test = tempfile::tempdir().unwrap();
    let program = test.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(test.path(), 0o755);
    mode(&program, 0o755);
    for entry in fs::read_dir(dir.path()).unwrap() {
        mode(&entry.unwrap().path(), 0o444);
    }
    mode(dir.path(), 0o555);
    let mut command = std::process::Command::new(&program);
    command
        .args(["without_rights", "--exact", "--ignored", "--nocapture"])
        .env("ADB_ENGINE_DAMAGE_DIRECTORY", dir.path())
        .current_dir("/");
    let superuser = fs::write(dir.path().join("probe"), "").is_ok();
    if superuser {
        fs::remove_file(dir.path().join("probe")).unwrap();
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    mode(dir.path(), 0o755);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(everything(dir.path()).await, Ok(all(GROUPS)));
}
