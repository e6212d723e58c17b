//! A client of one service that is made when it is first used, so that what is configured but not used asks nothing of AWS.

use super::access::Access;
use super::fault::{Fault, Verdict};
use aws_config::SdkConfig;
use std::fmt;
use tokio::sync::OnceCell;

/// `C` is the client of a service.
pub struct Connection<C> {
    access: Access,
    /// Of the resource, where its name says so.
    region: Option<String>,
    make: fn(&SdkConfig) -> C,
    made: OnceCell<(SdkConfig, C)>,
}

impl<C> Connection<C> {
    pub fn new(access: Access, region: Option<&str>, make: fn(&SdkConfig) -> C) -> Self {
        Self { access, region: region.map(str::to_owned), make, made: OnceCell::new() }
    }

    pub async fn client(&self) -> Result<&C, Fault> {
        Ok(&self.get().await?.1)
    }

    pub async fn config(&self) -> Result<&SdkConfig, Fault> {
        Ok(&self.get().await?.0)
    }

    async fn get(&self) -> Result<&(SdkConfig, C), Fault> {
        let connect = async || {
            let config = self.access.connect(self.region.as_deref()).await?;
            let client = (self.make)(&config);
            Ok((config, client))
        };
        self.made.get_or_try_init(connect).await.map_err(|error: super::AccessError| Fault {
            verdict: Verdict::Closed,
            after: None,
            code: None,
            why: error.to_string(),
        })
    }

    /// With a configuration that is there already.
    #[cfg(test)]
    pub(crate) fn ready(config: SdkConfig, make: fn(&SdkConfig) -> C) -> Self {
        let client = make(&config);
        Self { access: Access::default(), region: None, make, made: OnceCell::new_with(Some((config, client))) }
    }
}

impl<C> fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("access", &self.access).field("region", &self.region).finish_non_exhaustive()
    }
}
