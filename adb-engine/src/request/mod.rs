//! Requests: from bytes to commands whose parameters have been checked, without a database.

pub(crate) mod add;
pub(crate) mod admin;
pub(crate) mod constraint;
pub(crate) mod fault;
pub(crate) mod find;
pub(crate) mod kind;
mod params;
pub(crate) mod shape;

use adb_model::{Refusal, Request};
use serde_json::{Map, Value as Json};

use self::{
    add::{Add, AddConnection},
    admin::{GetSchema, Index},
    fault::Fault,
    find::Find,
    kind::Kind,
    params::{Params, nearest},
};

/// A command whose parameters make sense by themselves.
#[derive(Debug)]
pub(crate) enum Command {
    Add(Box<Add>),
    AddConnection(Box<AddConnection>),
    Find(Box<Find>),
    CreateIndex(Index),
    RemoveIndex(Index),
    GetSchema(GetSchema),
    GetStatus,
}

impl Command {
    /// Whether it needs the writer.
    pub(crate) fn writes(&self) -> bool {
        match self {
            Command::Add(_)
            | Command::AddConnection(_)
            | Command::CreateIndex(_)
            | Command::RemoveIndex(_) => true,
            Command::Find(_) | Command::GetSchema(_) | Command::GetStatus => false,
        }
    }

    /// Whether it takes a blob of the request.
    pub(crate) fn takes_blob(&self) -> bool {
        match self {
            Command::Add(add) => add.takes_blob(),
            Command::Find(find) => find.nearest.is_some(),
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

/// Commands of the language that this engine does not answer yet.
const NOT_YET: &[&str] = &[
    "AddBoundingBox",
    "AddClip",
    "AddFrame",
    "AddPolygon",
    "AddVideo",
    "Authenticate",
    "ClassifyDescriptor",
    "CreateRole",
    "CreateUser",
    "DeleteBlob",
    "DeleteBoundingBox",
    "DeleteClip",
    "DeleteConnection",
    "DeleteDescriptor",
    "DeleteDescriptorSet",
    "DeleteEntity",
    "DeleteFrame",
    "DeleteImage",
    "DeletePolygon",
    "DeleteVideo",
    "ExtractFrames",
    "FindBoundingBox",
    "FindClip",
    "FindDescriptorBatch",
    "FindFrame",
    "FindPolygon",
    "FindVideo",
    "GenerateToken",
    "GetIndexes",
    "GetUserDetails",
    "RefreshToken",
    "RegionIoU",
    "RemoveRole",
    "RemoveUser",
    "UpdateBlob",
    "UpdateBoundingBox",
    "UpdateClip",
    "UpdateConnection",
    "UpdateDescriptor",
    "UpdateDescriptorSet",
    "UpdateEntity",
    "UpdateFrame",
    "UpdateImage",
    "UpdatePolygon",
    "UpdateRole",
    "UpdateUser",
    "UpdateVideo",
    "UserLogMessage",
];

const KNOWN: &[&str] = &[
    "AddBlob",
    "AddConnection",
    "AddDescriptor",
    "AddDescriptorSet",
    "AddEntity",
    "AddImage",
    "CreateIndex",
    "FindBlob",
    "FindConnection",
    "FindDescriptor",
    "FindDescriptorSet",
    "FindEntity",
    "FindImage",
    "GetSchema",
    "GetStatus",
    "RemoveIndex",
];

/// Reads a request and counts its blobs.
pub(crate) fn parse(request: &Request) -> Result<Vec<Named>, Refusal> {
    // serde_json stops at 128 levels of nesting, which bounds every recursion after it.
    let commands: Vec<Json> = serde_json::from_slice(&request.commands).map_err(|e| {
        Refusal::error(None, format!("the request is not a JSON array of commands: {e}"))
    })?;
    let mut parsed = Vec::with_capacity(commands.len());
    let mut wanted = 0;
    for (i, json) in commands.into_iter().enumerate() {
        let (name, body) = open(i, json)?;
        let command = parse_command(&name, body).map_err(|fault| fault.refuse(i, &name))?;
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

fn parse_command(name: &str, body: Map<String, Json>) -> Result<Command, Fault> {
    if !KNOWN.contains(&name) {
        return Err(unknown(name));
    }
    let mut params = Params::new(body);
    let command = match name {
        "AddConnection" => Command::AddConnection(Box::new(AddConnection::parse(&mut params)?)),
        "CreateIndex" => Command::CreateIndex(Index::parse(&mut params)?),
        "RemoveIndex" => Command::RemoveIndex(Index::parse(&mut params)?),
        "GetSchema" => Command::GetSchema(GetSchema::parse(&mut params)?),
        "GetStatus" => Command::GetStatus,
        _ => match (name.strip_prefix("Add"), name.strip_prefix("Find")) {
            (Some(kind), _) => {
                let kind = Kind::of_suffix(kind).ok_or_else(|| unknown(name))?;
                Command::Add(Box::new(Add::parse(kind, &mut params)?))
            }
            (_, Some(kind)) => {
                let kind = Kind::of_suffix(kind).ok_or_else(|| unknown(name))?;
                Command::Find(Box::new(Find::parse(kind, &mut params)?))
            }
            _ => return Err(unknown(name)),
        },
    };
    params.finish()?;
    Ok(command)
}

fn unknown(name: &str) -> Fault {
    if NOT_YET.contains(&name) {
        return Fault::new("this command is not supported yet").code("not_supported");
    }
    let all = KNOWN.iter().chain(NOT_YET).copied();
    let hint = nearest(name, all).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
    Fault::new(format!("there is no such command{hint}")).code("unknown_command")
}
