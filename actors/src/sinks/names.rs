//! Where the host of a URL is, remembered for a while: ureq asks before each request, connected or not, in a thread of its own,
//! and that took as long as the batch.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// For how long an answer counts; one that does not lead to the receiver any more is forgotten with the agent.
const FRESH: Duration = Duration::from_secs(60);

/// The addresses of one host, as the system tells them.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    last: Mutex<Option<(Instant, Uri, Vec<SocketAddr>)>>,
    system: DefaultResolver,
}

impl Resolver for Remembered {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, of, addresses)) = &*last
            && since.elapsed() < FRESH
            && of == uri
        {
            let mut known = self.empty();
            addresses.iter().for_each(|address| known.push(*address));
            return Ok(known);
        }
        let told = self.system.resolve(uri, config, timeout)?;
        *last = Some((Instant::now(), uri.clone(), told.to_vec()));
        Ok(told)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_its_host_and_a_while() {
        let (names, config) = (Remembered::default(), ureq::Agent::config_builder().build());
        let found = |uri: &'static str| {
            names.resolve(&Uri::from_static(uri), &config, NextTimeout::default()).unwrap().to_vec()
        };
        let (here, there) = ("127.0.0.1:7".parse().unwrap(), "127.0.0.9:7".parse().unwrap());
        assert_eq!(found("http://127.0.0.1:7/"), [here]);
        let plant = |since| {
            *names.last.lock().unwrap() = Some((since, Uri::from_static("http://127.0.0.1:7/"), vec![there]));
        };
        plant(Instant::now());
        assert_eq!(found("http://127.0.0.1:7/"), [there], "it is not asked again");
        assert_eq!(found("http://127.0.0.2:7/"), ["127.0.0.2:7".parse().unwrap()]);
        plant(Instant::now().checked_sub(FRESH).unwrap());
        assert_eq!(found("http://127.0.0.1:7/"), [here]);
    }
}
