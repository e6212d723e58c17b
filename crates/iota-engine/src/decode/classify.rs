//! What an object is, from its outline: an event, a wrapper around one, or something that is not an event.
//! Looks at content only, never at file names.

use super::RejectReason;
use super::outline::{List, Outline, Span};
use std::fmt;

/// Why something was left out on purpose. Counted, and no reason for a non-zero exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// `{}`.
    Empty,
    /// A CloudTrail digest file.
    Digest,
    /// An Insights event.
    Insight,
    /// An aggregated event (`CloudTrail-Aggregated/`).
    Aggregated,
    /// A control message of a CloudWatch Logs subscription, an EventBridge event that is not from CloudTrail, or a
    /// notification of S3.
    NotCloudTrail,
    /// A log of another AWS service.
    OtherService(Service),
}

impl Skip {
    /// A short stable name, for counting.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Digest => "digest",
            Self::Insight => "insight",
            Self::Aggregated => "aggregated",
            Self::NotCloudTrail => "not_cloudtrail",
            Self::OtherService(_) => "other_service",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::Digest => f.write_str("CloudTrail digest file"),
            Self::Insight => f.write_str("CloudTrail Insights event"),
            Self::Aggregated => f.write_str("CloudTrail aggregated event"),
            Self::NotCloudTrail => f.write_str("message without a CloudTrail event"),
            Self::OtherService(service) => write!(f, "{service}"),
        }
    }
}

/// Other services whose logs share buckets with CloudTrail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    Config,
    GuardDuty,
    Waf,
    Resolver,
    VpcFlow,
    LoadBalancer,
    S3Access,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config => "AWS Config file",
            Self::GuardDuty => "GuardDuty finding",
            Self::Waf => "WAF log",
            Self::Resolver => "Route 53 Resolver query log",
            Self::VpcFlow => "VPC flow log",
            Self::LoadBalancer => "load balancer access log",
            Self::S3Access => "S3 server access log",
        })
    }
}

impl Service {
    /// The service whose JSON log has a top-level member of this name, which no CloudTrail record has.
    pub(super) fn hinted_by(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"configSnapshotId" => Self::Config,
            b"webaclId" => Self::Waf,
            b"query_timestamp" => Self::Resolver,
            // GuardDuty findings: {"schemaVersion", "accountId", "partition", "service": {"serviceName": ...}}.
            b"schemaVersion" => Self::GuardDuty,
            _ => return None,
        })
    }

    /// The service whose text log starts with this line.
    pub(super) fn of_text(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line.get(..line.len().min(512))?).ok()?;
        let mut words = line.split_ascii_whitespace();
        let (first, second, third) = (words.next()?, words.next()?, words.next().unwrap_or_default());
        let number = |word: &str, len: usize| word.len() == len && word.bytes().all(|b| b.is_ascii_digit());
        if (first, second) == ("version", "account-id") || (matches!(first, "2" | "3" | "4" | "5") && number(second, 12)) {
            Some(Self::VpcFlow)
        } else if matches!(first, "http" | "https" | "h2" | "grpcs" | "ws" | "wss") && second.contains('T') && third.contains('/')
        {
            Some(Self::LoadBalancer)
        } else if first == "tls" && number(second.get(..1).unwrap_or_default(), 1) && third.contains('T') {
            // Network load balancer: the version of the log format stands before the time.
            Some(Self::LoadBalancer)
        } else if first == "Enable" && second.ends_with("Log") && third == "for" {
            // `Enable AccessLog for ELB: ...`, the test file written when logging is turned on.
            Some(Self::LoadBalancer)
        } else if first.len() >= 20 && first.as_bytes()[4] == b'-' && first.ends_with('Z') && third.contains(':') {
            Some(Self::LoadBalancer)
        } else if first.len() == 64 && first.bytes().all(|b| b.is_ascii_hexdigit()) && third.starts_with('[') {
            Some(Self::S3Access)
        } else {
            None
        }
    }
}

/// What an object stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// Nothing: it is a value of its own.
    Nothing,
    List,
    /// The list of a CloudWatch Logs subscription payload.
    LogEvents,
    /// An EventBridge envelope: it is the event, and no further envelope.
    Envelope,
}

/// What to do with a scanned object.
pub(super) enum Class {
    Event,
    /// The event is the object at this place.
    Object(Span),
    /// The event is JSON inside the string at this place.
    Text(Span),
    Skip(Skip),
    Reject(RejectReason),
}

/// Names file formats that are recognised only to say so.
pub(super) fn foreign_format(head: &[u8]) -> Option<&'static str> {
    [
        (&b"PK\x03\x04"[..], "a zip archive"),
        (b"PAR1", "Parquet (Security Lake)"),
        (b"\x28\xB5\x2F\xFD", "zstd"),
        (b"BZh", "bzip2"),
        (b"\xFD7zXZ", "xz"),
        (b"\xFF\xFE", "UTF-16"),
        (b"\xFE\xFF", "UTF-16"),
    ]
    .into_iter()
    .find_map(|(magic, name)| head.starts_with(magic).then_some(name))
}

/// What a CloudWatch Logs subscription sends to check its destination, instead of an event.
const CONTROL_MESSAGE: &[u8] = b"\"CWL CONTROL MESSAGE";

/// Classifies an object from its outline. `empty`: it has no members.
pub(super) fn classify(raw: &[u8], outline: &Outline, empty: bool, within: Within) -> Class {
    let fields = &outline.fields;
    if empty {
        return Class::Skip(Skip::Empty);
    }
    let event = !fields.event_name.is_missing() || !fields.event_id.is_missing() || !fields.event_version.is_missing();
    if !event {
        if let Some(list) = outline.list.and_then(List::required) {
            let outermost = within == Within::Nothing;
            return Class::Reject(if outermost { RejectReason::NotAnArray(list) } else { RejectReason::NestedList });
        }
        if outline.cloud_trail_event.first(raw) == Some(b'"') {
            return Class::Text(outline.cloud_trail_event);
        }
        if within == Within::LogEvents && outline.message.first(raw) == Some(b'"') {
            let control = outline.message.of(raw).starts_with(CONTROL_MESSAGE);
            return if control { Class::Skip(Skip::NotCloudTrail) } else { Class::Text(outline.message) };
        }
        if within != Within::Envelope && outline.detail.first(raw) == Some(b'{') {
            let detail_type = outline.detail_type.text(raw);
            return match detail_type.as_deref() {
                None => Class::Object(outline.detail),
                Some(name) if name.ends_with("via CloudTrail") => Class::Object(outline.detail),
                Some(_) => Class::Skip(Skip::NotCloudTrail),
            };
        }
        if outline.message_type.text(raw).is_some() && outline.fields.event_type.is_missing() {
            return Class::Skip(Skip::NotCloudTrail);
        }
        if !outline.digest_start.is_missing() {
            return Class::Skip(Skip::Digest);
        }
        if let Some(service) = outline.service_hint {
            return Class::Skip(Skip::OtherService(service));
        }
    }
    special_event(raw, outline).map_or(Class::Event, Class::Skip)
}

/// Insights and aggregated events, which are not API calls; S3's notifications, which only look like records.
fn special_event(raw: &[u8], outline: &Outline) -> Option<Skip> {
    let fields = &outline.fields;
    let is = |span: Span, text: &str| span.is_text(raw, text);
    if is(fields.event_category, "Insight") || is(fields.event_type, "AwsCloudTrailInsight") {
        Some(Skip::Insight)
    } else if is(fields.event_category, "Aggregated") || is(fields.event_type, "AwsAggregatedEvent") {
        Some(Skip::Aggregated)
    } else if is(fields.event_source, "aws:s3") {
        Some(Skip::NotCloudTrail)
    } else {
        None
    }
}
