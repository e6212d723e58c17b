//! Slack: Block Kit over an incoming webhook, or `chat.postMessage` with a bot token.
//! Values of events stand in inline code and are escaped, so that none of them can mention, link or format.

use super::config::{Kind, OutputError, Reference, Secret, Surroundings, Wrong, built_in, output_keys, secret_url};
use super::format::text::{cut_chars, lines};
use super::format::{Alert, Fields, Redaction, headline};
use super::http::{Answer, Http, Meaning, NAMED, meaning};
use super::{Message, Output, Sent, one_by_one};
use async_trait::async_trait;
use iota_engine::alert::Severity;
use iota_engine::store::DeliveryAction;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Limits of Block Kit, in characters: header 150, section text 3000, field 2000, button text 75 and URL 3000; ten fields
/// in a section. A message fails at about 13,200 in all.
const MAX_HEADER: usize = 150;
const MAX_LONG_TEXT: usize = 1500;
const MAX_FIELD: usize = 1000;
const FIELDS_PER_SECTION: usize = 10;
const MAX_BUTTON_URL: usize = 3000;
/// How many posted alerts are remembered, so that what follows goes into their threads.
const MAX_THREADS: usize = 1000;
pub(super) const POST_MESSAGE: &str = "https://slack.com/api/chat.postMessage";

/// Words of an answer, whatever its status. What no row names is about the channel, the app or the token.
const WORDS: &[(&str, Meaning)] = &[
    ("ok", Meaning::Delivered),
    ("invalid_payload", Meaning::Refused),
    ("invalid_blocks", Meaning::Refused),
    ("invalid_blocks_format", Meaning::Refused),
    ("invalid_attachments", Meaning::Refused),
    ("invalid_arguments", Meaning::Refused),
    ("msg_too_long", Meaning::Refused),
    ("msg_blocks_too_long", Meaning::Refused),
    ("no_text", Meaning::Refused),
    ("user_not_found", Meaning::Closed),
    ("channel_not_found", Meaning::Closed),
    ("no_service", Meaning::Closed),
    ("no_service_id", Meaning::Closed),
    ("no_active_hooks", Meaning::Closed),
    ("invalid_token", Meaning::Closed),
    ("team_disabled", Meaning::Closed),
    ("ratelimited", Meaning::Retry),
    ("rate_limited", Meaning::Retry),
    ("internal_error", Meaning::Retry),
    ("fatal_error", Meaning::Retry),
    ("request_timeout", Meaning::Retry),
    ("service_unavailable", Meaning::Retry),
    ("rollup_error", Meaning::Retry),
];

output_keys! { http
    /// Posts alerts to a channel. Either `url`, or `token` and `channel`.
    SlackFile {
        /// Address of an incoming webhook.
        pub url: Option<Reference>,
        /// Token of a bot with the scope `chat:write`. What happens to an alert later goes into its thread.
        pub token: Option<Reference>,
        /// Id of the channel that the bot posts to, as in `C0123456789`.
        pub channel: Option<String>,
        /// Fields that are shown, as in `actor`, `event.userAgent` or `context.bucket` [default: a short list].
        pub fields: Option<Vec<String>>,
        /// Where `chat.postMessage` is [default: Slack].
        pub api_url: Option<super::config::Address>,
    }
}

impl Kind for SlackFile {
    fn check(&self) -> Result<(), Wrong> {
        match (&self.url, &self.token, &self.channel) {
            (Some(_), None, None) | (None, Some(_), Some(_)) => {}
            (None, Some(_), None) => return Err(("token", "needs `channel` beside it".to_owned())),
            _ => return Err(("type", "either `url`, or `token` and `channel` are needed".to_owned())),
        }
        Fields::new(self.fields.as_deref()).map(drop)
    }

    async fn build(&self, _name: &str, around: &Surroundings<'_>) -> Result<Arc<dyn Output>, OutputError> {
        self.check()?;
        let (url, bot, secret) = match (&self.url, &self.token) {
            (Some(url), _) => {
                let url = secret_url(url, around).await?;
                let secret = Secret::new(url.to_string());
                (url, None, secret)
            }
            (None, Some(token)) => {
                let token = around.secret(token).await?;
                let url = match &self.api_url {
                    Some(address) => address.resolve(around).await?,
                    None => built_in(POST_MESSAGE)?,
                };
                let channel = self.channel.clone().unwrap_or_default();
                (url, Some(Bot { token: token.clone(), channel, threads: Mutex::default() }), token)
            }
            (None, None) => return Err(("type", "either `url` or `token` is needed".to_owned()).into()),
        };
        Ok(Arc::new(Slack {
            http: Http::new(self.transport(), vec![secret], around).await?,
            url,
            bot,
            fields: Fields::new(self.fields.as_deref())?,
            redact: self.redaction()?,
        }))
    }
}

struct Slack {
    http: Http,
    url: Url,
    bot: Option<Bot>,
    fields: Fields,
    redact: Redaction,
}

struct Bot {
    token: Secret,
    channel: String,
    /// What alerts are known as and the time stamps that Slack knows their messages by, oldest first.
    threads: Mutex<VecDeque<(String, String)>>,
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slack").field("bot", &self.bot.is_some()).finish_non_exhaustive()
    }
}

impl Bot {
    fn thread(&self, known_as: &str) -> Option<String> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.iter().find(|(id, _)| id == known_as).map(|(_, ts)| ts.clone())
    }

    fn remember(&self, known_as: &str, ts: String) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.len() == MAX_THREADS {
            threads.pop_front();
        }
        threads.push_back((known_as.to_owned(), ts));
    }
}

#[derive(Deserialize)]
struct Posted {
    ok: bool,
    error: Option<String>,
    ts: Option<String>,
}

impl Slack {
    async fn send_one(&self, message: &Message, alert: Alert<'_>) -> Sent {
        let mut payload = payload(&alert, &self.fields);
        let mut request = self.http.post(&self.url);
        let mut thread = None;
        if let Some(bot) = &self.bot {
            thread = bot.thread(&message.known_as).filter(|_| message.action != DeliveryAction::Create);
            payload["channel"] = json!(bot.channel);
            payload["thread_ts"] = json!(thread);
            request = request.bearer_auth(bot.token.expose());
        }
        let request = request.header("content-type", "application/json; charset=utf-8").body(payload.to_string());
        let answer = match self.http.ask(request).await {
            Ok(answer) => answer,
            Err(sent) => return sent,
        };
        let Some(bot) = &self.bot else { return self.http.sent(of_webhook(&answer), &answer) };
        if answer.status != 200 {
            return self.http.sent(meaning(NAMED, answer.status), &answer);
        }
        let posted: Result<Posted, _> = serde_json::from_slice(&answer.body);
        match posted {
            Ok(Posted { ok: true, ts, .. }) => {
                if let (Some(ts), None) = (ts, thread) {
                    bot.remember(&message.known_as, ts);
                }
                Sent::Delivered
            }
            Ok(Posted { error, .. }) => self.http.sent(of_word(&error.unwrap_or_default()), &answer),
            Err(_) => self.http.sent(Meaning::Retry, &answer),
        }
    }
}

fn of_word(word: &str) -> Meaning {
    WORDS.iter().find(|(known, _)| *known == word).map_or(Meaning::Closed, |(_, meaning)| *meaning)
}

/// 200 says `ok`; an error says a word. A word that is not known leaves it to the status.
fn of_webhook(answer: &Answer) -> Meaning {
    let text = answer.text();
    let by_status = meaning(NAMED, answer.status);
    match WORDS.iter().find(|(word, _)| *word == text.trim()) {
        Some((_, meaning)) if *meaning != Meaning::Delivered => *meaning,
        // Something in between answered.
        _ if by_status == Meaning::Delivered && text.trim() != "ok" => Meaning::Retry,
        _ => by_status,
    }
}

#[async_trait]
impl Output for Slack {
    /// Slack takes one message a second for each channel.
    fn concurrency(&self) -> usize {
        1
    }

    fn takes(&self, _action: DeliveryAction) -> bool {
        true
    }

    async fn send(&self, messages: &[Message]) -> Vec<Sent> {
        one_by_one(messages, &self.redact, |message, alert| self.send_one(message, alert)).await
    }
}

fn payload(alert: &Alert<'_>, fields: &Fields) -> Value {
    let severity = alert.severity();
    let icon = match severity {
        Severity::Critical | Severity::High => "🔴",
        Severity::Medium => "🟠",
        Severity::Low => "🟡",
        Severity::Info => "🔵",
    };
    let headline = headline(alert);
    let mut blocks = vec![json!({"type": "header", "text": plain(&format!("{icon} {severity}: {headline}"), MAX_HEADER)})];
    if headline.chars().count() + 20 > MAX_HEADER {
        blocks.push(json!({"type": "section", "text": plain(&headline, MAX_LONG_TEXT)}));
    }
    let fields: Vec<Value> = fields.of(alert).iter().map(|(name, value)| field(name, value)).collect();
    blocks.extend(fields.chunks(FIELDS_PER_SECTION).map(|fields| json!({"type": "section", "fields": fields})));
    if alert.action == DeliveryAction::Create {
        let texts = ["description", "runbook"].map(|field| lines(&alert.text(field)));
        let texts = texts.iter().filter(|text| !text.is_empty());
        blocks.extend(texts.map(|text| json!({"type": "section", "text": plain(text, MAX_LONG_TEXT)})));
        let reference = alert.text("reference");
        if let Ok(url) = Url::parse(&reference)
            && matches!(url.scheme(), "https" | "http")
            && url.as_str().chars().count() <= MAX_BUTTON_URL
        {
            let button = json!({"type": "button", "text": plain("Reference", 75), "url": url.as_str()});
            blocks.push(json!({"type": "actions", "elements": [button]}));
        }
    }
    json!({
        "text": escaped(&format!("{severity}: {headline}"), MAX_LONG_TEXT),
        "mrkdwn": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": blocks,
    })
}

fn plain(text: &str, limit: usize) -> Value {
    json!({"type": "plain_text", "text": escaped(text, limit), "emoji": false})
}

fn field(name: &str, value: &str) -> Value {
    // A backtick would end the code.
    json!({"type": "mrkdwn", "text": format!("*{}*\n`{}`", escaped(name, 100), escaped(&value.replace('`', "'"), MAX_FIELD)), "verbatim": true})
}

/// With `&`, `<` and `>` as entities, so that nothing is read as a mention or link; at most `limit` characters.
fn escaped(text: &str, limit: usize) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let whole = escape(text);
    if whole.chars().count() <= limit {
        return whole;
    }
    // Entities may not be cut, so shorter and shorter texts are tried; an entity is five characters at most.
    let mut length = limit;
    loop {
        let cut = escape(&cut_chars(text, length));
        let over = cut.chars().count().saturating_sub(limit);
        if over == 0 {
            return cut;
        }
        length = length.saturating_sub(over.div_ceil(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_answers_of_a_webhook_mean() {
        let answer = |status, body: &str| of_webhook(&Answer::new(status, body));
        for (status, body, expected) in [
            (200, "ok", Meaning::Delivered),
            (200, "<html>log in</html>", Meaning::Retry),
            (400, "invalid_payload", Meaning::Refused),
            (400, "invalid_blocks", Meaning::Refused),
            (400, "user_not_found", Meaning::Closed),
            (400, "something new", Meaning::Refused),
            (403, "action_prohibited", Meaning::Closed),
            (403, "invalid_token", Meaning::Closed),
            (404, "channel_not_found", Meaning::Closed),
            (404, "no_service", Meaning::Closed),
            (410, "channel_is_archived", Meaning::Closed),
            (413, "", Meaning::Refused),
            (429, "rate_limited", Meaning::Retry),
            (500, "rollup_error", Meaning::Retry),
            (503, "", Meaning::Retry),
        ] {
            assert_eq!(answer(status, body), expected, "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn entities_are_whole_and_within_the_limit(text in "[&<>a]{0,80}", limit in 20_usize..60) {
            let escaped = escaped(&text, limit);
            prop_assert!(escaped.chars().count() <= limit);
            let rest = escaped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            prop_assert!(!rest.contains(['&', '<', '>']), "{}", rest);
        }
    }
}
