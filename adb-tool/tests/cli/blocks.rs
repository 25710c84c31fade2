//! Blocks of code on pages of the documentation, and who runs each.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A block of code.
#[derive(Debug, PartialEq)]
pub(crate) struct Block {
    /// Where it begins, counted from 1.
    pub(crate) line: usize,
    /// What stands behind the opening fence.
    pub(crate) language: String,
    pub(crate) text: String,
    /// Why it is not run: `<!-- not run: why -->` on the line before it.
    pub(crate) not_run: Option<String>,
}

/// Who runs a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Runner {
    /// Rustdoc, from where the page is included.
    DocTest,
    /// A shell, with everything that the page speaks of around it.
    Shell,
    /// Python compiles it; `tests/sdk` runs what needs the SDK.
    Python,
    /// Our own readers.
    Json,
    /// Nobody: it shows what a program prints, or a picture.
    Shown,
    /// Nobody, and the page says why.
    Nobody,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The pages of the documentation, by their paths from the root.
pub(crate) fn pages() -> Vec<String> {
    let mut pages: Vec<String> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| format!("docs/{}", entry.unwrap().file_name().into_string().unwrap()))
        .filter(|page| page.ends_with(".md"))
        .collect();
    let others = ["README", "CONTRIBUTING", "CHANGELOG", "SECURITY"];
    pages.extend(others.map(|name| format!("{name}.md")));
    pages.extend(["adb-derive/attributes.md", "adb-engine/FORMAT.md"].map(str::to_owned));
    pages.sort();
    pages
}

pub(crate) fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

/// The blocks of a page.
pub(crate) fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut within = false;
    let mut before = "";
    for (i, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), within) {
            (Some(language), false) => {
                let reason = before.strip_prefix("<!-- not run: ");
                blocks.push(Block {
                    line: i + 1,
                    language: language.trim().to_owned(),
                    text: String::new(),
                    not_run: reason.and_then(|r| r.strip_suffix(" -->")).map(str::to_owned),
                });
                within = true;
            }
            (Some(""), true) => within = false,
            (_, true) => {
                let block = blocks.last_mut().ok_or("a block has no beginning")?;
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) if line.trim_start().starts_with("```") => {
                return Err(format!("line {}: a fence that is indented", i + 1));
            }
            (None, false) if before.trim().is_empty() && is_indented_command(line) => {
                return Err(format!("line {}: a command without a fence around it", i + 1));
            }
            (None, false) => {}
        }
        before = line;
    }
    match within {
        true => Err("the last block has no end".to_owned()),
        false => Ok(blocks),
    }
}

fn is_indented_command(line: &str) -> bool {
    line.strip_prefix("    ").is_some_and(is_command)
}

fn is_command(line: &str) -> bool {
    ["adb ", "$ ", "cargo ", "python3 ", "pip "].iter().any(|begins| line.starts_with(begins))
}

impl Block {
    /// Who runs it, or why nobody does.
    pub(crate) fn runner(&self) -> Result<Runner, String> {
        let word = self.language.split([',', ' ']).next().unwrap_or_default();
        let runner = match word {
            "" => return Err("it has no language; what is only shown is `text`".to_owned()),
            "rust" | "no_run" | "compile_fail" | "should_panic" | "edition2024" => Runner::DocTest,
            "sh" | "console" => Runner::Shell,
            "python" => Runner::Python,
            "json" => Runner::Json,
            "text" | "mermaid" => Runner::Shown,
            other => return Err(format!("nobody runs `{other}`")),
        };
        match (&self.not_run, runner) {
            (Some(_), Runner::DocTest) => Err("rustdoc has `no_run` for that".to_owned()),
            (Some(why), _) if why.trim().len() < 10 => Err("it does not say why".to_owned()),
            (Some(_), _) => Ok(Runner::Nobody),
            (None, Runner::Shown) if self.text.lines().any(is_command) => {
                Err("a command is hidden in it: make it `sh`".to_owned())
            }
            (None, Runner::Shell) if self.commands().is_empty() => {
                Err("there is no command in it".to_owned())
            }
            (None, runner) => Ok(runner),
        }
    }

    /// The commands of a block for the shell; of `console`, what stands behind `$`.
    pub(crate) fn commands(&self) -> Vec<String> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        match self.language == "console" {
            false => commands(lines),
            true => {
                let mut goes_on = false;
                let typed = lines.filter_map(|line| {
                    let typed = line.strip_prefix("$ ").or(goes_on.then_some(line));
                    goes_on = typed.is_some_and(|line| line.ends_with('\\'));
                    typed
                });
                commands(typed)
            }
        }
    }
}

/// Commands by their lines, those with `\` at their end joined.
pub(crate) fn commands<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        let text = line.trim_end();
        // What a line says beside its command may go on below it.
        if text.is_empty() || (text.starts_with(' ') && !goes_on) {
            continue;
        }
        match all.last_mut().filter(|_| goes_on) {
            Some(last) => last.push_str(&format!("\n{text}")),
            None => all.push(text.to_owned()),
        }
        goes_on = text.ends_with('\\');
    }
    all
}

#[test]
fn what_a_page_may_not_have_is_found() {
    let one = |text: &str| blocks(text).unwrap().pop().unwrap();
    for (page, wanted) in [
        ("```\nx\n```\n", Err("has no language")),
        ("```cobol\nx\n```\n", Err("nobody runs `cobol`")),
        ("```text\nadb schema\n```\n", Err("a command is hidden")),
        ("```console\nonly what it prints\n```\n", Err("no command")),
        ("<!-- not run: no -->\n```sh\nadb schema\n```\n", Err("does not say why")),
        ("<!-- not run: it asks a hub -->\n```rust\n1;\n```\n", Err("rustdoc has")),
        ("<!-- not run: it asks a hub -->\n```sh\nadb schema\n```\n", Ok(Runner::Nobody)),
        ("```sh\nadb schema\n```\n", Ok(Runner::Shell)),
        ("```rust,no_run\nf();\n```\n", Ok(Runner::DocTest)),
        ("```text\nnothing but words\n```\n", Ok(Runner::Shown)),
    ] {
        match (one(page).runner(), wanted) {
            (Ok(runner), Ok(wanted)) => assert_eq!(runner, wanted, "{page}"),
            (Err(found), Err(wanted)) => assert!(found.contains(wanted), "{page}: {found}"),
            (found, _) => assert_eq!(found, Err(String::new()), "{page}"),
        }
    }
    for wrong in ["a\n\n    adb schema\n", "* a\n  ```sh\n  adb\n  ```\n", "```sh\nadb\n"] {
        assert!(blocks(wrong).is_err(), "{wrong}");
    }
    let typed = one("```console\n$ adb a \\\n  b\nprinted\n$ adb c\n```\n").commands();
    assert_eq!(typed, ["adb a \\\n  b", "adb c"]);
}
