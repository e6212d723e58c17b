//! What `run`, `rerun` and `watch` begin with: settings, the clock, the interpreter and loaded rules. So they refuse and
//! report the same things in the same words.

use anyhow::{Context, bail};
use iota_engine::event::parse_ms;
use iota_service::config::{Given, Settings};
use iota_service::pipeline::{Clock, Emit, FastPath, Keep, Progress, Run};
use iota_service::rules::{LoadedPack, Python, RulesError, Which, load_packs, unknown_names};
use iota_service::source::Inputs;
use iota_service::telemetry::Stats;
use std::sync::Arc;
use std::time::Instant;

pub(super) struct Setup {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) python: Python,
    pub(super) progress: Progress,
}

impl Setup {
    /// `now` is what `--now` states.
    pub(super) fn new(given: Given, now: Option<&String>) -> anyhow::Result<Self> {
        let settings = Settings::resolve(given)?;
        if settings.rules.value.is_empty() {
            bail!("no rules given; name a rule directory with --rules DIR");
        }
        let now_ms = now.map(|text| time("--now", text)).transpose()?;
        let python = super::find_python(&settings, now_ms)?;
        let progress = Progress { stop: Arc::clone(&python.program.stop), ..Progress::default() };
        Ok(Self { settings, clock: now_ms.map_or(Clock::System, Clock::Fixed), python, progress })
    }

    /// Reads the rules and has Python load them. Says what confines them, and which do not run.
    pub(super) fn load(&self, stats: &mut Stats) -> Result<Vec<LoadedPack>, RulesError> {
        let Self { settings, python, .. } = self;
        let all = || Ok(((), load_packs(&settings.rules.value, settings, python, Which::Enabled)?));
        self.load_by(stats, all).map(|((), packs)| packs)
    }

    /// The same for rules that `load` gives, with what it knows of them.
    pub(super) fn load_by<T>(
        &self,
        stats: &mut Stats,
        load: impl FnOnce() -> Result<(T, Vec<LoadedPack>), RulesError>,
    ) -> Result<(T, Vec<LoadedPack>), RulesError> {
        let Self { settings, python, .. } = self;
        stats.python.sandbox = python.program.sandbox.level();
        tracing::info!("sandbox of the rules: {}", stats.python.sandbox);
        let loading = Instant::now();
        let loaded = load();
        stats.seconds.load_rules = loading.elapsed().as_secs_f64();
        loaded.inspect(|(_, packs)| {
            report_load(packs, stats);
            report_names(packs, settings);
        })
    }

    /// A run that tells alerts as they are made.
    pub(super) fn run<'a>(&'a self, packs: &'a [LoadedPack], inputs: Inputs<'a>, keep: Keep<'a>) -> Run<'a> {
        Run {
            packs,
            python: &self.python,
            inputs,
            clock: self.clock,
            limits: self.settings.limits(),
            workers: self.settings.workers.value,
            emit: Emit::First,
            updates: false,
            fast_path: FastPath::On { verify: 0.0 },
            keep,
        }
    }
}

/// The time that a flag states, in milliseconds since the Unix epoch.
pub(super) fn time(flag: &str, text: &str) -> anyhow::Result<i64> {
    parse_ms(text).with_context(|| format!("{flag} {text:?}: a time such as 2024-07-15T10:00:00Z was expected"))
}

/// Says which names of the configuration nothing has.
pub(super) fn report_names(packs: &[LoadedPack], settings: &Settings) {
    // What is wrong with the files themselves ends the command where they are put to use.
    for unknown in unknown_names(packs, settings, Clock::System.now_ms()).unwrap_or_default() {
        tracing::warn!("{unknown}");
    }
}

/// Says what will not run, and why.
fn report_load(packs: &[LoadedPack], stats: &mut Stats) {
    for pack in packs {
        stats.rules_skipped += pack.pack.skipped.len() as u64;
        stats.rules_disabled += pack.pack.rules.iter().filter(|rule| !rule.enabled).count() as u64;
        for problem in pack.errors() {
            stats.rules_failed += 1;
            tracing::error!("{}/{}:{}: {}", pack.directory.display(), problem.path, problem.line.max(1), problem.message);
        }
        for skipped in &pack.pack.skipped {
            tracing::debug!("{}/{}: not run: {}", pack.directory.display(), skipped.path, skipped.reason);
        }
        stats.python.version = Some(pack.loaded.python.clone());
        if pack.runnable.is_empty() {
            tracing::warn!("{}: no rules to run", pack.directory.display());
        }
        tracing::debug!("{}: {} rules loaded by Python {}", pack.directory.display(), pack.runnable.len(), pack.loaded.python);
    }
}
