//! Posting batches over HTTP, and what an answer means.

use std::time::Duration;

use ureq::unversioned::transport::DefaultConnector;

use super::names::Remembered;
use super::output::Output;
use super::{Failure, Web};
use crate::written::Written;

/// How long a receiver may take for a batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that are sent and read at once: answers are short, and longer pieces of a batch are not sent any faster.
const BUFFER: usize = 32 << 10;
/// Bytes of an answer that are read.
const ANSWER_MAX: u64 = 64 << 10;

/// A receiver of JSON.
pub(super) struct Post {
    web: Web,
    /// Made when it is needed, and anew after a failure.
    agent: Option<ureq::Agent>,
    body: Output,
}

/// What a receiver said.
enum Answer {
    /// It has the batch; what it said beside that.
    Taken(String),
    /// It will never take the batch as it is.
    Refused(String),
}

impl Post {
    pub(super) fn new(web: &Web) -> Post {
        Post { web: web.clone(), agent: None, body: Output::default() }
    }

    fn agent(&self) -> Result<ureq::Agent, String> {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .user_agent(concat!("bartizan/", env!("CARGO_PKG_VERSION")));
        let config = match self.web.url.strip_prefix("https://") {
            Some(_) => config.https_only(true).tls_config(super::roots::tls(self.web.ca.as_deref())?),
            None => config,
        };
        Ok(ureq::Agent::with_parts(config.build(), DefaultConnector::default(), Remembered::default()))
    }

    fn token(&self) -> Result<Option<String>, String> {
        let read = |path: &std::path::PathBuf| {
            std::fs::read_to_string(path)
                .map(|text| text.trim().to_owned())
                .map_err(|error| format!("{}: {error}", path.display()))
        };
        self.web.token.as_ref().map(read).transpose()
    }

    /// Posts the body that was written.
    fn ask(&mut self) -> Result<Answer, String> {
        let agent = self.agent.take().map_or_else(|| self.agent(), Ok)?;
        let answer = self.ask_with(&agent, self.body.bytes())?;
        self.agent = Some(agent);
        Ok(answer)
    }

    fn ask_with(&self, agent: &ureq::Agent, body: &[u8]) -> Result<Answer, String> {
        let mut request = agent.post(&self.web.url).header("content-type", "application/json");
        if let Some(token) = self.token()? {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let told = |error: ureq::Error| format!("{}: {error}", self.web.url);
        let mut answer = request.send(body).map_err(told)?;
        let status = answer.status().as_u16();
        let said = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string().map_err(told)?;
        match status {
            200..=299 => Ok(Answer::Taken(said)),
            // What is wrong is in the batch; anything else may be mended over there, or in the configuration.
            400 | 413 | 422 => Ok(Answer::Refused(format!("{} answers {status}", self.web.url))),
            _ => Err(format!("{} answers {status}", self.web.url)),
        }
    }

    /// Posts records as `body` writes them; `refused` reads from an answer how many were refused. Of a batch that is
    /// refused the halves are tried, down to the record that is at fault: it is refused for good.
    pub(super) fn deliver(
        &mut self,
        records: &[&Written],
        body: &dyn Fn(&mut Output, &[&Written]) -> serde_json::Result<()>,
        refused: &dyn Fn(&str) -> Result<u64, String>,
    ) -> Result<u64, Failure> {
        let written = body(&mut self.body, records).map_err(|error| error.to_string());
        let answer = written.and_then(|()| self.ask());
        self.body.clear();
        match answer.map_err(Failure::of)? {
            Answer::Taken(said) => refused(&said).map_err(|why| Failure::of(format!("{}: {why}", self.web.url))),
            Answer::Refused(why) if records.len() <= 1 => {
                let id = records.first().map_or(0, |one| one.record.id);
                tracing::warn!("record {id} is not delivered: {why}");
                Ok(1)
            }
            Answer::Refused(_) => {
                let (first, second) = records.split_at(records.len() / 2);
                let lost = self.deliver(first, body, refused)?;
                let rest = self.deliver(second, body, refused);
                rest.map(|more| lost + more)
                    .map_err(|failure| Failure { taken: first.len() + failure.taken, ..failure })
            }
        }
    }
}
