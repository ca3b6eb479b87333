//! The three operations that a reader of a data package needs, over the shared state; no sockets.

use std::future::Future;
use std::ops::Bound;
use std::pin::Pin;
use std::sync::Arc;

use aws_smithy_types::byte_stream::{ByteStream, Length};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{
    self, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output,
    StreamingBlob,
};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::wire::{Breakage, Fault};
use super::{Content, Object, Operation, Reply, Request, Shared};

/// What `async_trait` makes of an `async fn`; written out, since nothing else here needs that crate.
type Answer<'a, T> = Pin<Box<dyn Future<Output = S3Result<T>> + Send + 'a>>;

pub struct Authority {
    pub shared: Arc<Shared>,
}

impl S3Auth for Authority {
    fn get_secret_key<'life0, 'life1, 'async_trait>(
        &'life0 self,
        access_key: &'life1 str,
    ) -> Answer<'async_trait, SecretKey>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        let secret = self.shared.state().secrets.get(access_key).map(|secret| SecretKey::from(secret.as_str()));
        Box::pin(async move { secret.ok_or_else(|| s3_error!(InvalidAccessKeyId)) })
    }
}

pub struct Protocol {
    pub shared: Arc<Shared>,
    pub fault: Arc<Fault>,
}

impl S3 for Protocol {
    fn list_objects_v2<'life0, 'async_trait>(
        &'life0 self,
        request: S3Request<ListObjectsV2Input>,
    ) -> Answer<'async_trait, S3Response<ListObjectsV2Output>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let prefix = request.input.prefix.clone().unwrap_or_default();
            self.admit(Operation::List, &request.input.bucket, &prefix, &request).await?;
            self.page(&request.input, &prefix).map(S3Response::new)
        })
    }

    fn get_object<'life0, 'async_trait>(
        &'life0 self,
        request: S3Request<GetObjectInput>,
    ) -> Answer<'async_trait, S3Response<GetObjectOutput>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let (bucket, key) = (&request.input.bucket, &request.input.key);
            self.admit(Operation::Get, bucket, key, &request).await?;
            let object = self.object(bucket, key, header(&request, "if-match"))?;
            if object.is_archived() {
                return Err(s3_error!(InvalidObjectState));
            }
            part(&object, request.input.range).await.map(S3Response::new)
        })
    }

    fn head_object<'life0, 'async_trait>(
        &'life0 self,
        request: S3Request<HeadObjectInput>,
    ) -> Answer<'async_trait, S3Response<HeadObjectOutput>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let (bucket, key) = (&request.input.bucket, &request.input.key);
            self.admit(Operation::Head, bucket, key, &request).await?;
            let object = self.object(bucket, key, header(&request, "if-match"))?;
            Ok(S3Response::new(HeadObjectOutput {
                content_length: Some(object.bytes() as i64),
                e_tag: Some(dto::ETag::Strong(object.etag.clone())),
                last_modified: Some(object.modified.into()),
                storage_class: Some(object.storage_class.clone().into()),
                ..Default::default()
            }))
        })
    }
}

impl Protocol {
    /// Logs the request, plays what the hook says, then applies the bucket's policy.
    async fn admit<T>(&self, operation: Operation, bucket: &str, key: &str, request: &S3Request<T>) -> S3Result<()> {
        let reply = self.shared.admit(Request {
            operation,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            range: header(request, "range").map(str::to_owned),
            if_match: header(request, "if-match").map(str::to_owned),
            request_payer: header(request, "x-amz-request-payer").map(str::to_owned),
            access_key: request.credentials.as_ref().map(|c| c.access_key.clone()).unwrap_or_default(),
            region: request.region.as_ref().map(|region| region.to_string()).unwrap_or_default(),
        });
        self.fault.disarm();
        match reply {
            Reply::Pass => {}
            Reply::Status(status, code) => return Err(failure(status, code)),
            Reply::Redirect(region) => return Err(redirect(region)),
            Reply::Delay(time) => tokio::time::sleep(time).await,
            Reply::CutAfter(bytes) => self.fault.arm(Breakage::Cut, bytes),
            Reply::StallAfter(bytes) => self.fault.arm(Breakage::Stall, bytes),
        }
        let state = self.shared.state();
        let Some(org) = state.policies.get(bucket) else { return Ok(()) };
        let below = key.strip_prefix(org.as_str()).filter(|rest| rest.starts_with('/'));
        if below.is_some() || (operation == Operation::List && key == org.as_str()) {
            return Ok(());
        }
        Err(s3_error!(AccessDenied))
    }

    /// The continuation token is the last key of the page before.
    fn page(&self, input: &ListObjectsV2Input, prefix: &str) -> S3Result<ListObjectsV2Output> {
        let state = self.shared.state();
        let objects = state.buckets.get(&input.bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let most = input.max_keys.map_or(state.page_keys, |keys| state.page_keys.min(keys.max(1) as usize));
        let after = input.continuation_token.as_ref().or(input.start_after.as_ref());
        let from = match after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix),
        };
        let mut rest = objects.range::<str, _>((from, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix));
        let contents: Vec<dto::Object> = rest.by_ref().take(most).map(|(key, object)| listed(key, object)).collect();
        let next = rest.next().and_then(|_| contents.last()?.key.clone());
        Ok(ListObjectsV2Output {
            name: Some(input.bucket.clone()),
            prefix: input.prefix.clone(),
            max_keys: Some(most as i32),
            key_count: Some(contents.len() as i32),
            continuation_token: input.continuation_token.clone(),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents),
            ..Default::default()
        })
    }

    fn object(&self, bucket: &str, key: &str, if_match: Option<&str>) -> S3Result<Object> {
        let state = self.shared.state();
        let objects = state.buckets.get(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let object = objects.get(key).ok_or_else(|| s3_error!(NoSuchKey))?;
        let wanted = if_match.map(|tag| tag.trim_matches('"'));
        if wanted.is_some_and(|tag| tag != "*" && tag != object.etag) {
            return Err(s3_error!(PreconditionFailed));
        }
        Ok(object.clone())
    }
}

fn listed(key: &str, object: &Object) -> dto::Object {
    dto::Object {
        key: Some(key.to_owned()),
        e_tag: Some(dto::ETag::Strong(object.etag.clone())),
        last_modified: Some(object.modified.into()),
        size: Some(object.bytes() as i64),
        storage_class: Some(object.storage_class.clone().into()),
        ..Default::default()
    }
}

async fn part(object: &Object, range: Option<dto::Range>) -> S3Result<GetObjectOutput> {
    let bytes = object.bytes();
    let part = match &range {
        Some(range) => range.check(bytes)?,
        None => 0..bytes,
    };
    let body = match &object.content {
        // Bounds that `check` made lie within the slice.
        Content::Memory(content) => Body::from(content[part.start as usize..part.end as usize].to_vec()),
        Content::File { path, .. } => {
            let stream = ByteStream::read_from()
                .path(path)
                .offset(part.start)
                .length(Length::Exact(part.end - part.start))
                .buffer_size(1 << 20)
                .build()
                .await
                .map_err(S3Error::internal_error)?;
            Body::http_body_unsync(stream.into_inner())
        }
    };
    Ok(GetObjectOutput {
        body: Some(StreamingBlob::from(body)),
        content_length: Some((part.end - part.start) as i64),
        content_range: range.map(|_| format!("bytes {}-{}/{bytes}", part.start, part.end.saturating_sub(1))),
        accept_ranges: Some("bytes".to_owned()),
        e_tag: Some(dto::ETag::Strong(object.etag.clone())),
        last_modified: Some(object.modified.into()),
        ..Default::default()
    })
}

fn header<'a, T>(request: &'a S3Request<T>, name: &str) -> Option<&'a str> {
    request.headers.get(name)?.to_str().ok()
}

fn failure(status: u16, code: &'static str) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut error = S3Error::new(code);
    if let Ok(status) = status.try_into() {
        error.set_status_code(status);
    }
    error
}

fn redirect(region: &'static str) -> S3Error {
    let mut error = failure(301, "PermanentRedirect");
    let mut headers = error.headers().cloned().unwrap_or_default();
    headers.insert("x-amz-bucket-region", region.parse().expect("a region's name is a valid header value"));
    error.set_headers(headers);
    error
}
