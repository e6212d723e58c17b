//! Microsoft Teams: an Adaptive Card to a workflow that starts when a webhook request is received.
//! Values of events stand in text runs, which Teams does not read as Markdown.

use super::config::{Kind, OutputError, Reference, Secret, Surroundings, Wrong, output_keys, secret_url};
use super::format::text::{cut_chars, lines};
use super::format::{Alert, Fields, Redaction, headline};
use super::http::{Http, NAMED};
use super::{Message, Output, Sent, one_by_one};
use async_trait::async_trait;
use iota_engine::alert::Severity;
use iota_engine::store::DeliveryAction;
use reqwest::Url;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// Teams refuses messages over 28 KB, and counts more than the bytes of the card: half of it is kept free.
const MAX_BODY: usize = 13 << 10;
const MAX_TITLE: usize = 500;
const MAX_LONG_TEXT: usize = 1500;

output_keys! { http
    /// Posts alerts to a channel or chat, by a workflow ("Post to a channel when a webhook request is received").
    TeamsFile {
        /// Address of the workflow. It holds its own secret.
        pub url: Reference,
        /// Fields that are shown, as in `actor`, `event.userAgent` or `context.bucket` [default: a short list].
        pub fields: Option<Vec<String>>,
    }
}

impl Kind for TeamsFile {
    fn check(&self) -> Result<(), Wrong> {
        Fields::new(self.fields.as_deref()).map(drop)
    }

    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        let url = secret_url(&self.url, around).await?;
        Ok(Arc::new(Teams {
            http: Http::new(self.transport(), vec![Secret::new(url.to_string())], around).await?,
            url,
            fields: Fields::new(self.fields.as_deref())?,
            redact: self.redaction()?,
        }))
    }
}

struct Teams {
    http: Http,
    url: Url,
    fields: Fields,
    redact: Redaction,
}

impl fmt::Debug for Teams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teams").finish_non_exhaustive()
    }
}

impl Teams {
    async fn send_one(&self, alert: Alert<'_>) -> Sent {
        let body = payload(&alert, &self.fields);
        let request = self.http.post(&self.url).header("content-type", "application/json; charset=utf-8").body(body);
        // A workflow that was deleted or switched off answers 400 or 404, depending on when; 400 may also be the card.
        self.http.deliver(request, NAMED).await
    }
}

#[async_trait]
impl Output for Teams {
    /// More than four requests a second are throttled.
    fn concurrency(&self) -> usize {
        1
    }

    /// 202 says that the workflow started, not that it posted anything.
    fn is_acknowledged(&self) -> bool {
        false
    }

    fn takes(&self, _action: DeliveryAction) -> bool {
        true
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        one_by_one(messages, &self.redact, |_, alert| self.send_one(alert)).await
    }
}

/// The message, without description and runbook if it would be too large with them, then with fewer fields.
fn payload(alert: &Alert<'_>, fields: &Fields) -> String {
    let fields = fields.of(alert);
    let mut body = String::new();
    for (long, count) in [(MAX_LONG_TEXT, fields.len()), (0, fields.len()), (0, 8), (0, 2)] {
        body = card(alert, &fields[fields.len().saturating_sub(count)..], long).to_string();
        if body.len() <= MAX_BODY {
            break;
        }
    }
    body
}

fn card(alert: &Alert<'_>, fields: &[(String, String)], long: usize) -> Value {
    let severity = alert.severity();
    let color = match severity {
        Severity::Critical | Severity::High => "Attention",
        Severity::Medium => "Warning",
        Severity::Low | Severity::Info => "Accent",
    };
    let run = |text: &str, bold: bool, color: &str| json!({"type": "TextRun", "text": text, "weight": if bold { "Bolder" } else { "Default" }, "color": color});
    let block = |runs: Vec<Value>| json!({"type": "RichTextBlock", "inlines": runs});
    let title = cut_chars(&headline(alert), MAX_TITLE);
    let mut body = vec![block(vec![run(&format!("{severity}: "), true, color), run(&title, true, "Default")])];
    body.extend(
        fields.iter().map(|(name, value)| block(vec![run(&format!("{name}: "), true, "Default"), run(value, false, "Default")])),
    );
    if long > 0 && alert.action == DeliveryAction::Create {
        let texts = ["description", "runbook"].map(|field| lines(&alert.text(field)));
        body.extend(
            texts.iter().filter(|text| !text.is_empty()).map(|text| block(vec![run(&cut_chars(text, long), false, "Default")])),
        );
    }
    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    });
    if long > 0
        && let Ok(url) = Url::parse(&alert.text("reference"))
        && matches!(url.scheme(), "https" | "http")
        && url.as_str().len() <= 2000
    {
        content["actions"] = json!([{"type": "Action.OpenUrl", "title": "Reference", "url": url.as_str()}]);
    }
    json!({"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": content}]})
}
