//! Whose credentials these are, as STS says.

use super::{Access, fault_of};
use std::time::Duration;
use tokio::runtime::Builder;

/// STS needs no permission for this; where it cannot be reached nobody wants to wait for it long.
const ANSWER: Duration = Duration::from_secs(5);

/// ARN of a user or an assumed role, with the credentials that the SDK finds. Blocks. The error says why it is not known.
pub fn caller_arn() -> Result<String, String> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let access = Access { timeout: Some(ANSWER), ..Access::default() };
    runtime.block_on(async {
        let config = access.connect(None).await.map_err(|error| error.to_string())?;
        let answer = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let answer = answer.map_err(|error| fault_of("sts:GetCallerIdentity", &error).why)?;
        answer.arn.ok_or_else(|| "sts:GetCallerIdentity: no ARN in the answer".to_owned())
    })
}
