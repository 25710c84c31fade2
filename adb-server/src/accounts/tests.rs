//! Accounts as a whole.

use adb_protocol::{Credentials, secrecy::ExposeSecret};

use super::*;

fn by_password(username: &str, password: &str) -> Credentials {
    Credentials::Password { username: username.into(), password: password.into() }
}

fn fresh() -> (tempfile::TempDir, Accounts) {
    let dir = tempfile::tempdir().unwrap();
    let accounts =
        Accounts::create_with(dir.path(), &"admin-admin-1".into(), Lifetimes::default()).unwrap();
    (dir, accounts)
}

#[test]
fn a_session_outlives_a_restart() {
    let (dir, accounts) = fresh();
    assert!(accounts.log_in(&by_password("admin", "wrong")).is_none());
    assert!(accounts.log_in(&by_password("nobody", "admin-admin-1")).is_none());
    let session = accounts.log_in(&by_password("admin", "admin-admin-1")).unwrap().unwrap();
    drop(accounts);

    let accounts = Accounts::open(dir.path(), Lifetimes::default()).unwrap();
    let caller = accounts.caller(&session.token).unwrap();
    assert_eq!(caller, Caller { name: "admin".into(), role: Role::Admin });
    assert!(accounts.caller(&session.refresh_token).is_none());
    let renewed = accounts.renew(&session.refresh_token).unwrap().unwrap();
    assert!(accounts.caller(&renewed.token).is_some());
    assert!(accounts.caller(&session.token).is_some(), "the old one stays good");
    assert!(accounts.renew(&session.token).is_none());
}

#[test]
fn the_file_is_its_owners_and_holds_no_secret() {
    let (dir, accounts) = fresh();
    let token = accounts.generate_token().unwrap();
    let path = dir.path().join("accounts.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("admin-admin-1") && !text.contains(token.expose_secret()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        Accounts::open(dir.path(), Lifetimes::default()).unwrap();
        assert_eq!(mode(&path), 0o600);
    }
}

#[test]
fn sessions_end() {
    let dir = tempfile::tempdir().unwrap();
    let lifetimes = Lifetimes { session: Duration::ZERO, ..Lifetimes::default() };
    let accounts = Accounts::create_with(dir.path(), &"admin-admin-1".into(), lifetimes).unwrap();
    let session = accounts.session("admin", None).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert!(accounts.caller(&session.token).is_none());
    assert!(accounts.renew(&session.refresh_token).is_some());
}

#[test]
fn another_password_ends_all_sessions() {
    let (_dir, accounts) = fresh();
    let session = accounts.session("admin", None).unwrap();
    let change = UserChange { password: Some("other-pass-2".into()), ..UserChange::default() };
    accounts.update_user("admin", &change).unwrap();
    assert!(accounts.caller(&session.token).is_none());
    assert!(accounts.renew(&session.refresh_token).is_none());
    assert!(accounts.log_in(&by_password("admin", "other-pass-2")).is_some());
    assert!(accounts.log_in(&by_password("admin", "admin-admin-1")).is_none());
}

#[test]
fn tokens_are_made_here_and_are_one_users() {
    let (_dir, accounts) = fresh();
    accounts.create_user("anna", None, &[]).unwrap();
    let token = accounts.generate_token().unwrap();
    let by_token = |username: Option<&str>| Credentials::Token {
        username: username.map(str::to_owned),
        token: token.clone(),
    };
    assert!(accounts.log_in(&by_token(None)).is_none(), "it is nobody's yet");
    let add = UserChange { add_tokens: vec![token.clone()], ..UserChange::default() };
    accounts.update_user("anna", &add).unwrap();
    assert!(accounts.log_in(&by_token(Some("admin"))).is_none());
    assert!(accounts.log_in(&by_token(Some("anna"))).is_some());
    let session = accounts.log_in(&by_token(None)).unwrap().unwrap();
    assert_eq!(accounts.caller(&session.token).unwrap().role, Role::User);

    let error = accounts.update_user("admin", &add).unwrap_err().to_string();
    assert!(error.contains("in use") && !error.contains(token.expose_secret()), "{error}");
    let foreign = UserChange { add_tokens: vec!["adbp_mine".into()], ..UserChange::default() };
    assert!(accounts.update_user("anna", &foreign).is_err());

    let renewed = accounts.renew(&session.refresh_token).unwrap().unwrap();
    let other = accounts.session("anna", None).unwrap();
    let remove = UserChange { remove_tokens: vec![token.clone()], ..UserChange::default() };
    accounts.update_user("anna", &remove).unwrap();
    // The older SDK can't log in again by itself: sessions that have nothing to do with it go on.
    assert!(accounts.caller(&other.token).is_some());
    assert!(accounts.caller(&renewed.token).is_none());
    assert!(accounts.log_in(&by_token(None)).is_none());
    assert!(accounts.caller(&session.token).is_none());
}

#[test]
fn what_another_process_changes_is_seen() {
    let (dir, server) = fresh();
    let session = server.session("admin", None).unwrap();
    let tool = Accounts::open(dir.path(), Lifetimes::default()).unwrap();
    tool.create_user("anna", None, &["reader".into()]).unwrap();
    let token = tool.add_token("anna").unwrap();
    let by_token = Credentials::Token { username: None, token };
    let anna = server.log_in(&by_token).unwrap().unwrap();
    assert_eq!(server.caller(&anna.token).unwrap().role, Role::Reader);
    // Both write, and neither undoes the other's.
    server.create_user("bert", None, &[]).unwrap();
    tool.create_user("carl", None, &[]).unwrap();
    let names = |accounts: &Accounts| {
        accounts.users().into_iter().map(|user| user.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&server), ["admin", "anna", "bert", "carl"]);
    assert_eq!(names(&tool), names(&server));
    tool.set_password("admin", &"other-pass-2".into()).unwrap();
    assert!(server.caller(&session.token).is_none());
    assert_eq!(tool.revoke_tokens("anna").unwrap(), 1);
    assert!(server.caller(&anna.token).is_none() && server.log_in(&by_token).is_none());
    let details = server.users().remove(1);
    assert!(details.tokens.is_empty() && !details.has_password);

    // A file that can't be read lets nobody in and locks nobody out.
    let session = server.session("admin", None).unwrap();
    std::fs::write(dir.path().join("accounts.json"), "{").unwrap();
    assert!(server.caller(&session.token).is_some());
    assert!(server.create_user("dora", None, &[]).is_err(), "nor is it written over");
    assert_eq!(std::fs::read_to_string(dir.path().join("accounts.json")).unwrap(), "{");
}

#[test]
fn many_who_change_at_once_lose_nothing() {
    let (dir, _accounts) = fresh();
    std::thread::scope(|scope| {
        for who in 0..4 {
            let accounts = Accounts::open(dir.path(), Lifetimes::default()).unwrap();
            scope.spawn(move || {
                for n in 0..10 {
                    accounts.create_user(&format!("user-{who}-{n}"), None, &[]).unwrap();
                }
            });
        }
    });
    let accounts = Accounts::open(dir.path(), Lifetimes::default()).unwrap();
    assert_eq!(accounts.users().len(), 41);
}

#[test]
fn rules_of_accounts() {
    let (_dir, accounts) = fresh();
    for name in ["bob", "_bob", "bo b", "", &"x".repeat(65)] {
        assert!(accounts.create_user(name, None, &[]).is_err(), "{name}");
    }
    assert!(accounts.create_user("anna", Some(&"weak".into()), &[]).is_err());
    assert!(accounts.create_user("anna", None, &["root".into()]).is_err());
    assert!(accounts.create_user("admin", None, &[]).is_err());
    assert!(accounts.remove_user("admin").is_err(), "the last admin stays");
    let demote = UserChange { roles: Some(vec!["reader".into()]), ..UserChange::default() };
    assert!(accounts.update_user("admin", &demote).is_err());
    accounts.create_user("anna", None, &["admin".into()]).unwrap();
    accounts.update_user("admin", &demote).unwrap();
    let session = accounts.session("admin", None).unwrap();
    assert_eq!(accounts.caller(&session.token).unwrap().role, Role::Reader);
    accounts.remove_user("admin").unwrap();
    assert!(accounts.caller(&session.token).is_none());
    accounts.create_user("admin", None, &[]).unwrap();
    assert!(accounts.caller(&session.token).is_none(), "not the same admin");
}

#[test]
fn damaged_files_are_not_taken_for_none() {
    let (dir, accounts) = fresh();
    drop(accounts);
    let open = || Accounts::open(dir.path(), Lifetimes::default());
    assert!(Accounts::create(dir.path(), Lifetimes::default()).is_err());
    std::fs::write(dir.path().join("accounts.json"), "{\"format\":1").unwrap();
    assert!(matches!(open(), Err(Error::Content { .. })));
    assert!(Accounts::create(dir.path(), Lifetimes::default()).is_err());
    std::fs::remove_file(dir.path().join("accounts.json")).unwrap();
    assert!(open().unwrap_err().to_string().contains("--init"));
}
