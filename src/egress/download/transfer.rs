//! The bytes of a file, over as many connections as it takes.
//!
//! Where a connection breaks, the rest is asked for with `Range` and `If-Range`: a server that has another file by now
//! answers with the whole of it, and then nothing is put together. Without a strong validator nothing is resumed at all.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::header::{HeaderMap, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};

use super::head::{Span, Validator, require_plain};
use super::{DownloadError, Downloader, Source, error};
use crate::egress::EgressError;

/// How often it resumes without getting anywhere.
const IN_A_ROW: u32 = 5;
/// How often it resumes in all: a server that sends a byte a connection is not worth more.
const IN_ALL: u32 = 30;
/// The longest pause. Who asks for more is not asked again: whoever wants the file begins anew, later.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A file that is being fetched.
pub(super) struct Transfer {
    downloader: Downloader,
    source: Source,
    /// The answer that is being read.
    response: Response,
    validator: Option<Validator>,
    /// The size of the file, where it is known.
    total: Option<u64>,
    /// Where the present answer ends, where it says so.
    end: Option<u64>,
    /// How much has come.
    offset: u64,
    limit: u64,
    /// Resumptions since something came.
    in_a_row: u32,
    in_all: u32,
}

impl Transfer {
    /// A transfer of the file that `response` begins with.
    pub(super) fn begin(
        downloader: Downloader,
        source: Source,
        response: Response,
        limit: u64,
    ) -> Result<Self, DownloadError> {
        if response.status() != StatusCode::OK {
            return Err(DownloadError::Unexpected(response.status()));
        }
        require_plain(&response)?;
        let total = response.content_length();
        if total.is_some_and(|total| total > limit) {
            return Err(DownloadError::TooLarge(limit));
        }
        let validator = Validator::of(response.headers());
        let (end, offset, in_a_row, in_all) = (total, 0, 0, 0);
        Ok(Self { downloader, source, response, validator, total, end, offset, limit, in_a_row, in_all })
    }

    /// The size of the file in bytes, where the server says it.
    pub(super) const fn total(&self) -> Option<u64> {
        self.total
    }

    /// The bytes, until the end or the first error.
    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> {
        stream::unfold(Some(self), |transfer| async move {
            let mut transfer = transfer?;
            if transfer.offset > transfer.limit {
                return Some((Err(DownloadError::TooLarge(transfer.limit).into()), None));
            }
            match transfer.next().await {
                Ok(chunk) => chunk.map(|chunk| (Ok(chunk), Some(transfer))),
                Err(error) => Some((Err(error.into()), None)),
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, DownloadError> {
        loop {
            let broken = match self.read().await {
                Ok(Some(chunk)) if chunk.is_empty() => continue,
                Ok(Some(chunk)) => return self.count(chunk).map(Some),
                Ok(None) if self.is_whole() => return Ok(None),
                Ok(None) => DownloadError::Broken(EgressError::Interrupted("it ended early".to_owned())),
                Err(broken) => broken,
            };
            self.resume(broken).await?;
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, DownloadError> {
        let idle = self.downloader.inner.limits.idle;
        let read = tokio::time::timeout(idle, self.response.chunk()).await;
        Ok(read.map_err(|_| error::late())?.map_err(EgressError::in_answer)?)
    }

    fn count(&mut self, chunk: Bytes) -> Result<Bytes, DownloadError> {
        self.offset = self.offset.saturating_add(chunk.len() as u64);
        if self.end.is_some_and(|end| self.offset > end) {
            return Err(DownloadError::Unusable("it is longer than it says"));
        }
        self.in_a_row = 0;
        Ok(chunk)
    }

    fn is_whole(&self) -> bool {
        // Without a length, it is the transfer coding that has an end.
        self.total.is_none_or(|total| self.offset == total)
    }

    /// Goes on after `broken` where it broke off.
    async fn resume(&mut self, mut broken: DownloadError) -> Result<(), DownloadError> {
        let Some(validator) = self.validator.clone() else { return Err(broken) };
        while self.in_a_row < IN_A_ROW && self.in_all < IN_ALL {
            let Some(pause) = self.pause(&broken) else { break };
            tokio::time::sleep(pause).await;
            self.in_a_row += 1;
            self.in_all += 1;
            match self.reopen(&validator).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_break() => broken = error,
                Err(error) => return Err(error),
            }
        }
        Err(broken)
    }

    /// How long to wait before it resumes; `None`: too long.
    fn pause(&self, broken: &DownloadError) -> Option<Duration> {
        let own = self.downloader.inner.limits.pause.saturating_mul(1 << self.in_a_row.min(IN_A_ROW));
        let own = own.min(LONGEST_PAUSE);
        match broken {
            DownloadError::Unavailable { retry_after: Some(asked), .. } => {
                (*asked <= LONGEST_PAUSE).then(|| own.max(*asked))
            }
            _ => Some(own),
        }
    }

    async fn reopen(&mut self, validator: &Validator) -> Result<(), DownloadError> {
        let range = HeaderValue::try_from(format!("bytes={}-", self.offset));
        let range = range.map_err(|_| DownloadError::Unusable("its range cannot be asked for"))?;
        let headers = HeaderMap::from_iter([(RANGE, range), (IF_RANGE, validator.value().clone())]);
        let response = match self.downloader.get(&self.source, headers).await {
            Err(DownloadError::Unexpected(StatusCode::RANGE_NOT_SATISFIABLE)) => {
                return Err(DownloadError::Changed("it has become shorter"));
            }
            response => response?,
        };
        if response.status() == StatusCode::OK {
            return Err(DownloadError::Changed("the server begins again, or has another file"));
        }
        require_plain(&response)?;
        if !validator.agrees(response.headers()) {
            return Err(DownloadError::Changed("it is another file"));
        }
        let span =
            Span::of(response.headers()).ok_or(DownloadError::Changed("it does not say what it goes on with"))?;
        self.continue_with(response, span)
    }

    /// Reads on from `response` if it brings what comes next.
    fn continue_with(&mut self, response: Response, span: Span) -> Result<(), DownloadError> {
        let total = span.total.or(self.total).ok_or(DownloadError::Changed("it does not say how large it is"))?;
        if span.start != self.offset {
            return Err(DownloadError::Changed("it goes on elsewhere"));
        }
        if self.total.is_some_and(|known| known != total) || span.end > total {
            return Err(DownloadError::Changed("its size is another"));
        }
        if response.content_length().is_some_and(|length| length != span.end - span.start) {
            return Err(DownloadError::Changed("the part has another size than it says"));
        }
        if total > self.limit {
            return Err(DownloadError::TooLarge(self.limit));
        }
        (self.response, self.total, self.end) = (response, Some(total), Some(span.end));
        Ok(())
    }
}
