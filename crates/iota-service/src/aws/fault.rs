//! What an error of AWS means for the one who asked: try again, this payload never, or nothing works until somebody acts.
//! Codes are those of the services' API references; where a code is not known, the status decides.

use crate::output::Sent;
use crate::output::http::needs_somebody;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use std::time::Duration;

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Retry,
    /// This payload can never be accepted.
    Refused,
    /// Credentials, permissions, keys or names: the same for every payload.
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub verdict: Verdict,
    /// What the service asked for (`Retry-After`).
    pub after: Option<Duration>,
    /// The service's code, if an answer came.
    pub code: Option<String>,
    pub why: String,
}

impl Fault {
    /// Nothing was asked, for want of credentials: none, or those of a role that cannot be assumed.
    pub(crate) fn is_of_credentials(&self) -> bool {
        // As `fault_of` has it of a `CredentialsError`.
        self.code.is_none() && self.why.contains("credentials")
    }

    /// The credentials of the request have expired, as AWS's clock has it.
    pub(crate) fn is_expired(&self) -> bool {
        matches!(self.code.as_deref(), Some("ExpiredToken" | "ExpiredTokenException"))
    }
}

impl From<Fault> for Sent {
    fn from(Fault { verdict, after, why, .. }: Fault) -> Self {
        match verdict {
            Verdict::Retry => Self::Retry { after, why },
            Verdict::Refused => Self::Refused { why },
            Verdict::Closed => Self::Closed { why },
        }
    }
}

/// Longest text of a service that is passed on, in characters.
const TEXT: usize = 300;

/// `what` is the operation as people know it, `sns:Publish`.
pub fn fault_of<E>(what: &str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let without_answer = |verdict, why: String| Fault { verdict, after: None, code: None, why: format!("{what}: {why}") };
    match error {
        SdkError::TimeoutError(_) => without_answer(Verdict::Retry, "no answer in time".to_owned()),
        SdkError::ConstructionFailure(_) => without_answer(Verdict::Closed, innermost(error)),
        SdkError::DispatchFailure(_) => match credentials_error(error) {
            // The chain ended, or what it was told to use is wrong.
            Some(CredentialsError::CredentialsNotLoaded(_)) => {
                without_answer(Verdict::Closed, "no AWS credentials were found".to_owned())
            }
            Some(CredentialsError::ProviderTimedOut(_)) => {
                without_answer(Verdict::Retry, "credentials did not come in time".to_owned())
            }
            // A role that may not be assumed, a profile that is broken, or STS that is down: the backlog stays either way.
            Some(_) => without_answer(Verdict::Closed, format!("credentials: {}", innermost(error))),
            None => {
                let why = innermost(error);
                without_answer(if needs_somebody(&why) { Verdict::Closed } else { Verdict::Retry }, why)
            }
        },
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            let why = format!("{what}: status {status}, and no answer that could be read");
            Fault { verdict: by_status(status), after: retry_after(answer.raw()), code: None, why }
        }
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code();
            let verdict = code.and_then(verdict_of).unwrap_or_else(|| by_status(status));
            let shown = code.map_or_else(|| format!("status {status}"), str::to_owned);
            let why = match answer.err().message().filter(|_| !tells_too_much(&shown)) {
                Some(message) => format!("{what}: {shown}: {}", bounded(message)),
                None => format!("{what}: {shown}"),
            };
            Fault { verdict, after: retry_after(answer.raw()), code: code.map(str::to_owned), why }
        }
        other => without_answer(Verdict::Retry, other.to_string()),
    }
}

/// What a code means, whichever service it comes from. `None` where it says nothing by itself.
pub fn verdict_of(code: &str) -> Option<Verdict> {
    // Query services write `AWS.SimpleQueueService.NonExistentQueue`, JSON services `ns#Name`, EventBridge bare names.
    let name = code.rsplit(['#', '.']).next().unwrap_or(code);
    let name = name.strip_suffix("Exception").unwrap_or(name);
    Some(match name {
        "Throttling"
        | "Throttled"
        | "ThrottledRequest"
        | "RequestThrottled"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceeded"
        | "ThroughputExceeded"
        | "BandwidthLimitExceeded"
        | "LimitExceeded"
        | "SlowDown"
        | "OverLimit"
        | "TransactionInProgress"
        | "TransactionConflict"
        | "ReplicatedWriteConflict"
        | "PriorRequestNotComplete"
        | "RequestTimeout"
        | "KMSThrottling"
        | "KmsThrottled"
        | "Internal"
        | "InternalError"
        | "InternalFailure"
        | "InternalServer"
        | "InternalServerError"
        | "InternalService"
        | "ServiceUnavailable"
        | "Unavailable"
        | "OperationAborted"
        | "ConcurrentModification" => Verdict::Retry,
        "BatchRequestTooLong"
        | "InvalidMessageContents"
        | "EmptyBatchRequest"
        | "BatchEntryIdsNotDistinct"
        | "EntityTooLarge"
        | "RequestEntityTooLarge"
        | "MalformedDetail"
        | "InvalidParameter"
        | "InvalidParameterValue"
        | "ParameterValueInvalid"
        | "InvalidArgument"
        | "InvalidInput"
        | "InvalidDigest"
        | "BadDigest"
        | "KeyTooLongError"
        | "InvalidAttributeValue" => Verdict::Refused,
        // The key is disabled, about to be deleted, or gone.
        _ if code.starts_with("KMS.") => Verdict::Closed,
        _ if name.starts_with("AccessDenied") || name.starts_with("KMS") || name.starts_with("Kms") => Verdict::Closed,
        "AuthorizationError"
        | "AuthFailure"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "NotAuthorizedForSource"
        | "InvalidAccess"
        | "Forbidden"
        | "OptInRequired"
        | "UnrecognizedClient"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidSecurity"
        | "InvalidSignature"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "ExpiredToken"
        | "ExpiredTokenId"
        | "TokenRefreshRequired"
        | "InvalidToken"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "NotFound"
        | "ResourceNotFound"
        | "NoSuchBucket"
        | "NonExistentQueue"
        | "QueueDoesNotExist"
        | "QueueDeletedRecently"
        | "InvalidAddress"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "EndpointDisabled"
        | "AllAccessDisabled"
        | "AccountProblem"
        | "InvalidRegion"
        | "UnsupportedOperation"
        | "InvalidBucketName"
        | "DisabledKey"
        | "InvalidKey" => Verdict::Closed,
        _ => return None,
    })
}

/// A 400 with an unknown code may be the payload or the configuration: it is tried again, which neither empties the
/// backlog into dead letters at once nor lets one payload hold up the others.
pub(super) fn by_status(status: u16) -> Verdict {
    match status {
        413 => Verdict::Refused,
        301 | 302 | 307 | 308 | 401 | 403 | 404 | 410 => Verdict::Closed,
        _ => Verdict::Retry,
    }
}

/// Seconds; AWS sends no dates.
fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    answer.headers().get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// These messages repeat the signed request, session token and all.
pub(super) fn tells_too_much(code: &str) -> bool {
    code.contains("Signature")
}

pub(super) fn bounded(text: &str) -> String {
    let text = iota_engine::text::printable(text);
    match text.char_indices().nth(TEXT) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CredentialsError> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The text at the end of the chain says what happened; those before say where.
fn innermost(error: &(dyn Error + 'static)) -> String {
    bounded(&causes(error).last().map(ToString::to_string).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_services_say() {
        for (code, expected) in [
            ("ThrottlingException", Some(Verdict::Retry)),
            ("KMS.ThrottlingException", Some(Verdict::Retry)),
            ("KMSThrottlingException", Some(Verdict::Retry)),
            ("KmsThrottled", Some(Verdict::Retry)),
            ("KMS.InternalException", Some(Verdict::Retry)),
            ("KMS.DisabledException", Some(Verdict::Closed)),
            ("KMS.KMSInvalidStateException", Some(Verdict::Closed)),
            ("InternalFailure", Some(Verdict::Retry)),
            ("KMSAccessDeniedException", Some(Verdict::Closed)),
            ("KmsAccessDenied", Some(Verdict::Closed)),
            ("AWS.SimpleQueueService.NonExistentQueue", Some(Verdict::Closed)),
            ("com.amazonaws.sqs#QueueDoesNotExist", Some(Verdict::Closed)),
            ("AWS.SimpleQueueService.BatchRequestTooLong", Some(Verdict::Refused)),
            ("AccessDeniedException", Some(Verdict::Closed)),
            ("ExpiredTokenException", Some(Verdict::Closed)),
            ("InvalidMessageContents", Some(Verdict::Refused)),
            ("ValidationException", None),
        ] {
            assert_eq!(verdict_of(code), expected, "{code}");
        }
    }

    #[test]
    fn without_a_known_code_the_status_decides() {
        for (status, expected) in [
            (400, Verdict::Retry),
            (403, Verdict::Closed),
            (404, Verdict::Closed),
            (413, Verdict::Refused),
            (429, Verdict::Retry),
            (500, Verdict::Retry),
            (503, Verdict::Retry),
        ] {
            assert_eq!(by_status(status), expected, "{status}");
        }
    }
}
