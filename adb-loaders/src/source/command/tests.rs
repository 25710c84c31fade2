use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};

use super::{super::Object, *};

type Rows = Vec<Result<Option<Json>, String>>;

fn read(source: impl ObjectSource) -> (Rows, Result<(), Error>) {
    let mut rows = Vec::new();
    let end = source.read(&ModelSchema::BARE, &mut |row, _| {
        let object = row.object.and_then(|o| o.map(ObjectText::into_object).transpose());
        rows.push(object.map(|o| o.map(Json::Object)));
        ControlFlow::Continue(())
    });
    (rows, end)
}

/// So many rows `{"n": 1}`, `{"n": 2}` …
struct Numbers(u64);

impl ObjectSource for Numbers {
    fn read(self, _: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        for n in 1..=self.0 {
            let object: Object = [("n".to_owned(), n.into())].into_iter().collect();
            let at = RowPlace { file: "numbers".into(), row: n, line: None };
            if each(ObjectRow::new(at, Ok(object.into())), n).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[test]
fn what_a_program_prints_is_rows() {
    let (rows, end) =
        read(CommandObjects::new(r#"echo '{"a": 1}'; echo; echo 'oops'; printf '{"a": 2}'"#));
    end.unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0], Ok(Some(json!({"a": 1}))));
    assert!(rows[1].is_err());
    assert_eq!(rows[2], Ok(Some(json!({"a": 2}))));
}

#[test]
fn a_status_other_than_0_is_told_with_the_programs_last_words() {
    let (rows, end) = read(CommandObjects::new(
        r#"echo '{"a": 1}'; printf '{"a": '; echo 'no such table' >&2; exit 7"#,
    ));
    assert_eq!(rows.len(), 2);
    assert!(rows[1].as_ref().unwrap_err().contains("EOF"), "a half line is no row");
    let end = end.unwrap_err().to_string();
    assert!(end.contains("exit status: 7") && end.contains("no such table"), "{end}");
    let (_, end) = read(CommandObjects::new("adb-no-such-program"));
    assert!(end.unwrap_err().to_string().contains("127"));
}

/// Whether a process is there that this test started.
fn lives(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // One that ended and was not waited for yet, by whoever inherited it, lives no more.
    !state.is_empty() && !state.contains(") Z ")
}

fn ends(pid: &str) {
    let patience = Instant::now() + Duration::from_secs(20);
    while lives(pid) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!lives(pid), "{pid} was left behind");
}

#[test]
fn a_program_ends_with_all_that_it_started_when_no_more_is_wanted() {
    let mut pid = String::new();
    CommandObjects::new(r#"sleep 1000 & echo "{\"pid\": $!}"; while true; do echo '{}'; done"#)
        .read(&ModelSchema::BARE, &mut |row, _| {
            pid = row.object.unwrap().unwrap().into_object().unwrap()["pid"].to_string();
            ControlFlow::Break(())
        })
        .unwrap();
    ends(&pid);
}

#[test]
fn a_silent_program_ends_when_everything_stops() {
    let stop = Stop::default();
    let source = CommandObjects::new(r#"echo "{\"pid\": $$}"; sleep 1000; echo '{}'"#);
    let mut pid = String::new();
    source
        .stop_on(stop.clone())
        .read(&ModelSchema::BARE, &mut |row, _| {
            pid = row.object.unwrap().unwrap().into_object().unwrap()["pid"].to_string();
            stop.stop();
            ControlFlow::Continue(())
        })
        .unwrap();
    ends(&pid);
}

#[test]
fn rows_go_through_a_program_in_their_order() {
    // One row in three is left out, one in three doubled.
    let program = r#"i=0; while read -r row; do i=$((i+1)); case $((i % 3)) in
        0) echo null;; 1) echo "$row";; *) echo "[$row, {\"twice\": $i}]";; esac; done"#;
    let (rows, end) = read(Numbers(2000).through(program));
    end.unwrap();
    let mut expected: Rows = Vec::new();
    for n in 1..=2000 {
        match n % 3 {
            0 => expected.push(Ok(None)),
            1 => expected.push(Ok(Some(json!({ "n": n })))),
            _ => {
                expected.push(Ok(Some(json!({ "n": n }))));
                expected.push(Ok(Some(json!({ "twice": n }))));
            }
        }
    }
    assert!(rows == expected);
}

#[test]
fn identities_come_from_the_row_before_the_program() {
    let identities = |program: &str| {
        let mut all = Vec::new();
        Numbers(2)
            .through(program)
            .read(&ModelSchema::BARE, &mut |row, _| {
                all.push(row.identity);
                ControlFlow::Continue(())
            })
            .unwrap();
        all
    };
    let plain = identities("cat");
    let doubled = identities(r#"while read -r row; do echo "[$row, $row]"; done"#);
    assert_eq!((plain.len(), doubled.len()), (2, 4));
    assert_eq!(plain, identities(r#"while read -r row; do echo '{"other": 1}'; done"#));
    let mut all = [plain, doubled].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6);
}

#[test]
fn answers_that_are_none_cost_their_row() {
    let program = r#"read -r a; echo oops; read -r a; echo 7; read -r a; echo '[1]'; read -r a
        echo '{"_error": "no such dish"}'; read -r a; echo "$a""#;
    let (rows, end) = read(Numbers(5).through(program));
    end.unwrap();
    for (row, words) in rows.iter().zip(["no JSON", "is 7", "an array with 1", "no such dish"]) {
        assert!(row.as_ref().unwrap_err().contains(words), "{row:?}");
    }
    assert_eq!(rows[4], Ok(Some(json!({"n": 5}))));
}

#[test]
fn a_program_that_ends_early_fails_the_rows_at_hand_and_breaks_off() {
    for (program, words) in [
        ("read -r a; echo \"$a\"; exit 3", "exit status: 3"),
        ("read -r a; echo \"$a\"", "before all rows were answered"),
    ] {
        let (rows, end) = read(Numbers(100_000).through(program));
        let end = end.unwrap_err().to_string();
        assert!(end.contains(words), "{end}");
        assert_eq!(rows[0], Ok(Some(json!({"n": 1}))));
        assert!(rows.len() < 100_000);
        assert!(
            rows[1..]
                .iter()
                .all(|row| row.as_ref().is_err_and(|e| e.contains("without an answer")))
        );
    }
}

#[test]
fn more_answers_than_rows_are_a_fault() {
    let (_, end) = read(Numbers(2).through(r#"while read -r a; do echo "$a"; echo "$a"; done"#));
    let end = end.unwrap_err().to_string();
    assert!(end.contains("more lines than there are rows"), "{end}");
}

#[test]
fn rows_that_the_source_could_not_read_pass_by() {
    struct Broken;
    impl ObjectSource for Broken {
        fn read(self, _: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
            for n in 1..=2 {
                let at = RowPlace { file: "broken".into(), row: n, line: None };
                let _ = each(ObjectRow::new(at, Err(format!("fault {n}"))), 0);
            }
            Err(crate::ErrorKind::Worker("its end".to_owned()).into())
        }
    }
    let (rows, end) = read(Broken.through("cat"));
    assert_eq!(rows, [Err("fault 1".to_owned()), Err("fault 2".to_owned())]);
    assert!(end.unwrap_err().to_string().contains("its end"));
}

#[test]
fn a_filter_ends_when_no_more_is_wanted() {
    let mut n = 0;
    Numbers(u64::MAX)
        .through("cat")
        .read(&ModelSchema::BARE, &mut |_, _| {
            n += 1;
            match n == 10 {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
        .unwrap();
    assert_eq!(n, 10);
}

#[test]
fn a_silent_filter_ends_when_everything_stops() {
    let stop = Stop::default();
    std::thread::spawn({
        let stop = stop.clone();
        move || {
            std::thread::sleep(Duration::from_millis(100));
            stop.stop();
        }
    });
    let (rows, end) = read(Numbers(u64::MAX).through("sleep 1000").stop_on(stop));
    end.unwrap();
    assert_eq!(rows, []);
}

#[test]
fn closures_are_transforms() {
    let mut seen = 0;
    let source = Numbers(4).transform(move |mut row: Object| {
        seen += 1;
        match seen {
            1 => Ok(None),
            2 => Err("not this".to_owned()),
            _ => {
                row.insert("seen".to_owned(), seen.into());
                Ok(Some(row))
            }
        }
    });
    let (rows, end) = read(source);
    end.unwrap();
    assert_eq!(rows[..2], [Ok(None), Err("not this".to_owned())]);
    assert_eq!(rows[3], Ok(Some(json!({"n": 4, "seen": 4}))));
}
