//! A bucket on this machine, as S3 and Google's XML interface have them: pages of a listing, objects,
//! parts of objects, conditions, and refusals.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::BTreeMap, sync::Mutex};

use adb_loaders::MediaOptions;

use crate::local_web::{Answer, Asked, Web, part};

/// Names on one page of a listing.
const PAGE: usize = 2;

pub(crate) struct Bucket {
    pub(crate) web: Web,
}

/// What it does, of the first request whose address has this in it: a status and a code.
pub(crate) type Trouble = (&'static str, u16, &'static str);

impl Bucket {
    /// Named `photos`.
    pub(crate) fn start(objects: &[(&str, Vec<u8>)], trouble: &[Trouble]) -> Self {
        let objects: BTreeMap<String, Vec<u8>> =
            objects.iter().map(|(key, body)| ((*key).to_owned(), body.clone())).collect();
        let trouble = Mutex::new(trouble.to_vec());
        let web = Web::start(move |asked| {
            let mut trouble = trouble.lock().unwrap();
            if let Some(at) =
                trouble.iter().position(|(path, ..)| decoded(&asked.path).contains(path))
            {
                let (_, code, name) = trouble.remove(at);
                return refuse(code, name);
            }
            let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
            match path.strip_prefix("/photos").map(|rest| rest.trim_start_matches('/')) {
                None => refuse(404, "NoSuchBucket"),
                Some("") => list(&objects, query),
                Some(key) => match objects.get(&decoded(key)) {
                    None => refuse(404, "NoSuchKey"),
                    Some(body) => object(asked, body),
                },
            }
        });
        Self { web }
    }

    /// Settings by which it is found, as either cloud.
    pub(crate) fn settings(&self, options: &mut MediaOptions) {
        let endpoint = format!("http://{}", self.web.address);
        for (key, value) in [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "an id"),
            ("AWS_SECRET_ACCESS_KEY", "a secret"),
            ("AWS_REGION", "us-east-1"),
            ("GOOGLE_BASE_URL", &endpoint),
            ("GOOGLE_SKIP_SIGNATURE", "true"),
        ] {
            options.stores.push((key.to_owned(), value.to_owned()));
        }
    }
}

fn object(asked: &Asked, body: &[u8]) -> Answer {
    let etag = format!("\"{:x}\"", body.iter().map(|b| u64::from(*b)).sum::<u64>());
    if asked.header("if-none-match") == Some(&etag) {
        return Answer::Whole(304, vec![], vec![]);
    }
    if asked.header("if-match").is_some_and(|tag| tag != etag) {
        return refuse(412, "PreconditionFailed");
    }
    part(asked, body, &etag)
}

fn refuse(code: u16, name: &str) -> Answer {
    let body = format!("<Error><Code>{name}</Code><Message>as told</Message></Error>");
    let headers = match code {
        301 => vec![("x-amz-bucket-region", "eu-west-1".to_owned())],
        _ => vec![],
    };
    Answer::Whole(code, headers, body.into_bytes())
}

fn list(objects: &BTreeMap<String, Vec<u8>>, query: &str) -> Answer {
    let value = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| decoded(value)).next()
    };
    let prefix = value("prefix").unwrap_or_default();
    let after = value("continuation-token").or_else(|| value("start-after")).unwrap_or_default();
    let mut found = objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after);
    let page: Vec<_> = found.by_ref().take(PAGE).collect();
    let more = found.next().is_some();
    let contents: String = page
        .iter()
        .map(|(key, body)| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>\"tag\"</ETag><Size>{}</Size></Contents>",
                body.len()
            )
        })
        .collect();
    let next = page.last().filter(|_| more).map_or(String::new(), |(key, _)| {
        format!("<NextContinuationToken>{key}</NextContinuationToken>")
    });
    let body = format!(
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>{more}</IsTruncated>{contents}{next}</ListBucketResult>"
    );
    Answer::Whole(200, vec![("content-type", "application/xml".to_owned())], body.into_bytes())
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
