//! Files that belong together: `train-{000..010}.parquet`.

use std::path::PathBuf;

use crate::{Error, ErrorKind};

/// The files that a pattern names, in its order: `{000..010}` stands for numbers, `{a,b}` for words;
/// `*` and `?` for what is there, sorted.
///
/// ```
/// let shards = adb_loaders::shards("shard-{08..11}.tar")?;
/// assert_eq!(shards.len(), 4);
/// assert_eq!(shards[1], std::path::Path::new("shard-09.tar"));
/// # Ok::<_, adb_loaders::Error>(())
/// ```
///
/// # Errors
/// When nothing matches, or a range is no range.
pub fn shards(pattern: &str) -> Result<Vec<PathBuf>, Error> {
    let refuse = |message: String| {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, message);
        Error::from(ErrorKind::Source { path: pattern.into(), source })
    };
    let mut files = Vec::new();
    for path in braces(pattern).map_err(refuse)? {
        if !path.contains(['*', '?']) || PathBuf::from(&path).exists() {
            files.push(PathBuf::from(path));
            continue;
        }
        let before = files.len();
        files.extend(matches(&path).map_err(|e| refuse(e.to_string()))?);
        if files.len() == before {
            return Err(refuse("no file matches".to_owned()));
        }
    }
    Ok(files)
}

/// More would be a slip.
const MOST: u64 = 1_000_000;

fn braces(pattern: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return Ok(vec![pattern.to_owned()]);
    };
    let Some((inside, after)) = rest.split_once('}') else {
        return Err("a `{` is not closed".to_owned());
    };
    let words: Vec<String> = match inside.split_once("..") {
        Some((from, to)) => {
            let number = |text: &str| {
                text.parse::<u64>().map_err(|_| {
                    format!("`{{{inside}}}` is no range of numbers, such as `{{000..010}}`")
                })
            };
            let (first, last, width) = (number(from)?, number(to)?, from.len());
            if first > last || last - first >= MOST {
                return Err(format!("`{{{inside}}}` is no range, or of more than {MOST} files"));
            }
            (first..=last).map(|n| format!("{n:0width$}")).collect()
        }
        None => inside.split(',').map(str::to_owned).collect(),
    };
    let mut all = Vec::new();
    for after in braces(after)? {
        all.extend(words.iter().map(|word| format!("{before}{word}{after}")));
    }
    // Of several braces the first counts slowest, as in a shell.
    all.sort_by_key(|path| {
        words.iter().position(|word| {
            path.strip_prefix(before).is_some_and(|rest| rest.starts_with(word.as_str()))
        })
    });
    Ok(all)
}

/// Stars in the last part of a path.
fn matches(path: &str) -> Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    if folder.contains(['*', '?']) {
        return Err("`*` may stand in the name of the file alone, not in that of a folder".into());
    }
    let glob = globset::Glob::new(name)?.compile_matcher();
    let mut files = Vec::new();
    let folder = if folder.is_empty() { "/" } else { folder };
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if glob.is_match(entry.file_name()) && entry.path().is_file() {
            files.push(match path.contains('/') {
                true => entry.path(),
                false => entry.file_name().into(),
            });
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files() {
        let named = |pattern: &str| -> Vec<String> {
            let files = shards(pattern).unwrap();
            files.iter().map(|file| file.display().to_string()).collect()
        };
        assert_eq!(named("a.tar"), ["a.tar"]);
        assert_eq!(named("a-{9..11}.tar"), ["a-9.tar", "a-10.tar", "a-11.tar"]);
        assert_eq!(named("{x,y}-{0..1}"), ["x-0", "x-1", "y-0", "y-1"]);
        for (pattern, words) in [
            ("a-{1..", "not closed"),
            ("a-{1..x}", "no range of numbers"),
            ("a-{3..1}", "no range"),
            ("a-{0..99999999}", "more than"),
            ("no-such-folder/*.tar", ""),
            ("*.no-such-ending", "no file matches"),
        ] {
            let e = shards(pattern).unwrap_err().to_string();
            assert!(e.contains(words) && e.contains(pattern), "{e}");
        }
        let dir = tempfile::tempdir().unwrap();
        for name in ["b-1.tar", "b-0.tar", "c.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = shards(&dir.path().join("b-*.tar").display().to_string()).unwrap();
        assert_eq!(found, [dir.path().join("b-0.tar"), dir.path().join("b-1.tar")]);
    }
}
