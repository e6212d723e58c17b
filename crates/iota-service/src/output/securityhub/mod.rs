//! AWS Security Hub CSPM: findings in the AWS Security Finding Format (ASFF) through BatchImportFindings.
//! The newer Security Hub that takes OCSF is not fed here.

mod finding;
#[cfg(test)]
mod tests;

use super::format::{Alert, Redaction};
use super::{Message, Output, Sent};
use crate::aws::{Access, Connection, Fault, Signed, Verdict, verdict_of};
use async_trait::async_trait;
use aws_sdk_sts::Client;
use finding::Product;
use iota_engine::store::DeliveryAction;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::OnceCell;

/// Findings of a request (BatchImportFindings, API reference).
const FINDINGS: usize = 100;
/// Bytes of a request, with room for what stands around the findings (6 MB, API reference).
const REQUEST: usize = 5_900_000;

#[derive(Debug, Clone)]
pub(super) struct SecurityHubConfig {
    /// The account whose Security Hub is fed; asked of STS when it is not given.
    pub(super) account_id: Option<String>,
    /// The default product of that account and region, when it is not given.
    pub(super) product_arn: Option<String>,
    pub(super) redact: Redaction,
    pub(super) aws: Access,
}

#[derive(Debug)]
pub(super) struct SecurityHub {
    account_id: Option<String>,
    product_arn: Option<String>,
    redact: Redaction,
    sts: Connection<Client>,
    service: Signed,
    product: OnceCell<Product>,
    now: fn() -> Timestamp,
}

impl SecurityHub {
    /// The error says what is wrong with the configuration.
    pub(super) fn new(config: SecurityHubConfig) -> Result<Self, String> {
        if let Some(account) = &config.account_id
            && (account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(format!("account_id: {account:?} is not an account (12 digits, in quotes)"));
        }
        if let Some(arn) = &config.product_arn
            && (!arn.starts_with("arn:") || !arn.contains(":securityhub:"))
        {
            return Err(format!(
                "product_arn: {arn:?} is not the ARN of a product (arn:PARTITION:securityhub:REGION:ACCOUNT:product/...)"
            ));
        }
        Ok(Self {
            sts: Connection::new(config.aws.clone(), None, Client::new),
            service: Signed::new("securityhub", config.aws),
            account_id: config.account_id,
            product_arn: config.product_arn,
            redact: config.redact,
            product: OnceCell::new(),
            now: Timestamp::now,
        })
    }

    async fn product(&self) -> Result<&Product, Fault> {
        let find = async || {
            let region = self.sts.config().await?.region().map(ToString::to_string).unwrap_or_default();
            let account_id = if let Some(account) = &self.account_id {
                account.clone()
            } else {
                let answer = self.sts.client().await?.get_caller_identity().send().await;
                let answer = self.sts.answered("sts:GetCallerIdentity", answer).await?;
                answer.account().unwrap_or_default().to_owned()
            };
            let arn = self.product_arn.clone().unwrap_or_else(|| finding::default_product(&region, &account_id));
            Ok(Product { arn, account_id, region })
        };
        self.product.get_or_try_init(find).await
    }

    async fn import(&self, findings: &[(String, Vec<u8>)]) -> Vec<Sent> {
        let mut body = b"{\"Findings\":[".to_vec();
        body.extend_from_slice(&findings.iter().map(|(_, json)| json.as_slice()).collect::<Vec<_>>().join(&b','));
        body.extend_from_slice(b"]}");
        let answer = match self.service.post(&self.sts, "BatchImportFindings", "/findings/import", body).await {
            Ok(answer) => answer,
            Err(mut fault) => {
                // A batch says nothing of the one finding in it that is not accepted.
                if findings.len() > 1 && fault.verdict == Verdict::Refused {
                    fault.verdict = Verdict::Retry;
                }
                return vec![fault.into(); findings.len()];
            }
        };
        let Ok(Answer { failed }) = serde_json::from_slice(&answer) else {
            let why = "securityhub:BatchImportFindings: an answer that cannot be read".to_owned();
            return vec![Sent::Retry { after: None, why }; findings.len()];
        };
        let outcome = |id: &String| failed.iter().find(|failed| failed.id == *id).map_or(Sent::Delivered, Failed::sent);
        findings.iter().map(|(id, _)| outcome(id)).collect()
    }
}

#[async_trait]
impl Output for SecurityHub {
    fn batch(&self) -> usize {
        FINDINGS
    }

    /// Ten requests a second are allowed for an account and region.
    fn concurrency(&self) -> usize {
        1
    }

    /// A resolved alert's finding is archived. There is nothing to tell of an acknowledgement: `Workflow` belongs to the
    /// people who use Security Hub.
    fn takes(&self, action: DeliveryAction) -> bool {
        matches!(action, DeliveryAction::Create | DeliveryAction::Update | DeliveryAction::Resolve)
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        let product = match self.product().await {
            Ok(product) => product,
            Err(fault) => return vec![fault.into(); messages.len()],
        };
        let mut sent = vec![Sent::Delivered; messages.len()];
        let (mut findings, mut places) = (Vec::with_capacity(messages.len()), Vec::with_capacity(messages.len()));
        for (place, message) in messages.iter().enumerate() {
            match Alert::of(message, &self.redact) {
                Ok(alert) => {
                    findings.push((alert.known_as.to_owned(), product.finding(&alert, (self.now)())));
                    places.push(place);
                }
                Err(why) => sent[place] = Sent::Refused { why },
            }
        }
        for range in batches(&findings) {
            let outcomes = self.import(&findings[range.clone()]).await;
            for (place, outcome) in places[range].iter().zip(outcomes) {
                sent[*place] = outcome;
            }
        }
        sent
    }
}

/// Like those of the other services, and no finding twice in one: the answer names failures by id.
fn batches(findings: &[(String, Vec<u8>)]) -> Vec<std::ops::Range<usize>> {
    let sizes: Vec<_> = findings.iter().map(|(_, json)| json.len() + 1).collect();
    let mut found = Vec::new();
    for range in super::sqs::batches(&sizes, FINDINGS, REQUEST) {
        let mut start = range.start;
        for at in range.clone() {
            if findings[start..at].iter().any(|(id, _)| *id == findings[at].0) {
                found.push(start..at);
                start = at;
            }
        }
        found.push(start..range.end);
    }
    found
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(rename = "FailedFindings", default)]
    failed: Vec<Failed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    error_code: String,
    error_message: Option<String>,
}

impl Failed {
    fn sent(&self) -> Sent {
        let message = self.error_message.as_deref().unwrap_or_default();
        let why = format!("securityhub:BatchImportFindings: {}: {message}", self.error_code);
        let verdict = verdict_of(&self.error_code).unwrap_or(Verdict::Retry);
        Fault { verdict, after: None, code: Some(self.error_code.clone()), why }.into()
    }
}
