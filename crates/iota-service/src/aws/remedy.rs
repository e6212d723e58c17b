//! What is missing when AWS refuses a call: the IAM statement, or the setting.

use super::{Fault, Role};
use iota_engine::region::partition_of;
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::fmt;

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// A statement for a policy.
    Statement {
        /// Which policy.
        policy: String,
        statement: Json,
    },
    /// A setting, or a command that changes one.
    Setting(String),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement { policy, statement } => write!(f, "add to the {policy}: {statement}"),
            Self::Setting(text) => f.write_str(text),
        }
    }
}

/// What is known of whose credentials these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) partition: String,
    /// ARN of a user or an assumed role; `None` where it could not be asked for.
    arn: Option<String>,
}

impl Account {
    pub(crate) fn unknown(region: Option<&str>) -> Self {
        Self { partition: partition_of(region.unwrap_or_default()).to_owned(), arn: None }
    }

    pub(crate) fn of(arn: String) -> Self {
        let partition = arn.split(':').nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws").to_owned();
        Self { partition, arn: Some(arn) }
    }

    /// Whose policy has to say more.
    pub(crate) fn principal(&self) -> &str {
        self.arn.as_deref().unwrap_or("the identity that iota runs as")
    }
}

/// AWS answered, and the answer was no.
pub(crate) fn is_denied(fault: &Fault) -> bool {
    let code = fault.code.as_deref().unwrap_or_default();
    ["AccessDenied", "AuthorizationError", "UnauthorizedOperation", "NotAuthorized"].iter().any(|known| code.contains(known))
}

/// A call, and what it is made on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
}

/// Access points are named by their ARN.
pub(crate) fn bucket_arn(bucket: &str, account: &Account) -> String {
    if bucket.starts_with("arn:") { bucket.to_owned() } else { format!("arn:{}:s3:::{bucket}", account.partition) }
}

/// What a statement names for objects whose keys begin so. Of an access point they are below `object/`.
pub(crate) fn objects_arn(bucket: &str, beginning: &str, account: &Account) -> String {
    let objects = if bucket.starts_with("arn:") { "/object" } else { "" };
    format!("{}{objects}/{beginning}*", bucket_arn(bucket, account))
}

fn allow(Call { action, resource }: Call<'_>) -> Json {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

/// What has to be there before a role can be assumed. `caller` is who assumes it. A trust policy lets nobody in whom it does not name.
pub(crate) fn assume(role: &Role, caller: &Account) -> [Remedy; 2] {
    let statement = allow(Call { action: "sts:AssumeRole", resource: &role.arn });
    let id = role.external_id.as_ref().map_or_else(String::new, |id| format!(" with the external id {id:?}"));
    let trust = format!("the trust policy of {} has to let this identity assume it{id}", role.arn);
    [Remedy::Statement { policy: format!("policy of {}", caller.principal()), statement }, Remedy::Setting(trust)]
}

/// For keys of trails: only what CloudTrail has encrypted.
fn decrypt(key: &str, account: &Account) -> Json {
    let trails = format!("arn:{}:cloudtrail:*:*:trail/*", account.partition);
    json!({
        "Effect": "Allow", "Action": "kms:Decrypt", "Resource": key,
        "Condition": {"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails}},
    })
}

/// What would let a refused call pass. Nothing where it was not refused.
pub(crate) fn remedies(fault: &Fault, call: Call<'_>, account: &Account) -> Vec<Remedy> {
    if !is_denied(fault) {
        return Vec::new();
    }
    let who = account.principal();
    // `User: arn:... is not authorized to perform: ACTION on resource: ARN because ...`
    let said = |before: &str| {
        let rest = fault.why.split_once(before)?.1;
        let word = rest.split_whitespace().next()?.trim_matches(['"', ',', '.']);
        // What is cut off is no ARN.
        (!word.contains("...")).then_some(word)
    };
    let action = said("not authorized to perform: ").filter(|action| action.contains(':')).unwrap_or(call.action);
    let named = said("on resource: ").filter(|resource| resource.starts_with("arn:"));
    if fault.why.contains("explicit deny") {
        let text = format!(
            "an explicit Deny forbids {action} to {who}: lift it in the policy that AWS names above; no Allow helps against it"
        );
        return vec![Remedy::Setting(text)];
    }
    let is_key =
        action.starts_with("kms:") || fault.code.as_deref().is_some_and(|code| code.to_ascii_uppercase().starts_with("KMS"));
    if is_key {
        let key = named.map_or_else(|| format!("arn:{}:kms:REGION:ACCOUNT:key/KEY_ID", account.partition), str::to_owned);
        let statement = decrypt(&key, account);
        let policy = format!("policy of {who}; the key's own policy has to let that account use it as well");
        return vec![Remedy::Statement { policy, statement }];
    }
    let resource = if action == call.action { call.resource } else { named.unwrap_or(call.resource) };
    let policy = if action.starts_with("s3:") {
        format!("policy of {who}, and to that of the bucket when it is in another account")
    } else {
        format!("policy of {who}")
    };
    vec![Remedy::Statement { policy, statement: allow(Call { action, resource }) }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Verdict;

    fn fault(code: &str, why: &str) -> Fault {
        Fault { verdict: Verdict::Closed, after: None, code: Some(code.to_owned()), why: why.to_owned() }
    }

    fn statement(fault: &Fault) -> Json {
        let call = Call { action: "s3:GetObject", resource: "arn:aws:s3:::b/*" };
        match &remedies(fault, call, &Account::unknown(None))[..] {
            [Remedy::Statement { statement, .. }] => statement.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_missing_is_what_aws_says_is_missing() {
        let plain = statement(&fault("AccessDenied", "s3:GetObject: AccessDenied: Access Denied"));
        assert_eq!(plain, json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}));
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
        let text = format!(
            "s3:GetObject: AccessDenied: User: arn:aws:sts::1:x is not authorized to perform: kms:Decrypt on resource: {key} because no identity-based policy allows it"
        );
        let statement = statement(&fault("AccessDenied", &text));
        assert_eq!((&statement["Action"], &statement["Resource"]), (&json!("kms:Decrypt"), &json!(key)));
        let trails = &statement["Condition"]["StringLike"]["kms:EncryptionContext:aws:cloudtrail:arn"];
        assert_eq!(trails, "arn:aws:cloudtrail:*:*:trail/*");
    }

    #[test]
    fn against_an_explicit_deny_no_allow_is_offered() {
        let fault = fault(
            "AccessDenied",
            "x: is not authorized to perform: s3:GetObject with an explicit deny in a service control policy",
        );
        let call = Call { action: "s3:GetObject", resource: "arn:aws:s3:::b/*" };
        assert!(
            matches!(&remedies(&fault, call, &Account::unknown(None))[..], [Remedy::Setting(text)] if text.contains("lift it"))
        );
    }

    #[test]
    fn what_was_not_refused_needs_no_statement() {
        let call = Call { action: "s3:GetObject", resource: "arn:aws:s3:::b/*" };
        assert_eq!(remedies(&fault("SlowDown", "slow"), call, &Account::unknown(None)), []);
    }
}
