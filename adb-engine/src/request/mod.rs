//! Requests: from bytes to commands whose parameters have been checked, without a database.

pub(crate) mod add;
pub(crate) mod admin;
pub(crate) mod change;
pub(crate) mod constraint;
pub(crate) mod fault;
pub(crate) mod find;
pub(crate) mod kind;
mod params;
pub(crate) mod part;
pub(crate) mod picture;
mod quick;
pub(crate) mod shape;
pub(crate) mod video;

use adb_model::{Refusal, Request, nearest_name};
use serde_json::{Map, Value as Json};

use self::{
    add::{Add, AddConnection, NewMedia},
    admin::{GetIndexes, GetSchema, Index, LogMessage, RegionIou},
    change::{Delete, Update},
    fault::Fault,
    find::{Classify, ExtractFrames, Find},
    kind::Kind,
    params::Params,
    quick::Quick,
};

/// A command whose parameters make sense by themselves.
#[derive(Debug)]
pub(crate) enum Command {
    Add(Box<Add>),
    AddConnection(Box<AddConnection>),
    Find(Box<Find>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Classify(Box<Classify>),
    ExtractFrames(Box<ExtractFrames>),
    RegionIou(Box<RegionIou>),
    CreateIndex(Index),
    RemoveIndex(Index),
    GetIndexes(GetIndexes),
    GetSchema(GetSchema),
    GetStatus,
    LogMessage(LogMessage),
}

impl Command {
    /// Whether it may look at what a reference names. Commands that look at none, and Finds whose
    /// references are others, don't.
    pub(crate) fn may_use(&self, reference: u32) -> bool {
        match self {
            Command::Find(find) => {
                let select = &find.select;
                let ends = [select.within, select.src, select.dst];
                let steps = select.connected.iter().flat_map(|c| &c.steps).map(|s| s.reference);
                find.reference == Some(reference)
                    || ends.into_iter().flatten().chain(steps).any(|r| r == reference)
            }
            Command::Classify(_)
            | Command::GetIndexes(_)
            | Command::GetSchema(_)
            | Command::GetStatus => false,
            _ => true,
        }
    }

    /// Whether it needs the writer.
    pub(crate) fn writes(&self) -> bool {
        match self {
            Command::Add(_)
            | Command::AddConnection(_)
            | Command::Update(_)
            | Command::Delete(_)
            | Command::CreateIndex(_)
            | Command::RemoveIndex(_) => true,
            Command::Find(_)
            | Command::Classify(_)
            | Command::ExtractFrames(_)
            | Command::RegionIou(_)
            | Command::GetIndexes(_)
            | Command::GetSchema(_)
            | Command::GetStatus
            | Command::LogMessage(_) => false,
        }
    }

    /// What of it has to be done before the transaction, if anything.
    pub(crate) fn unprepared(&mut self) -> Option<&mut NewMedia> {
        match self {
            Command::Add(add) => add.unprepared(),
            _ => None,
        }
    }

    /// Whether it takes a blob of the request.
    pub(crate) fn takes_blob(&self) -> bool {
        match self {
            Command::Add(add) => add.takes_blob(),
            Command::Find(find) => find.nearest.is_some(),
            Command::Classify(_) => true,
            _ => false,
        }
    }
}

/// A command with its name, as the request has it.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) command: Command,
}

/// Commands about sessions and users, which a database in one's own process does not have.
const OF_SERVERS: &[&str] = &[
    "Authenticate",
    "CreateRole",
    "CreateUser",
    "GenerateToken",
    "GetUserDetails",
    "RefreshToken",
    "RemoveRole",
    "RemoveUser",
    "UpdateRole",
    "UpdateUser",
];

/// Commands that are more than a verb and a kind.
const SPECIAL: &[&str] = &[
    "ClassifyDescriptor",
    "CreateIndex",
    "ExtractFrames",
    "FindDescriptorBatch",
    "GetIndexes",
    "GetSchema",
    "GetStatus",
    "RegionIoU",
    "RemoveIndex",
    "UserLogMessage",
];

const VERBS: [&str; 4] = ["Add", "Find", "Update", "Delete"];

/// Reads a request and counts its blobs.
pub(crate) fn parse(request: &Request) -> Result<Vec<Named>, Refusal> {
    if let Some(commands) = parse_quickly(request) {
        return Ok(commands);
    }
    parse_thoroughly(request)
}

/// Reads a request in which nothing is out of the ordinary.
fn parse_quickly(request: &Request) -> Option<Vec<Named>> {
    let commands: Vec<Quick> = serde_json::from_slice(&request.commands).ok()?;
    let mut parsed = Vec::with_capacity(commands.len());
    for Quick { name, body, properties } in commands {
        let command = parse_command(&name, Params::quick(body, properties)).ok()?;
        parsed.push(Named { name, command });
    }
    let wanted = parsed.iter().filter(|named| named.command.takes_blob()).count();
    (wanted == request.blobs.len()).then_some(parsed)
}

/// Reads any request, and says what is wrong with it.
fn parse_thoroughly(request: &Request) -> Result<Vec<Named>, Refusal> {
    // serde_json stops at 128 levels of nesting, which bounds every recursion after it.
    let commands: Vec<Json> = serde_json::from_slice(&request.commands).map_err(|e| {
        Refusal::error(None, format!("the request is not a JSON array of commands: {e}"))
    })?;
    let commands = without_shell(commands);
    let mut parsed = Vec::with_capacity(commands.len());
    let mut wanted = 0;
    for (i, json) in commands.into_iter().enumerate() {
        let (name, body) = open(i, json)?;
        let command =
            parse_command(&name, Params::new(body)).map_err(|fault| fault.refuse(i, &name))?;
        wanted += usize::from(command.takes_blob());
        if wanted > request.blobs.len() {
            let fault = Fault::new(format!(
                "it takes a blob, and the request has {}",
                match request.blobs.len() {
                    0 => "none".to_owned(),
                    n => format!("only {n}"),
                }
            ));
            return Err(fault.code("blobs").refuse(i, &name));
        }
        parsed.push(Named { name, command });
    }
    if wanted < request.blobs.len() {
        let info = format!(
            "the request has {} blobs, its commands take {wanted}: which of them belong where?",
            request.blobs.len()
        );
        return Err(Refusal { code: Some("blobs".to_owned()), ..Refusal::error(None, info) });
    }
    Ok(parsed)
}

/// `[[…], []]` is what SDK 0.4's `Entities.retrieve` sends for its first member: commands and blobs,
/// taken for the commands.
fn without_shell(mut commands: Vec<Json>) -> Vec<Json> {
    match &mut commands[..] {
        [Json::Array(inner), Json::Array(blobs)] if blobs.is_empty() => std::mem::take(inner),
        _ => commands,
    }
}

/// `{"<command>": {…}}`
fn open(index: usize, json: Json) -> Result<(String, Map<String, Json>), Refusal> {
    let wrong = || {
        let info = format!(
            "command {index}: a command is an object with one key, its name, whose value is an object of parameters"
        );
        Refusal::error(Some(index), info)
    };
    let Json::Object(object) = json else { return Err(wrong()) };
    let mut entries = object.into_iter();
    match (entries.next(), entries.next()) {
        (Some((name, Json::Object(body))), None) => Ok((name, body)),
        _ => Err(wrong()),
    }
}

fn parse_command(name: &str, mut params: Params) -> Result<Command, Fault> {
    let command = parse_body(name, &mut params)?;
    params.finish()?;
    Ok(command)
}

fn parse_body(name: &str, params: &mut Params) -> Result<Command, Fault> {
    Ok(match name {
        "AddConnection" => Command::AddConnection(Box::new(AddConnection::parse(params)?)),
        "ClassifyDescriptor" => Command::Classify(Box::new(Classify::parse(params)?)),
        "CreateIndex" => Command::CreateIndex(Index::parse(params)?),
        "ExtractFrames" => Command::ExtractFrames(Box::new(ExtractFrames::parse(params)?)),
        "FindDescriptorBatch" => Command::Find(Box::new(Find::parse_batch(params)?)),
        "GetIndexes" => Command::GetIndexes(GetIndexes::parse(params)?),
        "GetSchema" => Command::GetSchema(GetSchema::parse(params)?),
        "GetStatus" => Command::GetStatus,
        "UserLogMessage" => Command::LogMessage(LogMessage::parse(params)?),
        // What it was called when there were no polygons.
        "RegionIoU" | "BoundingBoxIoU" => Command::RegionIou(Box::new(RegionIou::parse(params)?)),
        "RemoveIndex" => Command::RemoveIndex(Index::parse(params)?),
        _ => {
            let (verb, kind) = verb_and_kind(name).ok_or_else(|| unknown(name))?;
            match verb {
                "Add" => Command::Add(Box::new(Add::parse(kind, params)?)),
                "Find" => Command::Find(Box::new(Find::parse(kind, params)?)),
                "Update" => Command::Update(Box::new(Update::parse(kind, params)?)),
                _ => Command::Delete(Box::new(Delete::parse(kind, params)?)),
            }
        }
    })
}

fn verb_and_kind(name: &str) -> Option<(&'static str, Kind)> {
    VERBS.into_iter().find_map(|verb| Some((verb, Kind::named(name.strip_prefix(verb)?)?)))
}

fn unknown(name: &str) -> Fault {
    if OF_SERVERS.contains(&name) {
        return Fault::new(
            "sessions and users are a server's: a database in one's own process has none, and needs none of its commands",
        )
        .code("not_supported");
    }
    let regular: Vec<String> = VERBS
        .into_iter()
        .flat_map(|verb| Kind::names().map(move |kind| format!("{verb}{kind}")))
        .collect();
    let all = SPECIAL.iter().chain(OF_SERVERS).copied().chain(regular.iter().map(String::as_str));
    let hint =
        nearest_name(name, all).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
    Fault::new(format!("there is no such command{hint}")).code("unknown_command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_reading_mean_the_same() {
        let quick = [
            r#"[]"#,
            r#"[{"AddEntity": {"class": "A", "properties": {"a": 1, "b": "x", "c": null, "d": [1, {"e": 2.5}]}, "_ref": 1}}]"#,
            r#"[{"AddEntity": {"class": "A", "properties": {"d": {"_date": "2021-07-01"}, "é\n": 1e300}}}, {"FindEntity": {"with_class": "A", "results": {"list": ["a"]}}}]"#,
            r#"[{"UpdateEntity": {"with_class": "A", "properties": {"a": true}, "constraints": {"a": ["==", false]}}}]"#,
            r#"[{"AddEntity": {"class": "A", "_ref": 2, "_ref": 1, "properties": {}}}, {"AddConnection": {"src": 1, "dst": 1, "class": "B", "properties": {"w": 1}}}]"#,
        ];
        let long: Vec<String> = (0..300).map(|i| format!("\"p{i}\": {i}")).collect();
        let long =
            format!(r#"[{{"AddEntity": {{"class": "A", "properties": {{{}}}}}}}]"#, long.join(","));
        let thorough = [
            r#"[{"AddEntity": {"class": "A", "properties": {"a": 1, "a": 2}}}]"#,
            r#"[{"AddEntity": {"class": "A", "properties": {"a": 1}, "properties": {"b": 2}}}]"#,
            r#"[{"AddEntity": {"class": "A", "properties": null}}]"#,
            r#"[{"AddEntity": {"class": "A", "properties": 5}}]"#,
            r#"[{"FindEntity": {"with_class": "A", "properties": {"a": 1}}}]"#,
            r#"[{"AddEntity": {"class": "A"}, "x": 1}]"#,
            r#"[{"AddImage": {"properties": {"a": 1}}}]"#,
            r#"[[{"GetStatus": {}}], []]"#,
            r#"[{"AddEntity": {"class": "A", "properties": {"_a": 1}}}]"#,
            r#"{"AddEntity": {}}"#,
            &long,
        ];
        for (texts, is_quick) in [(&quick[..], true), (&thorough[..], false)] {
            for text in texts {
                let request = Request::new((*text).to_owned(), Vec::new());
                let quickly = parse_quickly(&request).map(|c| format!("{c:?}"));
                assert_eq!(quickly.is_some(), is_quick, "{text}");
                let thoroughly = parse_thoroughly(&request).map(|c| format!("{c:?}"));
                if let Some(quickly) = quickly {
                    assert_eq!(Ok(quickly), thoroughly.map_err(|r| r.info), "{text}");
                }
            }
        }
    }
}
