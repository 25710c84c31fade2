//! Buckets: S3 and what speaks its language, Google Cloud Storage.
//!
//! `object_store` knows how requests are signed and where credentials come from; they are sent by the
//! transport of this crate, so that there is one HTTP client with one TLS, and attempts, waits and
//! limits are the same for all downloads.

use std::{
    collections::HashMap,
    env,
    error::Error as StdError,
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::BoxStream};
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, StatusCode, Uri};
use object_store::{
    ClientOptions, Error as StoreError, GetOptions, GetRange, ObjectStore, RetryConfig,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
    path::Path,
};

use super::{
    ask::{Answer, Ask, Body, Fault, Opened, Tags},
    http,
    place::Cloud,
    transport::{Transport, cause},
};
use crate::media::{MediaErrorKind, MediaOptions};

/// The body of an object.
pub(super) type Stream = BoxStream<'static, object_store::Result<Bytes>>;

/// All buckets that were asked.
#[derive(Debug)]
pub(super) struct Stores {
    connector: Connector,
    /// `AWS_…` and `GOOGLE_…`, of the environment and of the options; the last counts.
    settings: Vec<(String, String)>,
    open: Mutex<HashMap<(Cloud, String), Arc<dyn ObjectStore>>>,
}

impl Stores {
    /// `transport` asks any address: where buckets lie is said by the user's settings, not by rows.
    pub(super) fn new(options: &MediaOptions, transport: Transport) -> Self {
        let of_environment = env::vars_os().filter_map(|(key, value)| {
            let (key, value) = (key.into_string().ok()?, value.into_string().ok()?);
            (key.starts_with("AWS_") || key.starts_with("GOOGLE_")).then_some((key, value))
        });
        Self {
            connector: Connector(transport),
            settings: of_environment.chain(options.stores.iter().cloned()).collect(),
            open: Mutex::default(),
        }
    }

    fn setting(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| {
            let found = self.settings.iter().rev().find(|(name, _)| name == key)?;
            Some(found.1.as_str())
        })
    }

    /// Where a cloud's buckets lie, if not where they usually do.
    pub(super) fn endpoint(&self, cloud: Cloud) -> &str {
        let keys: &[&str] = match cloud {
            Cloud::S3 => &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"],
            Cloud::Gs => &["GOOGLE_BASE_URL"],
        };
        self.setting(keys).unwrap_or_default()
    }

    /// A bucket, as if it were alone.
    pub(super) fn bucket(
        &self,
        cloud: Cloud,
        bucket: &str,
    ) -> Result<Arc<dyn ObjectStore>, MediaErrorKind> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(&(cloud, bucket.to_owned())) {
            return Ok(store.clone());
        }
        let store = self.build(cloud, bucket)?;
        open.insert((cloud, bucket.to_owned()), store.clone());
        Ok(store)
    }

    fn build(&self, cloud: Cloud, bucket: &str) -> Result<Arc<dyn ObjectStore>, MediaErrorKind> {
        // What fails is tried again here, with what the server says of it.
        let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        // The builders are called alike and have no trait in common.
        macro_rules! built {
            ($builder:expr) => {{
                let mut builder = $builder;
                for (key, value) in &self.settings {
                    if let Ok(key) = key.to_ascii_lowercase().parse() {
                        builder = builder.with_config(key, value);
                    }
                }
                let built = builder
                    .with_bucket_name(bucket)
                    .with_http_connector(self.connector.clone())
                    .with_retry(once)
                    .build();
                Ok(Arc::new(built.map_err(|e| setting(&e))?))
            }};
        }
        match cloud {
            #[cfg(feature = "s3")]
            Cloud::S3 => built!(object_store::aws::AmazonS3Builder::new()),
            #[cfg(feature = "gs")]
            Cloud::Gs => built!(object_store::gcp::GoogleCloudStorageBuilder::new()),
            #[cfg(not(all(feature = "s3", feature = "gs")))]
            _ => Err(MediaErrorKind::NoFeature(cloud.scheme())),
        }
    }

    /// Asks for an object.
    pub(super) async fn open(
        &self,
        cloud: Cloud,
        bucket: &str,
        key: &str,
        ask: &Ask,
    ) -> Result<Answer, Fault> {
        let store = self.bucket(cloud, bucket)?;
        let path = path(key)?;
        let mut options = GetOptions::default();
        if ask.from > 0 {
            options.range = Some(GetRange::Offset(ask.from));
            options.if_match = ask.tags.etag.clone();
        } else if let Some(known) = &ask.known {
            options.if_none_match = known.etag.clone();
        }
        let got = match store.get_opts(&path, options).await {
            Ok(got) => got,
            Err(StoreError::NotModified { .. }) if ask.is_conditional() => {
                return Ok(Answer::NotModified);
            }
            // It has changed, or the store does no parts.
            Err(StoreError::Precondition { .. }) => return Ok(Answer::Other),
            Err(e) => {
                let fault = fault(&e);
                return match (ask.from, &fault.kind) {
                    (1.., MediaErrorKind::Network(_)) => Ok(Answer::Other),
                    _ => Err(fault),
                };
            }
        };
        Ok(Answer::Opened(Opened {
            start: got.range.start,
            total: Some(got.meta.size),
            tags: Tags { etag: got.meta.e_tag.clone(), modified: None },
            fresh_for: Some(std::time::Duration::ZERO),
            body: Body::Object(got.into_stream()),
        }))
    }
}

/// A key as the store writes it.
pub(super) fn path(key: &str) -> Result<Path, MediaErrorKind> {
    Path::parse(key).map_err(|e| MediaErrorKind::Address(e.to_string()))
}

fn setting(e: &StoreError) -> MediaErrorKind {
    MediaErrorKind::Address(format!("the settings of its store don't fit: {e}"))
}

/// The next bytes of an object; nothing at its end.
pub(super) async fn next(stream: &mut Stream) -> Result<Option<Bytes>, MediaErrorKind> {
    stream.next().await.transpose().map_err(|e| fault(&e).kind)
}

/// What the transport said, by the causes of what the store says.
pub(super) fn fault(error: &StoreError) -> Fault {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    let mut last = None;
    while let Some(cause) = next {
        if let Some(told) = cause.downcast_ref::<Told>()
            && let Some(fault) = told.take()
        {
            return fault;
        }
        last = Some(cause);
        next = cause.source();
    }
    let said = last.map_or_else(String::new, ToString::to_string);
    match error {
        StoreError::NotFound { .. } => MediaErrorKind::NotFound.into(),
        StoreError::InvalidPath { .. } => MediaErrorKind::Address(said).into(),
        _ => MediaErrorKind::Network(said).into(),
    }
}

/// A fault on its way through the store; taken out once.
struct Told(Mutex<Option<Fault>>);

impl Told {
    fn error(fault: impl Into<Fault>) -> HttpError {
        // Of a kind that the store does not try again.
        HttpError::new(HttpErrorKind::Unknown, Self(Mutex::new(Some(fault.into()))))
    }

    fn take(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request failed")
    }
}

impl StdError for Told {}

/// Gives stores the transport of this crate.
#[derive(Debug, Clone)]
struct Connector(Transport);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(self.0.clone())))
    }
}

#[derive(Debug)]
struct Service(Transport);

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = body.as_bytes().cloned().unwrap_or_default();
        let of_machine = gives_credentials(&parts.uri);
        let sent = self.0.send(hyper::Request::from_parts(parts, Full::new(body))).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(_) if of_machine => return Err(Told::error(without_credentials())),
            Err(fault) => return Err(Told::error(fault)),
        };
        let status = answer.status();
        let known = [
            StatusCode::NOT_MODIFIED,
            StatusCode::NOT_FOUND,
            StatusCode::PRECONDITION_FAILED,
            StatusCode::RANGE_NOT_SATISFIABLE,
        ];
        if status.is_success() || known.contains(&status) || of_machine {
            let (parts, body) = answer.into_parts();
            let body = body.map_err(|e| Told::error(cause(&e)));
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)));
        }
        if status.is_redirection() {
            return Err(Told::error(elsewhere(answer.headers())));
        }
        let wait = http::retry_after(answer.headers());
        let text = http::refusal(answer).await;
        Err(Told::error(http::refused(status, text, wait)))
    }
}

/// A request with the wrong region is answered with a redirection that can't be signed again.
fn elsewhere(headers: &HeaderMap) -> MediaErrorKind {
    let region = headers.get("x-amz-bucket-region").and_then(|r| r.to_str().ok());
    MediaErrorKind::Address(match region {
        Some(region) => {
            format!("its bucket lies in the region `{region}`; set AWS_REGION to that")
        }
        None => "its bucket lies in another region; set AWS_REGION to that".to_owned(),
    })
}

/// Whether a request is for what a cloud gives its own machines.
fn gives_credentials(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    host.eq_ignore_ascii_case("metadata.google.internal")
        || host.parse().is_ok_and(|ip: IpAddr| {
            [[169, 254, 169, 254], [169, 254, 170, 2]].map(Ipv4Addr::from).iter().any(|m| ip == *m)
        })
}

fn without_credentials() -> MediaErrorKind {
    MediaErrorKind::Address(
        "there are no credentials for its store, in the environment or of this machine; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or GOOGLE_APPLICATION_CREDENTIALS; for a public bucket AWS_SKIP_SIGNATURE=true or GOOGLE_SKIP_SIGNATURE=true".to_owned(),
    )
}
