//! A client of one service that is made when it is first used, so that what is configured but not used asks nothing of AWS.

use super::access::{Access, AccessError};
use super::fault::{Fault, Verdict, fault_of};
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use std::fmt;
use tokio::sync::Mutex;

/// `C` is the client of a service.
pub struct Connection<C> {
    with: With,
    make: fn(&SdkConfig) -> C,
    made: Mutex<Option<(SdkConfig, C)>>,
}

/// What it is made with.
#[derive(Debug)]
enum With {
    Access {
        access: Access,
        /// Of the resource, where its name says so.
        region: Option<String>,
    },
    #[cfg(test)]
    Config(Box<SdkConfig>),
}

impl With {
    async fn config(&self) -> Result<SdkConfig, AccessError> {
        match self {
            Self::Access { access, region } => access.connect(region.as_deref()).await,
            #[cfg(test)]
            Self::Config(config) => Ok(SdkConfig::clone(config)),
        }
    }
}

impl<C: Clone> Connection<C> {
    pub fn new(access: Access, region: Option<&str>, make: fn(&SdkConfig) -> C) -> Self {
        Self { with: With::Access { access, region: region.map(str::to_owned) }, make, made: Mutex::default() }
    }

    pub async fn client(&self) -> Result<C, Fault> {
        Ok(self.get().await?.1)
    }

    pub async fn config(&self) -> Result<SdkConfig, Fault> {
        Ok(self.get().await?.0)
    }

    /// The answer to a request of this client, which needs the permission `action`. Where its credentials have expired, the next
    /// request goes with new ones: AWS's clock decides, and the SDK goes by ours.
    pub async fn answered<T, E>(&self, action: &str, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<T, Fault>
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let fault = fault_of(action, &error);
        if fault.is_expired() {
            self.renew().await;
        }
        Err(fault)
    }

    /// The next request goes with new credentials.
    pub(super) async fn renew(&self) {
        self.made.lock().await.take();
    }

    async fn get(&self) -> Result<(SdkConfig, C), Fault> {
        let mut made = self.made.lock().await;
        if let Some(made) = &*made {
            return Ok(made.clone());
        }
        let config = self.with.config().await.map_err(|error| Fault {
            verdict: Verdict::Closed,
            after: None,
            code: None,
            why: error.to_string(),
        })?;
        let client = (self.make)(&config);
        Ok(made.insert((config, client)).clone())
    }

    /// With a configuration that is there already.
    #[cfg(test)]
    pub(crate) fn ready(config: SdkConfig, make: fn(&SdkConfig) -> C) -> Self {
        Self { with: With::Config(Box::new(config)), make, made: Mutex::default() }
    }
}

impl<C> fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("with", &self.with).finish_non_exhaustive()
    }
}
