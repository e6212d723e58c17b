//! Secrets that are kept in AWS Secrets Manager. References to them are read where outputs are configured.

use super::access::{Access, region_of_arn};
use super::fault::fault_of;
use crate::output::SecretsManager;
use async_trait::async_trait;
use aws_config::SdkConfig;

/// The real one. Needs `secretsmanager:GetSecretValue`, and `kms:Decrypt` for a key of one's own. Asks the network only
/// when a secret is wanted.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    pub access: Access,
}

#[async_trait]
impl SecretsManager for Secrets {
    async fn secret(&self, arn: &str) -> Result<String, String> {
        let config = self.access.connect(region_of_arn(arn)).await.map_err(|error| error.to_string())?;
        get(&config, arn).await
    }
}

async fn get(config: &SdkConfig, arn: &str) -> Result<String, String> {
    let answer = aws_sdk_secretsmanager::Client::new(config).get_secret_value().secret_id(arn).send().await;
    let answer = answer.map_err(|error| fault_of("secretsmanager:GetSecretValue", &error).why)?;
    answer.secret_string().map(str::to_owned).ok_or_else(|| "the secret is binary; a text is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::emulator::{config, moto};

    #[tokio::test]
    async fn a_secret_is_read_and_a_missing_one_is_named() {
        let config = config(moto());
        let client = aws_sdk_secretsmanager::Client::new(&config);
        let made = client.create_secret().name("iota/secret-test").secret_string("hush").send().await.unwrap();
        assert_eq!(get(&config, made.arn().unwrap()).await.as_deref(), Ok("hush"));
        let error = get(&config, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-AbCdEf").await.unwrap_err();
        assert!(error.starts_with("secretsmanager:GetSecretValue: ResourceNotFoundException"), "{error}");
    }
}
