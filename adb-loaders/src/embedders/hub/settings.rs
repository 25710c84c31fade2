//! What the environment says about the hub, by the names that its own Python client reads.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
};

/// A token, which no message and no log may show.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token {
    secret: String,
    /// Where it comes from, for messages.
    pub(super) from: String,
}

impl Token {
    /// `None` for blank text, and for text that can't stand in a header.
    pub(super) fn new(text: &str, from: impl Into<String>) -> Option<Self> {
        let secret = text.trim().to_owned();
        let usable = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
        usable.then(|| Self { secret, from: from.into() })
    }

    /// The header's value.
    #[cfg(feature = "hub")]
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.secret)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {}, {} bytes)", self.from, self.secret.len())
    }
}

/// All that is read from the environment.
#[derive(Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) endpoint: Option<String>,
    /// Which variable forbids it to ask a hub.
    pub(super) offline: Option<&'static str>,
    pub(super) token: Option<Token>,
    /// Where the Python client keeps what it fetched.
    pub(super) shared_cache: Option<PathBuf>,
}

impl Settings {
    pub(super) fn from_env() -> Self {
        Self::from_vars(|key| env::var(key).ok(), env::home_dir())
    }

    pub(super) fn from_vars(get: impl Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Self {
        let set = |key| get(key).filter(|value| !value.trim().is_empty());
        // ADB_OFFLINE takes any word but 0; the hub's own variable takes these.
        let is_on = |key| {
            set(key).is_some_and(|value| {
                ["1", "on", "yes", "true"].contains(&value.trim().to_ascii_lowercase().as_str())
            })
        };
        let offline = if set("ADB_OFFLINE").is_some_and(|value| value.trim() != "0") {
            Some("ADB_OFFLINE is set")
        } else if is_on("HF_HUB_OFFLINE") {
            Some("HF_HUB_OFFLINE is set")
        } else {
            None
        };
        let own = set("HF_HOME").map(PathBuf::from).or_else(|| {
            let caches = set("XDG_CACHE_HOME").map(PathBuf::from);
            let home = home.filter(|home| !home.as_os_str().is_empty());
            Some(caches.or_else(|| home.map(|home| home.join(".cache")))?.join("huggingface"))
        });
        let named = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
            .into_iter()
            .find_map(|key| Token::new(&set(key)?, key));
        let file = || {
            let path = set("HF_TOKEN_PATH").map(PathBuf::from);
            let path = path.or_else(|| Some(own.as_deref()?.join("token")))?;
            read_token(&path)
        };
        let token = if is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") { None } else { named.or_else(file) };
        let shared_cache = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]
            .into_iter()
            .find_map(set)
            .map(PathBuf::from)
            .or_else(|| Some(own.as_deref()?.join("hub")));
        Self { endpoint: set("HF_ENDPOINT"), offline, token, shared_cache }
    }
}

/// A file that is not there is no token; most people have none.
fn read_token(path: &Path) -> Option<Token> {
    Token::new(&fs::read_to_string(path).ok()?, path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(vars: &[(&str, &str)], home: Option<&Path>) -> Settings {
        let get = |key: &str| {
            vars.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned())
        };
        Settings::from_vars(get, home.map(Path::to_owned))
    }

    #[test]
    fn places_follow_the_python_client_s_order() {
        let cache = |vars: &[(&str, &str)]| settings(vars, Some(Path::new("/me"))).shared_cache;
        let all = [
            ("HF_HUB_CACHE", "/direct"),
            ("HUGGINGFACE_HUB_CACHE", "/older"),
            ("HF_HOME", "/home"),
            ("XDG_CACHE_HOME", "/xdg"),
        ];
        let wanted = ["/direct", "/older", "/home/hub", "/xdg/huggingface/hub"];
        for (skipped, wanted) in wanted.iter().enumerate() {
            assert_eq!(cache(&all[skipped..]).unwrap(), Path::new(wanted));
        }
        assert_eq!(cache(&[]).unwrap(), Path::new("/me/.cache/huggingface/hub"));
        assert_eq!(settings(&[], None).shared_cache, None);
    }

    #[test]
    fn a_token_comes_from_a_variable_or_a_file_and_is_never_shown() {
        let home = tempfile::tempdir().unwrap();
        let at = |vars: &[(&str, &str)]| settings(vars, Some(home.path())).token;
        assert_eq!(at(&[]), None);
        let file = home.path().join(".cache/huggingface/token");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "from-file\n").unwrap();
        assert_eq!(at(&[]).unwrap().secret, "from-file");
        assert_eq!(at(&[("HF_TOKEN", " named ")]).unwrap().secret, "named");
        assert_eq!(
            at(&[("HUGGING_FACE_HUB_TOKEN", "older")]).unwrap().from,
            "HUGGING_FACE_HUB_TOKEN"
        );
        assert_eq!(at(&[("HF_TOKEN", "a"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        let other = home.path().join("other");
        fs::write(&other, "elsewhere").unwrap();
        assert_eq!(at(&[("HF_TOKEN_PATH", other.to_str().unwrap())]).unwrap().secret, "elsewhere");
        // What could not be sent is no token: a line break would end the header.
        assert_eq!(at(&[("HF_TOKEN", "two\nlines")]).unwrap().secret, "from-file");
        assert!(!format!("{:?}", at(&[("HF_TOKEN", "secret")])).contains("secret"));
    }

    #[test]
    fn the_hub_s_own_word_for_offline_counts_as_well() {
        let offline = |key, value| settings(&[(key, value)], None).offline;
        assert_eq!(offline("ADB_OFFLINE", "0"), None);
        assert_eq!(offline("ADB_OFFLINE", "anything"), Some("ADB_OFFLINE is set"));
        assert_eq!(offline("HF_HUB_OFFLINE", "0"), None);
        assert_eq!(offline("HF_HUB_OFFLINE", "Yes"), Some("HF_HUB_OFFLINE is set"));
    }
}
